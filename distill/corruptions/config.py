"""Options of a corruption, and which of them each operator reads."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from distill.checks import APART, LABEL, RULE, SHARE, Checked, Rule, label, one_of, ruled
from distill.corruptions.declare import COLOUR, FIELDS, TARGET
from distill.corruptions.declare import STEP_RULES as STEP_RULES
from distill.corruptions.locate import OPERATORS, declarations, foreign, locate
from distill.models.config import AskConfig
from distill.stages import Stage

KIND = Rule(f"one of {', '.join(OPERATORS)}, or an entry point", lambda kind: isinstance(kind, str))
"""What may be a kind; `locate` looks it up."""

DECLARED_TARGET = Rule(f"{TARGET.text}, or empty", lambda value: not value or TARGET.holds(value))
DECLARED_COLOUR = Rule(f"{COLOUR.text}, or empty", lambda value: not value or COLOUR.holds(value))


@dataclass
class CorruptionConfig(Checked):
    """How the teacher's traces are damaged, and how much. See `conf/corruption/`."""

    kind: str = ruled("none", KIND)
    """A function in `distill/corruptions/operators/`, or an entry point of `distill.corruptions`;
    with `_target_` the name of that function."""

    fraction: float = ruled(0.0, SHARE)
    """Corruption rate: share of units damaged; the operator says what its unit is. 0 is the same
    as `none`."""

    seed: int = 0
    """Base seed; each trace draws from its own stream, derived from this and its id."""

    mode: str | None = None
    """Which definition of the damage; choices per operator; None is the first of them."""

    unit: str | None = None
    """What is damaged as one piece; choices per operator."""

    scope: str | None = None
    """Where: the whole `response` or only the `thought`; choices per operator."""

    steps: str | None = None
    """Where steps begin: after blank lines, where a reflection keyword opens a sentence, or where a
    model says (`model`; see `ask`)."""

    name: str = field(default="", metadata=LABEL)
    """The YAML's file name."""

    _target_: str | None = field(default=None, metadata=LABEL)
    """An operator of your own: `my_package.my_module.my_operator`, or `FILE.py:FUNCTION`."""

    title: str = field(default="", metadata=LABEL)
    """The operator's name in tables and figures; empty: as it declares."""

    target: str = field(default="", metadata=LABEL | {RULE: DECLARED_TARGET})
    """What of a trace it damages: `content`, `structure` or `other`; empty: as it declares. Content
    and structure are compared."""

    colour: str = field(default="", metadata=LABEL | {RULE: DECLARED_COLOUR})
    """Of its curve, such as `#009e73`; empty: as it declares, or one that is free."""

    source: str | None = None
    """Hash of the code of an operator of your own, computed; an edit of it makes other traces."""

    ask: AskConfig | None = field(default=None, metadata=APART)
    """The model that removes reflections (unit `reflection`) or finds steps (steps `model`). Its
    replies are an artifact of their own, through which they enter the identity of the damage."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self._target_:
            self.name = label("corruption", self.name, self.kind, OPERATORS, "none")
        if self.fraction == 0 or (self.kind == "none" and not self._target_):
            self._undamaged()
            return
        found = locate(self.kind, self._target_)
        declared = found.declared
        if self.name == "none":
            self.name = found.kind
        self.kind, self.source = found.kind, found.source
        if self.source is None:
            self._target_ = None
        self.title = self.title or declared.title
        self.target, self.colour = self.target or declared.target, self.colour or declared.colour
        if self.fraction == 1 and not declared.drawn_at_all:
            self.seed = 0
        self._check_choices(declared.reads)
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

    def _undamaged(self) -> None:
        """All that damages nothing is `none`, and so one identity.

        A choice that the other arms of a grid read may stand there, one that nobody knows may not.
        """
        if self._target_:
            raise ValueError(
                f"corruption._target_={self._target_} at corruption.fraction=0 damages nothing; "
                "set a fraction above 0, or take corruption=none for the uncorrupted arm"
            )
        if self.kind != "none":
            locate(self.kind, None)
        for name in FIELDS if not foreign() else ():
            read = [declared.reads.get(name, ()) for declared in declarations().values()]
            known = dict.fromkeys(choice for choices in read for choice in choices)
            if (value := getattr(self, name)) is not None:
                one_of(*known).check(f"corruption.{name}", value)
        vars(self).update({f.name: f.default for f in fields(self)} | {"name": "none"})

    def _check_choices(self, reads: Mapping[str, tuple[str, ...]]) -> None:
        """Fill in the operator's defaults; refuse what it does not read or does not know."""
        for name in FIELDS:
            value = getattr(self, name)
            if name in reads:
                setattr(self, name, reads[name][0] if value is None else value)
                read = f"corruption.{name} of {self.kind}"
                one_of(*reads[name]).check(read, getattr(self, name))
            elif value is not None:
                raise ValueError(
                    f"corruption.{name} is {value!r}, but {self.kind} does not read it; it reads "
                    f"{', '.join(sorted(reads)) or 'no such choice'}"
                )

    @property
    def asks(self) -> Stage | None:
        """The stage that asks the model of `ask`; None where no model is asked."""
        if self.unit == "reflection":
            return Stage.rewrite
        return Stage.segment if self.steps == "model" else None
