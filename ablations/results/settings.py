"""Settings are hashes of what a run was trained and scored with, besides its arm and its seeds.

They count everything in a recorded config except what is listed here, a field that this version
does not know included: two runs are seeds of one arm only where nothing but a seed tells them
apart. A reference counts as the run that it names, however it is spelled.
"""

from collections.abc import Mapping
from typing import Any

from distill.config import Config
from distill.corruptions.declare import FIELDS
from distill.store.identity import arm_group

SETTINGS = ("training_setting", "evaluation_setting")
"""Arms are compared only where these are equal. The untrained student has no `training_setting`."""

HOW = ("compute", "tracking", "study", "until", "artifacts", "runs")
"""How and where a run is carried out; no setting counts it."""

SEEDS = ("training.seed", "corruption.seed")
"""In which runs of one arm differ. Other seeds decide which problems, traces or responses there
are, so they do count."""

NEUTRAL = (
    *(*HOW, *SEEDS),
    *(f"corruption.{name}" for name in ("kind", "fraction", *FIELDS, "source")),
    "corruption.ask",
)
"""Fields that no setting counts: `HOW`, `SEEDS`, and the arm itself, see
`ablations.results.arms.ARM`."""

SCORING_ONLY = ("evaluation", "engine")
"""Fields by which students are scored and not trained."""

TRAINING_ONLY = (
    *("teacher", "dataset", "filter", "verification", "selection", "size", "corruption"),
    *("training", "mix"),
)
"""Fields by which students are trained and not scored; of the base, which stands in every section
that is scored like it, nothing else counts."""

BEGUN = "student.after"
"""Of a trained student one of `TRAINING_ONLY`. A student that is not trained, but begins after
another run, is scored as that run left it: it is no base of the others."""

References = Mapping[str, Mapping[str, Any]]
"""Place of a reference -> `config` and `references` of the run that it names, as in `run.json`."""


def settings(
    config: Mapping[str, Any], benchmark: str | None, references: References
) -> dict[str, str | None]:
    """`SETTINGS` of a config, in the fields of this version, of one of its benchmarks.

    Args:
        config: recorded, read by `distill.run.record.read_record`, or planned.
        benchmark: its name in `evaluation.benchmarks`; the others do not count.
        references: the runs that it refers to, see `distill.run.references`; a reference that is
            not there counts by its text.
    """
    config = _resolved(config, references)
    evaluation = config["evaluation"]
    mine = {n: b for n, b in evaluation["benchmarks"].items() if n == benchmark}
    scored = {**config, "evaluation": {**evaluation, "benchmarks": mine}}
    is_trained, trained = config["training"]["method"] != "none", None
    if is_trained:
        trained = arm_group(config, Config, (*NEUTRAL, *SCORING_ONLY))
    comparable = is_trained or not config["student"].get("after")
    unread = (*NEUTRAL, *TRAINING_ONLY, *([BEGUN] if comparable else []))
    evaluated = arm_group(scored, Config, unread)
    return dict(zip(SETTINGS, (trained, evaluated), strict=True))


def unprompted(config: Mapping[str, Any], benchmark: str | None, references: References) -> str:
    """The `evaluation_setting` whatever the prompt, for bases that are asked by one of their own.

    Arguments as for `settings`.
    """
    asked = {**config, "prompt": None}
    return str(settings(asked, benchmark, references)["evaluation_setting"])


def _resolved(config: Mapping[str, Any], references: References) -> dict[str, Any]:
    """The config with a hash of the run that it names instead of each reference's text.

    The runs of a mixture are in no order, and the names of its parts do not count.
    """
    made, parts = dict(config), []
    for place, named in references.items():
        whole = _resolved(named["config"], named["references"])
        run = arm_group(whole, Config, (*HOW, *SEEDS, *SCORING_ONLY))
        section, _, field = place.partition(".")
        if section == "mix":
            parts.append(run)
        else:
            made[section] = {**made[section], field: run}
    if parts:
        known = {place.removeprefix("mix.") for place in references}
        unread = [text for name, text in made["mix"].items() if name not in known]
        made["mix"] = sorted([*parts, *unread])
    return made
