"""Runs: how they are named, recorded, and continued."""

import json

import pytest

from distill.run import record
from distill.run.record import (
    FAILED,
    RUN,
    differing,
    failed_at,
    percent,
    read_finished,
    read_record,
    reason,
    short_labels,
    write_failure,
)
from distill.store.artifacts import Store

VERSION = 1
"""Of the stages here."""


def test_labels_leave_out_what_all_cells_share_and_the_groups_of_fields():
    shared, short = short_labels(
        ["study=x corruption=none a.b=1", "study=x corruption=shuffle_steps corruption.fraction=.5"]
    )
    assert shared == "study=x"
    assert short == ["corruption=none b=1", "corruption=shuffle_steps fraction=.5"]


def test_the_label_of_one_cell_is_whole_and_that_of_none_says_so():
    assert short_labels(["corruption=none"]) == ("", ["corruption=none"])
    seeds = ["corruption=none training.seed=1", "corruption=none training.seed=1 corruption.seed=1"]
    assert short_labels(seeds)[1] == ["(defaults)", "seed=1"]
    both = ["training.seed=1 size.traces=8", "training.seed=2 corruption.seed=2 size.traces=9"]
    assert short_labels(both)[1] == [
        "training.seed=1 traces=8",
        "training.seed=2 corruption.seed=2 traces=9",
    ]
    assert short_labels([""]) == ("", ["(defaults)"])


def test_what_is_quoted_is_one_override_of_a_label():
    after = 'student.after="size.traces=8 training.seed=1"'
    assert short_labels([f"{after} training.seed=1", f"{after} training.seed=2"]) == (
        after,
        ["seed=1", "seed=2"],
    )
    other = after.replace("8", "9")
    assert short_labels([after, other])[1] == [t.replace("student.", "") for t in (after, other)]
    assert short_labels(["prompt.user=it's a=1", "prompt.user=it's a=2"])[1] == ["a=1", "a=2"]


def test_a_score_is_never_without_interval_and_n():
    score = {"accuracy": 0.5, "standard_error": 0.25, "problems": 4, "samples": 2}
    assert percent(score) == "50.0 % [7.7, 92.3] n=4×2"


def test_undecided_and_marked_answers_stand_beside_a_score():
    score = {"accuracy": 0.5, "standard_error": 0.25, "problems": 4, "samples": 2}
    score |= {"accuracy_boxed": 0.375, "undecided": 0.125}
    assert percent(score) == "50.0 % [7.7, 92.3] n=4×2, boxed 37.5 %, undecided 12.5 %"
    assert percent(score | {"accuracy_boxed": None}).endswith("n=4×2, undecided 12.5 %")


def test_the_interval_of_an_older_record_is_shown_as_the_tables_have_it():
    score = {"accuracy": 58 / 120, "standard_error": 0.0623, "low": 0.366, "high": 0.603}
    score |= {"problems": 30, "samples": 4}
    assert percent(score) == "48.3 % [36.1, 60.8] n=30×4"


def test_a_failure_is_kept_with_its_reason_in_one_line(tmp_path):
    try:
        raise OSError("no\n  space")
    except OSError as error:
        write_failure(tmp_path / "cell", "label", error)
    kept = json.loads((tmp_path / "cell" / FAILED).read_text())
    assert kept["why"] == "OSError: no space"
    assert "test_record.py" in kept["traceback"]
    assert reason(ValueError()) == "ValueError"


@pytest.mark.parametrize(
    ("text", "told"), [('{"cell": ', r"run\.json is not JSON"), ("[]", r"run\.json holds a list")]
)
def test_a_record_that_is_none_is_named_and_never_taken_for_no_record(tmp_path, text, told):
    (tmp_path / RUN).write_text(text)
    with pytest.raises(ValueError, match=told):
        read_finished(tmp_path, [])


def test_an_error_failed_where_our_own_note_says_whatever_else_was_noted(tmp_path):
    def broken(*, out):
        raised = OSError("disk full")
        raised.add_note("In process 1 of 2")
        raise raised

    with pytest.raises(OSError) as caught:
        Store(tmp_path).produce(broken)
    caught.value.add_note("In cell 7 of 9")
    assert failed_at(caught.value) == f"broken/{Store(tmp_path).artifact(broken).key[:12]}"
    assert failed_at(OSError("of nobody's making")) == ""


def recorded(folder, rows=3):
    """A record of a run that has one artifact, in the folder it was launched from."""
    step = {"key": "1" * 64, "path": "made/1", "seconds": 1.0, "summary": {"rows": rows}}
    (folder / "made" / "1").mkdir(parents=True)
    (folder / "made" / "1" / "summary.json").write_text('{"rows": 3}')
    whole = {"cell": "2" * 64, "label": "", "study": {}, "config": {"runs": "runs"}}
    return whole | {"format": 3, "stages": {"problems": step}, "scores": {}}


def test_a_failure_is_never_written_beside_a_good_record(tmp_path):
    (tmp_path / RUN).write_text(json.dumps(recorded(tmp_path)))
    write_failure(tmp_path, "label", OSError("too late"))
    assert not (tmp_path / FAILED).exists()
    (tmp_path / RUN).write_text("{torn")
    write_failure(tmp_path, "label", OSError("disk full"))
    assert json.loads((tmp_path / FAILED).read_text())["why"] == "OSError: disk full"


def test_each_writing_of_a_record_goes_by_a_file_of_its_own(tmp_path, monkeypatch):
    names = []
    usual = record.write_json
    monkeypatch.setattr(record, "write_json", lambda path, v: (names.append(path), usual(path, v)))
    for _ in range(2):
        write_failure(tmp_path, "label", OSError("disk full"))
    assert len(set(names)) == 2 and tmp_path / FAILED not in names
    assert [path.name for path in tmp_path.iterdir()] == [FAILED]


def test_a_record_is_held_against_the_summaries_of_its_artifacts(tmp_path):
    assert differing(recorded(tmp_path), tmp_path) == []
    other = recorded(tmp_path / "other", rows=4)
    assert differing(other, tmp_path / "other") == ["problems.rows is 4, in its artifact 3"]
    assert differing(other, tmp_path / "elsewhere") == []


@pytest.mark.parametrize("part", ["cell", "label", "study", "config", "stages", "scores"])
@pytest.mark.parametrize("value", [None, 3, ["x"]])
def test_a_record_without_one_of_its_parts_is_named(tmp_path, part, value):
    torn = recorded(tmp_path) | {part: value}
    (tmp_path / RUN).write_text(json.dumps(torn))
    with pytest.raises(ValueError, match=rf"run\.json.*{part}"):
        read_record(tmp_path / RUN)


def test_a_score_without_its_summary_is_named(tmp_path):
    torn = recorded(tmp_path) | {"scores": {"gsm8k": {"key": "1"}}}
    (tmp_path / RUN).write_text(json.dumps(torn))
    with pytest.raises(ValueError, match=r"run\.json has no gsm8k"):
        read_record(tmp_path / RUN)
