"""What is damaged at a rate is damaged at every larger one: places, not numbers of them."""

import re
from collections.abc import Callable, Hashable
from difflib import SequenceMatcher
from itertools import pairwise

import pytest

from distill.corruptions.config import CorruptionConfig
from distill.corruptions.locate import OPERATORS, declarations
from distill.corruptions.operators import Borrow, draw_units, operator, stream
from distill.trace.records import Problem, Trace
from distill.trace.steps import split

RATES = (0.2, 0.33, 0.5, 0.67, 1.0)
Places = Callable[[Trace, Trace], set[Hashable]]


def characters(before: Trace, after: Trace) -> set[Hashable]:
    """Places of other characters, of texts of equal length."""
    old, new = (trace.thought + "\0" + trace.solution for trace in (before, after))
    assert len(old) == len(new)
    return {place for place, (a, b) in enumerate(zip(old, new, strict=True)) if a != b}


def numbers(before: Trace, after: Trace) -> set[Hashable]:
    """Which of the numbers of the text are others."""
    old, new = (re.findall(r"\b[0-9]+\b", t.thought + "\0" + t.solution) for t in (before, after))
    assert len(old) == len(new)
    return {place for place, (a, b) in enumerate(zip(old, new, strict=True)) if a != b}


def steps(before: Trace, after: Trace) -> set[Hashable]:
    """Places at which another step stands."""
    old, new = (split(trace.thought, "blank_line").steps for trace in (before, after))
    assert len(old) == len(new)
    return {place for place, (a, b) in enumerate(zip(old, new, strict=True)) if a != b}


def gaps(before: Trace, after: Trace) -> set[Hashable]:
    """After how many of the own steps a foreign one stands."""
    own, found, place = split(before.thought, "blank_line").steps, set(), 0
    for step in split(after.thought, "blank_line").steps:
        if place < len(own) and step == own[place]:
            place += 1
        else:
            found.add(place)
    assert place == len(own)
    return found


def lost(before: Trace, after: Trace) -> set[Hashable]:
    """Places of the steps that are gone."""
    left = split(after.thought, "blank_line").steps
    return {k for k, s in enumerate(split(before.thought, "blank_line").steps) if s not in left}


def words(before: Trace, after: Trace) -> set[Hashable]:
    """Places of the words that are gone, whatever their capitals."""
    old, new = (re.findall(r"\w+", trace.thought.lower()) for trace in (before, after))
    blocks = SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
    kept = {block.a + k for block in blocks for k in range(block.size)}
    assert len(kept) == len(new)
    return set(range(len(old))) - kept


def whole(before: Trace, after: Trace) -> set[Hashable]:
    """The trace, if it is another."""
    return {before.id} if before != after else set()


DIGITS: list[tuple[dict[str, str], Places]] = [
    ({"unit": unit, "scope": scope, "mode": mode}, numbers if unit == "number" else characters)
    for unit in ("digit", "number")
    for scope in ("response", "thought")
    for mode in ("independent", "consistent")
]
DAMAGES: dict[str, list[tuple[dict[str, str], Places]]] = {
    "random_digits": DIGITS,
    "remove_keywords": [
        ({"unit": "sentence", "mode": "units"}, words),
        ({"unit": "keyword", "mode": "units"}, words),
        ({"unit": "sentence", "mode": "traces"}, whole),
        ({"unit": "keyword", "mode": "traces"}, whole),
    ],
    "delete_steps": [({"mode": "random"}, lost), ({"mode": "prefix"}, lost)],
    "insert_steps": [({"mode": "replace"}, steps), ({"mode": "add"}, gaps)],
    "shuffle_steps": [({}, steps)],
    "wrong_answers": [({"mode": "edited"}, whole)],
}
"""Operator -> its variants, each with what tells where it damages."""

CASES = [(kind, fields, where) for kind, made in DAMAGES.items() for fields, where in made]


@pytest.fixture(scope="module")
def distinct() -> list[Trace]:
    """Forty correct traces of distinct problems; no word of a step stands in another."""
    made = []
    for k in range(40):
        problem = Problem.of(f"q{k}", str(70 + k), "math", "t")
        own = (f"Step{k}x{i} is {k} and {i}. Wait, no{k}x{i} ends." for i in range(4 + k % 5))
        box = rf"\boxed{{{70 + k}}}"
        made.append(Trace.of(problem, "t", 0, "\n\n".join(own), box, correct=True))
    return made


def damaged(kind, fields, rate, traces):
    config = CorruptionConfig(kind, rate, **fields)
    return config, [item.trace for item in operator(kind)(traces, config, Borrow(traces))]


@pytest.mark.parametrize(("kind", "fields", "where"), CASES)
def test_places_damaged_at_a_low_rate_are_damaged_at_every_higher_one(
    kind, fields, where, distinct
):
    found = []
    for rate in RATES:
        config, after = damaged(kind, fields, rate, distinct)
        found.append([where(a, b) for a, b in zip(distinct, after, strict=True)])
        if kind == "shuffle_steps":  # a step that is drawn may come to its own place
            totals = [len(split(trace.thought, "blank_line").steps) for trace in distinct]
            drawn = [
                {*draw_units(stream(config, trace), total, rate)}
                for trace, total in zip(distinct, totals, strict=True)
            ]
            assert all(moved <= mine for moved, mine in zip(found[-1], drawn, strict=True))
            found[-1] = drawn
    for low, high in pairwise(found):
        assert all(few <= many for few, many in zip(low, high, strict=True))
        assert sum(map(len, low)) < sum(map(len, high))
    if fields.get("mode") == "prefix":  # always the end of a thought
        return
    # Another seed damages other places: the inclusion above is not one of everything.
    other = CorruptionConfig(kind, 0.5, seed=1, **fields)
    made = [item.trace for item in operator(kind)(distinct, other, Borrow(distinct))]
    places = [where(a, b) for a, b in zip(distinct, made, strict=True)]
    assert not all(few <= many for few, many in zip(places, found[-2], strict=True))


@pytest.mark.parametrize("mode", ["natural", "matched"])
def test_traces_replaced_at_a_low_rate_are_replaced_at_every_higher_one(mode, micro, micro_wrong):
    found = []
    for rate in RATES:
        config = CorruptionConfig("wrong_answers", rate, mode=mode)
        items = list(operator("wrong_answers")(micro, config, Borrow(micro + micro_wrong)))
        found.append({k for k, item in enumerate(items) if item.trace != micro[k]})
        assert found[-1] == {k for k, item in enumerate(items) if item.damaged}
    assert all(low < high for low, high in pairwise(found))
    assert len(found[-1]) == len(micro)


def test_every_operator_and_mode_is_looked_at():
    assert {*DAMAGES} == {*OPERATORS} - {"none"}
    for kind, made in DAMAGES.items():
        reads = declarations()[kind].reads
        apart = {"wrong_answers": {"natural", "matched"}}.get(kind, set())
        assert {fields.get("mode") for fields, _ in made} == {*reads.get("mode", (None,))} - apart
