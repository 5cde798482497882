"""How accurate is each arm of a study, and how far is it from the uncorrupted one?"""

from typing import Any

import pandas as pd

from ablations.findings.sections import SECTION, arm_shares, section_runs, sections, with_bases
from ablations.render.grid import Grid
from ablations.render.wording import interval, p_value, per_cent, sampled
from ablations.results.arms import ARM, SHOWN, UNCORRUPTED, arm_name, kind, place, shown, variant
from ablations.results.settings import SETTINGS
from ablations.statistics import intervals
from ablations.statistics.significance import holm

MEANS = (
    *("accuracy_boxed", "undecided", "truncated", "damaged_share", "rows", "tokens", "keywords"),
    "majority",
)
"""Columns of `frame` that are means over an arm's runs."""

ALWAYS = ("benchmark", "student", "training")
"""Named above every section; the rest of `SECTION` only where it differs."""

HEADER = (
    *("arm", "n", "accuracy [95 %]", "difference to uncorrupted [95 %]", "p", "p (Holm)"),
    *("truncated", "damaged", "traces", "tokens", "undecided", "boxed"),
)
"""Of every grid."""

NOTE = """\
n: problems × samples per problem × runs (training and corruption seeds). Accuracy: per cent, with
a 95 % interval clustered by problem. Difference: points, paired by problem. p: two-sided, exact
where both arms are one run with one sample per problem; Holm: adjusted for all comparisons of the
section. Intervals and p cover training seeds only where every trained side has several runs, never
another teacher corpus or base student. Damaged: fraction of the digits, keywords or steps of the
selected traces that was corrupted. Traces: training-set size. Tokens: mean response length.
Undecided: responses that the grader could not decide; they count as wrong. Boxed: accuracy if only
answers in the mark that prompts ask for count, where runs recorded it."""
"""Below the grids; see `note`."""

MARK = "†"
"""Behind the damaged share of an arm that is hardly damaged."""

MARKED = (
    f" {MARK}: less than half of the corruption rate, or nothing, was corrupted; such an arm says "
    "little about its operator."
)


def frame(
    runs: pd.DataFrame, samples: pd.DataFrame, planned: pd.DataFrame | None = None
) -> pd.DataFrame:
    """One row per section and arm: base, uncorrupted, then the damaged ones in the paper's order.

    A section is what is trained and scored alike; runs that differ in nothing but seeds are one
    arm. The base (`training=none`) is in every section whose students were scored as it was.

    Args:
        runs: one row per (run, benchmark), see `ablations.results.runs.runs`.
        samples: one row per (run, benchmark, problem, sample) of the same runs.
        planned: in the columns of `runs`, the runs that the study asks for; arms without a run
            are rows with `state` "not run".

    Returns:
        `SECTION`, `method`, `ARM`, `SHOWN`, and:

        arm, kind, state: its name; base, uncorrupted, content, structure or other; "done" or "not
            run".
        prompt: of a base that was asked by another than the students; else empty.
        variant: what its name says besides operator and rate, see `ablations.results.arms.variant`.
        problems, samples, runs: n, samples per problem and run, and runs averaged (their seeds).
        accuracy, low, high: `intervals.accuracy`; covers seeds where there are several.
        difference, difference_low, difference_high, p: `intervals.difference` to the uncorrupted
            arm of the same section.
        p_holm: p adjusted for all comparisons of the section, see `significance.holm`.
        accuracy_boxed: accuracy if only marked answers count; NaN for runs that did not record it.
        undecided: share of responses without a verdict; not right in `accuracy`.
        truncated: share of responses cut at the token limit.
        damaged_share: share of the operator's units that was damaged in the selected traces.
        rows: traces trained on.
        tokens, keywords: means per response.
        majority: share of problems whose most frequent answer is right; several samples only.
    """
    asked = runs if planned is None else pd.concat([runs, planned], ignore_index=True)
    asked = with_bases(asked[asked["benchmark"].notna()])
    votes = [name for name in map(str, asked) if name.startswith("cons@")]
    majority = asked[votes].astype(float).max(axis=1) if votes else float("nan")
    asked = asked.assign(majority=majority)
    found = sections(asked)
    rows = [row for _, section in found.iterrows() for row in _section(section, asked, samples)]
    columns = [
        *(*SECTION, "method", *ARM, *SHOWN, "variant"),
        *(
            "arm",
            "prompt",
            "kind",
            "state",
            "problems",
            "samples",
            "runs",
            "accuracy",
            "low",
            "high",
        ),
        *("difference", "difference_low", "difference_high", "p", "p_holm", *MEANS),
    ]
    return pd.DataFrame(rows, columns=columns)


