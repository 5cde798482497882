"""Speed and memory of every operator on real traces: `make bench`.

The shared traces are repeated under other ids to at least 100 MB of UTF-8. Measured is the operator
over traces in memory, without JSON, in seconds of one core; next to it a plain loop over characters
that redraws digits. MB/s counts thought and solution. Memory is by how much the peak of resident
memory grows while the operator goes over all traces in a fork of its own and its output is dropped:
donors and what else it holds, not the traces.
"""

import itertools
import json
import multiprocessing
import random
import resource
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from distill.corruptions.config import CorruptionConfig
from distill.corruptions.locate import declarations
from distill.corruptions.operators import Borrow, operator
from distill.trace.records import Problem, Trace

REAL = Path(__file__).parents[3] / "shared" / "data" / "traces"
SOURCES = ("deepseek_r1_aime24", "r1distill_qwq_aime25", "qwq_r1distill_gsm8k_math500")
MEGABYTES = 100
TARGET = 15
"""MB/s: the 17,000 traces of arXiv:2502.07374, 340 MB, in less than half a minute."""
FRACTION = 0.5


def main() -> None:
    """Print a line for each operator and variant."""
    if not REAL.is_dir():
        print(f"skipped: {REAL} is not there")
        return
    corpus = list(_repeated(_read()))
    size = sum(_bytes(trace) for trace in corpus) / 1e6
    pool = [replace(trace, id=f"wrong {trace.id}", correct=False) for trace in corpus] + corpus
    sample = corpus[: len(corpus) // 20]
    plain = sum(map(_bytes, sample)) / 1e6 / _seconds(lambda: [_plain_loop(t) for t in sample])
    print(f"{len(corpus)} traces, {size:.0f} MB; plain loop over characters {plain:.1f} MB/s")
    # Memory first: what the timed runs free would hide what a fork of them needs.
    growths = [_growth(corpus, config, pool) for config in _configs()]
    for config, growth in zip(_configs(), growths, strict=True):
        rate = size / _seconds(lambda config=config: _run(corpus, config, pool))
        verdict = "" if rate >= TARGET else f"  below {TARGET}"
        choices = " ".join(filter(None, (config.unit, config.scope, config.mode, config.steps)))
        name = f"{config.kind} {choices}"
        print(f"{name:48s}{rate:8.1f} MB/s{rate / plain:7.1f} x{growth:8.1f} MB more{verdict}")


def _configs() -> Iterator[CorruptionConfig]:
    for name, declared in declarations().items():
        choices = declared.reads
        for values in itertools.product(*choices.values()):
            chosen = dict(zip(choices, values, strict=True))
            asks = chosen.get("unit") == "reflection" or chosen.get("steps") == "model"
            if name != "none" and not asks:
                yield replace(CorruptionConfig(name, FRACTION), **chosen)  # type: ignore[arg-type]


def _run(corpus: list[Trace], config: CorruptionConfig, pool: list[Trace]) -> None:
    for _ in operator(config.kind)(corpus, config, Borrow(pool)):
        pass


def _growth(corpus: list[Trace], config: CorruptionConfig, pool: list[Trace]) -> float:
    """By how many MB the peak of resident memory grows in a fork, which shares the traces."""
    fork = multiprocessing.get_context("fork")
    answer = fork.SimpleQueue()

    def work() -> None:
        before = _peak()
        _run(corpus, config, pool)
        answer.put(_peak() - before)

    process = fork.Process(target=work)
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"{config} failed with exit status {process.exitcode}")
    return answer.get()


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3  # Linux counts kilobytes


def _seconds(work: object) -> float:
    begun = time.process_time()
    work()  # type: ignore[operator]
    return time.process_time() - begun


def _plain_loop(trace: Trace) -> str:
    rng = random.Random(trace.id)
    return "".join(
        str(rng.randrange(10)) if "0" <= character <= "9" and rng.random() < FRACTION else character
        for character in trace.thought + trace.solution
    )


def _read() -> Iterator[Trace]:
    for name in SOURCES:
        with (REAL / f"{name}.jsonl").open(encoding="utf-8") as file:
            for index, row in enumerate(map(json.loads, file)):
                problem = Problem.of(row["question"], row["gold_answer"] or "", "math", name)
                text = row["reasoning"] or "", row["solution"] or ""
                yield Trace.of(problem, name, index, *text, correct=True)


def _repeated(traces: Iterator[Trace]) -> Iterator[Trace]:
    kept, size = list(traces), 0.0
    for round_ in itertools.count():
        for trace in kept:
            if size >= MEGABYTES * 1e6:
                return
            size += _bytes(trace)
            # New strings, as a file would give them: one shared string would stay in the caches.
            thought = trace.thought + " " * bool(round_)
            yield replace(trace, id=f"{trace.id}:{round_}", thought=thought)


def _bytes(trace: Trace) -> int:
    return len((trace.thought + trace.solution).encode("utf-8", "surrogatepass"))


if __name__ == "__main__":
    main()
