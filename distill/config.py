"""`Config` composes a run from the configs of all rooms, in the order of `conf/`.

Defaults stand with the fields; a YAML names a choice. The configs are plain dataclasses, because
Hydra composes by assignment (a frozen one cannot be composed: Hydra #724); they are read-only by
convention. Types are checked by Hydra, values by the rules beside the fields, and fields that mean
nothing for a choice are set to one value, so that two configs that make the same thing are equal.
"""

from dataclasses import dataclass, field, replace

from distill.checks import (
    FILE_NAME,
    POSITIVE,
    REFERENCE,
    TEXT,
    Checked,
    check_names,
    one_of,
    path,
    ruled,
)
from distill.compute import ComputeConfig
from distill.corruptions.config import CorruptionConfig
from distill.data.config import DatasetConfig, FilterConfig
from distill.evaluation.config import EvaluationConfig
from distill.expectations import parse
from distill.grading.config import GradingConfig
from distill.models.config import EngineConfig, PromptConfig, StudentConfig, check_sampling
from distill.stages import Stage
from distill.teachers.config import (
    SelectionConfig,
    SizeConfig,
    TeacherConfig,
    VerificationConfig,
    recorded_problems,
)
from distill.trace.keywords import DEFAULT, LISTS
from distill.training.config import Method, TrainingConfig


@dataclass
class TrackingConfig(Checked):
    """Where curves and scores are logged besides the files of the run. See `conf/tracking/`."""

    name: str = ruled("wandb", one_of("wandb", "none"))
    """Which tracker, if any."""

    mode: str = ruled("offline", one_of("offline", "online"))
    """`offline` keeps everything on this machine and needs no login."""

    project: str = ruled("distill", TEXT)
    """W&B project."""

    entity: str | None = ruled(None, TEXT)
    """W&B user or team; None: the login's own."""


