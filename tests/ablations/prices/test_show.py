"""The price of a study as a terminal shows it."""

from io import StringIO

import pytest
from rich.console import Console

from ablations.commands.answers.price import price_table, text, warned
from ablations.prices.estimates import NOTHING, Estimate, unknown
from ablations.prices.prices import prices
from ablations.prices.rates import Rates
from ablations.studies.plan import plan
from distill.store.artifacts import Store


def printed(answer, width=80):
    """What is shown, as text."""
    console = Console(width=width, record=True, file=StringIO())
    console.print(answer)
    return console.export_text()


@pytest.mark.parametrize(
    ("number", "column", "shown"),
    [
        (NOTHING, "requests", ""),
        (Estimate(9_999), "requests", "9,999"),
        (Estimate(16_384), "requests", "16.4 k"),
        (Estimate(1.0844e9), "read", "1.08 G"),
        (Estimate(2e6, at_most=True), "read", "≤ 2 M"),
        (unknown("it"), "GPU h", "?"),
        (Estimate(3.0) + unknown("it"), "GPU h", "3 + ?"),
        (Estimate(0.123), "hours", "0.12"),
        (Estimate(42.4), "hours", "42"),
        (Estimate(12_345.0), "dollars", "12,345"),
    ],
)
def test_a_number_is_shown_with_what_is_known_of_it(number, column, shown):
    assert text(number, column) == shown


@pytest.fixture
def shown(studies, monkeypatch):
    """(study, overrides) -> its price as text, without the hub."""

    def refuse(self, stage, *identity, **how):
        raise OSError("no hub here")

    def show(study, *overrides, rates=None):
        monkeypatch.setattr(Store, "artifact", refuse)
        return printed(price_table(prices(plan(studies.cells(study, overrides)), rates or Rates())))

    return show


def test_a_study_of_the_paper_has_a_row_for_each_stage_that_costs_something(shown):
    found = shown("table2_paper")
    rows = [line.split() for line in found.splitlines()[3:16] if line.strip()]
    stages = ["rate", "traces", "convert", "segment", "train", "evaluate", "in"]
    assert [row[0] for row in rows if row[0] in stages] == stages
    assert all(len(line) <= 80 for line in found.splitlines())
    assert "GPU h: hours of one H100, models loaded; that they fit" in " ".join(found.split())
    assert "…" not in found


def test_every_source_is_named_once_with_the_stages_that_read_it(shown):
    found = " ".join(shown("table2_paper").split())
    assert found.count("gpu_price of H100: 2.69") == 1
    assert "- traces, segment, train, evaluate: gpu_price of H100: 2.69, RunPod" in found
    assert "- rate, convert: read_price of gpt-4o-mini: 0.15" in found


def test_what_nobody_knows_is_asked_for(shown):
    found = shown("table2_paper", "filter.rating.model=my-model")
    assert "? read_price of my-model" in found
    assert any("rate" in line and line.rstrip().endswith("?") for line in found.splitlines())
    assert "+ ?" in found


def test_a_study_whose_models_are_made_says_that_nothing_is_to_be_made(studies, tmp_path):
    places = [f"artifacts={tmp_path}", f"runs={tmp_path}/runs", "until=corrupt"]
    found = prices(plan(studies.cells("single", places)), Rates())
    assert "no stage asks a model" in printed(price_table(found))
    assert not warned(found)


def test_your_rates_are_named_as_yours(shown, tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("quantity,what,value\ngpu_price,H100,1\n")
    found = " ".join(shown("table2_paper", rates=Rates(path)).split())
    assert "gpu_price of H100: 1, your rate" in found
