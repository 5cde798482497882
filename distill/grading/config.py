"""Options of grading."""

from dataclasses import dataclass, field

from omegaconf import MISSING

from distill.checks import LABEL, Checked


@dataclass
class GradingConfig(Checked):
    """When an answer counts as right, of traces and students alike. See `conf/grading/`."""

    name: str = field(default=MISSING, metadata=LABEL)
    """The YAML's file name."""

    percent: bool = False
    """Whether 10 % and 10 count as the same answer."""
