"""Options of sampling, engines, prompts, annotators and students."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from omegaconf import MISSING

from distill.checks import (
    LABEL,
    POSITIVE_SHARE,
    TEXT,
    Checked,
    Named,
    Rule,
    at_least,
    label,
    one_of,
    reset,
    ruled,
)
from distill.store.identity import local_path


class Dtype(StrEnum):
    """Number format of weights and activations."""

    bfloat16 = "bfloat16"
    float16 = "float16"
    float32 = "float32"


class Api(StrEnum):
    """Which API of an OpenAI-compatible server is used."""

    completions = "completions"
    chat = "chat"


ENGINES = tuple(sorted(path.stem for path in Path(__file__).with_name("engines").glob("[a-z]*.py")))
"""Kinds of engines: the modules of `distill/models/engines/`."""


ASKS = Rule("a text with {question}", lambda text: "{question}" in text)
"""What a user message must hold."""


@dataclass
class SamplingConfig(Checked):
    """How tokens are drawn from a model."""

    temperature: float = ruled(0.0, at_least(0))
    """Softmax temperature; 0 is greedy."""

    top_p: float = ruled(1.0, POSITIVE_SHARE)
    """Nucleus sampling: from the smallest set of tokens with this probability."""

    max_new_tokens: int = ruled(32_768, at_least(1))
    """Tokens per response, at most; a longer one is cut and counted as truncated."""

    seed: int = 0
    """Base seed of the draws; each (problem, sample) has a random stream of its own if the engine
    supports it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.temperature == 0:  # greedy: nothing is drawn
            reset(self, "top_p", "seed")


@dataclass
class EngineConfig(Checked):
    """Which engine generates text with a model. See `conf/engine/`."""

    kind: str = ruled("transformers", one_of(*ENGINES))
    """A module of `distill/models/engines/`."""

    name: str = field(default="", metadata=LABEL)
    """The YAML's file name."""

    dtype: Dtype = Dtype.bfloat16
    """Number format of weights and activations while generating. `openai`: the format that the
    server is stated to use."""

    batch: int = ruled(256, at_least(1))
    """`transformers` only: prompts per batch. Part of the identity: the padding of a batch can
    change the last bit."""

    context: int = ruled(0, at_least(0))
    """`vllm` only: longest prompt and response in tokens; 0 takes the model's own limit."""

    base_url: str = field(default="", metadata=LABEL)
    """`openai` only: address of the server, such as `http://localhost:8000/v1`. Not part of the
    identity: work can continue at another address."""

    api: Api = Api.completions
    """`openai` only: `completions` sends token ids (vLLM), `chat` sends messages (vendors)."""

    served_as: str = field(default="", metadata=LABEL)
    """`openai` only: the model's name in the server's replies, where it is not the asked one, as
    with a deployment or a router. Replies of any other model are refused."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.name = label("engine", self.name, self.kind, ENGINES, "transformers")
        if self.kind != "transformers":
            self.batch = 256
        if self.kind != "vllm":
            self.context = 0
        if "@" in self.base_url or "?" in self.base_url:
            raise ValueError(
                "engine.base_url must contain no user, key or query: it is written to every record"
            )
        if self.kind != "openai":
            self.base_url, self.api, self.served_as = "", Api.completions, ""

    @property
    def wants_messages(self) -> bool:
        """Whether prompts are messages, to which the server applies its template, not token ids."""
        return self.api is Api.chat


@dataclass
class PromptConfig(Named):
    """The text around question, thought and solution, in training and evaluation alike."""

    system: str = ""
    """System message; none is sent if it is empty."""

    user: str = ruled("{question}", ASKS)
    """User message."""

    thought_open: str = MISSING
    """Text at the beginning of a response."""

    thought_close: str = MISSING
    """Text between thought and solution; the answer is searched in what follows it."""

    solution_close: str = ""
    """Text at the end of a response."""


@dataclass
class ModelConfig(Named):
    """Which model is used."""

    model: str = field(default=MISSING, metadata={"content": True})
    """Hub id, or a local folder (relative to the working directory or the checkout), which is
    identified by its content; where an engine asks a server, the server's name for it."""

    revision: str = ruled("main", TEXT)
    """Branch, tag or commit of a hub model; its commit is part of the identity."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.model != MISSING and local_path(self.model):
            reset(self, "revision")


@dataclass
class AskConfig(ModelConfig):
    """A model that is asked about texts; see `distill/models/converse.py` and `conf/ask/`."""

    system: str = ""
    """System message; none is sent if it is empty."""

    user: str = MISSING
    """User message; `{question}`, `{answer}`, `{thought}` and `{solution}` are filled in."""

    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    """How its replies are sampled."""

    engine: EngineConfig = field(default_factory=EngineConfig)
    """Which engine runs it."""


@dataclass
class StudentConfig(ModelConfig):
    """Which model is trained. See `conf/student/`."""

    attention: str = ruled("sdpa", one_of("sdpa", "eager", "flash_attention_2"))
    """Attention implementation of transformers."""
