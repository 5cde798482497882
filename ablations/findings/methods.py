"""Does LoRA learn what full fine-tuning learns, arm by arm?"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd

from ablations.findings.sections import Finding, arm_shares, of_one_setting
from ablations.reference import title
from ablations.render.drawing import canvas, errors, name_rows
from ablations.render.grid import Grid
from ablations.render.wording import (
    interval,
    of_runs,
    of_these_runs,
    p_value,
    points,
    verdict,
)
from ablations.results.arms import ARM, UNCORRUPTED, arm_name, place
from ablations.statistics.intervals import Estimate, Shares, accuracy, contrast, difference
from ablations.statistics.significance import holm
from distill.evaluation.variance import pooled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ALIKE = ("benchmark", "student", "size", "teacher", "dataset", "refers", "evaluation_setting")
"""What students share that differ only in how they were trained."""

LOOKS = {"sft": ("#0072b2", "o", "full"), "lora": ("#d55e00", "s", "none")}
"""The two methods -> colour (of Okabe and Ito), marker and filling."""

READING = ("undecided", "accuracy_boxed")
"""Of either method, in the order of `LOOKS`: the share of responses without a verdict, and the
accuracy if only answers in the mark that prompts ask for count."""


def frame(runs: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """One row per arm that was trained by both methods, in the order of the tables.

    Returns:
        `ALIKE`, `arm` (its name) and:

        sft, lora, each with _low and _high: `intervals.accuracy` of either; with _runs: the
            accuracy of each run.
        value, low, high, problems, seeds, p: `intervals.difference`, LoRA minus full fine-tuning;
            p_holm: adjusted for all arms of the same `ALIKE`.
        extra, extra_low, extra_high, extra_p: the change due to damage with LoRA minus that with
            full fine-tuning, by `intervals.contrast` with the uncorrupted arms of both; NaN without
            those.
        undecided, accuracy_boxed: see `READING`.

    Raises:
        ValueError: one arm was trained with several settings of one method.
    """
    both = runs[runs["method"].isin(LOOKS) & runs["accuracy"].notna()]
    groups = both.groupby(list(ALIKE), sort=False)
    rows = [row for key, part in groups for row in _group(key, part, samples)]
    columns = [
        *(*ALIKE, "arm", "sft", "sft_low", "sft_high", "sft_runs"),
        *("lora", "lora_low", "lora_high", "lora_runs"),
        *(*Estimate.__dataclass_fields__, "p_holm"),
        *("extra", "extra_low", "extra_high", "extra_p", *READING),
    ]
    return pd.DataFrame(rows, columns=columns)


def grid(arms: pd.DataFrame, name: str) -> Grid:
    """The rows of one `ALIKE` as texts: accuracies in per cent, differences in points."""
    rows = []
    for _, arm in arms.iterrows():
        alone = [
            f"{interval(arm[of], arm[f'{of}_low'], arm[f'{of}_high'])}{of_runs(arm[f'{of}_runs'])}"
            for of in LOOKS
        ]
        change = interval(arm["value"], arm["low"], arm["high"], "+")
        extra = interval(arm["extra"], arm["extra_low"], arm["extra_high"], "+")
        n = f"{arm['problems']}, {arm['seeds']}"
        known = [[interval(one) for one in arm[name]] for name in READING]
        read = [" / ".join(both) if any(both) else "" for both in known]
        rows.append([arm["arm"], *alone, change, p_value(arm["p_holm"]), extra, n, *read])
    header = ("arm", "full fine-tuning", "LoRA", "LoRA minus full", "p (Holm)", "extra damage")
    return Grid(name, (*header, "n: problems, seeds", "undecided, %", "boxed, %"), rows)


def figure(arms: pd.DataFrame) -> "Figure":
    """Accuracy of either method by arm with 95 % intervals; `arms` are the rows of one `ALIKE`."""
    shown = arms.iloc[::-1].reset_index(drop=True)
    drawn, axis = canvas(7, 1.9 + 0.5 * len(shown))
    for offset, (method, (colour, marker, fill)) in zip((0.12, -0.12), LOOKS.items(), strict=True):
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
    drawn.legend(loc="outside lower center", ncols=2, frameon=False)
    return drawn


def sentence(arms: pd.DataFrame) -> str:
    """What the rows of one `ALIKE` say of uncorrupted traces and of damage."""
    uncorrupted = arms[arms["arm"] == UNCORRUPTED]
    said = ["No uncorrupted arm was trained by both methods."]
    if len(uncorrupted):
        row = uncorrupted.iloc[0]
        does = verdict(row, "falls short of", "cannot be told apart from", "does better than")
        text = f"On uncorrupted traces LoRA {does} full fine-tuning: {points(row)}."
        said = [of_these_runs(text, row)]
    damaged = arms[arms["extra"].notna()]
    if len(damaged):
        more, less = (damaged["extra_high"] < 0).sum(), (damaged["extra_low"] > 0).sum()
        text = (
            f"Of {len(damaged)} damaged arms, damage costs LoRA more than full fine-tuning in "
            f"{more} and less in {less}; {len(damaged) - more - less} cannot be told apart."
        )
        both = pd.concat([uncorrupted, damaged])
        said.append(of_these_runs(text, *both.itertuples()))
    return " ".join(said)


def findings(runs: pd.DataFrame, samples: pd.DataFrame) -> list[Finding]:
    """The answer for each group of students that share `ALIKE`; arguments as of `frame`."""
    found = []
    for _, part in frame(runs, samples).groupby(list(ALIKE), sort=False):
        names = ("benchmark", "student", "size")
        name = ", ".join(f"{name} {part[name].iloc[0]}" for name in names)
        name += f", {other}" if (other := part["refers"].iloc[0]) else ""
        found.append(Finding(name, sentence(part), grid(part, name), part))
    return found


def comparable(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs that `frame` accepts: of groups with one setting for each arm and method."""
    return of_one_setting(runs, ALIKE, ("method", *ARM))


