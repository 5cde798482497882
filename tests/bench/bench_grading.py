"""The speed of grading is compared with a plain math-verify loop on real traces: `make bench`.

Both grade the solutions of the same traces against the same gold answers. The plain loop is one
process that parses gold answer and solution and calls `verify`, as math-verify's README has it;
ours is `grade_all` with up to two workers, once started before and once with their start, which is
the import of SymPy. Rates are by the clock; the processor time, of all processes together, depends
least on what else the machine does. Also printed: milliseconds to split a response of 120,000
characters and extract its answer, with and without a closed thought.
"""

import json
import logging
import resource
import time
from collections.abc import Callable
from pathlib import Path

from distill.compute import ComputeConfig
from distill.grading import answers, grade, workers
from distill.grading.config import GradingConfig
from distill.models.config import PromptConfig
from distill.models.prompt import parse as parse_response
from distill.trace.records import Problem

REAL = Path(__file__).parents[3] / "shared" / "data" / "traces"
SOURCES = (
    "deepseek_r1_aime24",
    "r1distill_qwq_aime25",
    "skythought_ablation_outputs",
    "thought_anchors_math",
    "qwq_r1distill_gsm8k_math500",
)
TARGET = 5


def main() -> None:
    """Print rows per second of both, and their ratio."""
    _extraction()
    if not REAL.is_dir():
        print(f"skipped: there is no {REAL}")
        return
    items = [item for name in SOURCES for item in _items(name)]
    compute = ComputeConfig(workers=2, progress=False)
    _plain(*items[0])
    plain, worked = _seconds(lambda: [_plain(problem, text) for problem, text in items])
    print(f"{len(items)} traces; plain loop {len(items) / plain:.0f} rows/s, {worked:.2f} s CPU")
    workers.compare(r"\sqrt{8}", r"2\sqrt{2}", percent=False)
    for name in ("started before", "with their start"):
        before = _processor()
        ours, _ = _seconds(lambda: grade.grade_all(items, GradingConfig(), compute))
        verdict = "" if plain / ours >= TARGET else f"  below {TARGET}"
        print(
            f"ours, workers {name}: {len(items) / ours:.0f} rows/s, {plain / ours:.1f} x{verdict}"
        )
        workers.close()  # only then is their time counted
    ours_worked = _processor() - before
    print(f"with their start {ours_worked:.2f} s CPU, {worked / ours_worked:.1f} x less")


def _items(name: str) -> list[tuple[Problem, str]]:
    with (REAL / f"{name}.jsonl").open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [
        (Problem.of(row["question"], str(row["gold_answer"]), "math", name), row["solution"])
        for row in rows
        if row["gold_answer"] and row["solution"]
    ]


def _plain(problem: Problem, solution: str) -> bool:
    from math_verify import parse, verify

    logging.getLogger("math_verify").setLevel(logging.CRITICAL)
    return verify(parse(f"${problem.answer}$"), parse(solution))


def _extraction() -> None:
    prompt = PromptConfig(thought_open="<think>", thought_close="</think>")
    thought = "<think>Then $x^2 = 4$, wait, \\boxed{3}? " * 3000
    for name, text in (("closed", f"{thought}</think>So \\boxed{{5}}."), ("never closed", thought)):
        text = text[-120_000:] if name == "closed" else text[:120_000]
        seconds, _ = _seconds(
            lambda text=text: answers.extract(parse_response(prompt, text).solution)
        )
        print(f"{len(text):,} characters, thought {name}: {1e3 * seconds:.3f} ms")


def _seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of the clock and of this process."""
    begun, before = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - begun, time.process_time() - before


def _processor() -> float:
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


if __name__ == "__main__":
    main()
