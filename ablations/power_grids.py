"""The power of a study as finished texts: at the variance that was measured, or assumed."""

from ablations.formats import Grid
from ablations.power import Assumptions, Design, measured
from ablations.power_table import MORE_SAMPLES, MORE_SEEDS, SHOWN, Comparison, bought
from ablations.study_report import Section
from ablations.tables import NAMES

HEADER = (
    *("compared with correct", "n", "seeds", "found", "these runs", "the recipes"),
    *(*(f"{seeds} seeds" for seeds in MORE_SEEDS), f"{MORE_SAMPLES} samples"),
)

NOTE = (
    f"{SHOWN} Then: the recipes with that many seeds on both sides, and these runs with that many "
    "samples a problem; empty where it buys nothing."
)


def measured_power(section: Section) -> Grid | None:
    """The smallest difference that each arm's design shows, at the variance that was measured."""
    done, rows = section.done, []
    reference = done[done["kind"] == "correct"]
    if len(reference) != 1 or len(done) < 2:
        return None
    shares = {arm["arm"]: section.shares(arm) for _, arm in done.iterrows()}
    correct = shares[NAMES["none"]]
    for _, arm in done[done["kind"] != "correct"].iterrows():
        mine = shares[arm["arm"]]
        samples = 1 if section.greedy else int(arm["samples"])
        design = Design(len(mine), samples, (mine.shape[1], correct.shape[1]))
        assumed = measured(mine, correct, samples)
        found = f"{100 * arm['difference']:+.1f}"
        texts = bought(design, assumed, section.greedy, arm["kind"] != "base")
        rows.append(
            [arm["arm"], f"{len(mine)}×{arm['samples']:.0f}", *texts[:1], found, *texts[1:]]
        )
    return Grid(f"{section.title}: at the variance measured", HEADER, rows)


def assumed_power(comparisons: list[Comparison]) -> Grid:
    """The same before anything was run, at the usual variances."""
    rows = []
    for one in comparisons:
        name = f"{one.section}: {one.arms} {'damaged' if one.trained else 'untrained'}"
        if one.design is None:
            rows.append([name, "?", *[""] * (len(HEADER) - 2)])
            continue
        texts = bought(one.design, Assumptions(), one.greedy, one.trained)
        n = f"{one.design.problems}×{one.design.samples}"
        rows.append([name, n, *texts[:1], "not run", *texts[1:]])
    return Grid("At the variance assumed", HEADER, rows)
