"""The curve is what the trainer logs, and checkpoints are those that can be resumed from."""

import pickle
from types import SimpleNamespace

import pytest

from distill.training import checkpoint, launch
from distill.training.order import TrainingOrder
from distill.training.progress import Progress, curve_row, recorder

ORDER = TrainingOrder([[0]], batch=1, steps=3, steps_per_epoch=2, tokens=[10, 25, 31])
ENTRY = {"loss": 0.5, "learning_rate": 1e-3, "grad_norm": 2.0, "epoch": 0.5}


def test_a_row_of_the_curve_counts_the_tokens_up_to_its_step():
    for step, tokens in ((1, 10), (2, 25), (3, 31)):
        row = curve_row(ENTRY | {"step": step}, ORDER)
        assert row == {name: ENTRY[name] for name in ("loss", "learning_rate", "grad_norm")} | {
            "step": step,
            "tokens": tokens,
        }


def test_a_bar_begins_where_an_earlier_attempt_ended_and_shows_the_loss(capsys):
    rows = []
    for bar in (True, False):
        progress = Progress(rows.append, bar)
        progress.begin(5, 2)
        shown = progress.bar
        if bar:
            assert (shown.n, shown.total) == (2, 5)
        progress.step({"loss": 0.12345})
        if bar:
            assert shown.n == 3 and shown.postfix == "loss=0.1235"
        progress.end()
        assert shown.disable
        assert ("train" in capsys.readouterr().err) == bar
    assert rows == [{"loss": 0.12345}] * 2
    progress = Progress()
    progress.begin(1, 0)
    progress.step({"loss": 1.0})  # and nobody is told


class Seen(Progress):
    def __init__(self):
        self.told = []

    def begin(self, steps, done):
        self.told.append((steps, done))

    def step(self, row):
        self.told.append((row["step"], row["loss"]))

    def end(self):
        self.told.append("end")


@pytest.fixture
def state(tmp_path):
    """Of a trainer in its second step, and its arguments."""
    saved = tmp_path / "checkpoint-2"
    saved.mkdir()
    everyone = SimpleNamespace(wait_for_everyone=lambda: None)
    args = SimpleNamespace(output_dir=str(tmp_path), distributed_state=everyone)
    return args, SimpleNamespace(global_step=2, is_world_process_zero=True), saved


def test_steps_are_reported_as_they_are_logged_and_other_logs_are_not(state):
    seen, (args, at, _) = Seen(), state
    made = recorder(ORDER, seen, 1)
    made.on_train_begin(args, at, None)
    made.on_log(args, at, None, logs=ENTRY)
    made.on_log(args, at, None, logs={"train_runtime": 3.0})
    made.on_train_end(args, at, None)
    assert seen.told == [(3, 2), (2, 0.5), "end"]


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), -float("inf")])
def test_a_loss_that_is_no_number_is_an_error_that_names_its_step(state, loss):
    args, at, _ = state
    with pytest.raises(FloatingPointError, match=rf"{loss} at step 2; a lower training\."):
        recorder(ORDER, seen := Seen(), 1).on_log(args, at, None, logs=ENTRY | {"loss": loss})
    assert seen.told == []


def test_the_last_step_is_not_saved_as_a_checkpoint(state):
    args, at, _ = state
    for step, saves in ((1, True), (2, True), (3, False)):
        control = SimpleNamespace(should_save=True)
        at.global_step = step
        recorder(ORDER, Seen(), 1).on_step_end(args, at, control)
        assert control.should_save == saves


def test_the_first_process_marks_a_checkpoint_complete_and_removes_the_earlier_ones(state):
    args, at, saved = state
    earlier = saved.with_name("checkpoint-1")
    earlier.mkdir()
    (earlier / "weights").write_text("w")
    at.is_world_process_zero = False
    recorder(ORDER, Seen(), 4).on_save(args, at, None)
    assert earlier.exists() and not (saved / checkpoint.COMPLETE).exists()
    at.is_world_process_zero = True
    recorder(ORDER, Seen(), 4).on_save(args, at, None)
    assert not earlier.exists() and (saved / checkpoint.COMPLETE).read_text() == "4"


def test_the_newest_checkpoint_is_that_of_most_steps(tmp_path):
    assert checkpoint.newest(tmp_path) is None
    for steps in (9, 100, 20):
        (tmp_path / f"checkpoint-{steps}").mkdir()
    newest = checkpoint.newest(tmp_path)
    assert newest == str(tmp_path / "checkpoint-100") and checkpoint.steps(newest) == 100


def test_only_complete_checkpoints_of_as_many_processes_are_kept(tmp_path):
    for name, mark in {"1": None, "2": "1", "3": "2", "4": "12"}.items():
        folder = tmp_path / f"checkpoint-{name}"
        folder.mkdir()
        if mark:
            (folder / checkpoint.COMPLETE).write_text(mark)
    checkpoint.drop_incomplete(tmp_path, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-3"]
    checkpoint.discard(tmp_path / "nothing there")
    folder = checkpoint.emptied(tmp_path / "checkpoint-3")
    assert folder.is_dir() and not list(folder.iterdir())


def test_the_error_that_was_recorded_first_is_raised_and_else_the_last(tmp_path):
    last = RuntimeError("process 1 died")
    assert str(launch._first_error(tmp_path, last)) == "process 1 died"
    for rank, (at, message) in enumerate(((9.0, "follows"), (5.0, "first"), (7.0, "second"))):
        pickled = pickle.dumps((at, ValueError(message)))
        (tmp_path / f"error-{rank}").write_bytes(pickled)
    first = launch._first_error(tmp_path, last)
    assert type(first) is ValueError and str(first) == "first"
