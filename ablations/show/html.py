"""Renders a trace before and after its corruption as HTML."""

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape

from ablations.render.page import render
from ablations.show.marks import Piece, cut
from ablations.show.trace import Shown, facts, sides

TAGS = {"removed": "del", "inserted": "ins", "moved": "mark"}
"""Kind of a piece -> its element; the kinds are distinct without colour, too."""


def view(shown: Shown, longest: int | None = None) -> dict[str, Any]:
    """What `templates/sides.html.j2` shows of a trace: facts, question, and both texts, marked.

    `longest` characters of each text are shown, None: all; the number of the rest is stated.
    """
    before, after = (marked(pieces, longest) for pieces in sides(shown))
    texts = {"question": shown.before.problem.question, "before": before, "after": after}
    return texts | {"facts": facts(shown)}


def trace_page(shown: Shown) -> str:
    """One trace as a page of its own."""
    return render("trace.html.j2", title=facts(shown)[0], trace=view(shown))


def marked(pieces: Sequence[Piece], longest: int | None = None) -> Markup:
    """The pieces as HTML; steps of a reordered text carry their number before corruption."""
    kept, hidden = (pieces, 0) if longest is None else cut(pieces, longest)
    made = Markup().join(map(_element, kept))
    if hidden:
        made += Markup('<p class="cut">{:,} more characters not shown.</p>').format(hidden)
    return made


def _element(piece: Piece) -> Markup:
    tag = TAGS.get(piece.kind)
    inner = escape(piece.text)
    if piece.origin:
        arrow = "→" if piece.kind else ""
        inner = Markup('<b class="step">{}{}</b> {}').format(arrow, piece.origin, inner)
    return Markup("<{0}>{1}</{0}>").format(Markup(tag), inner) if tag else inner
