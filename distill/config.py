"""LEAF. Every config of a run, in the order of `conf/`; defaults are here, YAML names a choice.

Plain dataclasses, because Hydra composes by assignment (a frozen one cannot be composed: Hydra
#724); they are read-only by rule. Types are checked by Hydra, ranges by `__post_init__`, and
fields that mean nothing for a choice are set to one value, so that two configs that make the
same thing are equal.
"""

import re
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any

from omegaconf import MISSING

LABEL = {"label": True}
"""Marks a field that only names a choice or a place: shown everywhere, part of no identity."""

STEP_RULES = ("blank_line", "reflection")
"""Rules by which any thought falls into steps; where steps are a model's, it is asked first."""

CORRUPTION_CHOICES: dict[str, dict[str, tuple[str, ...]]] = {
    "none": {},
    "wrong_answers": {"mode": ("natural", "matched", "edited")},
    "random_digits": {
        "unit": ("digit", "number"),
        "scope": ("response", "thought"),
        "mode": ("independent", "consistent"),
    },
    "remove_keywords": {
        "unit": ("sentence", "keyword", "reflection"),
        "mode": ("units", "traces"),
    },
    "delete_steps": {"mode": ("random", "prefix"), "steps": (*STEP_RULES, "model")},
    "insert_steps": {"mode": ("replace", "add"), "steps": (*STEP_RULES, "model")},
    "shuffle_steps": {"steps": (*STEP_RULES, "model")},
}
"""Operator -> the fields that it reads -> their choices, the default first. A new operator is a
line here, a file in `distill/corruptions/` and a YAML in `conf/corruption/`."""


class Stage(StrEnum):
    """The stages of a run, in order; five of them only where they are asked for.

    Those are `rate`, `filter`, `convert`, and what a corruption asks a model, `rewrite` or
    `segment`.
    """

    problems = "problems"
    rate = "rate"
    filter = "filter"
    traces = "traces"
    convert = "convert"
    verify = "verify"
    select = "select"
    rewrite = "rewrite"
    segment = "segment"
    corrupt = "corrupt"
    train = "train"
    evaluate = "evaluate"


class Method(StrEnum):
    """How the student is trained."""

    none = "none"
    sft = "sft"
    lora = "lora"


class Schedule(StrEnum):
    """Learning rate after the warm-up."""

    linear = "linear"
    cosine = "cosine"
    constant = "constant"


class Batching(StrEnum):
    """What goes into one optimiser step: the same problems in every arm, whatever was damaged."""

    grouped = "grouped"
    plain = "plain"
    packed = "packed"


class Dtype(StrEnum):
    """Number format of weights and activations."""

    bfloat16 = "bfloat16"
    float16 = "float16"
    float32 = "float32"


class Api(StrEnum):
    """How an OpenAI-compatible server is spoken to."""

    completions = "completions"
    chat = "chat"


class TrackingMode(StrEnum):
    """Whether W&B runs stay on this machine."""

    offline = "offline"
    online = "online"


@dataclass
class SamplingConfig:
    """How tokens are drawn from a model."""

    temperature: float = 0.0
    """Softmax temperature, >= 0; 0 is greedy."""

    top_p: float = 1.0
    """Nucleus: smallest set of tokens with this probability, in (0, 1]."""

    max_new_tokens: int = 32_768
    """Tokens after which a response is cut and counted as truncated, >= 1."""

    seed: int = 0
    """Base seed of the draws; each (problem, sample) has a stream of its own where the engine
    allows."""

    def __post_init__(self) -> None:
        _at_least("sampling.temperature", self.temperature, 0)
        if not 0 < self.top_p <= 1:
            raise ValueError(f"sampling.top_p must be in (0, 1], got {self.top_p}")
        _at_least("sampling.max_new_tokens", self.max_new_tokens, 1)


