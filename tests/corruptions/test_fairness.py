"""Arms train on the same problems: one that can lengthen a trace is in its study's union."""

from dataclasses import replace

import pytest

from ablations.studies.cells import Studies
from distill.corruptions.config import CorruptionConfig
from distill.corruptions.locate import declarations
from distill.corruptions.operators import Borrow, operator
from distill.run.compose import CONF
from distill.stages import Stage
from distill.store.canonical import canonical
from distill.training.config import Method

STUDIES = sorted(path.stem for path in (CONF / "study").glob("*.yaml"))

LENGTHENING = {
    "insert_steps": ({},),  # a foreign step may be longer than the one that it replaces
    "random_digits": ({"unit": "number"},),  # 5 may become 10
    "wrong_answers": ({"mode": "edited"},),  # six may become seven
}
"""Operator -> choices with which a trace may come out longer than it was. Wrong answers that are
other traces, of other problems, are no trace of another arm, and are not looked for there."""


@pytest.fixture(scope="module")
def configs():
    """Study -> the configs of its runs."""
    studies = Studies()
    return {study: [cell.config for cell in studies.cells(study)] for study in STUDIES}


def lengthens(corruption):
    """Whether this arm can lengthen a trace."""
    return any(
        all(getattr(corruption, name) == value for name, value in choices.items())
        for choices in LENGTHENING.get(corruption.kind, ())
    )


@pytest.mark.parametrize("study", STUDIES)
def test_every_arm_that_can_lengthen_a_trace_is_in_its_studys_union(study, configs):
    trained = [c for c in configs[study] if c.until in (Stage.train, Stage.evaluate)]
    trained = [c for c in trained if c.training.method is not Method.none]
    asked = [c.corruption for c in trained if lengthens(c.corruption)]
    for config in trained:
        union = [canonical(arm) for arm in config.training.union]
        for corruption in asked:
            assert canonical(corruption) in union, corruption


def test_an_arm_of_the_union_asks_what_the_arm_of_the_study_asks(configs):
    asked = [c for made in configs.values() for c in made if c.corruption.steps == "model"]
    assert asked
    for config in asked:
        for arm in config.training.union:
            assert arm.ask in (None, config.corruption.ask)


def test_the_unions_are_not_looked_for_in_vain(configs):
    damaging = {
        study for study, made in configs.items() if any(lengthens(c.corruption) for c in made)
    }
    assert damaging >= {
        "table2", "confounders", "real_traces",
    }  # fmt: skip


@pytest.mark.parametrize("kind", sorted({*declarations()} - {"none"}))
def test_which_operators_lengthen_traces_is_as_the_table_says(kind, micro):
    reads = declarations()[kind].reads
    longer = [t for t in micro if len(t.thought) > 0]
    longer = [replace(t, thought=t.thought + "\n\nIt is 5, so 5.") for t in longer]
    options = [(name, value) for name, values in reads.items() for value in values]
    for name, value in options or [("steps", None)]:
        if value in ("model", "reflection", "natural", "matched"):
            continue
        for fraction in (0.33, 0.67, 1.0):
            config = CorruptionConfig(kind, fraction, **{name: value})
            if (config.unit, config.mode) == ("reflection", "traces") or config.mode == "natural":
                continue
            items = operator(kind)(longer, config, Borrow(longer))
            grown = [
                len(item.trace.thought + item.trace.solution) > len(t.thought + t.solution)
                for t, item in zip(longer, items, strict=True)
            ]
            assert lengthens(config) or not any(grown), (config, sum(grown))
            if kind == "insert_steps":
                assert any(grown)
