"""What all tests share: no network, no W&B login, and Hydra's own way of composing a config."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from distill import sweep
from distill.store import CHECKOUT

os.environ |= {"HF_HUB_OFFLINE": "1", "WANDB_MODE": "offline", "TOKENIZERS_PARALLELISM": "false"}


@pytest.fixture
def hydra_compose() -> Iterator[Callable[..., DictConfig]]:
    """Overrides -> the config that `python -m distill` is given, unchecked."""
    sweep.register()
    with initialize_config_dir(str(CHECKOUT / "conf"), version_base=None):
        yield lambda *overrides: compose("config", list(overrides))


@pytest.fixture(scope="session")
def tiny_student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained model folder of a few thousand weights, with the embedded world's tokenizer."""
    from distill.micro.pretrain import build_model, save
    from distill.micro.recipe import Recipe

    folder = tmp_path_factory.mktemp("students") / "tiny"
    save(build_model(Recipe(width=32, layers=1, heads=2, feed_forward=64)), folder)
    return folder


@pytest.fixture(scope="session")
def tiny_run(tiny_student: Path) -> list[str]:
    """Overrides of a whole run in seconds: 24 traces, 12 steps, 12 problems of 30 tokens."""
    return [
        f"student.model={tiny_student}",
        "dataset.problems=60",
        "size.traces=24",
        "training.epochs=2",
        "training.batch=4",
        "evaluation.benchmarks.sign_puzzle.dataset.problems=12",
        "evaluation.sampling.max_new_tokens=30",
        "engine.batch=4",
        "compute.threads=1",
        "compute.checkpoint_every=2",
        "compute.progress=false",
        "tracking=none",
    ]
