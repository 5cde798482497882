"""What runs were trained and scored with, as hashes that a growing schema does not change."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from distill.data.config import BenchmarkConfig, DatasetConfig, FilterConfig
from distill.grading.config import GradingConfig
from distill.models.config import (
    EngineConfig,
    PromptConfig,
    SamplingConfig,
    StudentConfig,
)
from distill.store.identity import canonical_json
from distill.teachers.config import SelectionConfig, SizeConfig, TeacherConfig, VerificationConfig
from distill.trace.records import digest
from distill.training.config import TrainingConfig

SETTINGS = ("training_setting", "evaluation_setting")
"""Hashes of what a run was trained and scored with, besides its arm and its seeds: arms are
compared only where these are equal. The untrained student has no `training_setting`."""

TRAINED = {
    "teacher": TeacherConfig(),
    "dataset": DatasetConfig(),
    "filter": FilterConfig(),
    "grading": GradingConfig(),
    "verification": VerificationConfig(),
    "size": SizeConfig(),
    "selection": SelectionConfig(),
    "training": TrainingConfig(),
}
"""Parts of a config that decide what is trained besides `STUDENT`, with today's defaults."""

STUDENT = {"student": StudentConfig(), "prompt": PromptConfig()}
"""Parts that decide both."""

SCORED = {"engine": EngineConfig(), "grading": GradingConfig()}
"""Parts that decide how a student is scored, besides the benchmark and its sampling."""


def settings(config: Mapping[str, Any], benchmark: str | None) -> dict[str, str | None]:
    """`SETTINGS` of a recorded or planned config, of one of its benchmarks.

    Only what differs from today's defaults counts, and labels never do, so that records made before
    a field existed keep the company of those made after it.
    """
    student = _stated(config, STUDENT)
    evaluation = config["evaluation"]
    scored = [
        _differing(evaluation["benchmarks"].get(benchmark) or {}, BenchmarkConfig()),
        _differing(evaluation["sampling"], SamplingConfig()),
        _stated(config, SCORED),
    ]
    trained = None
    if config["training"]["method"] != "none":
        parts = _stated(config, TRAINED)
        parts["training"].pop("seed", None)
        trained = digest(canonical_json([parts, student]))
    return dict(zip(SETTINGS, (trained, digest(canonical_json([scored, student]))), strict=True))


def _stated(config: Mapping[str, Any], parts: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: _differing(config.get(name) or {}, default) for name, default in parts.items()}


def _differing(recorded: Mapping[str, Any], default: Any) -> dict[str, Any]:
    """Fields of a recorded dataclass that are neither labels nor equal to the default."""
    labels = {field.name for field in fields(default) if field.metadata.get("label")}
    stated = {}
    for name, value in recorded.items():
        today = getattr(default, name, None)
        if name == "engine" and isinstance(value, Mapping):  # None where it is the student's own
            today = EngineConfig()
        if is_dataclass(today) and isinstance(value, Mapping):
            value, today = _differing(value, today), {}
        if isinstance(value, list):  # of arms: a choice that is none is one that came later
            value = [_chosen(item) for item in value]
        if name not in labels and value != today:
            stated[name] = value
    return stated


def _chosen(item: Any) -> Any:
    return {k: v for k, v in item.items() if v is not None} if isinstance(item, Mapping) else item
