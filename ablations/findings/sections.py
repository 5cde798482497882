"""Which runs are compared with each other: the sections of a study, and runs of one setting."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import finalize

import pandas as pd

from ablations.render.grid import Grid
from ablations.results.arms import ARM
from ablations.results.settings import SETTINGS
from ablations.statistics.intervals import Shares, by_run, complete
from distill.evaluation.variance import Spread, pooled

SECTION = ("benchmark", "student", "training", "size", "teacher", "dataset", *SETTINGS)
"""What the arms of one section share."""

SEEDS = ("training_seed", "corruption_seed")
"""In which runs of one arm differ."""


@dataclass(frozen=True)
class Finding:
    """The answer to a question that is asked across sections, for students that are alike."""

    title: str
    """What these students share."""

    sentence: str
    grid: Grid

    rows: pd.DataFrame
    """What the grid shows, in the columns of the question's `frame`."""


def sections(runs: pd.DataFrame) -> pd.DataFrame:
    """The first run of each section, in the order of `SECTION`, sizes as numbers.

    Untrained students are part of every section that was scored as they were; they are a section
    of their own only where no trained student was.
    """
    untrained = runs["method"] == "none"
    trained = runs[~untrained].drop_duplicates(list(SECTION))
    bases = runs[untrained].drop_duplicates(["benchmark", "evaluation_setting"])
    bases = bases[~bases["evaluation_setting"].isin(trained["evaluation_setting"])]
    return pd.concat([trained, bases]).sort_values(list(SECTION))


def with_bases(runs: pd.DataFrame, planned: pd.DataFrame | None = None) -> pd.DataFrame:
    """The runs, each base in the section of the students that were scored like it.

    A paper may ask the base by another prompt than its students. Such a base takes the
    `evaluation_setting` of the students that were otherwise scored like it, of `runs` and
    `planned`, unless these are of several prompts or have a base of their own prompt.

    Args:
        runs: in the columns of `ablations.results.runs.runs`.
        planned: further runs in these columns.

    Returns:
        The runs, with the column `base_prompt`: the prompt of such a base; else empty.
    """
    known = runs["base_prompt"].fillna("") if "base_prompt" in runs else ""
    runs = runs.assign(base_prompt=known).reset_index(drop=True)
    if runs.empty:
        return runs
    both = runs if planned is None else pd.concat([runs, planned], ignore_index=True)
    like = ["benchmark", "unprompted_setting"]
    untrained = both["method"] == "none"
    own = set(both.loc[untrained & both["base_prompt"].fillna("").eq(""), "evaluation_setting"])
    trained = {key: {*part["evaluation_setting"]} for key, part in both[~untrained].groupby(like)}
    bases = (runs["method"] == "none") & runs["benchmark"].notna() & runs["base_prompt"].eq("")
    for place, base in runs[bases].iterrows():
        students = trained.get(tuple(base[like]), set())
        if len(students) == 1 and not students & own:
            runs.loc[place, ["evaluation_setting", "base_prompt"]] = [*students, base["prompt"]]
    return runs


def section_runs(section: pd.Series, runs: pd.DataFrame) -> pd.DataFrame:
    """The runs trained and scored as a section says, and the base where it was scored like them."""
    return runs[
        (runs["benchmark"] == section["benchmark"])
        & (runs["evaluation_setting"] == section["evaluation_setting"])
        & ((runs["training_setting"] == section["training_setting"]) | (runs["method"] == "none"))
    ]


def in_sections(asked: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """The arms that a study asks for, placed in the sections of its recorded runs.

    Records outlive the configs that made them, so settings are not compared: a section of the runs
    takes the arms that were asked for with its training and size, whatever the student. Arms of a
    training and size that no run has stay as they are. Both arguments, and what is returned for
    `ablations.findings.arms.frame`, have the columns of `ablations.results.runs.runs`.
    """
    trained = runs[(runs["method"] != "none") & runs["benchmark"].notna()]
    found = trained.drop_duplicates(list(SECTION))
    if found.empty:
        return asked
    like, untrained = ["training", "size"], asked["method"] == "none"
    arms, bases = asked[~untrained], asked[untrained]
    run = arms.set_index(like).index.isin(found.set_index(like).index)
    parts = [arms[~run]]
    for _, section in found.iterrows():
        mine = (arms["training"] == section["training"]) & (arms["size"] == section["size"])
        shared = {name: section[name] for name in SECTION}
        parts.append(arms[mine].assign(**shared))
        parts.append(bases.assign(**shared | {"training": "none", "training_setting": None}))
    return pd.concat(parts, ignore_index=True)


def arm_shares(runs: pd.DataFrame, samples: pd.DataFrame) -> Shares:
    """Share of right samples by problem and run (`intervals.by_seed`), of one arm's runs.

    Runs are in the order of their seeds; of an untrained student by problem alone. Neither the
    samples nor what is returned is ever changed in place: a report asks for each arm a dozen times.
    """
    if id(samples) not in _KNOWN:
        _KNOWN[id(samples)] = {}
        finalize(samples, _KNOWN.pop, id(samples))
    known, benchmarks = _KNOWN[id(samples)], frozenset(runs["benchmark"])
    if benchmarks not in known:  # grouping all rows takes as long as finding those of one arm
        known[benchmarks] = by_run(samples[samples["benchmark"].isin(benchmarks)])
    asked = benchmarks, tuple(runs["cell"])
    if asked not in known:
        known[asked] = _of_arm(runs, pd.DataFrame(known[benchmarks]))
    return known[asked]


def section_spread(runs: pd.DataFrame, samples: pd.DataFrame) -> Spread | None:
    """How much runs of one arm differ, from all arms of a section's trained runs."""
    told = runs[[*ARM, *SEEDS, "cell", "benchmark", "method"]]
    trained = told[(runs["method"] != "none") & runs["accuracy"].notna()]
    arms = [arm for _, arm in trained.groupby(list(ARM), dropna=False) if len(arm) > 1]
    return pooled([pd.DataFrame(arm_shares(arm, samples)) for arm in arms])


_KNOWN: dict[int, dict[Any, Shares]] = {}
"""`id` of a frame of samples, as long as it lives -> benchmarks, or these and cells -> shares."""


def _of_arm(runs: pd.DataFrame, every: pd.DataFrame) -> Shares:
    """Those of one arm's runs, of the shares of all runs."""
    seeds = runs[[*SEEDS, "cell"]].sort_values([*SEEDS])
    shares = every[[*dict.fromkeys(seeds["cell"])]].copy()
    shares = complete(shares.dropna(how="all") if shares.isna().any(axis=None) else shares)
    if (runs["method"] == "none").all() and shares.shape[1] == 1:
        return shares.iloc[:, 0]
    return shares


def of_one_setting(runs: pd.DataFrame, alike: Sequence[str], varied: Sequence[str]) -> pd.DataFrame:
    """The runs of those groups in which every value of what varies was trained in one way.

    A study may vary anything: where one size was trained at two learning rates, neither is the
    size's own, and the whole group is left out. Runs of a group share the columns `alike` and are
    compared in the columns `varied`.
    """
    settings = runs.groupby([*alike, *varied], dropna=False)["training_setting"]
    most = settings.transform("nunique").groupby([runs[name] for name in alike], dropna=False)
    return runs[most.transform("max") <= 1]
