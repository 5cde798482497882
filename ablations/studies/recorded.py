"""Makes the config of a recorded run again."""

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from distill.config import Config
from distill.run.compose import build


def recorded_config(record: Mapping[str, Any]) -> Config:
    """The config of a record that `distill.run.record.read_record` has read.

    Raises:
        ValueError: a value is out of its range.
        omegaconf.errors.OmegaConfBaseException: a field has another type in this version.
    """
    made = OmegaConf.merge(OmegaConf.structured(Config), record["config"])
    assert isinstance(made, DictConfig)
    return build(made)
