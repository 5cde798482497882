"""Options of grading."""

from dataclasses import dataclass

from distill.checks import Named, one_of, ruled


@dataclass
class GradingConfig(Named):
    """When an answer counts as right, of traces and students alike. See `conf/grading/`."""

    percent: bool = False
    """Whether 10 % and 10 count as the same answer."""

    fallback: str = ruled("statement", one_of("none", "statement", "last_number"))
    """Where an answer is read that no mark shows: a box, `<answer>`, `####`, of a program a fence.
    `none`: nowhere, so that a response without a mark is wrong; `statement`: what the response
    states in words to be its answer (`So, the sixth term is 350.`); `last_number`: that, else the
    last number in the response. Scores by marks alone stand beside as `accuracy_boxed`."""
