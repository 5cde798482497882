"""Reads model responses from files of other programs: JSON lines, lm_eval, lighteval."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.data.config import SourceConfig
from distill.data.source import rows, set_aside
from distill.grading import answers

Row = Mapping[str, Any]

_ABSENT = object()

FIELDS = ("question", "answer", "response", "verdict", "tokens", "truncated")
"""What a column can be named for; the first three are needed."""

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
    """The responses of a file, in order; unusable rows go to `out/rejected.jsonl`.

    Args:
        file: JSON lines, a JSON array or Parquet.
        form: a key of `FORMATS`.
        run: a name, or `@COLUMN` that holds it.
        benchmark: the same.
        columns: of `FIELDS` -> where it is. `doc.question` looks into an object or a list (`.0`),
            `a|b` takes the first that is there, `a+b` joins texts.
        out: folder for what is set aside; made where there is something.

    Raises:
        ValueError: an unknown format or field, no rows, more than 1 % of them unusable, or a column
            that no row has.
        FileNotFoundError: there is no such file.
    """
    if form not in FORMATS:
        raise ValueError(f"unknown format {form!r}; known: {', '.join(FORMATS)}")
    unknown = set(columns) - set(FIELDS)
    if unknown:
        raise ValueError(f"no field {', '.join(sorted(unknown))}; known: {', '.join(FIELDS)}")
    responses, default = FORMATS[form]
    places = {**default, **columns}
    missing = [name for name in FIELDS[:3] if name not in places]
    if missing:
        raise ValueError(f"--columns must name {', '.join(missing)}, as in question=problem")
    found: list[Foreign] = []
    rejected: list[tuple[str, str]] = []
    named = {"run": run, "benchmark": benchmark}
    source = SourceConfig(path=str(file))
    unseen = places | {f"--{k}": v[1:] for k, v in named.items() if v.startswith("@")}
    total, first, example = 0, None, None
    for place, row in rows(source):
        total += 1
        try:
            if isinstance(row, str):
                raise ValueError(row)
            first = row if first is None else first
            for one in responses(row, first):
                example = one if example is None else example
                unseen = {name: at for name, at in unseen.items() if not _has(one, at)}
                found.append(_foreign(one, run, benchmark, places))
        except ValueError as error:
            rejected.append((place, str(error)))
    if example is not None and unseen:
        told = ", ".join(f"{at} ({name})" for name, at in unseen.items())
        raise ValueError(f"no row of {file} has {told}; there are {', '.join(_columns(example))}")
    out.mkdir(parents=True, exist_ok=True)
    set_aside(out, rejected, total, source)
    if not found:
        raise ValueError(f"{file} has no rows")
    return found


def _json_lines(row: Row, first: Row) -> Iterator[Row]:
    """One row per response."""
    yield row


def _lm_eval(row: Row, first: Row) -> Iterator[Row]:
    """The format of lm-evaluation-harness's `--log_samples`: one row per question and filter.

    Filters extract answers from the same responses, so only the rows of the first filter are used.
    """
    for key in ("resps", "doc", "target"):
        if key not in row:
            raise ValueError(f"no {key}: not a row of --log_samples; has {', '.join(row)}")
    if row.get("filter") != first.get("filter"):
        return
    texts = row["resps"][0]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("not a generated text: the task compares likelihoods of choices")
    verdict = _verdict_of(row) if len(texts) == 1 else None
    yield from (dict(row) | {"response": text, "verdict": verdict} for text in texts)


def _lighteval(row: Row, first: Row) -> Iterator[Row]:
    """The format of lighteval's `--save-details`: one row per question, with all responses."""
    for key in ("doc", "model_response", "metric"):
        if not isinstance(row.get(key), Mapping):
            raise ValueError(f"no object {key}: not a row of lighteval; has {', '.join(row)}")
    doc, texts = row["doc"], row["model_response"].get("text") or []
    index = doc["gold_index"][0] if isinstance(doc["gold_index"], list) else doc["gold_index"]
    verdict = _verdict_of(row["metric"]) if len(texts) == 1 else None
    gold = {"question": doc["query"], "answer": doc["choices"][index], "verdict": verdict}
    yield from (gold | {"response": text} for text in texts)


