"""An arm that damaged nothing is an error; one that damaged far less than asked is spoken of."""

import json
from pathlib import Path

import pytest

from distill.corruptions import corrupt
from distill.corruptions.config import CorruptionConfig
from distill.corruptions.tally import Tally, warnings
from distill.models.config import AskConfig
from distill.store.artifacts import Store
from distill.trace.records import Problem, Trace, write_records

LINES = "\n".join(f"Step {i}: it is {i}." for i in range(9))
STEPS = "\n\n".join(f"Step {i}: wait, it is {i}." for i in range(30))
CHINESE = "首先计算一下。\n然后再看。\n所以答案是七。"
NO_STEPS = (
    r"corruption.steps=blank_line finds nothing to damage in {n} of {n} traces; take .*reflection"
)


@pytest.fixture
def damaged(tmp_path):
    """Thoughts and a corruption -> the summary, what was said, and the rows of `damage.jsonl`."""

    def damaged(thoughts, kind, fraction, solution=r"So \boxed{7}.", verified=(), **more):
        said = []
        for name in ("selected", "verified"):
            (tmp_path / name).mkdir(exist_ok=True)
        problems = [Problem.of(f"q{i}", "7", "math", "t") for i in range(len(thoughts))]
        traces = [
            Trace.of(problem, "t", 0, thought, solution, correct=True)
            for problem, thought in zip(problems, thoughts, strict=True)
        ]
        write_records(tmp_path / "selected" / "traces.jsonl", traces)
        write_records(tmp_path / "verified" / "traces.jsonl", [*traces, *verified])
        config = CorruptionConfig(kind, fraction, **more)
        inputs = tmp_path / "selected", tmp_path / "verified"
        out = tmp_path / f"out{len([*tmp_path.iterdir()])}"
        out.mkdir()
        corrupt.corrupt_traces(config, *inputs, out=out)
        said = corrupt.served(config, *inputs, out=out)
        rows = [json.loads(line) for line in (out / "damage.jsonl").read_text().splitlines()]
        return json.loads((out / "summary.json").read_text()), said, rows

    return damaged


