"""Options of evaluation: the benchmarks, and how responses are sampled."""

from dataclasses import dataclass, field

from distill.checks import Named, check_names
from distill.data.config import BenchmarkConfig
from distill.models.config import SamplingConfig


@dataclass
class EvaluationConfig(Named):
    """What the student is scored on, and how. See `conf/evaluation/`."""

    benchmarks: dict[str, BenchmarkConfig] = field(default_factory=dict)
    """Benchmark name -> its problems. Each is an artifact of its own, so that adding one repeats
    none of the others."""

    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    """How responses are sampled, the same for every arm."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_names("evaluation.benchmarks", self.benchmarks)