FORMATS: dict[str, tuple[Callable[[Row, Row], Iterator[Row]], dict[str, str]]] = {
    "json_lines": (_json_lines, {}),
    "lm_eval": (
        _lm_eval,
        {
            "question": "doc.question|doc.problem|doc.query|arguments.gen_args_0.arg_0",
            "answer": "target",
            "response": "response",
            "verdict": "verdict",
        },
    ),
    "lighteval": (_lighteval, {name: name for name in FIELDS[:4]}),
}
"""Format -> (row, first row) to responses, and the default columns of their fields."""


def _foreign(row: Row, run: str, benchmark: str, places: Mapping[str, str]) -> Foreign:
    def text(name: str) -> str:
        value = _at(row, places[name])
        if value is None or not str(value).strip():
            raise ValueError(f"no {name} at {places[name]}; has {', '.join(row)}")
        return str(value)

    def named(name: str) -> str:
        value = _at(row, name[1:]) if name.startswith("@") else name
        if not value:
            raise ValueError(f"no column {name[1:]}; has {', '.join(row)}")
        return str(value)

    if not _has(row, places["response"]):
        raise ValueError(f"no response at {places['response']}; has {', '.join(row)}")
    said = {name: _at(row, places[name]) if name in places else None for name in FIELDS[3:]}
    return Foreign(
        named(run),
        named(benchmark),
        text("question"),
        gold(text("answer")),
        str(_at(row, places["response"]) or ""),
        _truth(said["verdict"]),
        None if said["tokens"] is None else int(said["tokens"]),
        _truth(said["truncated"]),
    )


def gold(text: str) -> str:
    """The answer in a gold text, which may be a whole solution (GSM8K's `####`, a box)."""
    if "####" in text:
        return text.rpartition("####")[2].strip()
    return (answers.extract(text) or text) if "\\boxed" in text else text.strip()


def _at(row: Row, place: str) -> Any:
    """The value at a place; None if there is none."""
    for choice in place.split("|"):
        found = (_walk(row, part) for part in choice.split("+"))
        parts = [None if part is _ABSENT else part for part in found]
        if len(parts) > 1:
            parts = ["".join(str(part) for part in parts if part is not None)]
        if parts[0] not in (None, ""):
            return parts[0]
    return None


def _has(row: Row, place: str) -> bool:
    """Whether there is such a place, be it empty."""
    return any(
        all(_walk(row, part) is not _ABSENT for part in choice.split("+"))
        for choice in place.split("|")
    )


def _columns(row: Row, prefix: str = "") -> Iterator[str]:
    """The places of a row, those inside its objects too."""
    for name, value in row.items():
        if isinstance(value, Mapping):
            yield from _columns(value, f"{prefix}{name}.")
        else:
            yield prefix + name


def _walk(row: Any, path: str) -> Any:
    if isinstance(row, Mapping) and path in row:
        return row[path]
    for step in path.split("."):
        if isinstance(row, Mapping):
            row = row.get(step, _ABSENT)
        elif isinstance(row, list) and step.isdigit() and int(step) < len(row):
            row = row[int(step)]
        else:
            return _ABSENT
    return row


def _verdict_of(metrics: Row) -> Any:
    """The metric that has the first of `VERDICTS` in its name; None if none has one."""
    named = (name for wanted in VERDICTS for name in metrics if wanted in name)
    return metrics.get(next(named, ""))


def _truth(value: Any) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    known = {"true": True, "false": False, "1": True, "0": False}
    if str(value).strip().lower() not in known:
        raise ValueError(f"{value!r} is neither true nor false")
    return known[str(value).strip().lower()]
