"""What could the design of a study show of the expectations that it states?"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from rich.box import SIMPLE
from rich.console import Group
from rich.table import Table
from rich.text import Text

from ablations.findings.expectations import Expected, expected
from ablations.reference import problem_counts
from ablations.render.wording import per_cent
from ablations.results.settings import SETTINGS
from ablations.statistics.power import POWER, Assumptions, Design, detectable, equivalence_margin
from ablations.studies.cells import Cell
from distill.expectations import ALIKE, BASE, Expectation

MOST_SEEDS = 30
"""Of either side, up to which enough are looked for."""


def power_table(cells: Sequence[Cell]) -> Group:
    """What the design of a study can show of each expectation, for a terminal; empty without one.

    At the usual variances, see `Assumptions`. Only comparisons of two arms are planned for.
    """
    found = expected(cells)
    if not found:
        return Group()
    table = Table("expectation", "benchmark", "seeds", "could be shown", box=SIMPLE)
    for one in found:
        told = one.expectation.text
        rows = list(_planned(one, cells))
        for benchmark, seeds, text in rows or [("", "", "not asked for")]:
            table.add_row(Text(told), benchmark, seeds, text)
            told = ""
    title = Text("\nExpectations", style="bold")
    power = f"With {per_cent(POWER, 0)} power, at the variances above; of equal arms for ~."
    return Group(title, table, Text(power, style="dim"))


def _planned(one: Expected, cells: Sequence[Cell]) -> Iterator[tuple[str, str, str]]:
    """Benchmark, seeds of both sides, and what could be shown; none where an arm is left out."""
    expectation = one.expectation
    asked = [one.arms[term] for term, _ in expectation.terms]
    if any(rows.empty for rows in asked):
        return
    configs = {cell.label: cell.config for cell in cells}
    for benchmark in dict.fromkeys(asked[0]["benchmark"]):
        mine = [rows[rows["benchmark"] == benchmark] for rows in asked]
        runs = [rows.groupby(list(SETTINGS), dropna=False)["label"].nunique() for rows in mine]
        seeds = [int(count.min()) for count in runs]
        if len(mine) != 2 or any(rows["arm"].nunique() > 1 for rows in mine):
            yield str(benchmark), "", "several arms: not planned for"
            continue
        evaluation = configs[mine[0]["label"].iloc[0]].evaluation
        scored = evaluation.benchmarks[str(benchmark)]
        greedy = (scored.sampling or evaluation.sampling).temperature == 0
        problems = scored.dataset.problems or problem_counts().get(scored.dataset.name, 0)
        design = Design(problems, 1 if greedy else scored.samples, (seeds[0], seeds[1]))
        names = [term.name for term, _ in expectation.terms]
        alone = any(n == 1 and name != BASE for n, name in zip(seeds, names, strict=True))
        only = ", of these runs" if alone else ""
        text = f"{seeds[0]} and {seeds[1]}"
        yield str(benchmark), text, _could_show(expectation, design, only) if problems else "?"


def _could_show(expectation: Expectation, design: Design, only: str) -> str:
    assumed = Assumptions()
    if max(design.seeds) == 1:
        assumed = replace(assumed, seed_sd=0.0)
    if expectation.relation == ALIKE:
        least = equivalence_margin(design, assumed)
        if least <= expectation.margin:
            return f"yes: within {100 * least:.1f} points{only}"
        for seeds in range(2, MOST_SEEDS + 1):
            more = replace(design, seeds=(seeds, seeds))
            if equivalence_margin(more, Assumptions()) <= expectation.margin:
                return f"no: within {100 * least:.1f} points{only}; {seeds} seeds are enough"
        return f"no: within {100 * least:.1f} points{only}; more than {MOST_SEEDS} seeds"
    least = expectation.margin + detectable(design, assumed)
    return f"a difference of {100 * least:.1f} points or more{only}"
