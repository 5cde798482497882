"""Which curves a figure of operators has; each looks as declared, and unlike the others."""

from dataclasses import dataclass
from itertools import cycle
from typing import Any

import pandas as pd

from ablations.results.arms import ORDER, shown
from distill.corruptions.locate import declarations

MARKERS = dict(zip(ORDER[1:], "Do^svP", strict=True))
"""Operator of Table 2 -> its marker."""

SPARE = ("#009e73", "#882255", "#999933", "#000000", "#44aa99", "#aa4499"), "Xph<>d8*"
"""Colours and markers of further operators, in order; a colour only where they declare none."""

STROKES = {"content": ("-", "full"), "structure": ("--", "none"), "other": (":", "full")}
"""What is damaged -> dash and filling."""


@dataclass(frozen=True)
class OperatorCurve:
    """One operator without variants, or one variant of a user's."""

    operator: str
    name: str
    """In a legend."""

    target: str
    look: dict[str, Any]
    """Of lines and markers."""

    arms: pd.DataFrame
    """Its rows, at all corruption rates; perhaps none."""


def operator_curves(arms: pd.DataFrame) -> list[OperatorCurve]:
    """A curve for each operator of Table 2, then for each other operator of `arms`.

    Args:
        arms: with `corruption`, `SHOWN` of `ablations.results.arms`, `kind` and `variant`. Variants
            of an operator of this project are ignored, except for steps that a model finds, which
            are the paper's, where there are no others.
    """
    damaged = arms[~arms["kind"].isin(("base", "uncorrupted"))]
    colours, markers = (cycle(spare) for spare in SPARE)
    made = []
    own = declarations()
    further = [name for name in sorted({*damaged["corruption"]}) if name not in ORDER]
    for operator in (*ORDER[1:], *further):
        mine = damaged["corruption"] == operator
        variants = [""] if operator in own else sorted({*damaged.loc[mine, "variant"]})
        for text in variants:
            rows = damaged[mine & (damaged["variant"] == text)]
            if operator in own and rows.empty:
                rows = damaged[mine & damaged["variant"].str.startswith("model")]
            first = rows.iloc[0] if len(rows) else {"corruption": operator}
            declared = shown(first)
            dash, fill = STROKES[declared.target]
            marker = MARKERS.get(operator) or next(markers)
            colour = declared.colour or next(colours)
            name = f"{declared.title}, {text}" if len(variants) > 1 else declared.title
            look = {"color": colour, "marker": marker, "ls": dash, "fillstyle": fill}
            made.append(OperatorCurve(operator, name, declared.target, look, rows))
    return made