@dataclass
class EngineConfig:
    """What runs a model to generate. See `conf/engine/`."""

    name: str = "transformers"
    """A module of `distill/engines/`; also the YAML's file name."""

    dtype: Dtype = Dtype.bfloat16
    """Number format of weights and activations while generating. `openai`: what the server is said
    to use."""

    batch: int = 256
    """`transformers` only: prompts generated side by side, >= 1. Identity: the padding of a batch
    can move a last bit."""

    context: int = 0
    """`vllm` only: longest prompt and response in tokens, >= 0; 0 takes the model's own."""

    base_url: str = field(default="", metadata=LABEL)
    """`openai` only: address of the server, such as `http://localhost:8000/v1`. At another address
    the same work goes on."""

    api: Api = Api.completions
    """`openai` only: `completions` sends token ids (vLLM), `chat` sends messages (vendors)."""

    def __post_init__(self) -> None:
        _at_least("engine.batch", self.batch, 1)
        _at_least("engine.context", self.context, 0)
        if self.name != "transformers":
            self.batch = 256
        if self.name != "vllm":
            self.context = 0
        if "@" in self.base_url or "?" in self.base_url:
            raise ValueError(
                "engine.base_url may hold no user, key or query: it is written to every record"
            )
        if self.name != "openai":
            self.base_url, self.api = "", Api.completions

    @property
    def wants_messages(self) -> bool:
        """Whether prompts are messages, which a server renders itself, and not token ids."""
        return self.api is Api.chat


@dataclass
class PromptConfig:
    """The text around question, thought and solution, in training and evaluation alike."""

    name: str = field(default=MISSING, metadata=LABEL)
    """The YAML's file name."""

    system: str = ""
    """System message; empty: none is sent."""

    user: str = "{question}"
    """User message; must contain `{question}`."""

    thought_open: str = MISSING
    """Text that begins a response."""

    thought_close: str = MISSING
    """Text between thought and solution; what follows it is read for the answer."""

    solution_close: str = ""
    """Text that ends a response."""

    def __post_init__(self) -> None:
        if "{question}" not in self.user:
            raise ValueError(f"prompt.user must contain {{question}}, got {self.user!r}")


@dataclass
class AskConfig:
    """A model that is asked about texts; see `distill/ask.py` and `conf/ask/`."""

    name: str = field(default=MISSING, metadata=LABEL)
    """The YAML's file name."""

    model: str = field(default=MISSING, metadata={"content": True})
    """Hub id, local folder, or a server's name for it."""

    revision: str = "main"
    """Branch, tag or commit of a hub model."""

    system: str = ""
    """System message; empty: none is sent."""

    user: str = MISSING
    """User message; `{question}`, `{answer}`, `{thought}` and `{solution}` are filled in."""

    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    """How its replies are drawn."""

    engine: EngineConfig = field(default_factory=EngineConfig)
    """What runs it."""


@dataclass
class SourceConfig:
    """Where rows come from: a data set on the hub, or a local file in the same schema."""

    path: str | None = field(default=None, metadata={"content": True})
    """JSON, JSON lines or Parquet file; counts by its content. Where it is set, `hub` and `subset`
    mean nothing."""

    hub: str | None = None
    """Hub id of the data set."""

    subset: str | None = None
    """Hub data sets with several configurations: which."""

    revision: str = "main"
    """Branch, tag or commit on the hub, of the data set or the model."""

    split: str = "train"
    """Part of the source."""

    format: str = ""
    """Schema of the rows: a function in `distill/problem_formats.py` or `distill/trace_formats.py`;
    empty: the one called `name`."""

    columns: dict[str, str] = field(default_factory=dict)
    """Field of the format -> name of its column, where it has another name in this source."""

    where: dict[str, str] = field(default_factory=dict)
    """Column -> regular expression that must be found in its value; other rows are passed over."""

    max_rejected: float = 0.01
    """Share of rows that may be unusable, in [0, 1]; they are set aside, and past it the run
    stops."""

    def __post_init__(self) -> None:
        group = type(self).__name__.removesuffix("Config").lower()
        _share(f"{group}.max_rejected", self.max_rejected)
        if self.path:
            self.hub = self.subset = None


