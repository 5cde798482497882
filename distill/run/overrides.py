"""Words of a command line become Hydra's overrides; what its grammar cannot take is shown quoted.

Hydra reads `teacher.path=a=b.jsonl` or `teacher.path=ünï.jsonl` as mistakes, `teacher.path=a,b` as
two values and `study.name=1e3` as 1000.0. The words that it does take as text stay as they are.
"""

import re
import shlex
from collections.abc import Sequence
from types import UnionType
from typing import Any, Union, get_args, get_origin

from hydra.conf import HydraConf
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException

from distill.config import REFERRED, Config
from distill.store.identity import part_of

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

FORMS = "GROUP=OPTION, GROUP.FIELD=VALUE, +GROUP.FIELD.NAME=VALUE or ~GROUP.FIELD"
"""What an override looks like."""


def parse(words: Sequence[str]) -> list[Override]:
    """The overrides in these words, in order.

    Raises:
        ValueError: a word is none, or a text field would get something else than what was written;
            names the word, and what to write instead.
    """
    return [_parse(word) for word in words]


def long_form(words: Sequence[str]) -> list[str]:
    """The words as Hydra reads them: what is short in full, and a reference to a run quoted.

    `settle=POINTS` stands for its field. A reference is a text whatever is in it, such as
    `student.after=size=1k training.seed=0`; one that is quoted already is left to Hydra, which
    takes several quoted ones, separated by commas, as a sweep, null among them. `mix.NAME` may be a
    new name.
    """
    return [f"study.{w}" if w.startswith("settle=") else _reference_quoted(w) for w in words]


def is_reference(word: str) -> bool:
    """Whether an override sets a field that refers to another run."""
    field = word.lstrip("+~").partition("=")[0]
    return field in REFERRED or field.startswith("mix.")


_LITERAL = re.compile(r"(?!null\s*,)[^\"'{\[].*=.*", re.DOTALL)


def _reference_quoted(word: str) -> str:
    key, sign, text = word.partition("=")
    if not sign or key.startswith("~") or key == "mix" or not is_reference(word):
        return word
    if _LITERAL.fullmatch(text):
        text = QuotedString(text, Quote.double).with_quotes()
    return f"{'++' if key.startswith('mix.') else ''}{key}={text}"


def split(line: str, what: str = "the grid line") -> list[str]:
    """The words of a line, such as of a study's grid or a reference, quoted as for a shell.

    Raises:
        ValueError: a quotation is not closed; names the line.
    """
    try:
        return long_form(shlex.split(line))
    except ValueError as error:
        raise ValueError(f"{what} {line!r} cannot be read: {error}") from error


def several(word: str) -> str:
    """What is wrong with a word that has several values where there is to be one run."""
    return (
        f"{word} lists several values; -m makes a run of each. A list is KEY=[A,B], and one text "
        f"is written {quoted(word)}"
    )


def quoted(word: str) -> str:
    """A word whose value Hydra reads as the text that it is, as a shell takes it."""
    key, _, value = word.partition("=")
    escaped = re.sub(r"(\\*)\$\{", r"\1\1\\${", value)  # else OmegaConf looks for a field
    made = f"{key}={QuotedString(escaped, Quote.double).with_quotes()}"
    if not _CONTROL.search(made):
        return shlex.quote(made)
    inner = made.replace("\\", r"\\").replace("'", r"\'")
    return "$'" + _CONTROL.sub(lambda sign: f"\\x{ord(sign[0]):02x}", inner) + "'"


def _parse(word: str) -> Override:
    if re.search("[\ud800-\udfff]", word):
        raise ValueError(f"{word!r} is not text in UTF-8")
    key, sign, value = word.partition("=")
    known = re.fullmatch(r"\+{0,2}([A-Za-z_][\w.]*)", key, re.ASCII) if sign else None
    kinds = types_of(known[1]) if known else ()
    text = str in kinds
    try:
        override = OverridesParser.create().parse_override(word)
    except (HydraException, ValueError, RecursionError) as error:
        found = _found(error)
        if text:
            form = f"is read when quoted: {quoted(word)}"
            raise ValueError(f"{_shown(word)} ({found}) {form}") from error
        raise ValueError(f"{word!r} is no override ({found}); write {FORMS}") from error
    if not override.key_or_group:
        raise ValueError(f"{word!r} is no override; write {FORMS}")
    if text and not _as_written(override, value):
        read = f"{_shown(word)} is read as {override.value()!r}"
        raise ValueError(f"{read}; if the text is meant, write {quoted(word)}")
    if bool in kinds and not override.is_sweep_override():
        given = override.value()  # of which OmegaConf takes any number but 0 for true
        if isinstance(given, int | float) and given not in (0, 1):
            raise ValueError(f"{word}: {key.lstrip('+')} must be true or false; got {given}")
    return override


_GRAMMAR = (
    (r"missing EQUAL at .*", "it has no ="),
    (r"mismatched input '<EOF>'.*", "it ends too early"),
    (r"(?:extraneous|mismatched) input ('.*') expecting .*", r"\1 cannot stand there"),
    (r"token recognition error at: ('.*')", r"\1 cannot stand there"),
    (r"no viable alternative at input ('.*')", r"\1 cannot be read"),
    (r"\w+ while evaluating '(.*?)': (.*)", r"\1: \2"),
)
"""What the parser of Hydra's grammar says -> what is meant."""


def _found(error: Exception) -> str:
    """The first that the parser found wrong, in printed characters."""
    said = next(iter(str(error).splitlines()), type(error).__name__)
    for pattern, meant in _GRAMMAR:
        if re.fullmatch(pattern, said):
            said = re.sub(pattern, meant, said)
            break
    return said if said.isprintable() else repr(said)[1:-1]


def _shown(word: str) -> str:
    return word if word.isprintable() else repr(word)


def _as_written(override: Override, value: str) -> bool:
    """Whether the one value of a text field is what was written; other fields do not ask."""
    if override.is_sweep_override() or value[:1] in ("'", '"') or "\\" in value:
        return True  # several values, or somebody knows Hydra's quotes and escapes
    return override.value() is None or str(override.value()) == value


SWEEPER = {"grids": list[str], "params": dict[str, Any]}
"""Fields of `hydra.sweeper` that this project's own adds, and their types."""


def types_of(name: str) -> tuple[Any, ...]:
    """The types that the field of a dotted name takes; none if no config has it.

    A setting of Hydra's (`hydra.mode`) has the types of Hydra, and (Any,) below what it leaves open
    (`hydra.launcher.n_jobs`).
    """
    kind: Any = Config
    parts = name.split(".")
    if parts[0] == "hydra" and len(parts) > 1:
        kind, parts = HydraConf, parts[1:]
    if kind is HydraConf and parts[0] == "sweeper" and parts[1:2] and parts[1] in SWEEPER:
        kind, parts = SWEEPER[parts[1]], parts[2:]
    for part in parts:
        if kind is Any:
            break
        found = part_of(kind, part)
        if found is None:
            return ()
        kind, _ = found
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
