"""Writes the blocks of a report as Markdown, pictures as their descriptions."""

import re
from collections.abc import Sequence
from typing import assert_never

from ablations.render import grid
from ablations.report import blocks
from ablations.report.examples import LONGEST
from ablations.show.marks import cut
from ablations.show.trace import facts, sides, text

LEGEND = (
    "[-removed-], {+inserted+}; an arrow and a number mark a moved step, with its number before "
    "corruption."
)


def markdown(content: Sequence[blocks.Block]) -> str:
    """The blocks, separated by blank lines; links are left out."""
    return "\n\n".join(map(_block, content))


def _block(block: blocks.Block) -> str:
    match block:
        case blocks.Text():
            return f"**{block.text}**" if block.style == "said" else block.text
        case blocks.Box():
            return "\n>\n".join(f"> {_block(one)}" for one in block.texts)
        case blocks.Bullets():
            return "\n".join(f"* {line}" for line in block.lines)
        case blocks.Commands():
            return _fenced("\n".join(block.lines))
        case blocks.Tables():
            return grid.markdown(block.grids, block.note).rstrip("\n")
        case blocks.Picture():
            return f"Figure, on the HTML page. {block.alternative}"
        case blocks.Folded():
            return f"{block.summary}:\n\n{_block(block.block)}"
        case blocks.Legend():
            return LEGEND
        case blocks.Damage():
            return _damage(block)
        case _:
            assert_never(block)


def _damage(block: blocks.Damage) -> str:
    shown = block.shown
    parts = ["\n".join(f"* {fact}" for fact in facts(shown))]
    parts.append(f"**Question.** {shown.before.problem.question}")
    for title, pieces in zip(("before", "after"), sides(shown), strict=True):
        kept, hidden = cut(pieces, LONGEST)
        parts += [f"**{title}**", _fenced(text(kept, colour=False).plain)]
        parts += [f"{hidden:,} more characters not shown."] if hidden else []
    return "\n\n".join([*parts, f"The full trace: `{block.command}`"])


def _fenced(text: str) -> str:
    """A text between fences longer than any that it contains."""
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text)), 3)
    return f"{fence}\n{text}\n{fence}"
