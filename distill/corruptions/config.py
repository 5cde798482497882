"""Options of a corruption, and which of them each operator reads."""

from dataclasses import dataclass, field

from distill.checks import APART, LABEL, SHARE, Checked, label, one_of, ruled
from distill.models.config import AskConfig
from distill.stages import Stage

STEP_RULES = ("blank_line", "reflection")
"""Rules that split any thought into steps; steps `model` are found by a model beforehand."""


CORRUPTION_CHOICES: dict[str, dict[str, tuple[str, ...]]] = {
    "none": {},
    "wrong_answers": {"mode": ("natural", "matched", "edited")},
    "random_digits": {
        "unit": ("digit", "number"),
        "scope": ("response", "thought"),
        "mode": ("independent", "consistent"),
    },
    "remove_keywords": {"unit": ("sentence", "keyword", "reflection"), "mode": ("units", "traces")},
    "delete_steps": {"mode": ("random", "prefix"), "steps": (*STEP_RULES, "model")},
    "insert_steps": {"mode": ("replace", "add"), "steps": (*STEP_RULES, "model")},
    "shuffle_steps": {"steps": (*STEP_RULES, "model")},
}
"""Operator -> the fields that it reads -> their choices, the default first. A new operator is a
line here, a file in `distill/corruptions/operators/` and a YAML in `conf/corruption/`."""


@dataclass
class CorruptionConfig(Checked):
    """How the teacher's traces are damaged, and how much. See `conf/corruption/`."""

    kind: str = ruled("none", one_of(*CORRUPTION_CHOICES))
    """A function in `distill/corruptions/operators/`."""

    fraction: float = ruled(0.0, SHARE)
    """Corruption rate: share of units damaged; the operator says what its unit is. 0 is the same
    as `none`."""

    seed: int = 0
    """Base seed; each trace draws from its own stream, derived from this and its id."""

    mode: str | None = None
    """Which definition of the damage; choices per operator in `CORRUPTION_CHOICES`; None is the
    first of them."""

    unit: str | None = None
    """What is damaged as one piece; choices per operator."""

    scope: str | None = None
    """Where: the whole `response` or only the `thought`; choices per operator."""

    steps: str | None = None
    """Where steps begin: after blank lines, where a reflection keyword opens a sentence, or where a
    model says (`model`; see `ask`)."""

    name: str = field(default="", metadata=LABEL)
    """The YAML's file name."""

    ask: AskConfig | None = field(default=None, metadata=APART)
    """The model that removes reflections (unit `reflection`) or finds steps (steps `model`). Its
    replies are an artifact of their own, through which they enter the identity of the damage."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.name = label("corruption", self.name, self.kind, tuple(CORRUPTION_CHOICES), "none")
        if self.kind == "none" or self.fraction == 0:
            self.kind, self.name, self.fraction, self.seed = "none", "none", 0.0, 0
            self.mode = self.unit = self.scope = self.steps = self.ask = None
        choices = CORRUPTION_CHOICES[self.kind]
        for name in ("mode", "unit", "scope", "steps"):
            value = getattr(self, name)
            if name in choices:
                setattr(self, name, choices[name][0] if value is None else value)
                read = f"corruption.{name} of {self.kind}"
                one_of(*choices[name]).check(read, getattr(self, name))
            elif value is not None:
                raise ValueError(
                    f"corruption.{name} is {value!r}, but {self.kind} does not read it; it reads "
                    f"{', '.join(sorted(choices)) or 'no such choice'}"
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
        """The stage that asks the model of `ask`; None where no model is asked."""
        if self.unit == "reflection":
            return Stage.rewrite
        return Stage.segment if self.steps == "model" else None
