"""Files and folders of every kind give the same rows, and what is broken is named.

Run: pytest tests/data/test_files.py
"""

import csv
import gzip
import json

import pyarrow as pa
import pyarrow.parquet
import pytest

from distill.data import source
from distill.data.config import DatasetConfig, SourceConfig
from distill.data.problems import load_problems
from distill.store.identity import canonical
from distill.trace.records import read_problems

ROWS = [
    {"question": 'He said "2,3".\n\nAdd\tthem, ünï', "answer": "5"},
    {"question": "x" * 200_000, "answer": "007"},
    {"question": " NA ", "answer": ""},
]


def jsonl(path, rows=ROWS):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def table(path, rows=ROWS, **how):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(ROWS[0]), **how)
        writer.writeheader()
        writer.writerows(rows)


def parquet(path, rows=ROWS):
    pyarrow.parquet.write_table(pa.Table.from_pylist(rows), path)


WRITERS = {
    "a.jsonl": jsonl,
    "a.NDJSON": jsonl,
    "lines.json": jsonl,
    "array.json": lambda path: path.write_text(json.dumps(ROWS, indent=2)),
    "a.csv": table,
    "crlf.CSV": lambda path: table(path, lineterminator="\r\n"),
    "bom.csv": lambda path: (table(path), path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())),
    "bom.jsonl": lambda path: (jsonl(path), path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())),
    "a.tsv": lambda path: table(path, delimiter="\t"),
    "a.PARQUET": parquet,
}


def read(path, **more):
    return list(source.rows(SourceConfig(path=str(path), **more)))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", WRITERS)
def test_a_file_of_any_kind_gives_the_same_rows(tmp_path, name, packed):
    path = tmp_path / name
    WRITERS[name](path)
    if packed:
        path = tmp_path / f"{name}.GZ"
        path.write_bytes(gzip.compress((tmp_path / name).read_bytes()))
    found = read(path)
    assert [row for _, row in found] == ROWS
    assert all(place.startswith(f"{path.name}:") for place, _ in found)


def test_a_row_of_a_table_is_placed_at_its_first_line(tmp_path):
    table(tmp_path / "a.csv")
    assert [place for place, _ in read(tmp_path / "a.csv")] == ["a.csv:2", "a.csv:5", "a.csv:6"]


@pytest.mark.parametrize("write", [jsonl, table, parquet])
def test_a_folder_of_shards_is_read_in_the_order_of_names(tmp_path, write):
    ending = {jsonl: "jsonl", table: "csv", parquet: "parquet"}[write]
    folder = tmp_path / "shards"
    (folder / "data").mkdir(parents=True)
    write(folder / "data" / f"part-1.{ending}", ROWS[1:])
    write(folder / "data" / f"part-0.{ending}", ROWS[:1])
    (folder / "README.md").write_text("about it")
    (folder / "_SUCCESS").write_text("")
    (folder / ".hidden.csv").write_text("")
    found = read(folder)
    assert [row for _, row in found] == ROWS
    assert found[0][0].startswith(f"data/part-0.{ending}:")


def test_every_shard_counts_for_the_identity(tmp_path):
    folder = tmp_path / "shards"
    folder.mkdir()
    for number, row in enumerate(ROWS):
        jsonl(folder / f"{number}.jsonl", [row])
    config = DatasetConfig(path=str(folder), format="json_lines")
    before = canonical(config)
    jsonl(folder / "2.jsonl", [ROWS[2] | {"answer": "x"}])
    assert canonical(config) != before
    jsonl(folder / "2.jsonl", [ROWS[2]])
    assert canonical(config) == before
    jsonl(folder / "3.jsonl", [ROWS[2]])
    assert canonical(config) != before


def test_of_several_splits_in_a_folder_one_is_read(tmp_path):
    for name, row in zip(["train-00000-of-00001", "test-00000-of-00001"], ROWS, strict=False):
        parquet(tmp_path / f"{name}.parquet", [row])
    assert [row for _, row in read(tmp_path)] == ROWS[:1]
    assert [row for _, row in read(tmp_path, split="test")] == ROWS[1:2]
    with pytest.raises(ValueError, match=r"has the splits test, train, but split='dev'"):
        read(tmp_path, split="dev")
    parquet(tmp_path / "validation.parquet", ROWS[2:])
    assert [row for _, row in read(tmp_path, split="dev")] == ROWS[2:]


@pytest.mark.parametrize("splits", [False, True])
def test_a_saved_data_set_is_read(tmp_path, splits):
    import datasets

    made = datasets.Dataset.from_list(ROWS)
    saved = datasets.DatasetDict({"train": made, "test": made.select([1])}) if splits else made
    saved.save_to_disk(str(tmp_path / "saved"))
    assert [row for _, row in read(tmp_path / "saved")] == ROWS
    if splits:
        assert read(tmp_path / "saved", split="test") == [("saved:1", ROWS[1])]
        with pytest.raises(ValueError, match="has the splits train, test, but split='dev'"):
            read(tmp_path / "saved", split="dev")


