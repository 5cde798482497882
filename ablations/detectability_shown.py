"""What could be shown of published differences: frame of changes -> table, figure, sentence."""

from typing import TYPE_CHECKING, Any

import pandas as pd

from ablations.comparison import AVERAGE
from ablations.drawing import STYLES, canvas
from ablations.formats import Grid
from ablations.reference import title
from ablations.wording import LEVEL

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def changes_grid(changes: pd.DataFrame, name: str) -> Grid:
    """The changes on one benchmark as texts, in points; columns without any number are left out."""
    columns = {
        "published change": [f"{100 * change:+.1f}" for change in changes["change"]],
        "detectable, these runs": [f"{100 * size:.1f}" for size in changes["detectable"]],
        "detectable, the recipes": [f"{100 * size:.1f}" for size in changes["detectable_recipes"]],
    }
    told = {"power": "power, these runs", "power_recipes": "power, the recipes"}
    for column, header in (told | {"least_p": "least p"}).items():
        if changes[column].notna().any():
            columns[header] = [f"{value:.2g}" for value in changes[column]]
    rows = [list(row) for row in zip(changes["row"], *columns.values(), strict=True)]
    return Grid(name, ("arm", *columns), rows)


def changes_figure(changes: pd.DataFrame) -> "Figure":
    """Published changes on one benchmark against what could be detected.

    Args:
        changes: rows of one benchmark of `published_changes`.

    Returns:
        One axis, an arm a row; inside the dark band no difference could be shown of these runs,
        inside the light one none of the recipes.
    """
    shown = changes.iloc[::-1].reset_index(drop=True)
    figure, axis = canvas(7, 1.9 + 0.32 * len(shown))
    for column, grey, label in (
        ("detectable_recipes", "0.9", "below what the recipes could show"),
        ("detectable", "0.75", "below what these runs could show"),
    ):
        edge = 100 * shown[column].max()
        axis.axvspan(-edge, edge, color=grey, linewidth=0, label=label)
    axis.axvline(0, color="0.2", linewidth=1)
    for kind, (colour, marker, fill) in STYLES.items():
        part = shown[shown["kind"] == kind]
        look: dict[str, Any] = {"color": colour, "marker": marker, "fillstyle": fill, "ls": "none"}
        axis.plot(100 * part["change"], part.index, label=f"{kind} damaged", **look)
    axis.set_yticks(list(shown.index), labels=list(shown["row"]))
    axis.set_xlabel(f"published change to correct traces, {title(shown['benchmark'][0])}, points")
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def changes_sentence(changes: pd.DataFrame) -> str:
    """How many published changes their design could have shown, one by one and on average."""
    single, average = (changes[changes["benchmark"].eq(AVERAGE) == yes] for yes in (False, True))
    never = int((single["least_p"] >= LEVEL).sum())
    told = [
        f"Of {len(single)} published changes on one benchmark {_beyond(single)}; {never} could "
        "not be significant however the answers fell on the problems."
    ]
    for kind, part in average.groupby("kind"):
        told.append(f"Of {len(part)} changes of the average by damage to {kind} {_beyond(part)}.")
    return " ".join(told)


def _beyond(changes: pd.DataFrame) -> str:
    size = changes["change"].abs()
    these, recipes = (
        int((size >= changes[name]).sum()) for name in ("detectable", "detectable_recipes")
    )
    return (
        f"{these} are as large as what these runs could show, and {recipes} as large as what "
        "would tell the recipes apart"
    )
