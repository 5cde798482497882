"""The arguments of one training as a file that training processes read."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from distill.compute import ComputeConfig
from distill.models.config import PromptConfig, StudentConfig
from distill.training.config import TrainingConfig


@dataclass
class Job:
    """The arguments of one training; see `distill.training.train.train_student`."""

    student: StudentConfig
    training: TrainingConfig
    prompt: PromptConfig
    selected: Path
    corrupted: Path
    union: list[Path]
    compute: ComputeConfig
    out: Path

    @property
    def checkpoints(self) -> Path:
        """Where a killed training continues from."""
        return self.out / "checkpoints"

    def write(self, path: Path) -> None:
        """As JSON."""
        path.write_text(json.dumps(asdict(self), default=str), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> "Job":
        """What `write` wrote."""
        from omegaconf import OmegaConf

        values = json.loads(path.read_text(encoding="utf-8"))
        job = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(cls), values))
        assert isinstance(job, cls)
        return job
