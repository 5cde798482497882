"""The store: identity, lock, atomic completion, continuation."""

import hashlib
import json
import os
import platform
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import pytest

from distill.run.record import failed_at
from distill.store.artifacts import (
    ArtifactError,
    Store,
    is_locked,
    locked,
    read_json,
    read_recipe,
    verify,
    write_json,
)
from distill.store.identity import (
    CHECKOUT,
    Artifact,
    canonical,
    canonical_json,
    content_hash,
    identify,
    local_path,
)
from distill.store.resume import append, kept_rows

VERSION = 1


@dataclass
class Recipe:
    """A config as stages take them."""

    words: list[str] = field(default_factory=lambda: ["a"])
    times: int = 2
    source: str = field(default="", metadata={"content": True})
    shown_as: str = field(default="", metadata={"label": True})


def write_words(recipe: Recipe, *, out: Path, threads: int = 1) -> None:
    with (out / "calls").open("a") as file:
        file.write("called\n")
    (out / "words.txt").write_text(" ".join(recipe.words * recipe.times))


def count_words(recipe: Recipe, words: Path, *, out: Path) -> None:
    (out / "count.txt").write_text(str(len((words / "words.txt").read_text().split())))


def test_an_artifact_is_made_once_and_then_served(tmp_path):
    store = Store(tmp_path)
    first = store.produce(write_words, Recipe())
    second = store.produce(write_words, Recipe())
    assert first == second
    assert (first.path / "calls").read_text() == "called\n"


def test_naming_an_artifact_makes_nothing(tmp_path):
    artifact = Store(tmp_path / "artifacts").artifact(write_words, Recipe())
    assert not artifact.exists
    assert not (tmp_path / "artifacts").exists()


def test_keyword_arguments_and_labels_enter_no_key_and_are_recorded(tmp_path):
    store = Store(tmp_path)
    made = store.produce(write_words, Recipe(shown_as="x"), threads=7)
    assert made.key == store.artifact(write_words, Recipe(shown_as="y")).key
    assert made.record()["how"] == {"threads": 7}
    assert made.record()["labels"] == {"recipe.shown_as": "x"}


@pytest.mark.parametrize("other", [Recipe(words=["b"]), Recipe(times=3), Recipe(words=["a", "a"])])
def test_every_field_enters_the_key(tmp_path, other):
    store = Store(tmp_path)
    assert store.artifact(write_words, Recipe()).key != store.artifact(write_words, other).key


def test_a_default_written_out_is_the_same_identity():
    assert identify(write_words, Recipe()) == identify(write_words, Recipe(["a"], 2))


def test_version_and_pins_enter_the_key(tmp_path, monkeypatch):
    store = Store(tmp_path)
    before = store.artifact(write_words, Recipe()).key
    monkeypatch.setattr(sys.modules[__name__], "VERSION", 2)
    after_version = store.artifact(write_words, Recipe()).key
    monkeypatch.setattr(sys.modules[__name__], "pins", lambda recipe: {"grader": 1}, raising=False)
    after_pins = store.artifact(write_words, Recipe()).key
    assert len({before, after_version, after_pins}) == 3


def test_an_input_artifact_counts_by_its_key_and_reaches_the_stage_as_its_folder(tmp_path):
    store = Store(tmp_path)
    words = store.produce(write_words, Recipe())
    counted = store.produce(count_words, Recipe(), words)
    assert (counted.path / "count.txt").read_text() == "2"
    others = store.artifact(write_words, Recipe(times=3))
    assert counted.key != store.artifact(count_words, Recipe(), others).key


def test_keys_do_not_depend_on_process_or_order_of_keys():
    code = (
        "from distill.store.identity import *; print(canonical_json({'b': [1.5, None], 'a': 'é'}))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONHASHSEED": "7"},
    ).stdout.strip()
    assert shown == canonical_json({"a": "é", "b": [1.5, None]}) == r'{"a":"\u00e9","b":[1.5,null]}'


class Colour(Enum):
    red = 1


@pytest.mark.parametrize("value", [{1, 2}, Path("x"), object(), print, float("nan"), {1: 2}, b"x"])
def test_a_value_without_stable_json_is_refused_by_name(value):
    with pytest.raises(TypeError, match=r"recipe\.words"):
        canonical({"words": value}, "recipe")


def test_enums_count_by_value():
    assert canonical(Colour.red) == 1


def test_a_local_folder_counts_by_content_and_not_by_path(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "weights").write_text("w")
    one, two = (canonical(Recipe(source=str(tmp_path / name))) for name in ("one", "two"))
    assert one == two
    (tmp_path / "two" / "weights").write_text("v")
    assert canonical(Recipe(source=str(tmp_path / "two"))) != one
    assert content_hash(tmp_path / "one") != content_hash(tmp_path / "two")


