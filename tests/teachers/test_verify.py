"""Verdicts: the grader first, then a judge or a reward model."""

import json
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest

from distill.compute import ComputeConfig
from distill.grading import grade
from distill.grading.config import GradingConfig
from distill.grading.grade import Verdict
from distill.models.config import AskConfig
from distill.models.engines import Refusal
from distill.teachers import verify as stage
from distill.teachers.config import VerificationConfig
from distill.teachers.verify import pins, verify_traces
from distill.trace.records import Problem, Trace, read_traces, write_records
from tests.server import CHAT

COMPUTE = ComputeConfig(progress=False, threads=1, workers=1)
JUDGE = VerificationConfig(
    name="judge",
    judge=AskConfig(name="j", model="m", user="{question} {answer} {solution}", engine=CHAT),
)
STRICT = GradingConfig(name="strict")


@pytest.fixture
def unsure(monkeypatch):
    """A grader that decides only what is `right` or `wrong`."""
    known = {"right": Verdict(True, "1", "equal"), "wrong": Verdict(False, "2", "not equal")}

    def grade_all(items, how, compute, compared):
        return [known.get(text, Verdict(None, text, "too deep to decide")) for _, text in items]

    monkeypatch.setattr(grade, "grade_all", grade_all)


def verify(folder, verification, *solutions, problem=None, **more):
    for name in ("in", "out"):
        (folder / name).mkdir()
    problem = problem or Problem.of("q", "1", "math", "test")
    given = [Trace.of(problem, "t", i, "hm", text, **more) for i, text in enumerate(solutions)]
    write_records(folder / "in" / "traces.jsonl", given)
    verify_traces(STRICT, verification, folder / "in", compute=COMPUTE, out=folder / "out")
    made = list(read_traces(folder / "out" / "traces.jsonl"))
    assert [t.id for t in made] == [t.id for t in given]
    counts = json.loads((folder / "out" / "summary.json").read_text())
    files = {"traces.jsonl", "summary.json"} | ({"failed.jsonl"} if counts.get("failed") else set())
    assert {p.name for p in (folder / "out").iterdir()} == files
    return made, counts


def test_without_a_second_opinion_the_undecided_stays_so(unsure, tmp_path):
    plain = VerificationConfig(name="grader")
    made, counts = verify(tmp_path, plain, "right", "hard", "wrong")
    assert [t.correct for t in made] == [True, None, False]
    assert counts == {"traces": 3, "correct": 1, "wrong": 1, "undecided": 1, "unchecked": 0}


def test_a_judge_is_asked_only_about_what_the_grader_leaves_undecided(unsure, says, tmp_path):
    says("Equal.\nVerdict: correct", "**Verdict:** wrong")
    made, counts = verify(tmp_path, JUDGE, "right", "hard", "wrong", "harder")
    assert [t.correct for t in made] == [True, True, False, False]
    assert [t.why for t in made] == ["equal", "the judge: correct", "not equal", "the judge: wrong"]
    assert (counts["judged"], counts["undecided"]) == (2, 0)


@pytest.mark.parametrize(
    "reply",
    ["", "It is correct.", ("Verdict: correct", "length"), "Verdict: unclear"],
)
def test_a_judge_without_a_clear_verdict_decides_nothing(unsure, says, tmp_path, reply):
    says(reply)
    (made,), counts = verify(tmp_path, JUDGE, "hard")
    assert made.correct is None and counts["judged"] == 0
    assert made.why == "too deep to decide; the judge states no verdict"


def test_what_a_judges_server_refuses_stays_undecided_and_is_counted(
    unsure, says, monkeypatch, tmp_path
):
    says(Refusal("400: no"), "Verdict: correct")
    monkeypatch.setattr(COMPUTE, "max_unusable", 0.5)
    made, counts = verify(tmp_path, JUDGE, "a", "b")
    assert [t.correct for t in made] == [None, True]
    assert made[0].why == "too deep to decide; the call of the judge failed: refused: 400: no"
    assert (counts["failed"], counts["judged"], counts["undecided"]) == (1, 1, 1)
    (line,) = (tmp_path / "out" / "failed.jsonl").open()
    assert json.loads(line) == {"id": made[0].id, "why": "refused: 400: no"}


