"""How answers are read in recorded responses, beside the verdicts of others: `make bench`.

First table, by run and benchmark: per cent correct by the authors' verdicts and by ours with each
`grading.fallback`, the responses without a readable answer, and how many verdicts differ. Second
table: the same responses with every box replaced by what it holds, as of an arm that forgot the
box. Of the answers that were right in their box it prints how many are still read and right; of
those that were wrong, how many became right, which should be none. Last, the processor time of all
readers on hostile texts of one length and of twice that length.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from time import process_time
from typing import Any

from distill.compute import ComputeConfig
from distill.grading import answers, options, programs
from distill.grading.config import GradingConfig
from distill.grading.grade import Verdict, grade_all
from distill.trace.boxes import boxes
from distill.trace.records import Problem

SHARED = Path(__file__).parents[3] / "shared" / "data"
FILES = (
    "graded/qwen25_14b_instruct_graded",
    "graded/qwen25math_math100x8",
    "traces/deepseek_r1_aime24",
    "traces/r1distill_qwq_aime25",
    "traces/thought_anchors_math",
    "traces/skythought_ablation_outputs",
    "traces/qwq_r1distill_gsm8k_math500",
)
FALLBACKS = ("none", "statement", "last_number")
COMPUTE = ComputeConfig(workers=2, progress=False)
HOSTILE = (r"\boxed{} and ", "<answer>", "\n", "answer is ", "1.", "```python\n'''\n", "\nA: ")

Row = dict[str, Any]


def main() -> None:
    """Print the tables."""
    _hostile()
    if not SHARED.is_dir():
        print(f"skipped: there is no {SHARED}")
        return
    for name in FILES:
        rows = list(_rows(name))
        graded = {how: _graded(rows, how, lambda text: text) for how in FALLBACKS}
        _print_agreement(name, rows, graded)
        unboxed = _graded(rows, "statement", _unboxed)
        _print_unboxed(rows, graded["none"], unboxed)


def _rows(name: str) -> Iterator[Row]:
    with (SHARED / f"{name}.jsonl").open(encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            gold = row.get("gold_raw") or row["gold_answer"]
            text = row["solution"] if "solution" in row else row["response"]
            if gold:
                yield row | {"gold": str(gold), "text": text or ""}


def _graded(rows: list[Row], fallback: str, change: Callable[[str], str]) -> list[Verdict]:
    problems = (Problem.of(row["question"], row["gold"], "math", "bench") for row in rows)
    items = [(p, change(row["text"])) for p, row in zip(problems, rows, strict=True)]
    return grade_all(items, GradingConfig(fallback=fallback), COMPUTE)


def _unboxed(text: str) -> str:
    for box in reversed(boxes(text)):
        text = text[: box.start] + box.content + text[box.end :]
    return text


def _print_agreement(name: str, rows: list[Row], graded: dict[str, list[Verdict]]) -> None:
    print(
        f"\n{name}\n{'run, benchmark':60} {'n':>4} theirs", *(f"{h:>11}" for h in FALLBACKS), end=""
    )
    print("  unread differ")
    places = defaultdict(list)
    for place, row in enumerate(rows):
        places[f"{row.get('run') or row.get('model')}, {row['benchmark']}"[-60:]].append(place)
    for title, mine in places.items():
        theirs = [rows[k].get("correct") for k in mine]
        told = "" if None in theirs else f"{100 * sum(theirs) / len(mine):.1f}"
        ours = [[graded[how][k].correct is True for k in mine] for how in FALLBACKS]
        shares = (f"{100 * sum(one) / len(mine):11.1f}" for one in ours)
        unread = sum(graded["statement"][k].answer is None for k in mine)
        differ = "" if not told else sum(a != b for a, b in zip(theirs, ours[1], strict=True))
        print(f"{title:60} {len(mine):4} {told:>6}", *shares, f"{unread:7} {differ:>6}")


def _print_unboxed(rows: list[Row], boxed: list[Verdict], unboxed: list[Verdict]) -> None:
    counts = Counter(
        (was.correct is True, "unread" if now.answer is None else now.correct is True)
        for row, was, now in zip(rows, boxed, unboxed, strict=True)
        if boxes(row["text"])
    )
    right = sum(n for (was, _), n in counts.items() if was)
    wrong = sum(counts.values()) - right
    print(
        f"without boxes: of {right} right answers {counts[True, True]} are read and right, "
        f"{counts[True, 'unread']} are not read; of {wrong} wrong {counts[False, True]} turn right"
    )


def _hostile() -> None:
    for pattern in HOSTILE:
        seconds = [_reading(pattern * (size // len(pattern))) for size in (200_000, 400_000)]
        ratio = seconds[1] / seconds[0]
        print(f"{pattern!r:22} {seconds[0]:.2f} s, twice as long: {ratio:.1f} times as much")


def _reading(text: str) -> float:
    """Seconds of processor time that all readers take."""
    begun = process_time()
    answers.read(text, "last_number")
    options.option(text)
    programs.program(text)
    return process_time() - begun


if __name__ == "__main__":
    main()
