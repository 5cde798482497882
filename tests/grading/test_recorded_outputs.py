"""Our verdicts on recorded answers against those of others, each difference with its reason.

The rows lie in shared/data and are no part of the project; without them the tests skip. Rows on
which we differ are in tests/fixtures/grading_differences.csv: their id, our verdict, who is right
and why.
"""

import csv
import json
from pathlib import Path

import pytest

from distill.compute import ComputeConfig
from distill.grading import workers
from distill.grading.config import GradingConfig
from distill.grading.grade import grade_all
from distill.store.identity import CHECKOUT
from distill.trace.records import Problem
from tests.bench.bench_equivalence import read, tolerance

SHARED = CHECKOUT.parent / "shared" / "data"
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="shared/data is not there")
with (Path(__file__).parents[1] / "fixtures" / "grading_differences.csv").open(
    encoding="utf-8"
) as file:
    DIFFERENCES = list(csv.DictReader(file))
COMPETITIONS = {"aime24", "aime25", "amc23", "math500", "MATH", "MATH (100 problems)"}


def rows(name):
    with (SHARED / f"{name}.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def explained(name):
    """Row id -> our verdict, of the rows of a file on which we differ."""
    verdicts = {"true": True, "false": False, "": None}
    return {r["id"]: verdicts[r["ours"]] for r in DIFFERENCES if r["file"] == name}


def differing(name, recorded, ours):
    """Row id -> our verdict, of the rows on which we differ from what is recorded."""
    pairs = zip(recorded, ours, strict=True)
    return {row["id"]: mine for row, mine in pairs if mine is not row["correct"]}


def verdicts(found, **how):
    items = []
    for row in found:
        gold = str(row.get("gold_raw") or row["gold_answer"])
        text = row["solution"] if "solution" in row else row["response"]
        items.append((Problem.of(row["question"], gold, "math", "test"), text or ""))
    compute = ComputeConfig(workers=2, progress=False)
    return [verdict.correct for verdict in grade_all(items, GradingConfig(**how), compute)]


def test_the_verdicts_of_skythought_are_met_on_every_row():
    found = rows("traces/skythought_ablation_outputs")
    assert len(found) == 230 and {row["benchmark"] for row in found} == {"amc23", "aime24"}
    assert differing("traces/skythought_ablation_outputs", found, verdicts(found)) == {}


@pytest.mark.parametrize(
    ("name", "agreement"),
    (
        ("graded/qwen25_14b_instruct_graded", 0.99),
        ("graded/qwen25math_math100x8", 0.96),
        ("traces/deepseek_r1_aime24", 1.0),
        ("traces/r1distill_qwq_aime25", 0.99),
        ("traces/thought_anchors_math", 0.86),
    ),
)
def test_every_difference_from_recorded_verdicts_is_explained(name, agreement):
    found = [row for row in rows(name) if row["benchmark"] in COMPETITIONS]
    differences = differing(name, found, verdicts(found))
    assert differences == explained(name)
    assert len(differences) <= (1 - agreement) * len(found)


def test_the_differences_over_percent_vanish_with_the_option():
    name = "graded/qwen25math_math100x8"
    over_percent = {r["id"] for r in DIFFERENCES if r["file"] == name and "percent" in r["why"]}
    found = [row for row in rows(name) if row["id"] in over_percent]
    assert len(found) == 17
    assert verdicts(found, percent=True) == [row["correct"] for row in found]


def test_96_of_100_unit_tests_of_other_graders_are_met_and_the_others_explained():
    found = rows("equivalence/unit_test_triples")
    differences = {}
    for row in found:
        gold, pred = row["gold"], row["pred"]
        gold_kind = "bare" if row["kind"].startswith("pred") else row["kind"]
        answer = read(pred, row["kind"])
        if gold.strip() == pred.strip():
            ours = True
        elif not answer:
            ours = False
        else:
            pair = read(gold, gold_kind) or "", answer
            ours = workers.compare(*pair, percent=False, tolerance=tolerance(row))[0]
        if ours is not row["equal"]:
            differences[row["id"]] = ours
    assert differences == explained("equivalence/unit_test_triples")
    assert len(differences) <= 0.04 * len(found)


def test_no_difference_is_listed_without_a_reason():
    assert all(row["right"] in ("ours", "theirs", "both") and row["why"] for row in DIFFERENCES)
