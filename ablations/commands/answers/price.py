"""The price of a study for a terminal."""

from collections.abc import Sequence
from dataclasses import replace

from rich.box import SIMPLE
from rich.console import Group
from rich.table import Table
from rich.text import Text

from ablations.prices.cheapest import Section
from ablations.prices.costs import StageCost
from ablations.prices.estimates import Estimate
from ablations.prices.prices import Prices, missing, sources
from ablations.statistics.power import Assumptions, Design, detectable

COLUMNS = ("requests", "read", "written", "trained", "GPU h", "hours", "dollars")
"""As in `StageCost.numbers`; those that are empty in all rows are left out."""

HOURS = ("GPU h", "hours")

UNITS = {"T": 1e12, "G": 1e9, "M": 1e6, "k": 1e3}

SPELT = 1e4
"""Numbers below it are written out."""

MEANING = (
    "Tokens read and written by models, and trained on in all epochs. ≤: a limit stands for what "
    "is unknown. ?: unknown. Artifacts that exist cost nothing, shared ones cost once. Other "
    "stages take minutes of a processor."
)


def price_table(prices: Prices) -> Group:
    """One row for each stage that asks a model or takes time, and one for the whole."""
    stages = prices.stages
    title = Text("\nWhat is to be made, and its price", style="bold")
    if not any(stage.to_make for stage in stages):
        done = "nothing: everything that asks a model exists" if stages else "no stage asks a model"
        return Group(title, Text(done))
    rows = [(stage.stage, _made(stage), stage.numbers) for stage in stages]
    if len(stages) > 1:
        rows.append(("in all", "", prices.whole))
    shown = [i for i, _ in enumerate(COLUMNS) if any(_known(numbers[i]) for *_, numbers in rows)]
    table = Table(header_style="bold", box=SIMPLE, collapse_padding=True, pad_edge=False)
    for name in ("stage", "make", *(COLUMNS[i] for i in shown)):
        table.add_column(name, justify="left" if name == "stage" else "right", no_wrap=True)
    for place, (name, made, numbers) in enumerate(rows, start=2):
        texts = (text(numbers[i], COLUMNS[i]) for i in shown)
        table.add_row(name, made, *texts, end_section=place == len(rows))
    notes = [Text(MEANING + _machines(prices), style="dim"), *_rests(stages)]
    notes += [Text(f"not read: {why}", style="magenta") for why in prices.records.unread]
    return Group(title, table, *notes)


def _rests(stages: Sequence[StageCost]) -> list[Text]:
    """What the numbers rest on, each source once with the stages that read it; then the unknown."""
    read: dict[str, list[str]] = {}
    for stage in stages:
        for source in sources(stage.open):
            read.setdefault(source, []).append(stage.stage)
    told = [Text(f"- {', '.join(by)}: {source}", style="dim") for source, by in read.items()]
    unknowns = missing(cost for stage in stages for cost in stage.open)
    told += [Text(f"? {what}", style="magenta") for what in unknowns]
    return [Text("From:", style="dim"), *told] if told else []


def warned(prices: Prices) -> list[Text]:
    """Where every problem there is would be asked about."""
    return [Text(f"warning: {text}", style="bold red") for text in prices.warnings]


def design_table(points: float, sections: Sequence[Section]) -> Group:
    """The cheapest design that detects a difference of so many points, beside the study's own."""
    title = f"\nCheapest design that finds a difference of {points:g} points between two recipes"
    if not sections:
        nothing = "no damaged arm is compared with an uncorrupted one, so there is none to price"
        return Group(Text(title, style="bold"), Text(nothing))
    greedy = " Greedy answers do not vary, so that only sampled ones are drawn more often."
    note = (
        "Of designs with 2 to 16 seeds; each benchmark by itself, with its share of the study's "
        "arms. Finds: points found with 80 % power, of recipes; in brackets of these runs alone, "
        "since one seed says nothing of recipes. Priced as if nothing were trained and scored."
    )
    note += greedy if any(section.greedy for section in sections) else ""
    tables = (_designs(section, points) for section in sections)
    return Group(Text(title, style="bold"), *tables, Text(note, style="dim"))


def _designs(section: Section, points: float) -> Table:
    table = Table(header_style="bold", title=section.name, title_justify="left", box=SIMPLE)
    rows = [("as planned", section.own)]
    if section.best:
        rows.append(("cheapest", section.best))
    else:
        table.caption = f"none finds {points:g} points, the largest {100 * section.limit:.1f}"
    prices = [[one.gpu_hours, one.hours, one.money] for _, one in rows]
    shown = [i for i in range(3) if any(_known(row[i]) for row in prices)]
    for name in ("", "seeds", "problems", "samples", "finds", *(COLUMNS[i - 3] for i in shown)):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    for (name, one), numbers in zip(rows, prices, strict=True):
        texts = (text(numbers[i], COLUMNS[i - 3]) for i in shown)
        table.add_row(name, *_design(one.design), *texts)
    return table


def _design(design: Design) -> list[str]:
    """Its seeds, problems and samples, and what it finds."""
    usual, alone = Assumptions(), max(design.seeds) == 1
    found = detectable(design, replace(usual, seed_sd=0.0) if alone else usual)
    points = f"{100 * found:.1f}"
    seeds = " to ".join(str(seeds) for seeds in dict.fromkeys(design.seeds))
    sizes = [seeds, f"{design.problems:,}", f"{design.samples:,}"]
    return [*sizes, f"({points})" if alone else points]


def text(number: Estimate, column: str = "") -> str:
    """A number with at most three digits, `≤` and `?`; empty if there is nothing."""
    if not _known(number):
        return ""
    limit = "≤ " if number.at_most else ""
    if number.missing:
        return f"{limit}{_digits(number.value, column)} + ?" if number.value else "?"
    return limit + _digits(number.value, column)


def _digits(value: float, column: str) -> str:
    if value >= SPELT and column not in (*HOURS, "dollars"):
        unit, size = next(one for one in UNITS.items() if value >= one[1])
        return f"{value / size:.3g} {unit}"
    if column in (*HOURS, "dollars") and value < 100:
        return f"{value:.2g}" if value < 10 else f"{value:.0f}"
    return f"{value:,.0f}"


def _known(number: Estimate) -> bool:
    return bool(number.value or number.missing)


def _made(stage: StageCost) -> str:
    return str(stage.to_make) if stage.to_make else "none"


def _machines(prices: Prices) -> str:
    """Whose hours the columns have that are shown."""
    gpu, here = (any(_known(s.numbers[place]) for s in prices.stages) for place in (4, 5))
    rented = (
        f" GPU h: hours of one {prices.rates.gpu}, models loaded; that they fit is not checked."
    )
    rented = rented if gpu else ""
    return rented + (" Hours: of the machine that runs them, as recorded." if here else "")