def test_no_name_is_no_folder_and_never_the_working_directory():
    assert local_path("") is None
    assert canonical(Recipe(source=""))["source"] == ""


def test_a_renamed_file_changes_a_folders_hash(tmp_path):
    (tmp_path / "a").write_text("x")
    before = content_hash(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    assert content_hash(tmp_path) != before


def test_a_failed_stage_leaves_no_artifact_and_is_continued(tmp_path, monkeypatch):
    store = Store(tmp_path)
    monkeypatch.setattr(Path, "write_text", _fail, raising=True)
    with pytest.raises(OSError, match="disk full") as failure:
        store.produce(write_words, Recipe())
    artifact = store.artifact(write_words, Recipe())
    assert failed_at(failure.value) == f"write_words/{artifact.key[:12]}"
    assert not artifact.exists
    assert artifact.partial.exists()
    monkeypatch.undo()
    store.produce(write_words, Recipe())
    assert (artifact.path / "calls").read_text() == "called\ncalled\n"
    assert not artifact.partial.exists()


def test_killed_between_its_recipe_and_its_last_move_an_artifact_is_made_whole(tmp_path):
    store = Store(tmp_path)
    artifact = store.artifact(write_words, Recipe())
    artifact.partial.mkdir(parents=True)
    (artifact.partial / "recipe.json").write_text("{}")
    made = store.produce(write_words, Recipe())
    assert store.produce(write_words, Recipe()) == made
    assert "recipe.json" not in made.record()["files"]


def _fail(*args, **kwargs):
    raise OSError("disk full")


@pytest.mark.parametrize("harm", ["changed", "removed", "added"])
def test_an_artifact_that_was_tampered_with_is_never_served(tmp_path, harm):
    made = Store(tmp_path).produce(write_words, Recipe())
    target = made.path / ("more.txt" if harm == "added" else "words.txt")
    target.unlink() if harm == "removed" else target.write_text("a x")  # same number of bytes
    with pytest.raises(RuntimeError, match=target.name):
        Store(tmp_path).produce(write_words, Recipe())


def test_the_recipe_names_files_seconds_versions_and_the_whole_identity(tmp_path):
    made = Store(tmp_path).produce(write_words, Recipe())
    record = json.loads((made.path / "recipe.json").read_text())
    assert record["identity"] == made.recipe
    assert record["identity"]["arguments"]["recipe"]["times"] == 2
    assert set(record["files"]) == {"calls", "words.txt"}
    assert record["seconds"] >= 0
    assert "torch" in record["versions"]


SLOW = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    from distill.store.artifacts import Store
    VERSION = 1

    def slow_stage(rows: int, *, out):
        path = out / "rows"
        done = path.read_text().splitlines(True) if path.exists() else []
        done = [line for line in done if line.endswith("\\n")]
        path.write_text("".join(done))
        with path.open("a") as file:
            for i in range(len(done), rows):
                file.write(f"row {i}\\n"); file.flush(); time.sleep(0.01)
        while (Path(sys.argv[1]) / "hold").exists():
            time.sleep(0.01)
        with (Path(sys.argv[1]) / "ends").open("a") as file:
            file.write("end\\n")

    print("started", flush=True)
    store = Store(Path(sys.argv[1]) / "artifacts", say=lambda s: print(s, flush=True))
    made = store.produce(slow_stage, 60)
    print("done", made.path, flush=True)
    """
)


def _start(tmp_path: Path) -> subprocess.Popen:
    script = tmp_path / "slow.py"
    script.write_text(SLOW)
    return subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
    )


def test_two_processes_make_an_artifact_once_and_the_second_says_what_it_waits_for(tmp_path):
    (tmp_path / "hold").touch()
    both = [_start(tmp_path), _start(tmp_path)]
    said = [[process.stdout.readline() for _ in ("started", "then")][1] for process in both]
    (tmp_path / "hold").unlink()
    assert [process.wait(60) for process in both] == [0, 0]
    makes, waits = sorted(said)
    assert makes.startswith("making slow_stage/")
    assert waits.startswith("waiting for another process that makes slow_stage ")
    assert (tmp_path / "ends").read_text() == "end\n"


def test_kill_9_at_any_moment_leaves_nothing_torn_and_the_next_run_gives_the_same_bytes(tmp_path):
    for moment in (0.0, 0.1, 0.25, 0.4):
        process = _start(tmp_path)
        process.stdout.readline()
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        process.wait()
        complete = [p for p in tmp_path.glob("artifacts/slow_stage/*/recipe.json")]
        assert all(verify(p.parent) is None for p in complete if ".partial" not in str(p))
    out = _start(tmp_path).communicate(timeout=60)[0]
    folder = Path(out.split("done ")[1].strip())
    assert (folder / "rows").read_text() == "".join(f"row {i}\n" for i in range(60))
    assert list(folder.parent.glob("*.partial")) == []


def test_a_recipe_that_a_killed_attempt_half_wrote_is_no_file_of_the_artifact(tmp_path):
    artifact = Store(tmp_path).artifact(write_words, Recipe())
    artifact.partial.mkdir(parents=True)
    (artifact.partial / "recipe.json.new").write_text("{")
    assert "recipe.json.new" not in Store(tmp_path).produce(write_words, Recipe()).record()["files"]


def test_an_artifact_knows_its_partial_folder(tmp_path):
    artifact = Artifact("s", "ab", tmp_path / "s" / "ab", {})
    assert artifact.partial == tmp_path / "s" / "ab.partial"


def test_a_folder_counts_by_what_its_linked_folders_hold_and_a_loop_of_links_ends(tmp_path):
    for name in ("model", "elsewhere"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "weights").write_text(name)
    (tmp_path / "model" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "model" / "loop").symlink_to(tmp_path / "model")
    before = content_hash(tmp_path / "model")
    (tmp_path / "elsewhere" / "weights").write_text("other")
    assert content_hash(tmp_path / "model") != before


def _link(path: Path) -> None:
    path.symlink_to(path.parent / "nowhere")


@pytest.mark.parametrize("harm", [Path.mkdir, _link])
def test_a_lock_of_the_wrong_type_is_named_and_says_what_to_delete(tmp_path, harm):
    store = Store(tmp_path)
    artifact = store.artifact(write_words, Recipe())
    artifact.path.parent.mkdir(parents=True)
    lock = artifact.path.with_name(artifact.key + ".lock")
    harm(lock)
    with pytest.raises(OSError, match=r"\.lock cannot be locked: it is a (link|folder); delete it"):
        store.produce(write_words, Recipe())


@pytest.mark.parametrize(
    "text", [None, "", "{", "[]", "{}", '{"files": 3}', '{"files": {}, "key": "x"}', b"\xff\x00"]
)
def test_a_torn_or_missing_recipe_is_told_like_any_other_change_before_anything_is_made(
    tmp_path, text
):
    made = Store(tmp_path).produce(write_words, Recipe())
    recipe = made.path / "recipe.json"
    recipe.unlink()
    if text is not None:
        recipe.write_bytes(text if isinstance(text, bytes) else text.encode())
    told = rf"{made.key} is not what was made: recipe\.json .*Delete the folder"
    with pytest.raises(ArtifactError, match=told):
        Store(tmp_path).produce(write_words, Recipe())
    assert (made.path / "calls").read_text() == "called\n"
    assert not made.partial.exists()


def test_what_is_no_folder_where_an_artifact_is_to_be_made_is_named(tmp_path):
    artifact = Store(tmp_path).artifact(write_words, Recipe())
    artifact.path.parent.mkdir(parents=True)
    artifact.partial.write_text("")
    with pytest.raises(NotADirectoryError, match=r"\.partial must be a folder; delete it"):
        Store(tmp_path).produce(write_words, Recipe())


def test_rows_of_a_killed_attempt_that_are_no_rows_are_named(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n{"a": 2')
    assert list(kept_rows(path)) == [{"a": 1}]
    for garbage in ("\0\0", "[1]", "{"):
        path.write_text('{"a": 1}\n' + garbage + "\n")
        with pytest.raises(ValueError, match=r"rows\.jsonl:2 is no JSON object; delete the file"):
            list(kept_rows(path))


def test_a_lock_is_seen_while_it_is_held_and_asking_leaves_no_file(tmp_path):
    lock = tmp_path / "run.lock"
    assert not is_locked(lock) and not lock.exists()
    with locked(lock, "makes run 1", print):
        assert is_locked(lock)
    assert not is_locked(lock)


def write_counts(recipe: Recipe, *, out: Path, threads: int = 1, log=None) -> None:
    counts = {"rows": 1234, "left_out": 2, "none": 0, "share": 0.5, "name": "x"}
    write_json(out / "summary.json", counts)
    (out / "part").mkdir(exist_ok=True)
    (out / "part" / "recipe.txt").write_text("é")


def test_what_is_made_and_continued_is_told_with_its_counts(tmp_path):
    said = []
    store = Store(tmp_path, said.append)
    artifact = store.artifact(write_counts, Recipe())
    store.produce(write_counts, Recipe())
    counts = "  left out 2, rows 1,234"
    assert said == [f"making write_counts/{artifact.key[:12]}", counts]
    store.produce(write_counts, Recipe())
    assert len(said) == 2
    other = store.artifact(write_counts, Recipe(times=5))
    other.partial.mkdir()
    store.produce(write_counts, Recipe(times=5))
    assert said[2:] == [f"continuing write_counts/{other.key[:12]}", counts]


def test_the_recipe_says_how_it_was_made_as_far_as_that_can_be_written(tmp_path):
    made = Store(tmp_path).produce(write_counts, Recipe(), threads=2, log=print)
    record = made.record()
    assert record["how"] == {"threads": 2} and record["key"] == made.key
    assert 0 <= record["seconds"] < 1e6  # of making it, not since 1970
    assert record["python"] == platform.python_version() and record["host"]
    assert None not in record["versions"].values()
    content = "é".encode()
    digest = hashlib.sha256(content).hexdigest()
    part = {"bytes": len(content), "sha256": digest}
    assert set(record["files"]) == {"summary.json", "part/recipe.txt"}
    assert record["files"]["part/recipe.txt"] == part


def test_a_stage_looks_at_its_artifact_each_time_it_is_used_and_its_warnings_are_told(
    tmp_path, monkeypatch
):
    said, seen = [], []

    def served(recipe, *, threads, out):
        seen.append((recipe, threads, out))
        return ["few rows"] if threads == 1 else None

    monkeypatch.setattr(sys.modules[__name__], "served", served, raising=False)
    store = Store(tmp_path, said.append)
    missing = store.used(write_counts, Recipe(), threads=1)
    assert not missing.exists and seen == [] and said == []
    made = store.produce(write_counts, Recipe(), threads=1)
    assert said[-1] == "  warning: few rows"
    assert store.used(write_counts, Recipe(), threads=3) == made == missing
    assert seen == [(Recipe(), 1, made.path), (Recipe(), 3, made.path)]
    assert said.count("  warning: few rows") == 1


def test_all_that_changed_is_named_once_and_in_order(tmp_path):
    made = Store(tmp_path).produce(write_words, Recipe())
    (made.path / "words.txt").unlink()
    (made.path / "calls").write_text("Called\n")
    (made.path / "b").write_text("")
    with pytest.raises(ArtifactError, match=r": calls, words\.txt, b missing, changed or added"):
        verify(made.path)


def test_json_is_written_whole_in_one_order_and_read_back(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("before")
    write_json(path, {"é": [1.5, None], "a": "ł"})
    assert read_json(path) == {"é": [1.5, None], "a": "ł"}
    text = path.read_bytes().decode()
    assert text.index('"a"') < text.index('"é"') and text.endswith("}\n")
    assert [one.name for one in tmp_path.iterdir()] == ["a.json"]


def test_who_waits_for_a_lock_is_told_what_for_and_gets_it_when_it_is_free(tmp_path):
    lock, said, got = tmp_path / "run.lock", [], []

    def second():
        with locked(lock, "makes run 2", said.append):
            got.append("lock")

    with locked(lock, "makes run 1", said.append):
        assert said == []  # nobody waits
        thread = threading.Thread(target=second)
        thread.start()
        while not said:
            time.sleep(0.01)
        assert got == []
    thread.join(60)
    assert got == ["lock"] and said == ["waiting for another process that makes run 2"]
    with pytest.raises(ValueError, match="inside"), locked(lock, "makes run 3", said.append):
        raise ValueError("inside")
    assert not is_locked(lock)


def test_appended_rows_are_kept_at_once_one_a_line(tmp_path):
    path = tmp_path / "rows.jsonl"
    with path.open("a") as file:
        for flush in (False, True):
            append(file, {"a": flush}, flush=flush)
            assert len(path.read_text().splitlines()) == 1 + flush
    assert list(kept_rows(path)) == [{"a": False}, {"a": True}]
    path.write_bytes(path.read_bytes() + b'{"a": "\xc5')
    assert list(kept_rows(path)) == [{"a": False}, {"a": True}]
    assert path.read_bytes().endswith(b"true}\n")  # what was torn is gone
    assert list(kept_rows(tmp_path / "none")) == []


@pytest.mark.parametrize("name", ["key", "files", "identity", "seconds", "versions"])
def test_a_recipe_that_lacks_a_field_or_has_another_kind_there_names_it(tmp_path, name):
    made = Store(tmp_path).produce(write_words, Recipe())
    recipe = read_recipe(made.path)
    assert recipe == made.record()
    for wrong in ({n: v for n, v in recipe.items() if n != name}, recipe | {name: None}):
        (made.path / "recipe.json").write_text(json.dumps(wrong))
        with pytest.raises(ArtifactError, match=rf"recipe\.json lacks {name}\. Delete"):
            read_recipe(made.path)
