"""What all tests share: no network, no W&B login, and Hydra's own way of composing a config."""

import os
from collections.abc import Callable, Iterator

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from distill.store import CHECKOUT

os.environ |= {"HF_HUB_OFFLINE": "1", "WANDB_MODE": "offline", "TOKENIZERS_PARALLELISM": "false"}


@pytest.fixture
def hydra_compose() -> Iterator[Callable[..., DictConfig]]:
    """Overrides -> the config that `python -m distill` is given, unchecked."""
    from distill import sweep

    sweep.register()
    with initialize_config_dir(str(CHECKOUT / "conf"), version_base=None):
        yield lambda *overrides: compose("config", list(overrides))
