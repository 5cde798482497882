"""Flags of the command line are Hydra's; what they take is told here, and overrides stand anywhere.

Hydra's parser takes overrides in one place only: of `a=1 -m b=2` it would refuse the last word.
"""

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from difflib import get_close_matches
from typing import NoReturn

from hydra._internal.utils import get_args_parser

from distill.run.fields import unknown_name

_RERUN = "--experimental-rerun"


def arranged(words: Sequence[str]) -> tuple[list[str], Namespace]:
    """The words with the overrides behind the flags, as Hydra reads them; and what they ask for.

    Raises:
        ValueError: there is no such flag, or it takes another value, or none; names the nearest
            flags or the choices.
    """
    parser = get_args_parser()
    parser.error = lambda message: _refuse(parser, message)  # type: ignore[method-assign]
    asked = parser.parse_intermixed_args(words)
    if asked.experimental_rerun is not None:
        raise ValueError(
            f"{_RERUN} reads what Hydra has pickled, and distill has it write none; repeat the "
            "command itself: what is done is not made again"
        )
    if asked.package is not None and not asked.cfg:
        raise ValueError(f"--package={asked.package} says what --cfg is to show; add --cfg job")
    if asked.package and (problem := unknown_name(asked.package)):
        raise ValueError(f"--package={asked.package}: {problem}")
    queries = asked.shell_completion and any(o.startswith("query=") for o in asked.overrides)
    if queries and "COMP_LINE" not in os.environ:
        raise ValueError(
            f"{' '.join(asked.overrides)} answers a shell that completes a word, which says so in "
            'COMP_LINE; have it ask: eval "$(distill -sc install=bash)"'
        )
    flags, overrides = list(words), list(asked.overrides)
    for word in reversed(overrides):
        del flags[len(flags) - 1 - flags[::-1].index(word)]
    return flags + overrides, asked


def _refuse(parser: ArgumentParser, said: str) -> NoReturn:
    """Raise ValueError with what the parser says, and the flags where it does not know one."""
    what, _, words = said.partition("unrecognized arguments: ")
    if what or not words:
        raise ValueError(said.removeprefix("argument "))
    flags = [name for action in parser._actions for name in action.option_strings]
    flag = words.split()[0].partition("=")[0]
    near = get_close_matches(flag, flags, 3, 0.5) or [f for f in flags if f.startswith("--")]
    raise ValueError(f"there is no flag {flag}; nearest: {', '.join(near)}")
