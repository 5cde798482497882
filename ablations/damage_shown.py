"""What damage does to the texts: frame of arms -> table, figure and sentence."""

from typing import TYPE_CHECKING, Any

import pandas as pd

from ablations.damage import MEASURES
from ablations.figures import OPERATORS
from ablations.formats import Grid
from ablations.tables import KINDS, NAMES
from ablations.wording import per_cent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COUNTED = ("characters", "steps", "digits", "keywords")
"""Those of `MEASURES` that are counts."""


def damage_grid(arms: pd.DataFrame, title: str) -> Grid:
    """The arms as texts, counts beside what they are of the undamaged ones."""
    correct = arms[arms["kind"] == "correct"].iloc[0]
    rows = [
        [
            arm["arm"],
            per_cent(arm["damaged_share"], 0),
            *(f"{arm[name]:,.1f} ({per_cent(arm[name] / correct[name], 0)})" for name in COUNTED),
            per_cent(arm["steps_left"], 0),
            per_cent(arm["steps_in_place"], 0),
        ]
        for _, arm in arms.iterrows()
    ]
    return Grid(title, ("arm", "units damaged", *MEASURES.values()), rows)


def damage_figure(arms: pd.DataFrame) -> "Figure":
    """Every measure against dose, a curve an operator; variants of an operator are left out.

    Args:
        arms: see `damage`; with the arm on correct traces.

    Returns:
        One axis a measure, all beginning at the undamaged traces, which are 100 %.
    """
    from matplotlib.figure import Figure

    correct = arms[arms["kind"] == "correct"]
    plain = arms[~arms["arm"].str.contains(",")]
    figure = Figure(figsize=(10, 6), layout="constrained")
    axes = figure.subplots(2, 3, sharex=True, sharey=True)
    for axis, (measure, name) in zip(axes.flat, MEASURES.items(), strict=True):
        for operator, (colour, marker) in OPERATORS.items():
            curve = plain[plain["corruption"] == operator]
            if curve.empty or curve[measure].isna().all():
                continue
            points = pd.concat([correct, curve]).sort_values("fraction")
            content = KINDS[operator] == "content"
            look: dict[str, Any] = {"color": colour, "marker": marker, "label": NAMES[operator]}
            look |= (
                {"ls": "-", "fillstyle": "full"} if content else {"ls": "--", "fillstyle": "none"}
            )
            share = points[measure] / correct[measure].iloc[0]
            axis.plot(100 * points["fraction"], 100 * share, **look)
        axis.set_title(name, loc="left", fontsize="medium")
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes[-1]:
        axis.set(xlim=(-4, 104), xlabel="damaged, % of units")
    for axis in axes[:, 0]:
        axis.set_ylabel("of undamaged traces, %")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    return figure


def damage_sentence(arms: pd.DataFrame) -> str:
    """How unlike equal doses are: what the operators leave of a trace at their least dose."""
    known = arms[arms["corruption"].isin(KINDS) & arms["steps_left"].notna()]
    if known["corruption"].nunique() < 2:
        return "Fewer than two operators on the same traces: they cannot be compared."
    least = known.loc[known.groupby("corruption")["fraction"].idxmin()].sort_values("steps_left")
    correct = arms[arms["kind"] == "correct"].iloc[0]
    lengths = known["characters"] / correct["characters"]
    fewest, most = least.iloc[0], least.iloc[-1]
    shortest, longest = known.loc[lengths.idxmin(), "arm"], known.loc[lengths.idxmax(), "arm"]
    return (
        f"Equal doses are not equal damage. At the operators' least doses between "
        f"{per_cent(fewest['steps_left'], 0)} ({fewest['arm']}) and "
        f"{per_cent(most['steps_left'], 0)} ({most['arm']}) of a trace's steps stay as they were; "
        f"over all doses traces are {per_cent(lengths.min(), 0)} ({shortest}) to "
        f"{per_cent(lengths.max(), 0)} ({longest}) as long."
    )
