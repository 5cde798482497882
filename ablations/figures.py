"""Figures of a study: frame of arms -> figure. Readable in grey and by the colour-blind."""

from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLES = {"content": ("#0072b2", "o", "full"), "structure": ("#d55e00", "s", "none")}
"""Kind of damage -> colour (of Okabe and Ito), marker, filling; grey tells them apart as well."""

LINES = {"correct": ("-", "correct traces"), "base": ("--", "before training")}
"""Kind of arm without damage -> dash of its line, and its name."""


def structure_vs_content(arms: pd.DataFrame) -> "Figure":
    """Accuracy by arm with 95 % intervals, damage to content and to structure apart.

    Correct traces and the untrained base are lines with their intervals as bands.

    Args:
        arms: rows of one section of `ablations.tables.table`; those not run are left out.

    Returns:
        One axis, an arm a row, per cent from 0 to 100.

    Raises:
        ValueError: the rows are of several sections, or none of them was run.
    """
    from matplotlib.figure import Figure

    done = arms[arms["state"] == "done"]
    titles = arms[["benchmark", "student", "training", "training_setting"]].drop_duplicates()
    if done.empty or len(titles) > 1:
        raise ValueError(
            f"a figure takes one section with finished runs; got\n{titles.to_string()}"
        )
    damaged = done[done["kind"].isin(STYLES)].iloc[::-1].reset_index(drop=True)
    figure = Figure(figsize=(7, 1.9 + 0.4 * len(damaged)), layout="constrained")
    axis = figure.add_subplot()
    for kind, (dash, name) in LINES.items():
        for _, arm in done[done["kind"] == kind].iterrows():
            axis.axvspan(100 * arm["low"], 100 * arm["high"], color="0.5", alpha=0.2, linewidth=0)
            axis.axvline(100 * arm["accuracy"], color="0.2", linestyle=dash, label=name)
    for kind, (colour, marker, fill) in STYLES.items():
        part = damaged[damaged["kind"] == kind]
        value = 100 * part["accuracy"]
        errors = [value - 100 * part["low"], 100 * part["high"] - value]
        look: dict[str, Any] = {"color": colour, "marker": marker, "fillstyle": fill}
        label = f"{kind} damaged"
        axis.errorbar(value, part.index, xerr=errors, ls="none", capsize=3, label=label, **look)
    axis.set_yticks(list(damaged.index), labels=list(damaged["arm"]))
    axis.set_xlim(0, 100)
    axis.set_ylim(-0.5, len(damaged) - 0.5)
    problems = done["problems"].iloc[0]
    axis.set_xlabel(
        f"accuracy on {titles['benchmark'].iloc[0]}, %, and 95 % intervals; n = {problems:.0f}"
    )
    axis.set_title(f"{titles['student'].iloc[0]}, {titles['training'].iloc[0]}", loc="left")
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure
