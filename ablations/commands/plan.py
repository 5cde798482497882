"""The command `plan`."""

from pathlib import Path
from typing import Annotated

from typer import Option

from ablations.commands.arguments import Overrides, Study, path, show, wide_frames

EXAMPLES = (
    "demo",
    "table2 training.seed=0,1,2",
    "table2 settle=5",
    "table2 --detect 5",
    "table2_paper --gpu H200 --rates my_rates.csv",
)

Own = Annotated[
    Path | None,
    Option(parser=path, help="CSV of your own rates, see ablations/reference/rates.csv"),
]
Gpu = Annotated[str, Option(help="which GPU is rented; a row gpu_price of the rates")]
Points = Annotated[
    float | None,
    Option(help="print the cheapest design that would detect so many points", metavar="POINTS"),
]


def command(
    study: Study,
    overrides: Overrides,
    rates: Own = None,
    gpu: Gpu = "H100",
    detect: Points = None,
) -> None:
    """List a study's runs, which artifacts are already cached, and what the rest would cost."""
    from ablations.commands.answers.plan import plan_table
    from ablations.commands.answers.price import design_table
    from ablations.commands.answers.settle import print_settling
    from ablations.prices.cheapest import cheapest
    from ablations.prices.prices import prices
    from ablations.prices.rates import Rates
    from ablations.studies.cells import Studies
    from ablations.studies.plan import plan

    if detect is not None and not 0 < detect < 100:
        raise ValueError(f"--detect must be points of accuracy between 0 and 100; got {detect:g}")
    known = Rates(rates, gpu)
    studies = Studies()
    cells = studies.cells(study, overrides)
    planned = plan(cells)
    priced = prices(planned, known)
    with wide_frames():
        shown = plan_table(planned, priced)
    show(shown)
    if detect is not None:
        show(design_table(detect, cheapest(detect, planned, priced)))
    print_settling(studies, cells, planned)