@dataclass
class TeacherConfig(SourceConfig):
    """Who writes the traces, or where written ones lie. See `conf/teacher/`."""

    name: str = MISSING
    """A teacher in `distill/teacher.py`: `scripted`, `recorded`, or `model`."""

    model: str | None = field(default=None, metadata={"content": True})
    """Teacher `model` only: hub id, local folder, or a server's name for it."""

    prompt: PromptConfig | None = None
    """How teacher `model` is asked, and how what it or a `recorded` one wrote is taken apart into
    thought and solution; see `conf/prompt/`."""

    engine: EngineConfig | None = None
    """Teacher `model` only: what runs it; None: what runs the student."""

    convert: AskConfig | None = None
    """A model that rewrites raw traces into thought and solution (arXiv:2502.07374, section 3.1);
    None: they are only parsed."""

    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    """Teacher `model` only: how its traces are drawn."""

    samples: int = 1
    """Traces a problem, >= 1; of a `recorded` teacher at most."""

    slip_rate: float = 0.0
    """Scripted teacher only: share of traces with a slip of arithmetic that ends in a wrong
    answer."""

    seed: int = 0
    """Base seed; each trace draws from its own stream, derived from this, the problem and the
    sample."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _at_least("teacher.samples", self.samples, 1)
        _share("teacher.slip_rate", self.slip_rate)


@dataclass
class DatasetConfig(SourceConfig):
    """Which problems. See `conf/dataset/`."""

    name: str = MISSING
    """The YAML's file name; goes with every problem as its source."""

    problems: int = 0
    """How many distinct problems; 0 takes all there are."""

    seed: int = 0
    """Which of the problems, and in what order; all of them keep the order of the source."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.name == "sign_puzzle":
            _one_of("dataset.split", self.split, ("train", "validation", "test"))
        _at_least("dataset.problems", self.problems, 0)


@dataclass
class BenchmarkConfig:
    """One set of problems that a student is scored on. See `conf/benchmark/`."""

    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    """The problems."""

    samples: int = 1
    """Responses a problem, >= 1."""

    user: str | None = None
    """User message instead of the prompt's; must contain `{question}`. None: as in training."""

    sampling: SamplingConfig | None = None
    """How responses are drawn; None: as `evaluation.sampling` says."""

    harness: str | None = None
    """A task of lm-evaluation-harness instead of `dataset`: its prompt, sampling and grading."""

    def __post_init__(self) -> None:
        _at_least("benchmark.samples", self.samples, 1)
        if self.user is not None and "{question}" not in self.user:
            raise ValueError(f"benchmark.user must contain {{question}}, got {self.user!r}")


@dataclass
class FilterConfig:
    """Which problems are left out before a teacher sees them. See `conf/filter/`."""

    name: str = field(default=MISSING, metadata=LABEL)
    """The YAML's file name."""

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

    near_duplicates: float = 0.0
    """Similarity (Jaccard, of word 5-grams) from which two questions count as one, in [0, 1]; 0:
    near duplicates stay."""

    contamination: int = 0
    """Words in a row that a question may not share with a benchmark's, >= 0; 0: not looked for."""

    benchmarks: dict[str, BenchmarkConfig] = field(default_factory=dict)
    """Benchmark name -> the problems that are looked for, whatever `evaluation` scores; nothing
    but its `dataset` is read."""

    overlap: float = 0.0
    """Share of a benchmark question's runs of that many words that a problem must have to be left
    out for it, in [0, 1]; at 0 one run is enough, a stock phrase of contests too."""

    keep_contaminated: bool = False
    """Whether overlapping problems are only reported."""

    def __post_init__(self) -> None:
        _share("filter.near_duplicates", self.near_duplicates)
        _share("filter.overlap", self.overlap)
        _at_least("filter.contamination", self.contamination, 0)
        for source, pair in self.bounds.items():
            if len(pair) != 2 or pair[0] > pair[1]:
                raise ValueError(f"filter.bounds.{source} must be [least, greatest], got {pair}")
        for name, benchmark in self.benchmarks.items():
            if benchmark.harness:
                raise ValueError(
                    f"filter.benchmarks.{name} is a task of lm-evaluation-harness, which keeps its "
                    "questions to itself; name a dataset"
                )

    @property
    def active(self) -> bool:
        """Whether it leaves anything out."""
        bounded = (self.min_difficulty, self.max_difficulty) != (None, None) or self.bounds
        return bool(self.near_duplicates or self.contamination or bounded)


