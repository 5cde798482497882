"""The power of a study as finished texts: at the variance that was measured, or assumed."""

from dataclasses import replace

from ablations.formats import Grid
from ablations.power import POWER, Assumptions, Design, detectable, measured
from ablations.power_table import MORE_SAMPLES, MORE_SEEDS, Comparison
from ablations.sections import Section
from ablations.tables import NAMES

HEADER = (
    *("compared with correct", "n", "seeds", "found", "these runs", "the recipes"),
    *(*(f"{seeds} seeds" for seeds in MORE_SEEDS), f"{MORE_SAMPLES} samples"),
)

NOTE = (
    f"Points of accuracy that are found with {POWER:.0%} power at two-sided 5 %, one comparison at "
    "a time. These runs: with their seeds as they fell. The recipes: with any other seeds, which "
    "one seed cannot test. Then: the recipes with that many seeds on both sides, and these runs "
    "with that many samples a problem; empty where it buys nothing."
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
        bought = _bought(design, assumed, section.greedy, arm["kind"] != "base")
        rows.append(
            [arm["arm"], f"{len(mine)}×{arm['samples']:.0f}", *bought[:1], found, *bought[1:]]
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
        bought = _bought(one.design, Assumptions(), one.greedy, one.trained)
        n = f"{one.design.problems}×{one.design.samples}"
        rows.append([name, n, *bought[:1], "not run", *bought[1:]])
    return Grid("At the variance assumed", HEADER, rows)


def _bought(design: Design, assumed: Assumptions, greedy: bool, trained: bool) -> list[str]:
    """Seeds, then what is detectable: these runs, the recipes, with more seeds, more samples."""
    fixed = replace(assumed, seed_sd=0.0)
    single = max(design.seeds) == 1
    texts = [" to ".join(str(seeds) for seeds in dict.fromkeys(design.seeds))]
    texts.append(_points(detectable(design, fixed)))
    texts.append("" if single else _points(detectable(design, assumed)))
    for seeds in MORE_SEEDS:
        more = replace(design, seeds=(seeds if trained else 1, seeds))
        enough = all(has >= asked for has, asked in zip(design.seeds, more.seeds, strict=True))
        texts.append("" if enough else _points(detectable(more, assumed)))
    more = replace(design, samples=MORE_SAMPLES)
    pointless = greedy or design.samples >= MORE_SAMPLES
    return [*texts, "" if pointless else _points(detectable(more, fixed if single else assumed))]


def _points(share: float) -> str:
    return f"{100 * share:.1f}" if share < 1 else "> 100"