def test_the_judges_last_word_counts(unsure, says, tmp_path):
    says("Verdict: wrong? No, 0.5 is 1/2.\nVerdict: correct")
    (made,), _ = verify(tmp_path, JUDGE, "hard")
    assert made.correct is True


def test_a_trace_that_was_cut_off_is_wrong_and_nobody_is_asked(unsure, says, tmp_path):
    says()
    (made,), counts = verify(tmp_path, JUDGE, "hard", finish_reason="length")
    assert (made.correct, made.why) == (False, "the teacher was cut off")
    assert counts["wrong"] == 1


def test_a_trace_without_a_gold_answer_is_not_compared_with_none_by_a_judge(says, tmp_path):
    without = Problem.of("q", "", "math", "test")
    shown = replace(JUDGE, judge=replace(JUDGE.judge, user="{question} {solution}"))
    for verification, replies in ((JUDGE, []), (shown, ["Verdict: correct"])):
        asked = says(*replies)
        folder = tmp_path / str(len(replies))
        folder.mkdir()
        (made,), counts = verify(folder, verification, r"\boxed{1}", problem=without)
        assert len(asked) == len(replies)
        assert made.correct is (True if replies else None)
        assert counts["unchecked"] == 1 - len(replies)


@pytest.mark.parametrize("chunk", [1, 2, 3, 1000])
def test_how_many_traces_are_graded_at_a_time_changes_nothing(
    unsure, says, monkeypatch, tmp_path, chunk
):
    monkeypatch.setattr(stage, "_CHUNK", chunk)
    says("Verdict: correct", Refusal("no"), "Verdict: wrong")
    how = replace(JUDGE, max_paragraph=1)
    monkeypatch.setattr(COMPUTE, "max_unusable", 0.5)
    made, counts = verify(tmp_path, how, "hard", "right", "hard 2", "wrong", "hard 3", "right")
    assert [t.correct for t in made] == [True, True, None, False, False, True]
    assert made[2].why == "too deep to decide; the call of the judge failed: refused: no"
    assert all(t.flaws == ("long_paragraph",) for t in made)
    assert counts == {
        **{"traces": 6, "correct": 3, "wrong": 2, "undecided": 1, "unchecked": 0},
        **{"judged": 2, "failed": 1},
        "badly_written": {"any": 3, "mixed_languages": 0, "long_paragraph": 3, "code_block": 0},
    }


def test_memory_does_not_grow_with_the_number_of_traces(unsure, monkeypatch, tmp_path):
    monkeypatch.setattr(stage, "_CHUNK", 8)
    peaks = []
    for count in (40, 400):
        folder = tmp_path / str(count)
        folder.mkdir()
        (folder / "out").mkdir()
        traces = (
            Trace.of(Problem.of(f"q{i}", "1", "math", "t"), "t", 0, "x" * 20_000, "right")
            for i in range(count)
        )
        write_records(folder / "traces.jsonl", traces)
        tracemalloc.start()
        verify_traces(STRICT, VerificationConfig(), folder, compute=COMPUTE, out=folder / "out")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 400_000  # of 8 MB of traces


def test_a_gold_answer_or_tests_are_what_a_grader_decides_by():
    def known(kind, answer="", tests=()):
        return grade.checkable(Problem.of("q", answer, kind, "t", tests=tests))

    assert not any(known(kind, " ") for kind in ("math", "choice", "countdown", "code"))
    assert known("sign_puzzle") and known("math", "1") and known("code", tests=("{}",))
    assert not known("code", "a program")