@dataclass
class SizeConfig:
    """How many traces the student sees. See `conf/size/`."""

    traces: int = 1000
    """Traces in the training set, >= 1; fewer than asked for is an error, never a smaller set."""

    def __post_init__(self) -> None:
        _at_least("size.traces", self.traces, 1)


@dataclass
class GradingConfig:
    """When an answer counts as right; the same for traces and students. See `conf/grading/`."""

    name: str = field(default=MISSING, metadata=LABEL)
    """The YAML's file name."""

    percent: bool = False
    """Whether 10 % and 10 count as the same answer."""


@dataclass
class VerificationConfig:
    """Who says which traces are right, beside the grader. See `conf/verification/`."""

    name: str = field(default=MISSING, metadata=LABEL)
    """The YAML's file name."""

    judge: AskConfig | None = None
    """A model that is asked whether the solution is right; decides what the grader leaves
    undecided."""

    reward_model: str | None = field(default=None, metadata={"content": True})
    """Sequence classifier, hub id or local folder, whose score decides what the grader leaves
    undecided."""

    reward_revision: str = "main"
    """Branch, tag or commit of a hub reward model."""

    reward_threshold: float = 0.0
    """Least score of a trace that counts as right."""

    def __post_init__(self) -> None:
        if self.judge and self.reward_model:
            raise ValueError(
                f"verification has a judge ({self.judge.model!r}) and a reward model "
                f"({self.reward_model!r}); name one of them"
            )


@dataclass
class SelectionConfig:
    """Which verified traces may train. See `conf/selection/`."""

    correct_only: bool = True
    """Whether only traces with a correct answer are taken (rejection sampling)."""

    per_problem: int = 1
    """Traces taken of one problem at most, >= 1, lowest sample index first."""

    seed: int = 0
    """Order of the problems, hence which are in a smaller set: a smaller size is a prefix of a
    larger."""

    def __post_init__(self) -> None:
        _at_least("selection.per_problem", self.per_problem, 1)


@dataclass
class CorruptionConfig:
    """What damage is done to the teacher's traces, and how much. See `conf/corruption/`."""

    name: str = "none"
    """A function in `distill/corruptions/`; also the YAML's file name, or its beginning."""

    fraction: float = 0.0
    """Share of units damaged, in [0, 1]; the operator says what its unit is. 0 is the same as
    `none`."""

    seed: int = 0
    """Base seed; each trace draws from its own stream, derived from this and its id."""

    mode: str | None = None
    """Which definition of the damage; choices by operator in `CORRUPTION_CHOICES`, None is the
    first."""

    unit: str | None = None
    """What is damaged as one piece; choices by operator."""

    scope: str | None = None
    """Where: the whole `response` or the `thought` alone; choices by operator."""

    steps: str | None = None
    """How a thought falls into steps: at blank lines, where a reflection keyword opens a sentence,
    or where `ask` says (`model`)."""

    ask: AskConfig | None = field(default=None, metadata=LABEL)
    """The model that removes reflections (unit `reflection`) or finds steps (steps `model`). What
    it says is an artifact of its own, which the damage takes its identity from."""

    def __post_init__(self) -> None:
        _one_of("corruption.name", self.name, tuple(CORRUPTION_CHOICES))
        _share("corruption.fraction", self.fraction)
        if self.name == "none" or self.fraction == 0:
            self.name, self.fraction, self.seed = "none", 0.0, 0
            self.mode = self.unit = self.scope = self.steps = self.ask = None
        choices = CORRUPTION_CHOICES[self.name]
        for name in ("mode", "unit", "scope", "steps"):
            value = getattr(self, name)
            if name in choices:
                setattr(self, name, choices[name][0] if value is None else value)
                _one_of(f"corruption.{name} of {self.name}", getattr(self, name), choices[name])
            elif value is not None:
                raise ValueError(
                    f"corruption.{name} is {value!r}, but {self.name} reads only "
                    f"{sorted(choices) or 'no choice at all'}"
                )
        if self.unit == "reflection" and self.mode != "traces":
            raise ValueError(
                f"corruption.mode is {self.mode!r}, but a model removes all reflections of a trace "
                "or none: unit 'reflection' takes mode 'traces'"
            )
        if (self.asks is None) != (self.ask is None):
            raise ValueError(
                f"corruption.ask {'names no model' if self.asks else 'names a model'}, but unit is "
                f"{self.unit!r} and steps {self.steps!r}; it belongs to unit 'reflection' "
                "(+ask@corruption.ask=remove_reflections) and to steps 'model' "
                "(+ask@corruption.ask=split_steps)"
            )

    @property
    def asks(self) -> Stage | None:
        """The stage in which `ask` is asked; None where rules do."""
        if self.unit == "reflection":
            return Stage.rewrite
        return Stage.segment if self.steps == "model" else None


