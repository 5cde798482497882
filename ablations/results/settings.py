"""Settings are hashes of what a run was trained and scored with, besides its arm and its seeds.

They count everything in a recorded config except what is listed here, a field that this version
does not know included: two runs are seeds of one arm only where nothing but a seed tells them
apart.
"""

from collections.abc import Mapping
from typing import Any

from distill.config import Config
from distill.corruptions.declare import FIELDS
from distill.store.identity import arm_group

SETTINGS = ("training_setting", "evaluation_setting")
"""Arms are compared only where these are equal. The untrained student has no `training_setting`."""

NEUTRAL = (
    *("compute", "tracking", "study", "until", "artifacts", "runs"),
    *("training.seed", "corruption.seed"),
    *(f"corruption.{name}" for name in ("kind", "fraction", *FIELDS, "source")),
    "corruption.ask",
)
"""Fields that no setting counts: how and where a run is carried out, the two seeds that runs of one
arm differ in, and the arm itself, see `ablations.results.arms.ARM`. Other seeds decide which
problems, traces or responses there are, so they do count."""

SCORING_ONLY = ("evaluation", "engine")
"""Fields by which students are scored and not trained."""

TRAINING_ONLY = (
    *("teacher", "dataset", "filter", "verification", "selection", "size", "corruption"),
    "training",
)
"""Fields by which students are trained and not scored; of the base, which stands in every section
that is scored like it, nothing else counts."""


def settings(config: Mapping[str, Any], benchmark: str | None) -> dict[str, str | None]:
    """`SETTINGS` of a config, in the fields of this version, of one of its benchmarks.

    Args:
        config: recorded, read by `distill.run.record.read_record`, or planned.
        benchmark: its name in `evaluation.benchmarks`; the others do not count.
    """
    evaluation = config["evaluation"]
    mine = {n: b for n, b in evaluation["benchmarks"].items() if n == benchmark}
    scored = {**config, "evaluation": {**evaluation, "benchmarks": mine}}
    trained = None
    if config["training"]["method"] != "none":
        trained = arm_group(config, Config, (*NEUTRAL, *SCORING_ONLY))
    evaluated = arm_group(scored, Config, (*NEUTRAL, *TRAINING_ONLY))
    return dict(zip(SETTINGS, (trained, evaluated), strict=True))


def unprompted(config: Mapping[str, Any], benchmark: str | None) -> str:
    """The `evaluation_setting` whatever the prompt, for bases that are asked by one of their own.

    Arguments as for `settings`.
    """
    base = {**config, "prompt": None, "training": {"method": "none"}}
    return str(settings(base, benchmark)["evaluation_setting"])
