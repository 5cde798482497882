"""What holds for every operator in every variant."""

import doctest
import hashlib
import itertools
import json
import multiprocessing
import random
import re
from collections import Counter
from dataclasses import replace
from operator import ne
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.corruptions import changed, operators, tally
from distill.corruptions.config import CorruptionConfig
from distill.corruptions.corrupt import VERSION
from distill.corruptions.locate import OPERATORS, declarations
from distill.corruptions.operators import Borrow, Damaged, draw_units, operator
from distill.corruptions.segment import sentences
from distill.models.config import AskConfig
from distill.trace.records import Problem, Trace, digest
from distill.trace.steps import split

CONF = Path(__file__).parents[2] / "conf" / "corruption"
OUTPUTS = json.loads((CONF.parents[1] / "tests" / "fixtures" / "damage.json").read_text())
"""`version`, and of each recorded variant the hash of what it makes of `corpus`."""

ASK = AskConfig(name="a", model="m", user="{thought}")
STRUCTURE = ("delete_steps", "insert_steps", "shuffle_steps")


def variants() -> list[dict[str, str]]:
    """Every operator with every combination of the choices that it reads."""
    found = []
    for name, declared in declarations().items():
        choices = declared.reads
        for values in itertools.product(*choices.values()):
            found.append({"kind": name, **dict(zip(choices, values, strict=True))})
    return [v for v in found if v.get("unit") != "reflection" or v["mode"] == "traces"]


VARIANTS = variants()
LOCAL = [v for v in VARIANTS if v.get("mode") not in ("natural", "matched")]
"""Variants in which a trace's damage depends on no other trace of the corpus."""


def name_of(variant: dict[str, str]) -> str:
    return "-".join(variant.values())


def run(
    variant: dict[str, str],
    corpus: list[Trace],
    pool: list[Trace],
    fraction: float = 0.5,
    seed: int = 0,
) -> list[Damaged]:
    borrow = Borrow(pool)
    asked = variant.get("unit") == "reflection" or variant.get("steps") == "model"
    config = CorruptionConfig(**variant, fraction=fraction, seed=seed, ask=ASK if asked else None)
    if config.unit == "reflection":
        borrow = Borrow(rewritten=[replace(t, thought=t.thought[::2]) for t in corpus])
    if config.steps == "model":
        said = {digest(t.thought): sentences(t.thought) for t in [*corpus, *pool]}
        borrow = Borrow(pool, starts=said)
    return list(operator(config.kind)(corpus, config, borrow))


@pytest.fixture(scope="session")
def pool(corpus: list[Trace], micro_wrong: list[Trace]) -> list[Trace]:
    more = [replace(trace, id=f"more{i}") for i, trace in enumerate(micro_wrong)]
    return corpus + micro_wrong + more


@pytest.mark.parametrize("variant", VARIANTS, ids=name_of)
@pytest.mark.parametrize("fraction", [0.33, 1.0])
def test_count_problems_and_question_are_kept(variant, fraction, corpus, pool):
    after = run(variant, corpus, pool, fraction)
    assert len(after) == len(corpus)
    if variant in LOCAL:
        for before, item in zip(corpus, after, strict=True):
            assert item.trace.id == before.id
            assert item.trace.problem == before.problem


@pytest.mark.parametrize("variant", VARIANTS, ids=name_of)
def test_what_is_not_damaged_is_the_same_and_counts_are_in_range(variant, corpus, pool):
    for before, item in zip(corpus, run(variant, corpus, pool), strict=True):
        assert 0 <= item.damaged <= item.units
        if item.damaged == 0:
            assert item.trace == before


def text(trace: Trace) -> tuple[str, str, str]:
    return trace.problem.question, trace.thought, trace.solution


