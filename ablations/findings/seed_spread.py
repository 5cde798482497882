"""How far training seeds scattered where they were run; a plan's assumption stands beside it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ablations.results.arms import ARM
from ablations.results.records import RECORDED
from ablations.results.responses import KEPT
from ablations.results.runs import runs, samples
from ablations.statistics.intervals import by_seed
from ablations.statistics.variance import seed_variance
from distill.store.identity import CHECKOUT

if TYPE_CHECKING:
    from ablations.studies.plan import Planned


@dataclass(frozen=True)
class Spread:
    """Of the arms of one section that were trained with several seeds."""

    section: str
    """Benchmark, student and training."""

    sd: float
    """Of an arm's true accuracy over training seeds, without what single answers scatter."""

    arms: int
    seeds: tuple[int, int]
    """Fewest and most of an arm."""

    folder: Path
    """Where the runs are."""

    def __str__(self) -> str:
        """In words, for the note below a plan."""
        seeds = " to ".join(map(str, dict.fromkeys(self.seeds)))
        return (
            f"{100 * self.sd:.1f} in {self.section} ({self.arms} arms of {seeds} seeds, "
            f"{self.folder.as_posix()})"
        )


def measured_spreads(planned: "Sequence[Planned]") -> list[Spread]:
    """What a study's own runs show of it, or else those that the repository records of it.

    Arms that score next to nothing or nearly all cannot scatter, and are counted like the others.
    """
    config = planned[0].cell.config
    for folder in (Path(config.runs, config.study.name), CHECKOUT / RECORDED / config.study.name):
        if folder.is_dir() and (found := spreads(folder)):
            return found
    return []


def spreads(folder: Path) -> list[Spread]:
    """One of every section of a folder of runs that has arms of several training seeds."""
    done = runs(folder)
    done = done[done["method"].ne("none") & done["benchmark"].notna()]
    like = ["benchmark", "student", "training", "training_setting", "evaluation_setting"]
    arm = [*like, *ARM, "corruption_seed"]
    several = done.groupby(arm, dropna=False)["training_seed"].transform("nunique") > 1
    done = done[several]
    if done.empty:
        return []
    rows = samples(folder, KEPT)
    found = []
    for (benchmark, student, training, *_), section in done.groupby(like, dropna=False):
        tables = [
            by_seed(rows[rows["cell"].isin(one["cell"]) & rows["benchmark"].eq(str(benchmark))])
            for _, one in section.groupby(arm, dropna=False)
        ]
        seeds = [table.shape[1] for table in tables]
        scatter = [seed_variance(table.to_numpy())[0] * table.shape[1] for table in tables]
        name = f"{benchmark}, {student}, {training}"
        sd = math.sqrt(max(0.0, float(np.mean(scatter))))
        found.append(Spread(name, sd, len(tables), (min(seeds), max(seeds)), folder))
    return found