def grids(arms: pd.DataFrame) -> list[Grid]:
    """The rows of `frame` as texts, one grid per section; `note` belongs below."""
    made = []
    header = HEADER if arms["accuracy_boxed"].notna().any() else HEADER[:-1]
    for _, part in arms.groupby(list(SECTION), sort=False, dropna=False):
        title = ", ".join(f"{name} {part[name].iloc[0]}" for name in _varying(arms))
        rows = [_line(arm)[: len(header)] for _, arm in part.iterrows()]
        made.append(Grid(title, header, rows))
    return made


def note(arms: pd.DataFrame) -> str:
    """What stands below the grids of `frame`: `NOTE`, and `MARKED` where an arm is marked."""
    return NOTE + (MARKED if any(hardly_damaged(arm) for _, arm in arms.iterrows()) else "")


def hardly_damaged(arm: Any) -> bool:
    """Whether less than half of the corruption rate of a finished arm was corrupted, or nothing."""
    if arm["state"] != "done" or arm["kind"] in ("base", UNCORRUPTED):
        return False
    return not arm["damaged_share"] >= arm["fraction"] / 2


def damaged_share(arm: Any) -> str:
    """The share of an arm's units that was corrupted as text, marked where it is hardly any."""
    return per_cent(arm["damaged_share"]) + f" {MARK}" * hardly_damaged(arm)


def _section(
    section: pd.Series, asked: pd.DataFrame, samples: pd.DataFrame
) -> list[dict[str, Any]]:
    """The rows of one section."""
    mine = section_runs(section, asked)
    mine = mine.assign(arm=[arm_name(run) for _, run in mine.iterrows()])
    arms = sorted((part for _, part in mine.groupby("arm")), key=lambda part: place(part.iloc[0]))
    done = [part[part["accuracy"].notna()] for part in arms]
    shares = {
        part["arm"].iloc[0]: None if run.empty else arm_shares(run, samples)
        for part, run in zip(arms, done, strict=True)
    }
    shared = {name: section[name] for name in SECTION}
    rows = [shared | _arm(part, shares) for part in arms]
    adjusted = holm([row.get("p", float("nan")) for row in rows])
    return [row | {"p_holm": p} for row, p in zip(rows, adjusted, strict=True)]


def _arm(part: pd.DataFrame, shares: dict[str, pd.DataFrame | None]) -> dict[str, Any]:
    first, done = part.iloc[0], part[part["accuracy"].notna()]
    row = {name: first[name] for name in ("method", *ARM, "arm")}
    row |= {name: getattr(shown(first), name) for name in SHOWN}
    row |= {"prompt": first["base_prompt"]}
    row |= {"variant": ", ".join(variant(first)), "kind": kind(first), "state": "not run"}
    mine, reference = shares[first["arm"]], shares.get(UNCORRUPTED)
    if mine is None:
        return row
    row |= {"samples": int(done["samples"].iloc[0]), "runs": mine.shape[1], "state": "done"}
    row |= intervals.accuracy(mine).columns("accuracy", "") | {"problems": len(mine)}
    if reference is not None and first["arm"] != UNCORRUPTED:
        change = intervals.difference(mine, reference)
        row |= change.columns("difference", "difference_") | {"p": change.p}
    return row | {name: done[name].astype(float).mean() for name in MEANS}


def _varying(arms: pd.DataFrame) -> list[str]:
    """What tells the sections apart; the hashes of their settings only where nothing else does."""
    names = [name for name in SECTION if name not in SETTINGS]
    shown = {name: arms[name].nunique(dropna=False) > 1 or name in ALWAYS for name in names}
    found = arms[list(SECTION)].drop_duplicates()
    if found.duplicated(names).any():
        shown |= {name: found[name].nunique() > 1 for name in SETTINGS}
    return [name for name, yes in shown.items() if yes]


def _line(arm: pd.Series) -> list[str]:
    name = arm["arm"] + (f", prompt {arm['prompt']}" if arm["prompt"] else "")
    if arm["state"] != "done":
        return [name, arm["state"], *[""] * (len(HEADER) - 2)]
    shares = [per_cent(arm["truncated"]), damaged_share(arm)]
    means = ["" if pd.isna(arm[name]) else f"{arm[name]:.0f}" for name in ("rows", "tokens")]
    change = (arm["difference"], arm["difference_low"], arm["difference_high"])
    scores = [interval(arm["accuracy"], arm["low"], arm["high"]), interval(*change, "+")]
    tests = [p_value(arm["p"]), p_value(arm["p_holm"])]
    reading = [per_cent(arm["undecided"]), interval(arm["accuracy_boxed"])]
    return [name, sampled(arm), *scores, *tests, *shares, *means, *reading]
