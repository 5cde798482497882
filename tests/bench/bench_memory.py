"""Memory of the stages that read many traces, by their size: `make bench`.

Each is run in a process of its own on a made-up corpus and on one of four times the size. Printed
is the difference of the two peaks over the difference of the sizes, so that what any process takes
does not count: bytes of memory per byte of `traces.jsonl` in verify and select, per token in
training. There `tokenise` and `pack` are what the first process does before any other starts, and
`map` what each process then does: an epoch of rows or packs, without the model. Pages of a mapped
file count while they are in memory, about 4 bytes a token; a system that is short of memory drops
them.

Run: python tests/bench/bench_memory.py [--megabytes 32]
"""

import argparse
import random
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from distill.compute import ComputeConfig
from distill.grading.config import GradingConfig
from distill.micro import scripted_teacher, sign_puzzle
from distill.models.config import PromptConfig, StudentConfig
from distill.teachers.config import SelectionConfig, SizeConfig, VerificationConfig
from distill.teachers.select import select_traces
from distill.teachers.verify import verify_traces
from distill.trace.records import Problem, Trace, write_records
from distill.training.config import Batching, Job, Part, TrainingConfig

TIMES = 4
LENGTHS = {"byte": 16_000, "token": 1_500}
"""Characters of a thought. Rows are packed a thousand at a time, so there must be more of them."""

PROMPT = PromptConfig(
    name="micro",
    user="Problem: {question}",
    thought_open="Thought:\n",
    thought_close="\nSolution: ",
)
CHILD = (sys.executable, __file__, "--child")
COMPUTE = ComputeConfig(progress=False, workers=1)
LIMITS = {
    "byte": {"verify": 0.2, "select": 0.2},
    "token": {"tokenise": 8.0, "map": 8.0, "pack": 8.0, "map packs": 8.0},
}
"""Unit -> stage -> bytes of memory for each that are at most wanted."""


def main() -> None:
    """Print a ratio for each stage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=32, help="a sixteenth is tokenised")
    parser.add_argument("--child", nargs=2, metavar=("STAGE", "FOLDER"))
    wanted = parser.parse_args()
    if wanted.child:
        stage, folder = wanted.child
        print(*measured(stage, Path(folder)))
        return
    with tempfile.TemporaryDirectory() as name:
        for unit, megabytes in (("byte", wanted.megabytes), ("token", wanted.megabytes // 16)):
            folders = [Path(name, f"{unit}s-{times}") for times in (1, TIMES)]
            for folder, times in zip(folders, (1, TIMES), strict=True):
                folder.mkdir()
                write_records(folder / "traces.jsonl", corpus(megabytes * times, LENGTHS[unit]))
            for stage, limit in LIMITS[unit].items():
                report(stage, unit, limit, folders)


def report(stage: str, unit: str, limit: float, folders: list[Path]) -> None:
    if unit == "token":
        for folder in folders:
            subprocess.run([*CHILD, "student", str(folder)], capture_output=True, check=True)
    (few, small), (many, large) = (in_a_child(stage, folder) for folder in folders)
    print(
        f"{stage:11} {(large - small) / (many - few):6.2f} bytes a {unit} (target {limit:g}); "
        f"{many:,} {unit}s, peak {large / 1e6:.0f} MB"
    )


def corpus(megabytes: int, length: int) -> Iterator[Trace]:
    """Right and wrong traces of the scripted teacher, their thoughts repeated."""
    for number, puzzle in enumerate(
        sign_puzzle.problems("train", megabytes * 1_000_000 // length, 0)
    ):
        problem = Problem.of(puzzle.question, puzzle.answer, "sign_puzzle", "train")
        written = scripted_teacher.write(puzzle.question, random.Random(problem.id), number % 4 < 1)
        thought = "\n\n".join([written[0]] * (length // len(written[0]) + 1))
        yield Trace.of(problem, "scripted", 0, thought, written[1], correct=True)


def in_a_child(stage: str, folder: Path) -> tuple[int, int]:
    """Size of what a stage reads, bytes or tokens, and the peak of the process's memory."""
    command = [*CHILD, stage, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    size, peak = map(int, done.stdout.split()[-2:])
    return size, peak


def measured(stage: str, folder: Path) -> tuple[int, int]:
    """Run a stage here; what it read, and this process's peak."""
    size = STAGES[stage](folder)
    return size, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def student(folder: Path) -> int:
    """A small model with enough positions; this process has no torch, whose memory would count."""
    from distill.micro import pretrain, recipe

    small = recipe.Recipe(width=32, layers=1, heads=2, feed_forward=64, positions=32_768)
    pretrain.save(pretrain.build_model(small), folder / "student")
    return 0


def verify(folder: Path) -> int:
    out = folder / "verified"
    out.mkdir()
    verify_traces(GradingConfig(), VerificationConfig(), folder, compute=COMPUTE, out=out)
    return (folder / "traces.jsonl").stat().st_size


def select(folder: Path) -> int:
    out, source = folder / "selected", folder / "verified"
    out.mkdir()
    count = sum(1 for _ in (source / "traces.jsonl").open("rb")) // 2
    select_traces(SelectionConfig(), SizeConfig(count), source, out=out)
    return (source / "traces.jsonl").stat().st_size


def tokenise(folder: Path, batching: Batching = Batching.grouped) -> int:
    from distill.training import mapped

    mapped.write_rows(job(folder, batching))
    return mapped.read_rows(job(folder, batching))[2]["tokens"]


def map_rows(folder: Path, batching: Batching = Batching.grouped) -> int:
    from distill.training import mapped

    dataset, order, counts = mapped.read_rows(job(folder, batching))
    for row in order.epochs[0]:
        dataset[row]
    return counts["tokens"]


def job(folder: Path, batching: Batching) -> Job:
    training = TrainingConfig(name="memory", batch=8, max_tokens=32_768, batching=batching)
    base = StudentConfig(name="micro", model=str(folder / "student"))
    return Job(base, training, [Part(PROMPT, folder, folder, [])], None, COMPUTE, folder)


STAGES: dict[str, Callable[[Path], int]] = {
    "student": student,
    "verify": verify,
    "select": select,
    "tokenise": tokenise,
    "map": map_rows,
    "pack": lambda folder: tokenise(folder, Batching.packed),
    "map packs": lambda folder: map_rows(folder, Batching.packed),
}


if __name__ == "__main__":
    main()
