"""Options of problem sources, benchmarks and filters."""

import re
from dataclasses import dataclass, field, fields

from distill.checks import (
    LABEL,
    LIMIT,
    POSITIVE,
    RULE,
    SHARE,
    TEXT,
    Checked,
    Named,
    at_least,
    label,
    one_of,
    reset,
    ruled,
)
from distill.models.config import ASKS, AskConfig, SamplingConfig

KINDS = ("sign_puzzle", "recorded", "rows")
"""Kinds of data sets: generated, the questions of recorded traces, or read from rows."""


@dataclass
class SourceConfig(Checked):
    """Where rows come from: a data set on the hub, or a local file in the same schema."""

    path: str | None = field(default=None, metadata={"content": True})
    """JSON lines, JSON array, CSV, TSV or Parquet, also with `.gz`; a folder of such files of one
    kind, or of `save_to_disk`; counts by its content. Where it is set, `hub` and `subset` mean
    nothing."""

    hub: str | None = ruled(None, TEXT)
    """Hub id of the data set."""

    subset: str | None = ruled(None, TEXT)
    """Hub data sets with several configurations: which."""

    revision: str = ruled("main", TEXT)
    """Branch, tag or commit on the hub, of the data set or the model."""

    split: str = "train"
    """Part of the source."""

    format: str = ""
    """Schema of the rows: a function in `distill/data/problem_formats.py` or
    `distill/data/trace_formats.py`."""

    columns: dict[str, str] = field(default_factory=dict)
    """Field of the format -> its place in a row, where that is not the column of its own name: a
    column, a path or a JMESPath expression; `+` joins texts, `|` separates alternatives. See
    `distill/data/columns.py`."""

    where: dict[str, str] = field(default_factory=dict)
    """Column, or another place as in `columns` -> regular expression that must be found in its
    value; other rows are passed over."""

    max_rejected: float = field(default=0.01, metadata=LIMIT | {RULE: SHARE})
    """Share of rows that may be rejected; they are named in `rejected.jsonl`, and above it the run
    stops, also where an earlier one that allowed more has read them. No part of an identity."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for column, pattern in self.where.items():
            try:
                re.compile(pattern)
            except (re.error, OverflowError, RecursionError) as error:
                raise ValueError(
                    f"where.{column} is no regular expression: {error}; got {pattern!r}"
                ) from error
        for name, place in self.columns.items():
            TEXT.check(f"columns.{name}", place)
        if self.path:
            self.hub = self.subset = None


SOURCE = tuple(f.name for f in fields(SourceConfig))
"""Fields of what is read from rows; they mean nothing for what is generated."""


@dataclass
class DatasetConfig(SourceConfig):
    """Which problems. See `conf/dataset/`."""

    kind: str = ruled("rows", one_of(*KINDS))
    """`sign_puzzle` (the embedded world's task), `recorded` (the questions of a recorded teacher)
    or `rows` (a file or a data set on the hub, in the schema that `format` names)."""

    name: str = field(default="", metadata=LABEL)
    """The YAML's file name."""

    problems: int = ruled(0, at_least(0))
    """How many distinct problems; 0 takes all there are."""

    seed: int = 0
    """Which of the problems, and in what order; all of them keep the order of the source."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.name = label("dataset", self.name, self.kind, KINDS, "sign_puzzle")
        if self.kind == "sign_puzzle":
            reset(self, *(name for name in SOURCE if name != "split"))
        elif not self.problems:
            reset(self, "seed")
        if self.path:
            reset(self, "revision")
        if self.kind == "sign_puzzle":
            one_of("train", "validation", "test").check("dataset.split", self.split)


@dataclass
class CurationConfig(Checked):
    """Which problems come first when traces are selected; see `distill/data/curate.py`."""

    by: str = ruled("none", one_of("none", "domain", "source", "difficulty"))
    """What groups problems, which then take turns: their `domain` (the kind that says how an answer
    is checked: math, code, choice, ...), the last part of their `source`, or `difficulty`."""

    quotas: dict[str, float] = field(default_factory=dict)
    """Group -> its weight among the others; groups that are not named are left out. Empty: all
    groups weigh the same, and one that is used up drops out."""

    diverse: bool = False
    """Whether within a group the problems come first that differ most from those before them."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.quotas and self.by == "none":
            raise ValueError(
                f"selection.problems.quotas={dict(self.quotas)} needs selection.problems.by: "
                "domain, source or difficulty"
            )
        for group, weight in self.quotas.items():
            POSITIVE.check(f"selection.problems.quotas.{group}", weight)


@dataclass
class BenchmarkConfig(Checked):
    """One set of problems that a student is scored on. See `conf/benchmark/`."""

    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    """The problems."""

    samples: int = ruled(1, at_least(1))
    """Responses per problem."""

    user: str | None = ruled(None, ASKS)
    """User message instead of the prompt's. None: as in training."""

    sampling: SamplingConfig | None = None
    """How responses are drawn; None: as `evaluation.sampling` says."""

    harness: str | None = ruled(None, TEXT)
    """A task of lm-evaluation-harness instead of `dataset`: its prompt, sampling and grading."""


@dataclass
class FilterConfig(Named):
    """Which problems are rejected before a teacher sees them. See `conf/filter/`."""

    rating: AskConfig | None = None
    """A model that rates difficulty; None keeps what the source says."""

    min_difficulty: float | None = None
    """Least difficulty, on the rating's scale; None: no bound. Problems without one are left
    out."""

    max_difficulty: float | None = None
    """Greatest difficulty; None: no bound."""

    bounds: dict[str, list[float]] = field(default_factory=dict)
    """Last part of a problem's source, such as `olympiads` -> least and greatest difficulty of its
    problems, in place of the two above."""

    near_duplicates: float = ruled(0.0, SHARE)
    """Similarity (Jaccard, of word 5-grams) from which two questions count as one; 0: near
    duplicates stay."""

    contamination: int = ruled(0, at_least(0))
    """Words in a row that a question may not share with a benchmark's; 0: not looked for."""

    benchmarks: dict[str, BenchmarkConfig] = field(default_factory=dict)
    """Benchmark name -> the problems that are looked for, whatever `evaluation` scores; nothing
    but its `dataset` is read."""

    overlap: float = ruled(0.0, SHARE)
    """Share of a benchmark question's runs of that many words that a problem must have to be left
    out for it; at 0 one run is enough, a stock phrase of contests too."""

    keep_contaminated: bool = False
    """Whether overlapping problems are only reported."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for source, pair in self.bounds.items():
            if len(pair) != 2 or pair[0] > pair[1]:
                raise ValueError(f"filter.bounds.{source} must be [least, greatest], got {pair}")
        least, most = self.min_difficulty, self.max_difficulty
        if least is not None and most is not None and least > most:
            raise ValueError(
                f"filter.min_difficulty={least} must not be above filter.max_difficulty={most}"
            )
        for name, benchmark in self.benchmarks.items():
            if benchmark.harness:
                raise ValueError(
                    f"filter.benchmarks.{name} is a task of lm-evaluation-harness, which keeps its "
                    "questions to itself; name a dataset"
                )
        if not self.contamination:
            reset(self, "overlap", "keep_contaminated", "benchmarks")

    @property
    def active(self) -> bool:
        """Whether it leaves anything out."""
        bounded = (self.min_difficulty, self.max_difficulty) != (None, None) or self.bounds
        return bool(self.near_duplicates or self.contamination or bounded)
