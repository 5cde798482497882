"""How accurate is each arm of a study, and how far is it from the uncorrupted one?"""

import textwrap
from typing import Any

import pandas as pd

from ablations.findings.sections import (
    SECTION,
    arm_shares,
    section_runs,
    section_spread,
    sections,
    with_bases,
)
from ablations.render.grid import Grid
from ablations.render.wording import interval, p_value, per_cent, sampled
from ablations.results.arms import ARM, SHOWN, UNCORRUPTED, arm_name, kind, place, shown, variant
from ablations.results.settings import SETTINGS
from ablations.statistics import intervals
from ablations.statistics.intervals import Shares
from ablations.statistics.significance import holm
from distill.evaluation.variance import Spread, is_apart

MEANS = (
    *("accuracy_boxed", "undecided", "truncated", "damaged_share", "rows", "tokens", "keywords"),
    *("changed", "majority"),
)
"""Columns of `frame` that are means over an arm's runs."""

ALWAYS = ("benchmark", "student", "training")
"""Named above every section; the rest of `SECTION` only where it differs."""

HEADER = (
    *("arm", "n", "accuracy [95 %]", "each run", "difference to uncorrupted [95 %]"),
    *("p", "p (Holm)", "truncated", "damaged", "text changed", "traces", "tokens"),
    *("undecided", "boxed"),
)
"""Of every grid."""

NOTE = """\
n: problems × samples per problem × runs. Accuracy: per cent, with a 95 % interval over problems and
runs; how much runs vary is estimated from all arms of the section together. Each run: accuracies,
in the order of the seeds. Difference: points, paired by problem. p: two-sided; Holm: adjusted for
all comparisons of the section. Nothing covers another teacher corpus or base student. Damaged:
fraction of the digits, keywords or steps of the selected traces that was corrupted. Text changed:
share of a trace's words that was deleted or inserted, 0 if nothing and 100 % if no word is left.
Traces: training-set size. Tokens: mean response length. Undecided: responses that the grader could
not decide; they count as wrong. Boxed: accuracy if only answers in the mark that prompts ask for
count, where runs recorded it."""
"""Below the grids; see `note`."""

MARK = "†"
"""Behind the damaged share of an arm that is hardly damaged."""

MARKED = (
    f"{MARK}: less than half of the corruption rate, or nothing, was corrupted; such an arm says "
    "little about its operator."
)

APART = "‡"
"""Behind the runs of an arm that vary by more than those of the others."""

VARY_MORE = (
    f"{APART}: its runs vary by more than those of the section's other arms (their ratio of "
    "variances is beyond its 99 % quantile); its interval rests on them alone."
)

EQUIVALENT = "≈"
"""Behind the difference of an arm that is shown to be as accurate as the uncorrupted one."""

MARGIN = 5.0
"""Points of accuracy below which arms count as equally accurate, unless the study says otherwise
(`study.margin`)."""

ONCE = (
    "An arm with one run was trained once: its interval covers problems alone, and its difference "
    "is one of these runs, which another seed may reverse; it has no p."
)


