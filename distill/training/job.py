"""The arguments of one training, as every training method and process gets them."""

from dataclasses import dataclass
from pathlib import Path

from distill.compute import ComputeConfig
from distill.models.config import PromptConfig, StudentConfig
from distill.training.config import TrainingConfig


@dataclass(frozen=True)
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
        """Folder of the checkpoints that an interrupted training resumes from."""
        return self.out / "checkpoints"
