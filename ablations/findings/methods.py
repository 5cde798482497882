"""Adapters against full fine-tuning: frame of runs -> paired differences, arm by arm."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pandas as pd

from ablations.findings.arms import arm_shares
from ablations.reference import title
from ablations.render.drawing import canvas, errors, name_rows
from ablations.render.grid import Grid
from ablations.render.wording import interval, points, verdict
from ablations.results.arms import ARM, NAMES, arm_name, place
from ablations.statistics.intervals import Shares, accuracy, contrast, difference
from ablations.statistics.significance import holm

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ALIKE = ("benchmark", "student", "size", "teacher", "dataset", "evaluation_setting")
"""What two students share that differ in how they were trained."""

METHODS = {"sft": ("#0072b2", "o", "full"), "lora": ("#d55e00", "s", "none")}
"""Method -> colour (of Okabe and Ito), marker and filling; LoRA minus full fine-tuning."""

COLUMNS = (
    *ALIKE,
    *("arm", "sft", "sft_low", "sft_high", "lora", "lora_low", "lora_high"),
    *("value", "low", "high", "problems", "seeds", "p", "p_holm"),
    *("extra", "extra_low", "extra_high", "extra_p"),
)
"""Of `lora_minus_sft`; see there."""


def lora_minus_sft(runs: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """One row per arm that was trained by both methods, in the order of the tables.

    Args:
        runs: see `ablations.results.runs.runs`.
        samples: of these runs.

    Returns:
        `ALIKE`, the name of the arm, and:

        sft, lora and their ends: `stats.accuracy` of either.
        value, low, high, problems, seeds, p: `stats.difference`, LoRA minus full fine-tuning;
            p_holm: adjusted for all arms of the same `ALIKE`.
        extra and its ends, extra_p: what damage changes by LoRA beyond what it changes by full
            fine-tuning, by `stats.contrast` to the correct arms of both; NaN without those.

    Raises:
        ValueError: one arm was trained by several settings of one method.
    """
    both = runs[runs["method"].isin(METHODS) & runs["accuracy"].notna()]
    groups = both.groupby(list(ALIKE), sort=False)
    rows = [row for key, part in groups for row in _group(key, part, samples)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def methods_grid(arms: pd.DataFrame, name: str) -> Grid:
    """The rows of one `ALIKE` as texts: per cent, and points."""
    rows = [
        [
            arm["arm"],
            interval(arm["sft"], arm["sft_low"], arm["sft_high"]),
            interval(arm["lora"], arm["lora_low"], arm["lora_high"]),
            interval(arm["value"], arm["low"], arm["high"], "+"),
            f"{arm['p_holm']:.2g}",
            interval(arm["extra"], arm["extra_low"], arm["extra_high"], "+"),
            f"{arm['problems']}, {arm['seeds']}",
        ]
        for _, arm in arms.iterrows()
    ]
    header = ("arm", "full fine-tuning", "LoRA", "LoRA minus full", "p (Holm)", "extra damage")
    return Grid(name, (*header, "n: problems, seeds"), rows)


def methods_figure(arms: pd.DataFrame) -> "Figure":
    """Accuracy of either method by arm with 95 % intervals; `arms` are the rows of one `ALIKE`."""
    shown = arms.iloc[::-1].reset_index(drop=True)
    figure, axis = canvas(7, 1.9 + 0.5 * len(shown))
    for offset, (method, (colour, marker, fill)) in zip(
        (0.12, -0.12), METHODS.items(), strict=True
    ):
        look = {"color": colour, "marker": marker, "fillstyle": fill, "ls": "none"}
        label = "LoRA" if method == "lora" else "full fine-tuning"
        columns = (None, method, f"{method}_low", f"{method}_high")
        errors(axis, shown.set_axis(shown.index + offset), columns, label, look)
    name_rows(axis, shown)
    first = arms.iloc[0]
    axis.set_xlim(-2, 102)
    axis.set_xlabel(
        f"accuracy on {title(first['benchmark'])}, %, and 95 % intervals\n"
        f"n = {first['problems']:.0f} problems"
    )
    axis.set_title(f"{title(first['student'])}, {first['size']:,.0f} traces", loc="left")
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def methods_sentence(arms: pd.DataFrame) -> str:
    """What the rows of one `ALIKE` say: on correct traces, and of damage."""
    correct = arms[arms["arm"] == NAMES["none"]]
    told = ["No arm on correct traces was trained by both methods."]
    if len(correct):
        row = correct.iloc[0]
        does = verdict(row, "falls short of", "cannot be told apart from", "does better than")
        told = [f"On correct traces LoRA {does} full fine-tuning: {points(row)}."]
    damaged = arms[arms["extra"].notna()]
    if len(damaged):
        more, less = (damaged["extra_high"] < 0).sum(), (damaged["extra_low"] > 0).sum()
        told.append(
            f"Of {len(damaged)} kinds of damage {more} cost LoRA more than full fine-tuning, "
            f"{less} cost it less, and {len(damaged) - more - less} cannot be told."
        )
    return " ".join(told)


def _group(
    key: tuple[Any, ...], part: pd.DataFrame, samples: pd.DataFrame
) -> Iterator[dict[str, Any]]:
    shared = dict(zip(ALIKE, key, strict=True))
    parts = [arm for _, arm in part.groupby(list(ARM), dropna=False)]
    parts = sorted(parts, key=lambda arm: place(arm.iloc[0]))
    shares = {arm_name(arm.iloc[0]): _by_method(arm, samples) for arm in parts}
    pairs = {name: both for name, both in shares.items() if len(both) == len(METHODS)}
    correct = pairs.get(NAMES["none"])
    changes = {name: difference(both["lora"], both["sft"]) for name, both in pairs.items()}
    adjusted = holm([change.p if change.p is not None else 1.0 for change in changes.values()])
    for (name, change), p in zip(changes.items(), adjusted, strict=True):
        row = shared | {"arm": name} | asdict(change) | {"p_holm": p}
        for method, shares_of in pairs[name].items():
            alone = accuracy(shares_of)
            row |= {method: alone.value, f"{method}_low": alone.low, f"{method}_high": alone.high}
        if correct is not None and name != NAMES["none"]:
            four = [pairs[name]["lora"], pairs[name]["sft"], correct["lora"], correct["sft"]]
            extra = contrast(four, [1, -1, -1, 1])
            ends = {"extra": extra.value, "extra_low": extra.low, "extra_high": extra.high}
            row |= ends | {"extra_p": extra.p}
        yield row


def _by_method(arm: pd.DataFrame, samples: pd.DataFrame) -> dict[str, Shares]:
    made: dict[str, Shares] = {}
    for method in METHODS:
        part = arm[arm["method"] == method]
        if part["training_setting"].nunique() > 1:
            raise ValueError(
                f"{arm_name(part.iloc[0])} was trained by several settings of {method}: "
                f"{', '.join(part['label'])}; give runs that differ in the method alone"
            )
        if len(part):
            made[method] = arm_shares(part, samples)
    return made