EMPTY = {
    "zero.jsonl": b"",
    "zero.csv": b"",
    "zero.parquet": b"",
    "blank.jsonl": b"\n \r\n\xef\xbb\xbf\n",
    "array.json": b"[]",
    "header.csv": b"question,answer\n",
    "zero.jsonl.gz": gzip.compress(b""),
}


@pytest.mark.parametrize("name", EMPTY)
def test_a_file_without_rows_is_an_error_that_names_it(tmp_path, name):
    (tmp_path / name).write_bytes(EMPTY[name])
    with pytest.raises(ValueError, match=rf"no rows in .*{name}"):
        read(tmp_path / name)


def test_parquet_and_a_folder_without_rows_are_errors_too(tmp_path):
    parquet(tmp_path / "a.parquet", [])
    with pytest.raises(ValueError, match=r"no rows in .*a\.parquet"):
        read(tmp_path / "a.parquet")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ValueError, match=r"folder has no file of a kind that is read: JSON lines"):
        read(tmp_path / "folder")
    jsonl(tmp_path / "folder" / "a.jsonl")
    (tmp_path / "folder" / "b.jsonl").write_text("")
    with pytest.raises(ValueError, match=r"no rows in .*b\.jsonl: it is empty"):
        read(tmp_path / "folder")


@pytest.mark.parametrize("name", ["a.txt", "a.xlsx", "a.jsonl.zip", "a", "a.gz", "jsonl", "a.pkl"])
def test_a_file_of_another_kind_is_refused_with_the_kinds_that_are_read(tmp_path, name):
    jsonl(tmp_path / name)
    with pytest.raises(ValueError, match=r"kind that is read: .*\.jsonl.*\.csv.*\.parquet.*\.gz"):
        read(tmp_path / name)


def test_shards_of_several_kinds_are_refused(tmp_path):
    jsonl(tmp_path / "a.jsonl")
    parquet(tmp_path / "b.parquet")
    with pytest.raises(ValueError, match=r"several kinds \(1 \.jsonl, 1 \.parquet\)"):
        read(tmp_path)


BROKEN = {
    "torn.csv": (b'question,answer\n1,2\n"open\n3,4\n', r"torn\.csv:3: a quote that opens here"),
    "twice.csv": (b"answer,answer\n1,2\n", "several columns 'answer'"),
    "latin.csv": ("question\nü\n".encode("latin-1"), r"latin\.csv is broken: 'utf-8'"),
    "torn.jsonl.gz": (gzip.compress(b'{"a": 1}\n' * 9999)[:-20], r"torn\.jsonl\.gz is broken"),
    "not.csv.gz": (b"a,b\n1,2\n", r"not\.csv\.gz is broken: Not a gzipped file"),
    "bits.jsonl.gz": (b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + b"\xff" * 99, r"bits\.jsonl\.gz is broken"),
    "not.parquet": (b"PAR1 no", r"not\.parquet cannot be read as Parquet"),
    "torn.json": (b'[{"a": 1},', r"torn\.json begins like a JSON array but is not one"),
    "deep.json": (b"[" * 99_999, r"deep\.json begins like a JSON array but is not one"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_an_error_that_names_it(tmp_path, name):
    content, message = BROKEN[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read(tmp_path / name)


def test_a_folder_that_looks_saved_and_is_not_is_named(tmp_path):
    (tmp_path / "state.json").write_text("{}")
    with pytest.raises(ValueError, match="cannot be read as a saved data set"):
        read(tmp_path)


def test_lines_that_are_no_rows_are_placed_and_the_others_read(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b'question,answer\r\n\r\n1,2\r\n3\r\n4,5,6\r\n"a"b,7\r\n8,9')
    found = read(path)
    rejected = {row.place: row.why for row in found if isinstance(row, source.Rejected)}
    assert [row for _, row in (f for f in found if isinstance(f, tuple))] == [
        {"question": "1", "answer": "2"},
        {"question": "8", "answer": "9"},
    ]
    assert list(rejected) == ["a.csv:4", "a.csv:5", "a.csv:6"]
    assert "1 for the 2 of the header" in rejected["a.csv:4"]
    torn = tmp_path / "torn.jsonl"
    torn.write_bytes(b'{"a": 1}\r\n\r\n{"a": 2}\r\n{"a": ')
    *_, last = read(torn)
    assert (last.place, last.why[:9]) == ("torn.jsonl:4", "not JSON:")


def test_problems_of_a_table_are_text_as_it_stands(tmp_path):
    table(tmp_path / "a.csv", [{"question": "q", "answer": "007"}])
    load_problems(DatasetConfig(path=str(tmp_path / "a.csv"), format="json_lines"), out=tmp_path)
    assert [p.answer for p in read_problems(tmp_path / "problems.jsonl")] == ["007"]


def test_the_same_text_under_a_name_of_another_kind_is_another_identity(tmp_path):
    pins = [source.pins(SourceConfig(path=f"a.{kind}")) for kind in ("csv", "TSV.gz", "jsonl")]
    assert pins == [{"table": ".csv"}, {"table": ".tsv"}, {}]