NOTHING = {
    "single line ends, shuffled": (LINES, "shuffle_steps", 1.0, {}, NO_STEPS),
    "single line ends, deleted": (LINES, "delete_steps", 0.67, {}, NO_STEPS),
    "single line ends, a prefix": (LINES, "delete_steps", 0.33, {"mode": "prefix"}, NO_STEPS),
    "single line ends, replaced": (LINES, "insert_steps", 0.67, {}, NO_STEPS),
    "single line ends, added": (LINES, "insert_steps", 0.33, {"mode": "add"}, NO_STEPS),
    "no thoughts": ("", "shuffle_steps", 0.5, {}, NO_STEPS),
    "no keyword opens a step": (
        "It is 7. So 8.", "shuffle_steps", 0.5, {"steps": "reflection"},
        "corruption.steps=reflection finds nothing .*take corruption.steps=blank_line or model",
    ),
    "Chinese, keywords": (
        CHINESE, "remove_keywords", 0.5, {}, r"the list that `keywords` names .*{n} of {n}",
    ),
    "Chinese, single words": (
        CHINESE, "remove_keywords", 1.0, {"unit": "keyword", "mode": "traces"}, "`keywords`",
    ),
    "Chinese, steps": (CHINESE, "shuffle_steps", 0.5, {}, NO_STEPS),
    "no digits in the thought": (
        CHINESE, "random_digits", 0.5, {"scope": "thought"},
        r"random_digits \(corruption.mode=independent, corruption.unit=digit, "
        r"corruption.scope=thought\) finds nothing to damage in {n} of {n}",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("thought", "kind", "fraction", "more", "words"), NOTHING.values(), ids=NOTHING
)
@pytest.mark.parametrize("count", [2, 12])
def test_case_45_nothing_to_damage_is_an_error_that_names_what_found_nothing(
    thought, kind, fraction, more, words, count, damaged
):
    with pytest.raises(ValueError, match=words.replace("{n}", str(count))):
        damaged([thought] * count, kind, fraction, **more)


def test_answers_that_cannot_be_edited_are_an_error(damaged):
    with pytest.raises(ValueError, match=r"corruption.mode=edited\) finds nothing .* 3 of 3"):
        damaged(["No."] * 3, "wrong_answers", 1.0, solution=r"\boxed{\text{even}}", mode="edited")


def test_steps_of_which_each_thought_has_too_few_for_the_rate_are_an_error(damaged):
    two = ["One.\n\nTwo."] * 100
    with pytest.raises(ValueError, match=r"damages none of 200 units: corruption.steps=blank_line"):
        damaged(two, "shuffle_steps", 0.33)


@pytest.mark.parametrize("kind", ["delete_steps", "shuffle_steps", "random_digits"])
def test_a_small_rate_of_many_units_in_few_traces_is_no_alarm(kind, damaged):
    summary, said, _ = damaged([STEPS * 4] * 10, kind, 0.02)
    assert summary["damaged"] > 0 and not said


def test_so_few_draws_that_none_hits_are_no_error_but_are_said_to_be_no_damage(damaged):
    summary, said, _ = damaged(["It is 7."] * 10, "wrong_answers", 0.01, mode="edited")
    assert (summary["units"], summary["damaged"]) == (10, 0)
    assert said == [
        "wrong_answers at corruption.fraction=0.01 damaged nothing, for there are only 10 units: "
        "this is corruption=none"
    ]


def test_a_share_below_half_of_the_asked_one_warns(damaged):
    one_or_many = ["One.\n\nTwo.\n\nThree."] * 95 + [STEPS] * 5
    summary, said, _ = damaged(one_or_many, "shuffle_steps", 0.33)
    assert 40 < summary["damaged"] <= 50 and summary["share"] < 0.33 / 2
    (line,) = said
    assert line.endswith("less than half of what was asked")
    assert f"damaged {summary['damaged']} of 435 units" in line


@pytest.mark.parametrize("fraction", [0.2, 0.5, 1.0])
def test_nine_in_ten_random_digits_are_no_alarm(fraction, damaged):
    summary, said, _ = damaged([STEPS] * 10, "random_digits", fraction)
    assert summary["share"] == pytest.approx(0.9 * fraction, abs=0.05) and not said


def test_units_that_draws_leave_as_they_are_do_not_count_whatever_an_operator_says(
    damaged, tmp_path
):
    (tmp_path / "op.py").write_text(
        "from dataclasses import replace\n"
        "from distill.corruptions.operators import Damaged, stream\n"
        "def op(corpus, config, borrow):\n"
        "    for t in corpus:\n"
        "        thought = stream(config, t).choice([t.thought, 'b'])\n"
        "        yield Damaged(replace(t, thought=thought), 1, 1, 1)\n"
    )
    summary, _, rows = damaged(["a"] * 40, "none", 1.0, _target_=f"{tmp_path}/op.py:op")
    assert 8 < summary["damaged"] < 32
    assert summary["untouched_traces"] == 40 - summary["damaged"]
    assert summary["places"] == summary["damaged"]
    assert {(row["damaged"], row["changed"] > 0) for row in rows} == {(0, False), (1, True)}


def test_what_was_changed_is_the_mean_over_all_traces(damaged):
    summary, _, rows = damaged(["One two.\n\nOne two.", ""], "delete_steps", 1.0, solution="7")
    # Of 6 words in the steps and 1 in the solution only that is left: (7 + 1 - 2) / (7 + 1).
    assert [row["changed"] for row in rows] == [0.75, 0]
    assert summary["changed"] == 0.375


def test_most_traces_without_anything_to_damage_warn(damaged):
    summary, said, _ = damaged([LINES] * 6 + [STEPS] * 4, "delete_steps", 0.5)
    assert (summary["traces"], summary["nothing_to_damage"]) == (10, 6)
    assert said == [
        "corruption.steps=blank_line finds nothing to damage in 6 of 10 traces; take "
        "corruption.steps=reflection or model"
    ]
    _, said, _ = damaged([LINES] * 5 + [STEPS] * 5, "delete_steps", 0.5)
    assert not said


def test_a_model_that_changes_nothing_is_named():
    ask = AskConfig(name="a", model="rewriter", user="{thought}")
    config = CorruptionConfig("remove_keywords", 0.5, unit="reflection", mode="traces", ask=ask)
    tally = Tally(config)
    tally.traces = tally.nothing_to_damage = 3
    with pytest.raises(ValueError, match=r"corruption.ask \(rewriter, .* damage in 3 of 3 traces"):
        tally.refuse_nothing()


def test_what_is_undamaged_by_choice_is_no_alarm(damaged):
    assert not warnings(CorruptionConfig(), {"units": 0, "damaged": 0, "traces": 9})


def test_every_trace_has_its_counts_and_edited_ones_their_places(damaged):
    thought = "7 of 9.\n\nHm.\n\nHm.\n\nThe answer is 7."
    summary, _, rows = damaged([thought] * 4 + ["No."], "wrong_answers", 1.0, mode="edited")
    assert [row["places"] for row in rows] == [2, 2, 2, 2, 1]
    assert [row["units"] for row in rows] == [row["damaged"] for row in rows] == [1] * 5
    assert (summary["places"], summary["places_median"], summary["places_most"]) == (9, 2, 2)


def test_the_store_says_the_warning_whenever_the_artifact_is_used(damaged, tmp_path):
    damaged([LINES] * 6 + [STEPS] * 4, "delete_steps", 0.5)
    said: list[str] = []
    store = Store(tmp_path / "store", say=said.append)
    config = CorruptionConfig("delete_steps", 0.5)
    given = store.produce(copy, str(tmp_path / "selected"))
    for _ in range(2):
        store.produce(corrupt.corrupt_traces, config, given, given)
    warned = [line for line in said if "warning: corruption.steps=blank_line finds" in line]
    assert len(warned) == 2


VERSION = 1


def copy(folder: str, *, out):
    """A stage that puts traces into an artifact."""
    (out / "traces.jsonl").write_bytes(Path(folder, "traces.jsonl").read_bytes())


OPERATORS = {
    "too few": ("yield Damaged(next(iter(corpus)), 1, 1)", "op yields 1 traces for 3"),
    "bare traces": ("yield from corpus", "op yields a Trace and no Damaged"),
    "too many": (
        "for t in corpus: yield Damaged(t, 1, 0)\n    yield Damaged(t, 1, 0)",
        "op yields more than 3 traces for 3",
    ),
    "more than there is": (
        "for t in corpus: yield Damaged(t, 1, 2)", "op counts 2 damaged of 1 units of trace",
    ),
    "a change that is not counted": (
        "import dataclasses\n"
        "    for t in corpus: yield Damaged(dataclasses.replace(t, thought='b'), 1, 0)",
        "op changes the text of trace .* and counts nothing damaged of 1 units",
    ),
    "nothing": ("for t in corpus: yield Damaged(t, 0, 0)", "op finds nothing to damage in 3 of 3"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "words"), OPERATORS.values(), ids=OPERATORS)
def test_a_users_operator_that_yields_something_else_is_an_error(body, words, damaged, tmp_path):
    head = (
        "from distill.corruptions.operators import Damaged\ndef op(corpus, config, borrow):\n    "
    )
    (tmp_path / "op.py").write_text(head + body)
    with pytest.raises(ValueError, match=words):
        damaged(["a\n\nb"] * 3, "none", 0.5, _target_=f"{tmp_path}/op.py:op")
