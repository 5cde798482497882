"""Options of teachers, verification, selection and training-set size."""

from dataclasses import dataclass, field, fields
from typing import Any

from omegaconf import MISSING

from distill.checks import (
    LABEL,
    LATER,
    REFERENCE,
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
from distill.data.config import SOURCE, CurationConfig, DatasetConfig, SourceConfig
from distill.models.config import AskConfig, EngineConfig, PromptConfig, SamplingConfig
from distill.store.identity import local_path

TEACHERS = ("scripted", "recorded", "model", "trained")
"""Kinds of teachers, a module of `distill/teachers/` each."""


UNREAD = {
    "scripted": (*SOURCE, "model", "prompt", "engine", "sampling", "bare"),
    "recorded": ("model", "engine", "sampling", "slip_rate", "seed"),
    "model": (*(name for name in SOURCE if name != "revision"), "slip_rate", "seed"),
    "trained": (*SOURCE, "model", "slip_rate", "seed"),
}
"""Kind of a teacher -> the fields that mean nothing for it."""


@dataclass
class TeacherConfig(SourceConfig):
    """Who writes the traces, or where recorded ones are. See `conf/teacher/`."""

    kind: str = ruled(MISSING, one_of(*TEACHERS))
    """`scripted` (the embedded world's program), `recorded` (traces that exist), `model`, or
    `trained` (the student of another run)."""

    name: str = field(default="", metadata=LABEL)
    """The YAML's file name."""

    model: str | None = field(default=None, metadata={"content": True})
    """Teacher `model` only: hub id, local folder, or a server's name for it."""

    student: str | None = field(default=None, metadata=REFERENCE | {RULE: TEXT})
    """Teacher `trained` only: another run, as one would type it after `python -m distill`, whose
    trained student writes the traces; an adapter is merged first."""

    prompt: PromptConfig | None = None
    """How teacher `model` or `trained` is asked, and how what it or a `recorded` one wrote is split
    into thought and solution; see `conf/prompt/`. None: `trained` is asked as it was trained."""

    bare: str = field(default="aside", metadata=LATER | {RULE: one_of("aside", "thought")})
    """What becomes of a reply in which no thought is marked: it is set `aside`, or all before its
    answer counts as a `thought`, so that a base can teach itself (`distill/teachers/bare.py`)."""

    engine: EngineConfig | None = None
    """Teacher `model` or `trained` only: what runs it; None: what runs the student."""

    convert: AskConfig | None = None
    """A model that rewrites raw traces into thought and solution (arXiv:2502.07374, section 3.1);
    None: they are only parsed."""

    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    """Teacher `model` or `trained` only: how its traces are drawn."""

    samples: int = ruled(1, at_least(1))
    """Traces per problem; of a `recorded` teacher at most."""

    slip_rate: float = ruled(0.0, SHARE)
    """Scripted teacher only: share of traces with a slip of arithmetic that ends in a wrong
    answer."""

    seed: int = 0
    """Base seed; each trace draws from its own stream, derived from this, the problem and the
    sample."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kind != MISSING:
            self.name = label("teacher", self.name, self.kind, TEACHERS, "scripted")
            self._check_student()
            reset(self, *UNREAD[self.kind])
        if self.path or (self.model and local_path(self.model)):
            reset(self, "revision")

    def _check_student(self) -> None:
        if self.kind != "trained":
            if self.student:
                raise ValueError(
                    f"teacher.student={self.student!r} is read by teacher=trained alone, and "
                    f"teacher.kind is {self.kind!r}"
                )
            return
        if not self.student:
            raise ValueError(
                "teacher.kind=trained needs teacher.student: the run whose trained student writes "
                'the traces, as in teacher.student="size=1k training.seed=0"'
            )
        if self.engine and self.engine.kind == "openai":
            raise ValueError(
                "teacher.engine=openai cannot run a teacher that a run trains: a server has its "
                "own models; take engine@teacher.engine=transformers or vllm"
            )


@dataclass
class SizeConfig(Checked):
    """How many traces the student sees. See `conf/size/`."""

    traces: int = ruled(1000, at_least(1))
    """Traces in the training set; fewer than asked for is an error, never a smaller set."""


DECIDES = ("nothing", "undecided", "all")
"""Which verdicts a reward model gives."""

BY = ("sample", "score", "majority")
"""By what traces of one problem are chosen."""


@dataclass
class VerificationConfig(Named):
    """Who decides which traces are right, besides the grader. See `conf/verification/`."""

    judge: AskConfig | None = None
    """A model that is asked whether the solution is right; decides what the grader leaves
    undecided."""

    reward_model: str | None = field(default=None, metadata={"content": True})
    """Sequence classifier, hub id or local folder, whose score every trace keeps;
    `selection.by=score` chooses by it."""

    reward_revision: str = ruled("main", TEXT)
    """Branch, tag or commit of a hub reward model."""

    reward_decides: str = ruled("nothing", one_of(*DECIDES))
    """Which verdicts the score gives: none, those that the grader leaves `undecided`, or `all`,
    whatever the grader says. A trace that was cut off is always wrong."""

    reward_threshold: float | None = None
    """Least score that counts as right, where the score decides: it must be stated, since scores
    have no natural zero."""

    max_foreign: float = ruled(1.0, SHARE)
    """Share of a trace's letters that may be in a script that is neither that of most of its
    letters, nor in its question, nor Latin. A trace over this, or over a limit below, keeps its
    verdict and is not selected; see `distill/teachers/quality.py`. 1: not looked at."""

    max_paragraph: int = ruled(0, at_least(0))
    """Characters in a trace's longest paragraph, at most; 0: not looked at."""

    code_blocks: bool = True
    """Whether a trace may hold a fenced block of code where no program is asked for."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.reward_model:
            reset(self, "reward_decides", "reward_threshold")
        if not self.reward_model or local_path(self.reward_model):
            reset(self, "reward_revision")
        if (self.reward_threshold is None) != (self.reward_decides == "nothing"):
            raise ValueError(
                f"verification.reward_decides={self.reward_decides} with "
                f"verification.reward_threshold={self.reward_threshold}: where the score decides "
                f"({' or '.join(DECIDES[1:])}) a threshold must be stated, where it decides "
                "nothing none is read. Look at the scores of some traces first (until=verify)"
            )
        if self.judge and self.reward_decides != "nothing":
            raise ValueError(
                f"verification has a judge ({self.judge.model!r}) and a reward model "
                f"({self.reward_model!r}) that decides {self.reward_decides}; name one of them, or "
                "set verification.reward_decides=nothing"
            )

    @property
    def looks_at_writing(self) -> bool:
        """Whether badly written traces are named."""
        return self.max_foreign < 1 or self.max_paragraph > 0 or not self.code_blocks


@dataclass
class SelectionConfig(Checked):
    """Which verified traces a student is trained on. See `conf/selection/`."""

    correct_only: bool = True
    """Whether only traces with a correct answer are taken (rejection sampling)."""

    per_problem: int = ruled(1, at_least(1))
    """Traces taken of one problem at most, in the order that `by` says."""

    by: str = ruled("sample", one_of(*BY))
    """Which traces of a problem come first: the lowest `sample` index; the highest `score` of
    `verification.reward_model`; or, by `majority`, only those that give the most frequent answer of
    the problem's traces, lowest sample index first."""

    problems: CurationConfig = field(default_factory=CurationConfig)
    """Quotas of groups of problems, and the most different problems first; by default neither."""

    problems_of: str | None = field(default=None, metadata=REFERENCE | {RULE: TEXT})
    """Another run, as one would type it after `python -m distill`: only the problems that it
    selected are taken, in its order, for pairs of arms that differ in their teacher."""

    seed: int = 0
    """Order of the problems, hence which are in a smaller set: a smaller size is a prefix of a
    larger."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.problems_of and (self.problems.by != "none" or self.problems.diverse):
            raise ValueError(
                f"selection.problems_of={self.problems_of!r} decides which problems are taken, and "
                "so does selection.problems; name one of them"
            )
        if self.problems_of:
            reset(self, "seed")


def recorded_problems(teacher: TeacherConfig, dataset: DatasetConfig) -> DatasetConfig:
    """The problems of a recorded teacher: the questions in its own rows.

    Raises:
        ValueError: the rows are to be read otherwise for their problems than for their traces.
    """
    for name in ("path", "columns", "where"):
        asked, given = getattr(dataset, name), getattr(teacher, name)
        if dataset.kind == "recorded" and asked and asked != given:
            raise ValueError(
                f"dataset.{name}={asked}, but dataset=recorded reads the rows of the teacher: set "
                f"teacher.{name}"
            )
    source = {f.name: getattr(teacher, f.name) for f in fields(SourceConfig)}
    seeded: dict[str, Any] = {}
    if dataset.kind == "recorded":
        seeded = {"problems": dataset.problems, "seed": dataset.seed}
    return DatasetConfig(kind="recorded", **source, **seeded)
