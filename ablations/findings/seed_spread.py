"""How much does the accuracy of an arm vary over training seeds?"""

from pathlib import Path

import numpy as np
import pandas as pd

from ablations.results import runs
from ablations.results.arms import ARM
from ablations.results.records import RECORDED, records
from ablations.results.responses import KEPT
from ablations.statistics.intervals import by_seed
from distill.config import Config
from distill.evaluation.variance import pooled
from distill.store.identity import CHECKOUT


def frame(folder: Path) -> pd.DataFrame:
    """One row per section of a folder of runs that has arms with several training seeds.

    Arms that score close to 0 or 100 % cannot vary, and are left out.

    Returns:
        section: benchmark, student and training.
        seed_sd: standard deviation of an arm's true accuracy over training seeds, without the
            variance of single answers; in shares of 1, at the arms' mean accuracy.
        arms: arms with several seeds.
        fewest_seeds, most_seeds: of an arm.
        folder: as given.
    """
    columns = ["section", "seed_sd", "arms", "fewest_seeds", "most_seeds", "folder"]
    found = list(records(folder))
    done = runs.frame(found)
    done = done[done["method"].ne("none") & done["benchmark"].notna()]
    like = ["benchmark", "student", "training", "training_setting", "evaluation_setting"]
    arm = [*like, *ARM, "corruption_seed"]
    several = done.groupby(arm, dropna=False)["training_seed"].transform("nunique") > 1
    done = done[several]
    if done.empty:
        return pd.DataFrame(columns=columns)
    rows = runs.sample_rows(found, KEPT)[[*KEPT, "cell", "benchmark"]]
    spreads = []
    for (benchmark, student, training, *_), section in done.groupby(like, dropna=False):
        tables = [
            by_seed(rows[rows["cell"].isin(one["cell"]) & rows["benchmark"].eq(str(benchmark))])
            for _, one in section.groupby(arm, dropna=False)
        ]
        seeds = [table.shape[1] for table in tables]
        spread = pooled(tables)
        if spread is None:
            continue
        accuracy = float(np.mean([table.to_numpy().mean() for table in tables]))
        name = f"{benchmark}, {student}, {training}"
        spreads.append(
            (name, spread.of_runs(accuracy), len(tables), min(seeds), max(seeds), folder)
        )
    return pd.DataFrame(spreads, columns=columns)


def sentence(spread: pd.DataFrame) -> str:
    """The standard deviations in points, with what they rest on; empty without a row."""
    return "; ".join(
        f"{100 * row['seed_sd']:.1f} in {row['section']} ({row['arms']} arms of "
        f"{' to '.join(map(str, dict.fromkeys([row['fewest_seeds'], row['most_seeds']])))} seeds, "
        f"{row['folder'].as_posix()})"
        for _, row in spread.iterrows()
    )


def of_study(config: Config) -> pd.DataFrame:
    """`frame` of the own runs of a study, or else of those of it that the repository records.

    `config` is that of any run; no row where neither has arms with several seeds.
    """
    own = Path(config.runs, config.study.name)
    recorded = CHECKOUT / RECORDED / config.study.name
    found = (frame(folder) for folder in (own, recorded) if folder.is_dir())
    return next((one for one in found if len(one)), pd.DataFrame())