@dataclass
class StudentConfig:
    """Which model is trained. See `conf/student/`."""

    name: str = field(default=MISSING, metadata=LABEL)
    """The YAML's file name."""

    model: str = field(default=MISSING, metadata={"content": True})
    """Hub id, or a local folder (seen from the working directory or the checkout); a folder
    counts by its content."""

    revision: str = "main"
    """Branch, tag or commit of a hub model; its commit is part of the identity."""

    attention: str = "sdpa"
    """Attention implementation of transformers: `sdpa`, `eager` or `flash_attention_2`."""

    def __post_init__(self) -> None:
        _one_of("student.attention", self.attention, ("sdpa", "eager", "flash_attention_2"))


@dataclass
class TrainingConfig:
    """How the student is trained. See `conf/training/`."""

    name: str = field(default=MISSING, metadata=LABEL)
    """The YAML's file name."""

    method: Method = Method.sft
    """`sft` trains every weight, `lora` an adapter, `none` leaves the base student as it is."""

    epochs: float = 3.0
    """Passes over the training set, > 0."""

    batch: int = 96
    """Traces an optimiser step, >= 1, over all devices and accumulation steps."""

    learning_rate: float = 1e-5
    """Peak learning rate, > 0."""

    schedule: Schedule = Schedule.linear
    """Decay after the warm-up."""

    warmup: float = 0.1
    """Share of the steps in which the rate rises linearly from 0, in [0, 1]."""

    adam_beta1: float = 0.9
    """AdamW's first decay rate, in [0, 1)."""

    adam_beta2: float = 0.999
    """AdamW's second decay rate, in [0, 1)."""

    weight_decay: float = 0.0
    """AdamW's weight decay, >= 0."""

    max_grad_norm: float = 1.0
    """Gradients are scaled to this norm at most, > 0."""

    max_tokens: int = 16_384
    """Longest prompt and response, in tokens. Longer traces are dropped and counted, never cut."""

    union: list[CorruptionConfig] = field(default_factory=list)
    """Arms of the study that can lengthen a trace: what is over-length in one of them, damaged
    or not, is dropped in all, so that every arm trains on the same problems."""

    batching: Batching = Batching.grouped
    """`grouped` by undamaged length, `plain` random order, or `packed` into rows of
    `max_tokens`."""

    dtype: Dtype = Dtype.bfloat16
    """Number format of the weights while they are trained."""

    autocast: bool = True
    """Whether matrix products run in bfloat16 while the weights keep `dtype`."""

    lora_rank: int = 64
    """LoRA only: rank of the update, >= 1."""

    lora_alpha: int = 128
    """LoRA only: the update is scaled by alpha / rank, >= 1."""

    lora_dropout: float = 0.0
    """LoRA only: dropout on the adapter's input, in [0, 1]."""

    lora_targets: str = "all-linear"
    """LoRA only: `all-linear`, or the names of modules parted by commas."""

    seed: int = 0
    """Seed of the order of problems, of dropout and of the adapter's first weights."""

    def __post_init__(self) -> None:
        if self.method is Method.none:
            _reset(self, keep=("name", "method"))
            self.name = "none"
            return
        for name in ("epochs", "learning_rate", "max_grad_norm"):
            if not getattr(self, name) > 0:
                raise ValueError(f"training.{name} must be > 0, got {getattr(self, name)}")
        for name in ("batch", "max_tokens", "lora_rank", "lora_alpha"):
            _at_least(f"training.{name}", getattr(self, name), 1)
        for name in ("warmup", "adam_beta1", "adam_beta2", "lora_dropout"):
            _share(f"training.{name}", getattr(self, name))
        _at_least("training.weight_decay", self.weight_decay, 0)
        if self.method is Method.sft:
            _reset(self, names=("lora_rank", "lora_alpha", "lora_dropout", "lora_targets"))