def frame(
    runs: pd.DataFrame,
    samples: pd.DataFrame,
    planned: pd.DataFrame | None = None,
    margin: float = MARGIN,
) -> pd.DataFrame:
    """One row per section and arm: base, uncorrupted, then the damaged ones in the paper's order.

    A section is what is trained and scored alike; runs that differ in nothing but seeds are one
    arm. The base (`training=none`) is in every section whose students were scored as it was.

    Args:
        runs: one row per (run, benchmark), see `ablations.results.runs.runs`.
        samples: one row per (run, benchmark, problem, sample) of the same runs.
        planned: in the columns of `runs`, the runs that the study asks for; arms without a run
            are rows with `state` "not run".
        margin: points of accuracy below which arms count as equally accurate.

    Returns:
        `SECTION`, `method`, `ARM`, `SHOWN`, and:

        arm, kind, state: its name; base, uncorrupted, content, structure or other; "done" or "not
            run".
        refers: the runs that its trained students refer to, see `ablations.results.arms.refers`.
        prompt: of a base that was asked by another than the students; else empty.
        variant: what its name says besides operator and rate, see `ablations.results.arms.variant`.
        problems, samples, runs: n, samples per problem and run, and runs averaged.
        training_seeds, corruption_seeds: how many different ones these runs have.
        accuracy, low, high: `intervals.accuracy`; covers seeds where there are several.
        each_run: the accuracy of each run, in the order of the seeds.
        apart: whether these vary by more than those of the section's other arms.
        difference, difference_low, difference_high, p: `intervals.difference` to the uncorrupted
            arm of the same section; p is NaN where a trained arm has one run.
        equivalent: whether the difference is shown to be smaller than the margin, see
            `intervals.equivalent`; never where a trained arm has one run.
        margin: as given.
        p_holm: p adjusted for all comparisons of the section, see `significance.holm`.
        accuracy_boxed: accuracy if only marked answers count; NaN for runs that did not record it.
        undecided: share of responses without a verdict; not right in `accuracy`.
        truncated: share of responses cut at the token limit.
        damaged_share: share of the operator's units that was damaged in the selected traces.
        changed: share of their words that was deleted or inserted, see
            `distill.corruptions.changed.changed`; NaN for runs that did not record it.
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
    rows = [
        row | {"margin": margin}
        for _, section in found.iterrows()
        for row in _section(section, asked, samples, margin)
    ]
    columns = [
        *(*SECTION, "refers", "method", *ARM, *SHOWN, "variant"),
        *("arm", "prompt", "kind", "state", "problems", "samples", "runs", "training_seeds"),
        *("corruption_seeds", "accuracy", "low", "high", "each_run", "apart"),
        *("difference", "difference_low", "difference_high", "equivalent", "margin"),
        *("p", "p_holm", *MEANS),
    ]
    return pd.DataFrame(rows, columns=columns)


def grids(arms: pd.DataFrame) -> list[Grid]:
    """The rows of `frame` as texts, one grid per section; `note` belongs below."""
    made = []
    header = HEADER if arms["accuracy_boxed"].notna().any() else HEADER[:-1]
    for _, part in arms.groupby(list(SECTION), sort=False, dropna=False):
        first = part.iloc[0]
        title = ", ".join(
            f"{name} {first[name]}" if name != "refers" else first["refers"] or "no other run"
            for name in varying(arms)
        )
        rows = [_line(arm)[: len(header)] for _, arm in part.iterrows()]
        made.append(Grid(title, header, rows))
    return made


def note(arms: pd.DataFrame) -> str:
    """What stands below the grids of `frame`: `NOTE`, and what the marks in them mean."""
    done = arms[arms["state"] == "done"]
    trained = done[done["kind"] != "base"]
    said = [NOTE, seeds_varied(trained)]
    if (trained["runs"] == 1).any():
        said.append(ONCE)
    if trained["apart"].eq(True).any():
        said.append(VARY_MORE)
    if done["equivalent"].eq(True).any():
        said.append(
            f"{EQUIVALENT}: as accurate as uncorrupted within ±{done['margin'].iloc[0]:g} points, "
            "by two one-sided tests at 5 %."
        )
    if any(hardly_damaged(arm) for _, arm in arms.iterrows()):
        said.append(MARKED)
    return textwrap.fill(" ".join(text for text in said if text).replace("\n", " "), 100)


def seeds_varied(trained: pd.DataFrame) -> str:
    """Over which seeds the runs of trained arms differ; empty where no arm has several runs."""
    several = trained[trained["runs"] > 1]
    if several.empty:
        return ""
    damaged = several[several["kind"] != UNCORRUPTED]
    training = (several["training_seeds"] == several["runs"]).all()
    if training and (damaged["corruption_seeds"] == damaged["runs"]).all():
        return "Runs of an arm differ in their training seed and in their corruption seed."
    if (several["corruption_seeds"] == 1).all():
        return (
            "Runs of an arm differ in their training seed; the corruption was drawn once, so "
            "nothing covers another draw of it."
        )
    if (several["training_seeds"] == 1).all():
        return (
            "Runs of an arm differ in their corruption seed; all were trained with one seed, so "
            "nothing covers another."
        )
    return "Runs of an arm differ in their training seed, their corruption seed or both."


def hardly_damaged(arm: Any) -> bool:
    """Whether less than half of the corruption rate of a finished arm was corrupted, or nothing."""
    if arm["state"] != "done" or arm["kind"] in ("base", UNCORRUPTED):
        return False
    return not arm["damaged_share"] >= arm["fraction"] / 2


def damaged_share(arm: Any) -> str:
    """The share of an arm's units that was corrupted as text, marked where it is hardly any."""
    return per_cent(arm["damaged_share"]) + f" {MARK}" * hardly_damaged(arm)