@dataclass
class StudyConfig(Checked):
    """What a sweep asks. See `conf/study/`."""

    name: str = ruled("single", FILE_NAME)
    """The YAML's file name; groups the runs in `runs/` and in W&B. Never part of an identity."""

    hypothesis: str = ""
    """What is expected, written down before anything runs."""

    settle: float | None = ruled(None, POSITIVE)
    """Points to either side that the 95 % intervals of differences to the uncorrupted arm may
    reach; a sweep makes the further seeds that this takes. Also `settle=POINTS`."""

    margin: float = ruled(5.0, POSITIVE)
    """Points of accuracy; arms that differ by less count as equally accurate."""

    expect: list[str] = field(default_factory=list)
    """The same so that it can be judged, such as `shuffle_steps@0.67 < random_digits@0.67`; see
    `conf/README.md`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for text in self.expect:
            parse(text)


@dataclass
class Config:
    """One run."""

    teacher: TeacherConfig = field(default_factory=TeacherConfig)
    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    filter: FilterConfig = field(default_factory=FilterConfig)
    grading: GradingConfig = field(default_factory=GradingConfig)
    verification: VerificationConfig = field(default_factory=VerificationConfig)
    size: SizeConfig = field(default_factory=SizeConfig)
    prompt: PromptConfig = field(default_factory=PromptConfig)
    selection: SelectionConfig = field(default_factory=SelectionConfig)
    corruption: CorruptionConfig = field(default_factory=CorruptionConfig)
    student: StudentConfig = field(default_factory=StudentConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    engine: EngineConfig = field(default_factory=EngineConfig)
    compute: ComputeConfig = field(default_factory=ComputeConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    study: StudyConfig = field(default_factory=StudyConfig)

    mix: dict[str, str] = field(default_factory=dict, metadata=REFERENCE)
    """Name of a part -> another run, as one would type it after `python -m distill`, whose damaged
    traces the student is trained on together with this run's. Each part keeps its own prompt,
    grader, filter and size."""

    keywords: str = ruled(DEFAULT, one_of(*LISTS))
    """Which list of reflection keywords corruptions, the step rule `reflection` and the count in
    responses read; see `distill/trace/keywords.py`."""

    until: Stage = Stage.evaluate
    """Last stage to make."""

    artifacts: str = "artifacts"
    """Folder of what the stages make, shared by all runs."""

    runs: str = "runs"
    """Folder of the runs' records: `<runs>/<study>/<16 digits>/run.json`, or, where it is named as
    the study is, without `<study>`."""

    def __post_init__(self) -> None:
        self.artifacts, self.runs = path("artifacts", self.artifacts), path("runs", self.runs)
        one_of(*LISTS).check("keywords", self.keywords)
        check_names("mix", self.mix)
        for name, text in self.mix.items():
            TEXT.check(f"mix.{name}", text)
        if self.teacher.kind in ("model", "trained") and self.teacher.engine is None:
            self.teacher = replace(self.teacher, engine=replace(self.engine))
        for name, prompt in (("prompt", self.prompt), ("teacher.prompt", self.teacher.prompt)):
            if prompt and not prompt.thought_close:
                raise ValueError(
                    f"{name}.thought_close must be a text that is not empty, for the answer is "
                    "searched in what follows it; got ''"
                )
        if self.teacher.engine:
            check_sampling("teacher.sampling", self.teacher.engine, self.teacher.sampling)
        benchmarks = self.evaluation.benchmarks if self.until is Stage.evaluate else {}
        for name, benchmark in benchmarks.items():
            own = f"benchmarks.{name}." if benchmark.sampling else ""
            sampling = benchmark.sampling or self.evaluation.sampling
            check_sampling(f"evaluation.{own}sampling", self.engine, sampling)
        if self.teacher.kind == "recorded":
            self.dataset = recorded_problems(self.teacher, self.dataset)
        # No more traces of a problem are there to take.
        taken = min(self.selection.per_problem, self.teacher.samples)
        self.selection = replace(self.selection, per_problem=taken)
        if self.selection.by == "score" and not self.verification.reward_model:
            raise ValueError(
                "selection.by=score needs the scores of a model: set verification.reward_model "
                "(verification=reward)"
            )
        if self.filter.contamination and not self.filter.benchmarks:
            raise ValueError(
                f"filter.contamination={self.filter.contamination} has no benchmark to look in: "
                "take filter=decontaminated, or name some (+benchmark@filter.benchmarks.NAME=NAME)"
            )
        asked = {
            Stage.rate: self.filter.rating is not None,
            Stage.filter: self.filter.active,
            Stage.convert: self.teacher.convert is not None,
            Stage.rewrite: self.corruption.asks is Stage.rewrite,
            Stage.segment: self.corruption.asks is Stage.segment,
        }
        if not asked.get(self.until, True):
            raise ValueError(
                f"until={self.until.value}, but this run has no such stage; it is there with "
                "filter.rating, an active filter, teacher.convert, or a corruption that asks a "
                "model"
            )
        available = self.dataset.problems * taken
        if self.dataset.problems and self.size.traces > available:
            raise ValueError(
                f"size.traces={self.size.traces} is more than the data can give: "
                f"dataset.problems={self.dataset.problems} with "
                f"{taken} trace(s) of each "
                f"is {available}"
            )

    @property
    def references(self) -> dict[str, str]:
        """Place, such as `student.after` or `mix.NAME` -> the run that it refers to.

        Only those that this run reads: one without training has no traces, and one that ends
        before a place does not come to it.
        """
        trains, order = self.training.method is not Method.none, list(Stage)
        found = {"student.after": (self.student.after, Stage.train)}
        if trains:
            found |= {
                "teacher.student": (self.teacher.student, Stage.traces),
                "selection.problems_of": (self.selection.problems_of, Stage.select),
                **{f"mix.{name}": (text, Stage.train) for name, text in self.mix.items()},
            }
        last = order.index(self.until)
        return {
            place: text for place, (text, at) in found.items() if text and order.index(at) <= last
        }


REFERRED = {
    "student.after": Stage.train,
    "teacher.student": Stage.train,
    "selection.problems_of": Stage.select,
    "mix": Stage.corrupt,
}
"""Field that refers to another run -> the last stage of that run that it needs."""
