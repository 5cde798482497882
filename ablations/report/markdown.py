"""The blocks of a report as Markdown; a picture is told in words."""

import re
from collections.abc import Sequence

from ablations.render import grid
from ablations.report.blocks import (
    Block,
    Box,
    Bullets,
    Commands,
    Damage,
    Folded,
    Legend,
    Picture,
    Tables,
    Text,
)
from ablations.report.examples import LONGEST
from ablations.show.marks import cut
from ablations.show.trace import facts, sides, text

LEGEND = (
    "[-removed-], {+inserted+}; an arrow and a number: a step in another place, with its number "
    "from before."
)


def markdown(blocks: Sequence[Block]) -> str:
    """The blocks, a blank line between them; links of a page are left out."""
    return "\n\n".join(map(_block, blocks))


def _block(block: Block) -> str:
    match block:
        case Text():
            return f"**{block.text}**" if block.style == "said" else block.text
        case Box():
            return "\n>\n".join(f"> {_block(one)}" for one in block.texts)
        case Bullets():
            return "\n".join(f"* {line}" for line in block.lines)
        case Commands():
            return _fenced("\n".join(block.lines))
        case Tables():
            return grid.markdown(block.grids, block.note).rstrip("\n")
        case Picture():
            return f"A picture on the page. {block.alternative}"
        case Folded():
            return f"{block.summary}:\n\n{_block(block.block)}"
        case Legend():
            return LEGEND
        case Damage():
            return _damage(block)


def _damage(block: Damage) -> str:
    shown = block.shown
    parts = ["\n".join(f"* {fact}" for fact in facts(shown))]
    parts.append(f"**Question.** {shown.before.problem.question}")
    for title, pieces in zip(("before", "after"), sides(shown), strict=True):
        kept, hidden = cut(pieces, LONGEST)
        parts += [f"**{title}**", _fenced(text(kept, colour=False).plain)]
        parts += [f"{hidden:,} more signs are not shown here."] if hidden else []
    return "\n\n".join([*parts, f"The whole of it: `{block.command}`"])


def _fenced(text: str) -> str:
    """As it is, whatever is in it: a fence is longer than any inside."""
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text)), 3)
    return f"{fence}\n{text}\n{fence}"
