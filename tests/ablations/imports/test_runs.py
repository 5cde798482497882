"""Outputs made elsewhere become runs like ours, with both verdicts."""

import json
from pathlib import Path

import pandas as pd
import pyarrow
import pytest
from pyarrow import parquet

from ablations import __main__
from ablations.imports import outputs
from ablations.imports.outputs import gold
from ablations.imports.runs import THEIRS, Request, import_file
from ablations.results.runs import IDENTITY, SCORES, runs, samples
from distill.compute import ComputeConfig
from distill.evaluation.scores import COLUMNS as WRITTEN
from distill.store.identity import CHECKOUT

DATA = CHECKOUT.parent / "shared" / "data"
QUIET = ComputeConfig(workers=1, progress=False)
COLUMNS = {"question": "q", "answer": "gold", "response": "text", "verdict": "ok"}
ROWS = [
    {"q": "1+1?", "gold": "2", "text": "It is \\boxed{2}.", "ok": False, "m": "a", "b": "x"},
    {"q": "2+2?", "gold": "4", "text": "It is \\boxed{5}.", "ok": True, "m": "a", "b": "x"},
    {"q": "3+3?", "gold": "6", "text": "It is \\boxed{6}.", "ok": True, "m": "b", "b": "y"},
]


def written(path: Path, rows: list[dict]) -> Path:
    """JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def imported(tmp_path: Path, rows: list[dict], **more) -> pd.DataFrame:
    """The comparison of rows that are one run unless `more` says otherwise."""
    file = written(tmp_path / "out.jsonl", rows)
    asked = {"run": "a model", "benchmark": "sums", "columns": COLUMNS, "runs": tmp_path / "runs"}
    return import_file(Request(file, **asked | more), QUIET)


def test_responses_are_graded_anew_and_their_verdict_is_kept(tmp_path):
    imported(tmp_path, ROWS)
    rows = samples(tmp_path / "runs" / "imported").set_index("question")
    assert rows["correct"].to_dict() == {"1+1?": True, "2+2?": False, "3+3?": True}
    assert rows[THEIRS].to_dict() == {"1+1?": 0.0, "2+2?": 1.0, "3+3?": 1.0}


def test_the_comparison_counts_who_calls_what_right(tmp_path):
    (row,) = imported(tmp_path, ROWS).to_dict("records")
    assert (row["ours"], row["theirs"]) == (2 / 3, 2 / 3)
    assert (row["both"], row["only_ours"], row["only_theirs"]) == (1, 1, 1)


def test_imported_runs_stand_in_the_frames_of_our_own(tmp_path):
    imported(tmp_path, ROWS)
    made = runs(tmp_path / "runs" / "imported")
    assert {*IDENTITY, *SCORES, THEIRS} <= set(made)
    assert list(made["student"]) == ["a model"]
    assert set(WRITTEN) <= set(samples(tmp_path / "runs" / "imported"))


def test_what_the_file_does_not_tell_is_empty_and_not_zero(tmp_path):
    imported(tmp_path, ROWS)
    made = runs(tmp_path / "runs" / "imported").iloc[0]
    assert made[["tokens", "truncated"]].isna().all()


def test_several_runs_and_benchmarks_are_told_apart_by_their_columns(tmp_path):
    compared = imported(tmp_path, ROWS, run="@m", benchmark="@b")
    assert list(zip(compared["run"], compared["benchmark"], strict=True)) == [
        ("a", "x"),
        ("b", "y"),
    ]
    assert len(runs(tmp_path / "runs" / "imported")) == 2


def test_importing_again_writes_the_same_bytes(tmp_path):
    def content() -> dict[str, bytes]:
        files = (tmp_path / "runs").rglob("*")
        return {str(path): path.read_bytes() for path in files if path.is_file()}

    imported(tmp_path, ROWS)
    first = content()
    imported(tmp_path, ROWS)
    assert content() == first


def test_overrides_say_how_the_students_were_trained(tmp_path):
    imported(tmp_path, ROWS, overrides=["training=sft", "corruption=shuffle_steps"])
    made = runs(tmp_path / "runs" / "imported").iloc[0]
    assert (made["method"], made["corruption"]) == ("sft", "shuffle_steps")


def test_a_thought_is_never_read_for_the_answer(tmp_path):
    rows = [{"q": "1+1?", "gold": "2", "text": "<think>\n\\boxed{2}\n", "ok": True}]
    (row,) = imported(tmp_path, rows, prompt="think").to_dict("records")
    assert (row["ours"], row["only_theirs"]) == (0.0, 1)


def test_columns_look_inside_join_and_fall_back(tmp_path):
    row = {"doc": {"q": "1+1?"}, "raw": None, "gold": "2", "a": "It is ", "b": "\\boxed{2}"}
    columns = {"question": "doc.q", "answer": "raw|gold", "response": "a+b"}
    imported(tmp_path, [row], columns=columns)
    (told,) = samples(tmp_path / "runs" / "imported").to_dict("records")
    assert (told["question"], told["response"]) == ("1+1?", "It is \\boxed{2}")
    assert told["correct"]


def test_rejected_rows_are_named_and_too_many_stop_the_import(tmp_path):
    with pytest.raises(
        ValueError, match=r"1 of 4 rows are rejected.*out.jsonl:4: no answer \(gold\)"
    ):
        imported(tmp_path, [*ROWS, {"q": "4+4?", "gold": None, "text": "8"}])


MISTYPED = [({"columns": COLUMNS | {field: "tpyo"}}, rf"tpyo \({field}\)") for field in COLUMNS] + [
    ({"columns": COLUMNS | {"truncated": "doc.cut"}}, r"doc\.cut \(truncated\)"),
    ({"columns": COLUMNS | {"answer": "gold|glod", "response": "text+txet"}}, r"has text\+txet "),
    ({"run": "@model"}, r"model \(--run\)"),
]


@pytest.mark.parametrize(("more", "message"), MISTYPED)
def test_a_column_that_no_row_has_is_named_before_anything_is_written(tmp_path, more, message):
    with pytest.raises(ValueError, match=rf"{message}.*there are q, gold, text, ok, m, b$"):
        imported(tmp_path, ROWS, **more)
    assert not (tmp_path / "runs").exists()


def test_an_empty_response_is_wrong_and_an_absent_one_rejected(tmp_path):
    (row,) = imported(tmp_path, [ROWS[0], ROWS[1] | {"text": None}]).to_dict("records")
    assert (row["problems"], row["ours"]) == (2, 0.5)
    absent = {name: value for name, value in ROWS[1].items() if name != "text"}
    with pytest.raises(ValueError, match=r"out.jsonl:2: no response: no column text"):
        imported(tmp_path, [ROWS[0], absent])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"kind": "code"}, "kind must be one of math, choice"),
        ({"form": "csv"}, "unknown format 'csv'; known: json_lines, lm_eval, lighteval"),
        ({"prompt": "none"}, "no prompt 'none'; known: .*sky_t1"),
        ({"columns": {"question": "q"}}, r"columns={FIELD: COLUMN}.*no answer: no column answer"),
        ({"columns": COLUMNS | {"score": "s"}}, "no field score; its fields are question"),
        ({"benchmark": "a/b"}, "cannot name a file"),
    ],
)
def test_a_wrong_request_names_the_choices(tmp_path, more, message):
    with pytest.raises(ValueError, match=message):
        imported(tmp_path, ROWS, **more)


def test_unequal_numbers_of_responses_name_the_problem(tmp_path):
    with pytest.raises(ValueError, match=r"2 responses to '1\+1\?', 1 to others"):
        imported(tmp_path, [*ROWS, ROWS[0]])


def lm_eval_rows() -> list[dict]:
    """Two filters of one GSM8K question with two responses, as `--log_samples` of 0.4 writes."""
    row = {
        "doc_id": 0,
        "doc": {"question": "1+1?", "answer": "One and one. #### 2"},
        "target": "One and one. #### 2",
        "arguments": {"gen_args_0": {"arg_0": "Question: 1+1?", "arg_1": {"until": []}}},
        "resps": [["It is \\boxed{2}."]],
        "filtered_resps": ["[invalid]"],
        "filter": "strict-match",
        "metrics": ["exact_match"],
        "exact_match": 0.0,
    }
    return [row, row | {"filter": "flexible-extract", "exact_match": 1.0}]


def test_logged_samples_of_lm_eval_count_once_whatever_its_filters(tmp_path):
    (row,) = imported(tmp_path, lm_eval_rows(), form="lm_eval", columns={}).to_dict("records")
    assert (row["problems"], row["samples"], row["ours"], row["only_ours"]) == (1, 1, 1.0, 1)


def test_repeats_of_lm_eval_are_samples_without_a_verdict_of_their_own(tmp_path):
    rows = [lm_eval_rows()[0] | {"resps": [["\\boxed{2}", "\\boxed{3}"]]}]
    (row,) = imported(tmp_path, rows, form="lm_eval", columns={}).to_dict("records")
    assert (row["samples"], row["ours"]) == (2, 0.5)
    assert pd.isna(row["theirs"])


def test_details_of_lighteval_are_read_from_parquet(tmp_path):
    rows = [
        {
            "doc": {"query": "1+1?", "choices": ["2"], "gold_index": [0], "task_name": "sums"},
            "model_response": {"input": "1+1?", "text": ["It is \\boxed{2}."], "input_tokens": [1]},
            "metric": {"math_pass@1:1_samples": 1.0},
        }
    ]
    file = tmp_path / "details.parquet"
    parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    asked = Request(file, "m", "sums", form="lighteval", runs=tmp_path / "runs")
    (row,) = import_file(asked, QUIET).to_dict("records")
    assert (row["ours"], row["theirs"], row["both"]) == (1.0, 1.0, 1)


DETAIL = {
    "doc": {"query": "q", "choices": ["1", "2"], "gold_index": [1]},
    "model_response": {"text": ["r"]},
    "metric": {"acc": 1.0},
}
ODD = {
    "letters of a response": ("lm_eval", {"resps": ["text"]}, "first of resps is text, not a list"),
    "no responses": ("lm_eval", {"resps": []}, "not a generated text"),
    "no list": ("lm_eval", {"resps": 7}, "resps is a number, not a list"),
    "no answer": ("lm_eval", {"target": "N/A"}, "no answer .*'N/A' says that there is none"),
    "letters": ("lighteval", {"model_response": {"text": "r"}}, "text of model_response is text"),
    "no text": ("lighteval", {"model_response": {"text": None}}, "no text in model_response"),
    "an option a letter": ("lighteval", {"doc": {"query": "q", "choices": "12"}}, "choices of doc"),
    "true": ("lighteval", {"doc": DETAIL["doc"] | {"gold_index": True}}, "gold_index is a boolean"),
    "beyond": ("lighteval", {"doc": DETAIL["doc"] | {"gold_index": -1}}, "no index of choices: -1"),
    "a list": ("json_lines", {"response": ["r"]}, "response .*is a list, not text"),
    "a truth": ("json_lines", {"verdict": "maybe"}, "verdict .*is neither true nor false: 'maybe'"),
}


@pytest.mark.parametrize("name", ODD)
def test_a_value_that_is_not_what_it_should_be_is_named(tmp_path, name):
    form, change, message = ODD[name]
    plain = {"question": "q", "answer": "1", "response": "r", "verdict": True}
    sampled = {"resps": [["r"]], "doc": {"question": "q"}, "target": "1", "filter": "f"}
    row = {"json_lines": plain, "lm_eval": sampled, "lighteval": DETAIL}[form] | change
    file = written(tmp_path / "out.jsonl", [row])
    with pytest.raises(ValueError, match=message):
        outputs.read(file, form, "run", "bench", {}, tmp_path / "out")


@pytest.mark.parametrize("form", ["lm_eval", "lighteval"])
def test_a_file_of_another_format_says_what_it_lacks(tmp_path, form):
    with pytest.raises(ValueError, match="not a row of"):
        imported(tmp_path, ROWS, form=form, columns={})


@pytest.mark.parametrize(
    ("text", "answer"), [("a #### 7", "7"), ("so \\boxed{7}.", "7"), (" 7 ", "7")]
)
def test_a_gold_solution_is_taken_for_its_answer(text, answer):
    assert gold(text) == answer


def test_the_command_prints_ours_beside_theirs_and_the_table_of_imported_runs_too(tmp_path, capsys):
    file = written(tmp_path / "out.jsonl", ROWS)
    columns = ",".join(f"{name}={column}" for name, column in COLUMNS.items())
    named = ["--run", "@m", "--benchmark", "@b", "--columns", columns]
    assert __main__.main(["import", str(file), *named, "--runs", str(tmp_path / "runs")]) == 0
    printed = capsys.readouterr().out
    assert "only theirs" in printed
    assert "| b " in printed
    table, _, _ = printed.partition("\nrecords: ")
    assert __main__.main(["table", "imported", f"runs={tmp_path}/runs"]) == 0
    again = capsys.readouterr().out
    assert sorted(again.splitlines()) == sorted(table.splitlines())


def test_the_authors_own_verdicts_on_their_students_are_ours_too(tmp_path):
    file = DATA / "traces" / "skythought_ablation_outputs.jsonl"
    if not file.is_file():
        pytest.skip(f"no {file.name} in shared/data beside the checkout")
    columns = {
        "question": "question",
        "answer": "gold_raw|gold_answer",
        "response": "pre+reasoning+mid+solution+post",
        "verdict": "correct",
        "truncated": "truncated",
    }
    asked = Request(file, "@run", "@benchmark", columns, prompt="sky_t1", runs=tmp_path)
    compared = import_file(asked, QUIET)
    assert compared["problems"].tolist() == [30, *[40] * 5]
    assert (compared["ours"] == compared["theirs"]).all()
    assert not compared[["only_ours", "only_theirs", "undecided"]].any(axis=None)
