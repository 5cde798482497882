"""Reads model responses from files of other programs: JSON lines, lm_eval, lighteval."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.data.columns import Row
from distill.data.config import SourceConfig
from distill.data.fields import Fields, Format, Reader
from distill.data.source import Rejected, parsed, report_rejected, rows
from distill.data.values import RowError, items, no_answer, whole, written
from distill.grading import answers

FIELDS = ("question", "answer", "response", "verdict", "tokens", "truncated")
"""What is read of a response; the first three are needed."""

VERDICTS = ("exact_match", "math_verify", "extractive_match", "pass@1", "acc", "em")
"""Parts of the names of metrics that tell whether a response is correct, as in lighteval's
`math_pass@1:1_samples`."""


@dataclass(frozen=True)
class Foreign:
    """One response that was sampled elsewhere, with its verdict."""

    run: str
    benchmark: str
    question: str
    answer: str
    """Gold."""

    response: str
    verdict: bool | None
    """Of the file; None if it has none."""

    tokens: int | None
    truncated: bool | None


def read(
    file: Path, form: str, run: str, benchmark: str, columns: Mapping[str, str], out: Path
) -> list[Foreign]:
    """The responses of a file, in order; rejected rows are named in `out/rejected.jsonl`.

    Args:
        file: JSON lines, a JSON array, CSV, TSV or Parquet; or a folder.
        form: a key of `FORMATS`.
        run: a name, or `@COLUMN` that holds it.
        benchmark: the same.
        columns: of `FIELDS` -> its place in a row; see `distill/data/columns.py`.
        out: folder for the names of rejected rows; created where it is missing.

    Raises:
        ValueError: an unknown format or field, an empty name, no rows, more than 1 % of them
            rejected, or a column that no row has.
        FileNotFoundError: there is no such file.
    """
    if form not in FORMATS:
        raise ValueError(f"unknown format {form!r}; known: {', '.join(FORMATS)}")
    responses, _ = FORMATS[form]
    reader = _reader(form, run, benchmark, columns)
    first: Row = {}

    def parse(row: Row) -> list[Foreign]:
        nonlocal first
        first = first or row
        return [reader(response) for response in responses(row, first)]

    source = SourceConfig(path=str(file))
    given = list(parsed(rows(source), parse))
    rejected = [item for item in given if isinstance(item, Rejected)]
    found = [one for item in given if not isinstance(item, Rejected) for one in item[1]]
    reader.check()
    out.mkdir(parents=True, exist_ok=True)
    report_rejected(rejected, len(given), source, out)
    if not found:
        raise ValueError(f"{file} has no rows")
    return found


def _reader(form: str, run: str, benchmark: str, columns: Mapping[str, str]) -> Reader[Foreign]:
    named = {"--run": run, "--benchmark": benchmark}
    for name, value in named.items():
        if not value.removeprefix("@").strip():
            raise ValueError(f"{name} takes a name, or @COLUMN that holds it; got {value!r}")
    constant = {name: value for name, value in named.items() if not value.startswith("@")}
    places = {name: value[1:] for name, value in named.items() if name not in constant}
    schema = Format(form, (*FIELDS, *named), lambda row: _foreign(row, constant))
    return Reader(schema, {**FORMATS[form][1], **columns, **places})


def _json_lines(row: Row, first: Row) -> Iterator[Row]:
    """One row per response."""
    yield row


def _lm_eval(row: Row, first: Row) -> Iterator[Row]:
    """The format of lm-evaluation-harness's `--log_samples`: one row per question and filter.

    Filters extract answers from the same responses, so only the rows of the first filter are used.
    """
    for key in ("resps", "doc", "target"):
        if key not in row:
            raise RowError(f"no {key}: not a row of --log_samples; has {', '.join(row)}")
    if row.get("filter") != first.get("filter"):
        return
    texts = items(next(iter(items(row["resps"], "resps")), None), "the first of resps")
    if not texts or not all(isinstance(text, str) for text in texts):
        raise RowError("not a generated text: the task compares likelihoods of choices")
    verdict = _verdict_of(row) if len(texts) == 1 else None
    yield from (dict(row) | {"response": text, "verdict": verdict} for text in texts)


def _lighteval(row: Row, first: Row) -> Iterator[Row]:
    """The format of lighteval's `--save-details`: one row per question, with all responses."""
    for key in ("doc", "model_response", "metric"):
        if not isinstance(row.get(key), Mapping):
            raise RowError(f"no object {key}: not a row of lighteval; has {', '.join(row)}")
    doc, texts = row["doc"], items(row["model_response"].get("text"), "text of model_response")
    if not texts:
        raise RowError("no text in model_response")
    index, choices = doc.get("gold_index"), items(doc.get("choices"), "choices of doc")
    place = whole(next(iter(index), None) if isinstance(index, list) else index, "gold_index")
    if not 0 <= place < len(choices):
        raise RowError(f"gold_index is no index of choices: {place} of {len(choices)}, from 0")
    verdict = _verdict_of(row["metric"]) if len(texts) == 1 else None
    gold = {"question": doc.get("query"), "answer": choices[place], "verdict": verdict}
    yield from (gold | {"response": text} for text in texts)


FORMATS: dict[str, tuple[Callable[[Row, Row], Iterator[Row]], dict[str, str]]] = {
    "json_lines": (_json_lines, {}),
    "lm_eval": (
        _lm_eval,
        {
            "question": "doc.question|doc.problem|doc.query|arguments.gen_args_0.arg_0",
            "answer": "target",
        },
    ),
    "lighteval": (_lighteval, {}),
}
"""Format -> (row, first row) to responses, and the default columns of their fields."""


def _foreign(row: Fields, constant: Mapping[str, str]) -> Foreign:
    def needed(name: str, found: str) -> str:
        if not found.strip():
            raise RowError(f"no {name}: {row.columns.get(name, name)} is empty")
        return found

    def named(name: str) -> str:
        return constant.get(name) or needed(name, written(row.needed(name), row.name(name)))

    answer = gold(row.answer("answer"))
    if no_answer(answer):
        raise RowError(f"no answer: {answer!r} says that there is none")
    return Foreign(
        named("--run"),
        named("--benchmark"),
        needed("question", row.text("question")),
        answer,
        row.text("response"),
        row.truth("verdict"),
        None if row.value("tokens") is None else row.whole("tokens"),
        row.truth("truncated"),
    )


def gold(text: str) -> str:
    """The answer in a gold text, which may be a whole solution (GSM8K's `####`, a box)."""
    if "####" in text:
        return text.rpartition("####")[2].strip()
    return (answers.extract(text) or text) if "\\boxed" in text else text.strip()


def _verdict_of(metrics: Row) -> Any:
    """The metric that has the first of `VERDICTS` in its name; None if none has one."""
    named = (name for wanted in VERDICTS for name in metrics if wanted in name)
    return metrics.get(next(named, ""))
