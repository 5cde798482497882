"""Rows of local files and the hub, and what is rejected."""

import json

import pyarrow as pa
import pyarrow.parquet
import pytest

from distill.data import source
from distill.data.config import DatasetConfig, SourceConfig
from distill.models import hub
from distill.trace.records import read_rows

ROWS = [{"question": "1+1?", "year": 2023, "n": None}, {"question": "ünïcode \u2028", "year": 1999}]


def write(folder, name, text):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def read(path, **more):
    return list(source.rows(SourceConfig(path=path, **more)))


def test_lines_an_array_and_parquet_give_the_same_rows(tmp_path):
    lines = write(tmp_path, "a.jsonl", "\n".join(map(json.dumps, ROWS)))
    array = write(tmp_path, "a.json", "\n " + json.dumps(ROWS, indent=1))
    whole = [{"n": None} | row for row in ROWS]
    pyarrow.parquet.write_table(pa.Table.from_pylist(whole), tmp_path / "a.parquet")
    assert [row for _, row in read(lines)] == [row for _, row in read(array)] == ROWS
    assert [row for _, row in read(str(tmp_path / "a.parquet"))] == whole


def test_a_place_names_file_and_line_without_the_folder(tmp_path):
    path = write(tmp_path, "a.jsonl", '{"a": 1}\n\n{"a": 2}\n')
    assert [place for place, _ in read(path)] == ["a.jsonl:1", "a.jsonl:3"]


def test_what_is_no_row_is_said_why_and_reading_goes_on(tmp_path):
    text = b'\xef\xbb\xbf{"a": 1}\n{"a": \n[1]\n"\xff"\n' + b"[" * 100_000 + b'\n{"a": 2}'
    found = read(write(tmp_path, "a.jsonl", text))
    rejected = [isinstance(row, source.Rejected) for row in found]
    assert rejected == [False, True, True, True, True, False]
    assert "not JSON" in found[1].why and found[2].why == "not an object"


def test_where_passes_over_rows_and_one_without_its_column_is_rejected(tmp_path):
    path = write(tmp_path, "a.jsonl", "\n".join(map(json.dumps, ROWS)))
    assert [row for _, row in read(path, where={"year": "^20"})] == ROWS[:1]
    missing = source.Rejected("a.jsonl:2", "no column of where: n; has question, year")
    assert read(path, where={"n": "x"}) == [missing]


def test_a_path_wins_over_the_hub_and_is_the_same_identity_without_it():
    local = DatasetConfig(name="x", path="f", hub="a/b", subset="c")
    assert local == DatasetConfig(name="x", path="f")
    assert source.pins(local) == {}


def test_no_path_and_no_hub_and_no_file_are_errors_that_say_so():
    with pytest.raises(ValueError, match="no rows to read: set path"):
        list(source.rows(DatasetConfig(name="mine")))
    with pytest.raises(FileNotFoundError, match=r"nowhere\.jsonl"):
        read("nowhere.jsonl")


@pytest.mark.parametrize(("share", "stops"), [(0.5, False), (0.49, True)])
def test_rejected_rows_are_named_and_stop_the_run_past_the_share(tmp_path, share, stops):
    rejected = [source.Rejected("a.jsonl:2", "no question")]
    config = SourceConfig(path="a.jsonl", max_rejected=share)
    if stops:
        with pytest.raises(ValueError, match=r"1 of 2 .*0\.49 .*a.jsonl:2: no question"):
            source.report_rejected(rejected, 2, config, tmp_path)
    else:
        source.report_rejected(rejected, 2, config, tmp_path)
    told = list(read_rows(tmp_path / "rejected.jsonl"))
    assert told == [{"place": "a.jsonl:2", "why": "no question"}]
    source.report_rejected([], 2, config, tmp_path)
    assert not (tmp_path / "rejected.jsonl").exists()


def test_a_hub_set_is_pinned_to_the_commit_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    hub._commit.cache_clear()
    refs = tmp_path / "datasets--a--b" / "refs"
    refs.mkdir(parents=True)
    (refs / "main").write_text("0" * 40)
    assert source.pins(SourceConfig(hub="a/b")) == {"commit": "0" * 40}
    assert source.pins(SourceConfig(hub="c/d", revision="1" * 40)) == {"commit": "1" * 40}


def test_an_unreachable_hub_is_an_error_that_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    hub._commit.cache_clear()
    with pytest.raises(OSError, match=r"'a/b' at revision='main'.*path"):
        source.pins(SourceConfig(hub="a/b"))


def test_hub_rows_are_asked_at_the_commit_and_named_by_it(monkeypatch):
    asked = {}

    def load_dataset(hub, **how):
        asked.update(how, hub=hub)
        return iter(ROWS)

    monkeypatch.setattr("datasets.load_dataset", load_dataset)
    config = SourceConfig(hub="a/b", subset="s", revision="f" * 40, split="test")
    assert [place for place, _ in source.rows(config)] == [f"a/b@{'f' * 40}:{i}" for i in (1, 2)]
    assert asked == {"hub": "a/b", "name": "s", "split": "test", "revision": "f" * 40}
