"""Options of grading."""

from dataclasses import dataclass

from distill.checks import Named


@dataclass
class GradingConfig(Named):
    """When an answer counts as right, of traces and students alike. See `conf/grading/`."""

    percent: bool = False
    """Whether 10 % and 10 count as the same answer."""
