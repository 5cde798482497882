"""`columns` is one language, whoever reads rows by it.

Run: pytest tests/data/test_columns.py
"""

import json

import pytest

from ablations.imports import outputs
from distill.compute import ComputeConfig
from distill.data import problem_formats, trace_formats
from distill.data.columns import ABSENT, find
from distill.data.config import DatasetConfig
from distill.data.fields import Format, Reader
from distill.data.problems import load_problems
from distill.data.values import RowError
from distill.teachers.config import TeacherConfig
from distill.teachers.traces import sample_traces
from distill.trace.records import read_problems, read_traces

ROW = {
    "Correct Answer": "blank",
    "gold-answer": "hyphen",
    "1st": "digit",
    "pass@1": "sign",
    "C++": "plus",
    "this|that": "bar",
    "a.b": "dot",
    "doc": {"question": "inside", "the key": "blank inside", "1": "number as key"},
    "resps": [["first", "second"]],
    "null": None,
    "empty": "",
    "no": False,
    "zero": 0,
    "messages": [{"role": "user", "content": "asked"}, {"role": "assistant", "content": "said"}],
}
PLACES = {
    **{name: value for name, value in ROW.items() if isinstance(value, str) and value},
    "doc.question": "inside",
    "doc.the key": "blank inside",
    "doc.1": "number as key",
    "resps.0.1": "second",
    "resps[0][1]": "second",
    "1st+gold-answer": "digithyphen",
    "C+++doc.question": ABSENT,
    '"C++"+doc.question': "plusinside",
    "1st + null + doc.question": "digitinside",
    "1st+absent": ABSENT,
    "absent|1st": "digit",
    "null|empty|1st": "digit",
    "absent || 1st": "digit",
    "absent+1st|doc.question": "inside",
    "absent|null": None,
    "no|1st": False,
    "zero|1st": 0,
    "messages[?role=='assistant'].content|[0]": ["said"],
    "(messages[?role=='assistant'].content | [0])": "said",
    "(messages[?role=='assistant'].content | [0])+doc.question": "saidinside",
    "messages[0].content": "asked",
    "length(messages)": 2,
    'join(`"\\n\\n"`, resps[0])': "first\n\nsecond",
    "absent": ABSENT,
    "doc.absent": ABSENT,
    "resps.1": ABSENT,
    "resps[": ABSENT,
}


@pytest.mark.parametrize("place", PLACES)
def test_a_place_is_a_column_a_path_an_expression_and_what_joins_them(place):
    assert find(ROW, place) == PLACES[place]


# --- the same for data sets, recorded teachers and imports


def of_dataset(folder, rows, place):
    """Texts of the field `answer` as a data set reads them."""
    columns = {"answer": place}
    dataset = DatasetConfig(path=write(folder, rows), format="json_lines", columns=columns)
    load_problems(dataset, out=folder)
    return [problem.answer for problem in read_problems(folder / "problems.jsonl")]


def of_teacher(folder, rows, place):
    """The same as a recorded teacher reads them."""
    how = {"path": write(folder, rows), "format": "json_lines", "columns": {"answer": place}}
    load_problems(DatasetConfig(kind="recorded", **how), out=folder)
    teacher = TeacherConfig(kind="recorded", samples=9, **how)
    sample_traces(teacher, folder, compute=ComputeConfig(progress=False), out=folder)
    return [trace.problem.answer for trace in read_traces(folder / "traces.jsonl")]


def of_import(folder, rows, place):
    """The same as an import reads them."""
    write(folder, rows)
    read = outputs.read(
        folder / "rows.jsonl", "json_lines", "r", "b", {"answer": place}, folder / "out"
    )
    return [response.answer for response in read]


def write(folder, rows):
    lines = (json.dumps(OTHERS | row) + "\n" for row in rows)
    (folder / "rows.jsonl").write_text("".join(lines))
    return str(folder / "rows.jsonl")


OTHERS = {"question": "q", "thought": "t", "solution": "s", "response": "r"}
USERS = [of_dataset, of_teacher, of_import]


@pytest.mark.parametrize("place", [place for place in PLACES if isinstance(PLACES[place], str)])
@pytest.mark.parametrize("texts", USERS)
def test_every_reader_of_rows_finds_a_text_at_its_place(tmp_path, texts, place):
    assert texts(tmp_path, [ROW], place) == [PLACES[place]]


@pytest.mark.parametrize("texts", USERS)
def test_a_column_that_is_not_named_is_found_by_its_own_name_and_a_named_one_nowhere_else(
    tmp_path, texts
):
    assert texts(tmp_path, [{"answer": "1"}], "answer") == ["1"]
    rows = [{"answer": "1", "gold": "2"}] * 200
    assert set(texts(tmp_path, rows, "gold")) == {"2"}
    with pytest.raises(ValueError, match=r"no answer: no column gold; has .*answer"):
        texts(tmp_path, [*rows, *[{"answer": "1"}] * 3], "gold")


@pytest.mark.parametrize("place", ["glod", "doc.glod", "gold+glod", "glod|dlog", "x[?y].z"])
@pytest.mark.parametrize("texts", USERS)
def test_a_column_that_no_row_has_is_named_with_those_that_there_are(tmp_path, texts, place):
    with pytest.raises(ValueError) as error:
        texts(tmp_path, [{"answer": "1", "gold": "1", "doc": {"x": 1}}] * 2, place)
    assert f"no row has {place} (answer)" in str(error.value)
    assert str(error.value).endswith("response, answer, gold, doc.x")


@pytest.mark.parametrize("read", [problem_formats, trace_formats])
def test_an_optional_column_that_no_row_has_is_an_error_too(tmp_path, read):
    columns = {"difficulty": "levle"}
    how = {"path": write(tmp_path, [{"answer": "1", "level": 3}]), "format": "json_lines"}
    kind = "rows" if read is problem_formats else "recorded"
    with pytest.raises(ValueError, match=r"no row has levle \(difficulty\)"):
        load_problems(DatasetConfig(kind=kind, columns=columns, **how), out=tmp_path)


@pytest.mark.parametrize("formats", [problem_formats.FORMATS, trace_formats.FORMATS])
def test_a_field_that_a_format_does_not_have_is_named_with_its_fields(formats):
    for format in formats.values():
        with pytest.raises(ValueError) as error:
            Reader(format, {"truncatd": "x"})
        said = str(error.value)
        assert f"format {format.name} has no field truncatd" in said
        assert ", ".join(format.fields) in said


def test_an_import_names_its_fields_too(tmp_path):
    with pytest.raises(
        ValueError, match="no field truncatd; its fields are question, answer, resp"
    ):
        outputs.read(tmp_path / "f", "json_lines", "r", "b", {"truncatd": "x"}, tmp_path)


def test_a_format_reads_no_field_that_it_does_not_declare():
    with pytest.raises(AssertionError, match="other is no declared field"):
        Reader(Format("mine", ("one",), lambda row: row.text("other")), {})({"other": 1})


def test_an_expression_that_does_not_fit_a_row_rejects_the_row():
    reader = Reader(Format("mine", ("one",), lambda row: row.answer("one")), {"one": "abs(a)"})
    assert reader({"a": -2}) == "2"
    with pytest.raises(RowError, match="not of its schema"):
        reader({"a": "text"})