def changed_units(variant: dict[str, str], before: Trace, after: Trace) -> int:
    """How many of the variant's units have another text, are gone or elsewhere, by comparison."""
    kind = variant["kind"]
    if kind == "none" or kind == "wrong_answers" or "traces" in variant.values():
        return int(text(before) != text(after))
    if kind == "remove_keywords":
        old, new = (Counter(re.findall(r"\w+", t.thought.lower())) for t in (before, after))
        return (old - new).total()
    if kind == "random_digits":
        unit = r"[0-9]" if variant["unit"] == "digit" else r"\b[0-9]+(?:\.[0-9]+)?\b"
        old, new = (
            [*re.findall(unit, t.thought), *re.findall(unit, t.solution)] for t in (before, after)
        )
    elif variant["steps"] != "blank_line":  # sentences open with these steps: no rule for others
        return sum(map(ne, before.thought, after.thought)) + abs(
            len(before.thought) - len(after.thought)
        )
    else:
        old, new = (split(t.thought, "blank_line").steps for t in (before, after))
    if kind == "delete_steps":
        return (Counter(old) - Counter(new)).total()
    if len(old) != len(new):  # steps added; or one that is inserted is two by this rule
        return max(len(old), (Counter(new) - Counter(old)).total())
    return sum(map(ne, old, new))


REPEATS = st.lists(
    st.sampled_from(["Wait, 1.", "So 1.", "Wait, 2.", "So 1 and 1."]), min_size=1, max_size=6
).map("\n\n".join)
"""Thoughts of equal steps, sentences and digits, which draws often leave as they are."""


@settings(max_examples=60, deadline=None)
@given(thought=REPEATS, donated=REPEATS, fraction=st.sampled_from([0.33, 0.67, 1.0]))
def test_no_more_units_are_counted_than_differ_and_none_of_equal_texts(thought, donated, fraction):
    trace = Trace.of(Problem.of("q", "1", "math", "t"), "t", 0, thought, r"\boxed{1}", correct=True)
    wrong = replace(trace, problem=Problem.of("r", "1", "math", "t"), correct=False)
    pool = [replace(wrong, id="a", thought=donated), replace(wrong, id="b", correct=True)]
    for variant in VARIANTS:
        (item,) = run(variant, [trace], pool, fraction)
        assert item.damaged <= changed_units(variant, trace, item.trace), variant
        ((_, held),) = tally.held("op", [trace], [item])
        assert held == item and (item.damaged > 0) == (text(item.trace) != text(trace)), variant


@pytest.mark.parametrize("variant", VARIANTS, ids=name_of)
@pytest.mark.parametrize("fraction", [0.33, 1.0])
def test_no_more_units_are_counted_than_differ_in_traces(variant, fraction, micro, micro_wrong):
    items = run(variant, micro, micro + micro_wrong, fraction)
    pairs = tally.held("op", micro, items)
    for before, item in pairs:
        assert item.damaged <= changed_units(variant, before, item.trace)
        assert (item.damaged == 0) == (item.trace == before)


@pytest.mark.parametrize("variant", VARIANTS, ids=name_of)
def test_fraction_zero_changes_nothing(variant, corpus, pool):
    items = run({"kind": variant["kind"]}, corpus, pool, fraction=0.0)
    assert [item.trace for item in items] == corpus


@pytest.mark.parametrize("variant", LOCAL, ids=name_of)
def test_damage_depends_on_no_order_and_no_subset(variant, corpus, pool):
    whole = {item.trace.id: item for item in run(variant, corpus, pool)}
    part = run(variant, corpus[::-2], pool[::-1])
    assert part == [whole[item.trace.id] for item in part]


def test_damage_does_not_depend_on_workers(corpus, pool):
    # One pool of workers for all variants: starting one costs more than the work.
    jobs = [(variant, corpus[i::3], pool) for variant in LOCAL for i in range(3)]
    with multiprocessing.get_context("spawn").Pool(2) as workers:
        parts = workers.starmap(run, jobs)
    for k, variant in enumerate(LOCAL):
        whole = run(variant, corpus, pool)
        assert [parts[3 * k + i] for i in range(3)] == [whole[i::3] for i in range(3)]


@pytest.mark.parametrize("variant", [v for v in VARIANTS if v["kind"] != "none"], ids=name_of)
def test_another_seed_does_other_damage(variant, micro, pool):
    first, second = (run(variant, micro, pool, seed=seed) for seed in (0, 1))
    assert [a.trace for a in first] != [b.trace for b in second]