@pytest.fixture(scope="module")
def reward_folder(tmp_path_factory) -> Path:
    """An untrained classifier with one output."""
    from transformers import LlamaConfig, LlamaForSequenceClassification

    from distill.micro import tokenizer as micro_tokenizer

    folder = tmp_path_factory.mktemp("reward")
    tokenizer = micro_tokenizer.build()
    tokenizer.save_pretrained(folder)
    size = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2, "num_labels": 1}
    config = LlamaConfig(vocab_size=len(tokenizer), **size, **heads, pad_token_id=0)
    LlamaForSequenceClassification(config).save_pretrained(folder)
    return folder


@pytest.fixture
def rewarded(unsure, reward_folder, tmp_path):
    """Solutions, verified with the untrained reward model and these options."""
    runs = []

    def rewarded(*solutions, cut=False, **options):
        runs.append(tmp_path / f"run{len(runs)}")
        runs[-1].mkdir()
        how = VerificationConfig(name="r", reward_model=str(reward_folder), **options)
        ended = {"finish_reason": "length"} if cut else {}
        return verify(runs[-1], how, *solutions, **ended)

    return rewarded


def test_a_reward_model_scores_every_trace_and_decides_nothing_unless_told(rewarded):
    made, counts = rewarded("right", "1+2", "wrong", "3+4-4")
    assert [t.correct for t in made] == [True, None, False, None]
    scores = [t.score for t in made]
    assert len({*scores}) == 4 and all(isinstance(score, float) for score in scores)
    assert (counts["scored"], counts["rewarded"], counts["undecided"]) == (4, 0, 2)
    middle = sum(sorted(scores)[1:3]) / 2
    assert counts["score"] == {"least": min(scores), "median": middle, "most": max(scores)}
    (cut,), _ = rewarded("right", cut=True, reward_decides="all", reward_threshold=-1e9)
    assert cut.correct is False and cut.score == scores[0]


@pytest.mark.parametrize("decides", ["undecided", "all"])
def test_where_the_score_decides_it_does_so_by_the_threshold(rewarded, decides):
    texts = ("right", "1+2", "wrong", "3+4-4")
    scores = [t.score for t in rewarded(*texts)[0]]
    threshold = sorted(scores)[2]
    made, counts = rewarded(*texts, reward_decides=decides, reward_threshold=threshold)
    by_score = [score >= threshold for score in scores]
    given = by_score if decides == "all" else [True, by_score[1], False, by_score[3]]
    assert [t.correct for t in made] == given
    assert made[1].why == f"reward {scores[1]:.4g}, at least {threshold:g} passes"
    assert counts["rewarded"] == (4 if decides == "all" else 2)
    assert [t.score for t in made] == scores


def test_a_score_that_decides_needs_a_threshold_and_one_that_does_not_has_none():
    for options in ({"reward_decides": "undecided"}, {"reward_threshold": 0.0}):
        with pytest.raises(ValueError, match=r"undecided or all\) a threshold must be stated"):
            VerificationConfig(name="r", reward_model="m", **options)
    with pytest.raises(ValueError, match="one of nothing, undecided, all; got 'some'"):
        VerificationConfig(name="r", reward_model="m", reward_decides="some")
    without = VerificationConfig(name="r", reward_decides="all", reward_threshold=1.0)
    assert without == VerificationConfig(name="r")


def test_pins_name_the_grader_the_judge_and_the_reward_models_weights(reward_folder):
    assert set(pins(STRICT, VerificationConfig(name="g"))) == {"grading"}
    assert set(pins(STRICT, JUDGE)) == {"grading", "judge"}
    reward = pins(STRICT, VerificationConfig(name="r", reward_model=str(reward_folder)))["reward"]
    assert len(reward["model"]) == 64 and reward["transformers"]


def test_a_judge_and_a_reward_model_do_not_both_decide():
    with pytest.raises(ValueError, match=r"a judge .* and a reward model .*name one"):
        VerificationConfig(
            name="x",
            judge=JUDGE.judge,
            reward_model="r",
            reward_decides="undecided",
            reward_threshold=0.0,
        )
    both = VerificationConfig(name="x", judge=JUDGE.judge, reward_model="r")
    assert both.judge and both.reward_model