@dataclass
class EvaluationConfig:
    """On what, and how, the student is scored. See `conf/evaluation/`."""

    name: str = field(default=MISSING, metadata=LABEL)
    """The YAML's file name."""

    benchmarks: dict[str, BenchmarkConfig] = field(default_factory=dict)
    """Benchmark name -> its problems. Each is an artifact of its own: adding one repeats no
    other."""

    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    """How responses are drawn; the same for every arm."""


@dataclass
class ComputeConfig:
    """How a run is carried out; never part of an identity. See `conf/compute/`."""

    device: str = "auto"
    """`auto` takes a GPU if there is one; else `cpu` or `cuda`."""

    threads: int = 0
    """CPU threads of a process, >= 0; 0 leaves it to torch. Recorded: other counts can move a last
    bit."""

    batch_per_device: int = 0
    """Traces a forward pass in training, >= 0; 0: all of a process's rows of a step."""

    gradient_checkpointing: bool = False
    """Whether activations are recomputed in the backward pass to save memory."""

    checkpoint_every: int = 100
    """Optimiser steps between the checkpoints that a killed training continues from, >= 1."""

    processes: int = 1
    """Training processes, a GPU each, >= 1; more than one share the weights (FSDP). The batch stays
    what `training.batch` says; a killed training continues only with the same number."""

    tensor_parallel: int = 1
    """`vllm` only: GPUs that one model is spread over, >= 1."""

    memory_share: float = 0.9
    """`vllm` only: share of a GPU's memory that the engine takes, in (0, 1]."""

    concurrency: int = 64
    """`openai` only: requests under way at once, >= 1."""

    api_key: str = "OPENAI_API_KEY"
    """`openai` only: environment variable that holds the key; the key itself is written nowhere."""

    max_unusable: float = 0.01
    """Share of a stage's prompts that may give nothing usable, in [0, 1]: a server refuses them for
    good, a teacher answers without a thought, or what is said of a trace cannot be used. They are
    set aside; past it the stage stops, and goes on with what it has where more is allowed."""

    workers: int = 0
    """Processes that grade, >= 0; 0: one a CPU core."""

    unsandboxed_code: bool = False
    """Run code written by models without a sandbox, where bubblewrap is missing. Dangerous."""

    progress: bool = True
    """Whether long work draws a progress bar."""

    def __post_init__(self) -> None:
        _one_of("compute.device", self.device, ("auto", "cpu", "cuda"))
        _at_least("compute.threads", self.threads, 0)
        _at_least("compute.batch_per_device", self.batch_per_device, 0)
        _at_least("compute.checkpoint_every", self.checkpoint_every, 1)
        for name in ("processes", "tensor_parallel", "concurrency"):
            _at_least(f"compute.{name}", getattr(self, name), 1)
        _at_least("compute.workers", self.workers, 0)
        _share("compute.max_unusable", self.max_unusable)
        if not re.fullmatch(r"[A-Za-z_]\w*", self.api_key):
            raise ValueError(
                "compute.api_key is the NAME of an environment variable, such as OPENAI_API_KEY; "
                "what was given is none, and is not repeated here in case it is a key"
            )
        if not 0 < self.memory_share <= 1:
            raise ValueError(f"compute.memory_share must be in (0, 1], got {self.memory_share}")


