"""Options of sampling, engines, prompts, annotators and students."""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from omegaconf import MISSING

from distill.checks import (
    LABEL,
    LATER,
    POSITIVE,
    POSITIVE_SHARE,
    REFERENCE,
    RULE,
    SHARE,
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


PENALTY = Rule("in [-2, 2]", lambda value: -2 <= value <= 2)

ASKS = Rule("a text with {question}", lambda text: "{question}" in text)
"""What a user message must hold."""

ADDRESS = Rule(
    "an address such as http://localhost:8000/v1, or empty",
    lambda text: not text or re.match(r"https?://[^\s/]", text) is not None,
)
"""Where a server is."""


@dataclass
class SamplingConfig(Checked):
    """How tokens are drawn from a model."""

    temperature: float = ruled(0.0, at_least(0))
    """Softmax temperature; 0 is greedy."""

    top_p: float = ruled(1.0, POSITIVE_SHARE)
    """Nucleus sampling: from the smallest set of tokens with this probability, in what `min_p` and
    `top_k` leave."""

    top_k: int = ruled(0, at_least(0), LATER)
    """From this many of the likeliest tokens; 0: from all."""

    min_p: float = ruled(0.0, SHARE, LATER)
    """From tokens with at least this share of the likeliest one's probability; 0: from all."""

    presence_penalty: float = ruled(0.0, PENALTY, LATER)
    """Subtracted from the logits of tokens that the response has already; 0: nothing is. Applies at
    temperature 0 too, as does the next."""

    repetition_penalty: float = ruled(1.0, POSITIVE, LATER)
    """Divides positive and multiplies negative logits of tokens that prompt or response have
    already (arXiv:1909.05858); 1: none. Applied before `presence_penalty`."""

    max_new_tokens: int = ruled(32_768, at_least(1))
    """Tokens per response, at most; a longer one is cut and counted as truncated."""

    seed: int = 0
    """Base seed of the draws; each (problem, sample) has a random stream of its own if the engine
    supports it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.temperature == 0:  # greedy: nothing is drawn
            reset(self, "top_p", "top_k", "min_p", "seed")


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

    base_url: str = ruled("", ADDRESS, LABEL)
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


def check_sampling(place: str, engine: EngineConfig, sampling: SamplingConfig) -> None:
    """Raise ValueError if an engine has no such way of drawing tokens.

    The chat API of vendors has `presence_penalty`, but none of the others that came after it.
    """
    if engine.kind != "openai" or engine.api is not Api.chat:
        return
    neutral = SamplingConfig()
    for name in ("top_k", "min_p", "repetition_penalty"):
        if (value := getattr(sampling, name)) != getattr(neutral, name):
            raise ValueError(
                f"{place}.{name}={value} cannot be sent with engine.api=chat, which has "
                f"temperature, top_p and presence_penalty; leave it at {getattr(neutral, name)}, "
                "or ask by engine.api=completions (vLLM) or another engine"
            )


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

    def __post_init__(self) -> None:
        super().__post_init__()
        check_sampling(f"ask {self.name}: sampling", self.engine, self.sampling)


@dataclass
class StudentConfig(ModelConfig):
    """Which model is trained. See `conf/student/`."""

    attention: str = ruled("sdpa", one_of("sdpa", "eager", "flash_attention_2"))
    """Attention implementation of transformers."""

    after: str | None = field(default=None, metadata=REFERENCE | {RULE: TEXT})
    """Another run, as one would type it after `python -m distill`; training begins at the student
    that it trains, whose adapter is merged first. `model` names the same base. None: at the
    base."""
