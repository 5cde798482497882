"""Options of evaluation: benchmarks and sampling."""

from dataclasses import dataclass, field

from omegaconf import MISSING

from distill.checks import LABEL, Checked
from distill.data.config import BenchmarkConfig
from distill.models.config import SamplingConfig


@dataclass
class EvaluationConfig(Checked):
    """On what, and how, the student is scored. See `conf/evaluation/`."""

    name: str = field(default=MISSING, metadata=LABEL)
    """The YAML's file name."""

    benchmarks: dict[str, BenchmarkConfig] = field(default_factory=dict)
    """Benchmark name -> its problems. Each is an artifact of its own: adding one repeats no
    other."""

    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    """How responses are drawn; the same for every arm."""