@dataclass
class TrackingConfig:
    """Where curves and scores are logged beside the files of the run. See `conf/tracking/`."""

    name: str = "wandb"
    """`wandb` or `none`."""

    mode: TrackingMode = TrackingMode.offline
    """`offline` keeps everything on this machine and needs no login."""

    project: str = "distill"
    """W&B project."""

    entity: str | None = None
    """W&B user or team; None: the login's own."""

    def __post_init__(self) -> None:
        _one_of("tracking.name", self.name, ("wandb", "none"))


@dataclass
class StudyConfig:
    """What a sweep asks. See `conf/study/`."""

    name: str = "single"
    """The YAML's file name; groups the runs in `runs/` and in W&B. Never part of an identity."""

    hypothesis: str = ""
    """What is expected, written down before anything runs."""


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

    until: Stage = Stage.evaluate
    """Last stage to make."""

    artifacts: str = "artifacts"
    """Folder of what the stages make, shared by all runs."""

    runs: str = "runs"
    """Folder of the runs' records: `<runs>/<study>/<cell>/run.json`."""

    def __post_init__(self) -> None:
        if self.teacher.name == "model" and self.teacher.engine is None:
            self.teacher = replace(self.teacher, engine=replace(self.engine))
        if self.teacher.name == "recorded":
            self.dataset = recorded_problems(self.teacher, self.dataset)
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
                f"until={self.until.value}, but this run has no such stage; it takes "
                "filter.rating, an active filter, teacher.convert, or a corruption that asks a "
                "model to have it"
            )
        available = self.dataset.problems * min(self.selection.per_problem, self.teacher.samples)
        if self.dataset.problems and self.size.traces > available:
            raise ValueError(
                f"size.traces={self.size.traces} is more than the data can give: "
                f"dataset.problems={self.dataset.problems} with "
                f"{min(self.selection.per_problem, self.teacher.samples)} trace(s) of each "
                f"is {available}"
            )

    @property
    def read(self) -> tuple[Any, ...]:
        """What its stages read: equal for two cells of a study that are one run."""
        unread = TRAINED_ON if self.training.method is Method.none else ()
        return tuple(getattr(self, f.name) for f in fields(self) if f.name not in unread)


TRAINED_ON = ("teacher", "dataset", "filter", "verification", "size", "selection", "corruption")
"""Fields of a run that an untrained student has nothing of."""


def recorded_problems(teacher: TeacherConfig, dataset: DatasetConfig) -> DatasetConfig:
    """The problems of a recorded teacher: the questions in its own rows."""
    source = {f.name: getattr(teacher, f.name) for f in fields(SourceConfig)}
    seeded: dict[str, Any] = {}
    if dataset.name == "recorded":
        seeded = {"problems": dataset.problems, "seed": dataset.seed}
    return DatasetConfig(name="recorded", **source, **seeded)


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}; got {value!r}")


def _share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must be in [0, 1], got {value}")


def _at_least(name: str, value: float, least: float) -> None:
    if not value >= least:
        raise ValueError(f"{name} must be >= {least}, got {value}")


def _reset(
    config: TrainingConfig, *, names: tuple[str, ...] = (), keep: tuple[str, ...] = ()
) -> None:
    """Set fields that mean nothing for this method to their defaults, which no identity sees."""
    blank = TrainingConfig(name=config.name, method=Method.lora)
    for f in fields(config):
        if f.name in names or (keep and f.name not in keep):
            setattr(config, f.name, getattr(blank, f.name))