def _group(
    key: tuple[Any, ...], part: pd.DataFrame, samples: pd.DataFrame
) -> Iterator[dict[str, Any]]:
    shared = dict(zip(ALIKE, key, strict=True))
    parts = [arm for _, arm in part.groupby(list(ARM), dropna=False)]
    parts = sorted(parts, key=lambda arm: place(arm.iloc[0]))
    shares = {arm_name(arm.iloc[0]): _by_method(arm, samples) for arm in parts}
    read = {arm_name(arm.iloc[0]): _read(arm) for arm in parts}
    pairs = {name: both for name, both in shares.items() if len(both) == len(LOOKS)}
    reference = pairs.get(UNCORRUPTED)
    spreads = {
        method: pooled([pd.DataFrame(both[method]) for both in shares.values() if method in both])
        for method in LOOKS
    }
    two = [spreads["lora"], spreads["sft"]]
    changes = {name: difference(both["lora"], both["sft"], two) for name, both in pairs.items()}
    adjusted = holm([change.row()["p"] for change in changes.values()])
    for (name, change), p in zip(changes.items(), adjusted, strict=True):
        row = shared | {"arm": name} | change.row() | {"p_holm": p} | read[name]
        for method, own in pairs[name].items():
            row |= accuracy(own, spreads[method]).columns(method, f"{method}_")
            row |= {f"{method}_runs": tuple(pd.DataFrame(own).mean())}
        if reference is not None and name != UNCORRUPTED:
            four = [pairs[name]["lora"], pairs[name]["sft"], reference["lora"], reference["sft"]]
            extra = contrast(four, [1, -1, -1, 1], [*two, *two])
            row |= extra.columns("extra", "extra_") | {"extra_p": extra.row()["p"]}
        yield row


def _read(arm: pd.DataFrame) -> dict[str, list[float]]:
    """Means of `READING` over the runs of either method."""
    by_method = [arm[arm["method"] == method] for method in LOOKS]
    return {name: [part[name].astype(float).mean() for part in by_method] for name in READING}


def _by_method(arm: pd.DataFrame, samples: pd.DataFrame) -> dict[str, Shares]:
    made: dict[str, Shares] = {}
    for method in LOOKS:
        part = arm[arm["method"] == method]
        if part["training_setting"].nunique() > 1:
            raise ValueError(
                f"{arm_name(part.iloc[0])} was trained with several settings of {method}: "
                f"{', '.join(part['label'])}; give runs that differ in the method alone"
            )
        if len(part):
            made[method] = arm_shares(part, samples)
    return made
