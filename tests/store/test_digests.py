"""Digests that are remembered from process to process, and everything that may not be believed."""

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from distill.store import digests
from distill.store.artifacts import ArtifactError, verify, write_json
from distill.store.canonical import content_hash, file_hash
from distill.store.identity import CHECKOUT

FULL = hashlib.file_digest


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A cache of its own, in which files of 8 bytes count, however young."""
    monkeypatch.setenv(digests.FOLDER, str(tmp_path / "cache" / "digests"))
    monkeypatch.setattr(digests, "LARGE", 8)
    monkeypatch.setattr(digests, "SETTLED", -3600.0)
    digests._sha256.cache_clear()
    yield tmp_path / "cache" / "digests"
    digests._sha256.cache_clear()


@pytest.fixture
def read(monkeypatch):
    """Names of the files that are read in full."""
    names = []

    def counted(file, kind):
        names.append(Path(file.name).name)
        return FULL(file, kind)

    monkeypatch.setattr(hashlib, "file_digest", counted)
    return names


def write(path, text="weights!"):
    path.write_text(text)
    while path.stat().st_ctime_ns % 10**9 == 0:
        path.write_text(text)
    return path


def in_a_new_process(path):
    digests._sha256.cache_clear()
    return file_hash(path)["sha256"]


def truth(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_large_file_is_read_once_and_a_small_one_by_every_process(tmp_path, read, folder):
    large, small = write(tmp_path / "large"), write(tmp_path / "small", "tiny")
    for _ in range(3):
        assert in_a_new_process(large) == truth(large)
        assert in_a_new_process(small) == truth(small)
    assert read.count("large") == 1 and read.count("small") == 3
    assert len(list(folder.iterdir())) == 1


def test_the_content_of_a_folder_is_the_same_remembered_or_not(tmp_path, monkeypatch, folder):
    (tmp_path / "model").mkdir()
    for name in "ab":
        write(tmp_path / "model" / name, name * 20)
    hashes = set()
    for named in (str(folder), str(folder), ""):
        monkeypatch.setenv(digests.FOLDER, named)
        digests._sha256.cache_clear()
        hashes.add(content_hash(tmp_path / "model"))
    assert len(hashes) == 1


def edited(path, stat):
    path.write_text("WEIGHTS!")


def edited_within(path, stat):
    with path.open("r+") as file:
        file.write("W")


def replaced(path, stat):
    write(path.with_name("new"), "WEIGHTS!").replace(path)


@pytest.mark.parametrize("change", [edited, edited_within, replaced])
@pytest.mark.parametrize("new_process", [False, True])
def test_an_edit_of_equal_size_and_time_is_seen(tmp_path, change, new_process):
    path = write(tmp_path / "large")
    before, stat = in_a_new_process(path), path.stat()
    time.sleep(0.02)  # the clock of a file system moves in steps
    change(path, stat)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (8, stat.st_mtime_ns)
    found = in_a_new_process(path) if new_process else file_hash(path)["sha256"]
    assert found == truth(path) != before


def test_a_file_that_takes_anothers_place_is_read_even_if_it_is_as_old(tmp_path, read):
    one, two = write(tmp_path / "one"), write(tmp_path / "two", "WEIGHTS!")
    first = in_a_new_process(one), in_a_new_process(two)
    two.replace(one)
    assert in_a_new_process(one) == first[1]
    assert read == ["one", "two", "one"]


@pytest.mark.parametrize("place", range(4))
def test_size_inode_and_both_times_must_be_the_same(tmp_path, read, monkeypatch, place):
    path, state = write(tmp_path / "large"), digests._state
    in_a_new_process(path)
    monkeypatch.setattr(
        digests, "_state", lambda stat: tuple(x + (i == place) for i, x in enumerate(state(stat)))
    )
    in_a_new_process(path)
    assert len(read) == 2


def test_a_young_file_is_not_remembered(tmp_path, read, monkeypatch, folder):
    path = write(tmp_path / "large")
    monkeypatch.setattr(digests, "SETTLED", 60.0)
    for _ in range(2):
        in_a_new_process(path)
    assert len(read) == 2 and not folder.exists()
    later = time.time() + 61
    monkeypatch.setattr(time, "time", lambda: later)
    for _ in range(2):
        in_a_new_process(path)
    assert len(read) == 3


def test_a_file_with_a_time_to_come_is_not_remembered(tmp_path, read, monkeypatch, folder):
    path = write(tmp_path / "large")
    monkeypatch.setattr(digests, "SETTLED", 0.0)
    os.utime(path, (1e10, 1e10))
    in_a_new_process(path)
    assert not folder.exists()


def test_a_file_system_that_counts_whole_seconds_is_not_trusted(
    tmp_path, read, monkeypatch, folder
):
    path, state = write(tmp_path / "large"), digests._state
    whole = 10**9
    monkeypatch.setattr(
        digests,
        "_state",
        lambda stat: (*state(stat)[:2], *(t // whole * whole for t in state(stat)[2:])),
    )
    for _ in range(2):
        in_a_new_process(path)
    assert len(read) == 2 and not folder.exists()


def test_a_file_that_changes_while_it_is_read_is_not_remembered(tmp_path, monkeypatch, folder):
    path = write(tmp_path / "large")

    def changing(file, kind):
        made = FULL(file, kind)
        time.sleep(0.02)
        path.write_text("WEIGHTS!")
        return made

    monkeypatch.setattr(hashlib, "file_digest", changing)
    in_a_new_process(path)
    assert not folder.exists()
    monkeypatch.undo()
    assert in_a_new_process(path) == truth(path)


def _torn(text):
    return text[: len(text) // 2]


def _flipped(text):
    at = text.index('"') + 3
    return text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :]


def _shorter(text):
    return text.partition("\n")[0]


@pytest.mark.parametrize(
    "harm",
    [
        _torn,
        _flipped,
        _shorter,
        *(lambda text, new=new: new for new in ("", "{}", "7", "[]\n", "é")),
    ],
)
def test_what_is_torn_or_malformed_is_not_believed_and_written_again(tmp_path, read, folder, harm):
    path = write(tmp_path / "large")
    in_a_new_process(path)
    [kept] = folder.iterdir()
    kept.write_text(harm(kept.read_text()))
    for _ in range(2):
        assert in_a_new_process(path) == truth(path)
    assert read == ["large"] * 2


@pytest.mark.parametrize("text", ["7", "[]", "{}", "null", '"x"', "[1, 2]"])
def test_other_json_with_a_right_check_is_not_believed(tmp_path, read, folder, text):
    path = write(tmp_path / "large")
    in_a_new_process(path)
    [kept] = folder.iterdir()
    kept.write_text(text + "\n" + hashlib.sha256(text.encode()).hexdigest())
    assert in_a_new_process(path) == truth(path)
    assert read == ["large"] * 2


def test_without_a_folder_that_can_be_written_files_are_read(tmp_path, read, folder):
    folder.parent.write_text("no folder")
    path = write(tmp_path / "large")
    for _ in range(2):
        assert in_a_new_process(path) == truth(path)
    assert len(read) == 2


def test_on_request_everything_is_read_in_full(tmp_path, read, monkeypatch):
    path = write(tmp_path / "large")
    in_a_new_process(path)
    monkeypatch.setenv(digests.FOLDER, "")
    in_a_new_process(path)
    assert len(read) == 2


def test_unless_named_the_folder_is_the_users_cache(monkeypatch):
    monkeypatch.delenv(digests.FOLDER)
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert digests._folder() == Path("/somewhere/distill/digests")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/u")
    assert digests._folder() == Path("/home/u/.cache/distill/digests")


def test_a_changed_artifact_is_refused_though_its_digest_is_remembered(tmp_path):
    made = tmp_path / "made"
    made.mkdir()
    path = write(made / "weights")
    recipe = {"identity": {}, "key": "k", "seconds": 0, "versions": {}}
    write_json(made / "recipe.json", recipe | {"files": {"weights": file_hash(path)}})
    digests._sha256.cache_clear()
    verify(made)
    stat = path.stat()
    time.sleep(0.02)
    path.write_text("WEIGHTS!")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    digests._sha256.cache_clear()
    with pytest.raises(ArtifactError, match="weights"):
        verify(made)


MANY = """
import sys
from pathlib import Path
from distill.store import digests
from distill.store.canonical import file_hash
digests.LARGE, digests.SETTLED = 8, -3600.0
for path in sorted(Path(sys.argv[1]).iterdir()):
    print(path.name, file_hash(path)["sha256"])
"""


def test_several_processes_at_once_agree(tmp_path, folder, read):
    (tmp_path / "files").mkdir()
    for i in range(20):
        write(tmp_path / "files" / f"{i:02}", f"{i:08}")
    command = [sys.executable, "-c", MANY, str(tmp_path / "files")]
    env = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) for _ in range(4)
    ]
    said = {process.communicate(timeout=60)[0] for process in running}
    files = sorted((tmp_path / "files").iterdir())
    assert said == {"".join(f"{path.name} {truth(path)}\n" for path in files)}
    assert [in_a_new_process(path) for path in files] == [truth(path) for path in files]
    assert not read and not list(folder.glob("*.new"))