def each_run(arm: Any) -> str:
    """The accuracies of an arm's runs as text, marked where they vary by more than others'."""
    if arm["kind"] == "base":
        return ""
    return ", ".join(f"{100 * share:.1f}" for share in arm["each_run"]) + f" {APART}" * bool(
        arm["apart"]
    )


def varying(arms: pd.DataFrame) -> list[str]:
    """What tells the sections apart; the hashes of their settings only where nothing else does."""
    names = [*(name for name in SECTION if name not in SETTINGS), "refers"]
    shown = {name: arms[name].nunique(dropna=False) > 1 or name in ALWAYS for name in names}
    found = arms[[*SECTION, "refers"]].drop_duplicates()
    if found.duplicated(names).any():
        shown |= {name: found[name].nunique() > 1 for name in SETTINGS}
    return [name for name, yes in shown.items() if yes]


def _section(
    section: pd.Series, asked: pd.DataFrame, samples: pd.DataFrame, margin: float
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
    shared = {name: section[name] for name in (*SECTION, "refers")}
    spread = section_spread(mine, samples)
    rows = [shared | _arm(part, shares, spread, margin) for part in arms]
    adjusted = holm([row.get("p", float("nan")) for row in rows])
    return [row | {"p_holm": p} for row, p in zip(rows, adjusted, strict=True)]


def _arm(
    part: pd.DataFrame,
    shares: dict[str, Shares | None],
    spread: Spread | None,
    margin: float,
) -> dict[str, Any]:
    first, done = part.iloc[0], part[part["accuracy"].notna()]
    row = {name: first[name] for name in ("method", *ARM, "arm")}
    row |= {name: getattr(shown(first), name) for name in SHOWN}
    row |= {"prompt": first["base_prompt"]}
    row |= {"variant": ", ".join(variant(first)), "kind": kind(first), "state": "not run"}
    mine, reference = shares[first["arm"]], shares.get(UNCORRUPTED)
    if mine is None:
        return row
    each = pd.DataFrame(mine).mean()
    row |= {"samples": int(done["samples"].iloc[0]), "runs": len(each), "state": "done"}
    row |= {f"{of}_seeds": done[f"{of}_seed"].nunique() for of in ("training", "corruption")}
    row |= {"each_run": tuple(each), "apart": is_apart(mine, spread), "problems": len(mine)}
    row |= intervals.accuracy(mine, spread).columns("accuracy", "")
    if reference is not None and first["arm"] != UNCORRUPTED:
        change = intervals.difference(mine, reference, spread)
        row |= change.columns("difference", "difference_") | {"p": change.row()["p"]}
        same = change.recipes and intervals.equivalent(change, margin / 100)
        row |= {"equivalent": same}
    return row | {name: done[name].astype(float).mean() for name in MEANS}


def _line(arm: pd.Series) -> list[str]:
    name = arm["arm"] + (f", prompt {arm['prompt']}" if arm["prompt"] else "")
    if arm["state"] != "done":
        return [name, arm["state"], *[""] * (len(HEADER) - 2)]
    shares = [per_cent(arm["truncated"]), damaged_share(arm), per_cent(arm["changed"])]
    means = ["" if pd.isna(arm[name]) else f"{arm[name]:.0f}" for name in ("rows", "tokens")]
    change = (arm["difference"], arm["difference_low"], arm["difference_high"])
    difference = interval(*change, "+") + f" {EQUIVALENT}" * (arm["equivalent"] is True)
    scores = [interval(arm["accuracy"], arm["low"], arm["high"]), each_run(arm), difference]
    tests = [p_value(arm["p"]), p_value(arm["p_holm"])]
    reading = [per_cent(arm["undecided"]), interval(arm["accuracy_boxed"])]
    return [name, sampled(arm), *scores, *tests, *shares, *means, *reading]
