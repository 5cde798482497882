"""The language in which a study states what it expects of its arms.

    shuffle_steps@0.67 < random_digits@0.67
    remove_keywords@1.0 ~ uncorrupted within 5
    uncorrupted[method=lora] > base by 20
    uncorrupted[size=90] - uncorrupted[size=60] < uncorrupted[size=60] - uncorrupted[size=30]

Scores are compared, as shares of right answers. `conf/README.md` says what an arm may be.
"""

import re
from dataclasses import dataclass

BASE = "base"
"""The untrained student."""

UNCORRUPTED = "uncorrupted"

GROUPS = ("structure", "content")
"""All arms that damage it: at one corruption rate, or along the lines through all rates."""

FIELDS = ("training", "method", "size", "student", "teacher")
"""What may tell arms apart besides their corruption."""

LESS, MORE, ALIKE = "<", ">", "~"
RELATIONS = (LESS, MORE, ALIKE)

GRAMMAR = (
    "SIDE < SIDE or SIDE > SIDE, perhaps with `by POINTS`, or SIDE ~ SIDE within POINTS; a side is "
    f"ARM or ARM - ARM; an arm is {BASE}, {UNCORRUPTED}, CORRUPTION@RATE, "
    f"{' or '.join(GROUPS)} with or without @RATE, each perhaps with [FIELD=VALUE,...] of "
    f"{', '.join(FIELDS)}"
)

_WHOLE = re.compile(
    r"\s*(?P<left>[^<>~]+?)\s*(?P<relation>[<>~])\s*(?P<right>[^<>~]+?)"
    r"(?:\s+(?P<how>by|within)\s+(?P<points>\S+))?\s*"
)
_TERM = re.compile(r"(?P<name>[^\s@\[\]]+)(?:@(?P<rate>[^\s\[\]]+))?(?:\[(?P<fields>[^\[\]]*)\])?")


@dataclass(frozen=True)
class Term:
    """An arm, or a group of arms, of those runs that have these fields."""

    name: str
    """`BASE`, `UNCORRUPTED`, one of `GROUPS`, or the name of a corruption's YAML."""

    rate: float | None = None
    """In (0, 1]; None for the base, uncorrupted traces, and a group at all corruption rates."""

    fields: tuple[tuple[str, str], ...] = ()
    """One of `FIELDS` and its value."""

    def __str__(self) -> str:
        rate = "" if self.rate is None else f"@{self.rate:g}"
        fields = ",".join(f"{name}={value}" for name, value in self.fields)
        return f"{self.name}{rate}" + (f"[{fields}]" if fields else "")


@dataclass(frozen=True)
class Expectation:
    """A relation that the scores of two sides are expected to have."""

    text: str
    """As it was written."""

    left: tuple[Term, ...]
    """One term, or two of which the second is subtracted."""

    right: tuple[Term, ...]
    """As many as `left`."""

    relation: str
    """One of `RELATIONS`."""

    margin: float = 0.0
    """As a share of 1: the least difference expected of `<` and `>`, the largest of `~`."""

    @property
    def terms(self) -> tuple[tuple[Term, int], ...]:
        """Every term with its sign in left minus right."""
        signs = (1, -1)
        left = tuple(zip(self.left, signs, strict=False))
        return left + tuple((term, -sign) for term, sign in zip(self.right, signs, strict=False))

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that its terms name."""
        return tuple(dict.fromkeys(name for term, _ in self.terms for name, _ in term.fields))


def parse(text: str) -> Expectation:
    """Read one expectation. Raises ValueError with the text, what is wrong, and the grammar."""
    found = _WHOLE.fullmatch(text)
    if not found:
        raise _wrong(text, "it is no comparison of two sides")
    left, right = (_side(text, found[name]) for name in ("left", "right"))
    relation, how = found["relation"], found["how"]
    if (how == "within") != (relation == ALIKE):
        raise _wrong(text, "`~` takes `within POINTS`, `<` and `>` take `by POINTS` or nothing")
    margin = _number(text, found["points"], 100, "points are") / 100 if how else 0.0
    made = Expectation(text, left, right, relation, margin)
    _check_terms(made)
    return made


def _side(text: str, side: str) -> tuple[Term, ...]:
    parts = re.split(r"\s+-\s+", side)
    if len(parts) > 2:
        raise _wrong(text, f"{side!r} is more than one difference")
    return tuple(_term(text, part) for part in parts)


def _term(text: str, part: str) -> Term:
    found = _TERM.fullmatch(part)
    if not found:
        raise _wrong(text, f"{part!r} is no arm")
    name, rate = found["name"], found["rate"]
    if name in (BASE, UNCORRUPTED) and rate:
        raise _wrong(text, f"{name} has no corruption rate, got {part!r}")
    if name not in (BASE, UNCORRUPTED, *GROUPS) and not rate:
        raise _wrong(text, f"{part!r} needs a corruption rate, such as {part}@0.67")
    known: dict[str, str] = {}
    for pair in found["fields"].split(",") if found["fields"] else []:
        field, sign, value = (word.strip() for word in pair.partition("="))
        if not (field and sign and value) or field in known:
            raise _wrong(text, f"[{found['fields']}] must be FIELD=VALUE,..., each field once")
        if field not in FIELDS:
            raise _wrong(text, f"{field!r} is none of {', '.join(FIELDS)}")
        known[field] = value
    share = _number(text, rate, 1, "a corruption rate is") if rate else None
    return Term(name, share, tuple(sorted(known.items())))


def _check_terms(made: Expectation) -> None:
    if len(made.left) != len(made.right):
        raise _wrong(made.text, "a score cannot be compared with a difference of scores")
    if sorted(map(str, made.left)) == sorted(map(str, made.right)):
        raise _wrong(made.text, "both sides are the same")
    for term, _ in made.terms:
        own = {name for name, _ in term.fields}
        must = {*made.fields} & ({"student"} if term.name == BASE else {*FIELDS})
        if own != must:
            raise _wrong(
                made.text,
                f"{term} names {', '.join(sorted(own)) or 'no field'}, but what one arm names all "
                f"must name: {', '.join(made.fields)}; the base, which is not trained, only the "
                "student",
            )


def _number(text: str, number: str, most: float, what: str) -> float:
    """A number in (0, most]."""
    try:
        value = float(number)
    except ValueError:
        value = 0.0
    if not 0 < value <= most:
        raise _wrong(text, f"{what} in (0, {most:g}], got {number!r}")
    return value


def _wrong(text: str, why: str) -> ValueError:
    return ValueError(f"study.expect {text!r}: {why}. An expectation is {GRAMMAR}")