@pytest.mark.parametrize("variant", [v for v in LOCAL if v["kind"] in STRUCTURE], ids=name_of)
def test_structure_operators_change_the_thought_alone(variant, corpus, pool):
    for before, item in zip(corpus, run(variant, corpus, pool), strict=True):
        assert replace(item.trace, thought=before.thought) == before


def test_what_was_recorded_is_there_and_of_this_version():
    assert OUTPUTS["version"] == VERSION
    assert set(OUTPUTS["outputs"]) <= set(map(name_of, VARIANTS))


@pytest.mark.parametrize(
    "variant", [v for v in VARIANTS if name_of(v) in OUTPUTS["outputs"]], ids=name_of
)
def test_outputs_are_those_that_were_recorded_for_this_version(variant, corpus, pool):
    rows = [
        [item.trace.id, item.trace.thought, item.trace.solution, item.units, item.damaged]
        for item in run(variant, corpus, pool)
    ]
    made = hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]
    assert OUTPUTS["outputs"][name_of(variant)] == made, (
        "the output changed: raise corrupt.VERSION, unless this is a mistake, and record the hash"
    )


@pytest.mark.parametrize("variant", LOCAL, ids=name_of)
def test_real_traces_go_through(variant, real):
    items = run(variant, real, real, fraction=0.67)
    assert [item.trace.id for item in items] == [trace.id for trace in real]
    if variant["kind"] != "none":
        assert sum(item.damaged for item in items) > 0


@settings(max_examples=30, deadline=None)
@given(texts=st.lists(st.text(), min_size=2, max_size=2), fraction=st.floats(0.01, 1))
def test_any_text_goes_through_every_variant(texts, fraction):
    problem = Problem.of("q", "5", "math", "test")
    trace = Trace.of(problem, "t", 0, *texts, correct=True)
    donor = Trace.of(Problem.of("r", "5", "math", "test"), "t", 0, "a\n\nb", "c", correct=True)
    for variant in LOCAL:
        (item,) = run(variant, [trace], [donor], fraction)
        assert item.damaged or item.trace == trace


@given(total=st.integers(0, 300), low=st.floats(0, 1), high=st.floats(0, 1))
def test_units_drawn_are_distinct_as_many_as_asked_for_and_nested(total, low, high):
    low, high = sorted((low, high))
    few = draw_units(random.Random(1), total, low)
    many = draw_units(random.Random(1), total, high)
    assert len(set(many)) == len(many) == round(high * total)
    assert many[: len(few)] == few
    assert set(many) <= set(range(total))


def test_every_yaml_names_a_function_in_a_file_of_its_name_and_builds_a_config():
    for path in sorted(CONF.glob("*.yaml")):
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        asked = values.pop("defaults", None)
        config = CorruptionConfig(**values, ask=ASK if asked else None)
        assert operator(config.kind).__name__ == config.kind
        assert config.name == path.stem
        assert config.kind == path.stem or path.stem.startswith(config.kind + "_")
        defaults = CorruptionConfig(kind=config.kind, fraction=config.fraction)
        for field in set(values) - {"kind", "name", "fraction"}:
            assert values[field] != getattr(defaults, field), f"{path.name}: {field} is the default"


def test_every_operator_has_a_yaml_of_its_own_name_and_a_file():
    yamls = {path.stem for path in CONF.glob("*.yaml")}
    files = {
        p.stem for p in (CONF.parents[1] / "distill" / "corruptions" / "operators").glob("*.py")
    }
    assert set(OPERATORS) == files - {"__init__"}
    assert set(OPERATORS) <= yamls


def test_unknown_operator_is_refused_with_the_choices():
    with pytest.raises(ValueError, match=r"one of delete_steps, .*shuffle_steps.*'shufle_steps'"):
        operator("shufle_steps")


def test_the_example_of_the_docstring_is_what_the_code_does():
    assert doctest.testmod(operators) == (0, 8)
    assert doctest.testmod(changed) == (0, 1)
