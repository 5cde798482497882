"""Older runs take their counts from the table beside them, and only those of their own traces.

Run: pytest tests/ablations/results/test_recounts.py
"""

from pathlib import Path

import pytest

from ablations.results.arms import destroys_label
from ablations.results.recounts import FILE, recounted

PATH = Path("study", "run", "run.json")


def older(units):
    return {"stages": {"corrupt": {"key": "k", "summary": {"units": units, "damaged": 5}}}}


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / FILE).write_text("key,units,damaged,share,changed\nk,10,3,0.3,0.2\n")


def test_an_older_run_has_the_counts_of_the_table_in_its_studys_folder(table):
    made = recounted(older(10), PATH)["stages"]["corrupt"]["summary"]
    assert made == {"units": 10, "damaged": 3, "share": 0.3, "changed": 0.2}


@pytest.mark.parametrize("units", [9, 11])
def test_a_table_of_other_traces_is_refused_by_both_numbers(table, units):
    with pytest.raises(ValueError, match=rf"counts 10 units of .*recorded {units}; delete it"):
        recounted(older(units), PATH)


@pytest.mark.parametrize(
    ("scope", "fraction", "destroys"),
    [
        ("response", 1.0, True),
        ("response", 0.7, False),
        ("thought", 1.0, False),
        (None, 1.0, False),
    ],
)
def test_only_all_of_a_whole_response_leaves_no_right_label(scope, fraction, destroys):
    assert destroys_label({"scope": scope, "fraction": fraction}) == destroys
