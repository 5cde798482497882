"""What enters an identity: every field of every config, at its stage and after it, no more."""

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import asdict, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from ablations.results.arms import ARM
from ablations.results.runs import frame
from ablations.results.settings import SETTINGS, settings
from distill import pipeline
from distill.config import REFERRED, Config
from distill.corruptions.config import CorruptionConfig
from distill.data.config import BenchmarkConfig, DatasetConfig
from distill.evaluation.config import EvaluationConfig
from distill.models.config import AskConfig, EngineConfig, PromptConfig, SamplingConfig
from distill.run import references
from distill.stages import Stage
from distill.store.artifacts import Store
from distill.store.identity import Names, run_key
from distill.training.config import Method, TrainingConfig

FIRST_STAGE = {
    "dataset": Stage.problems,
    "filter.rating": Stage.rate,
    "filter": Stage.filter,
    "teacher": Stage.traces,
    "teacher.convert": Stage.convert,
    "grading": Stage.verify,
    "verification": Stage.verify,
    "selection": Stage.select,
    "size": Stage.select,
    "corruption": Stage.corrupt,
    "corruption.ask": Stage.segment,
    "keywords": Stage.segment,
    "mix": Stage.train,
    "student": Stage.train,
    "training": Stage.train,
    "prompt": Stage.train,
    "engine": Stage.evaluate,
    "evaluation": Stage.evaluate,
}
"""Group, or part of one -> the first stage whose artifact it decides."""

NO_IDENTITY = {"compute", "tracking", "study", "until", "artifacts", "runs"}
OTHER = {
    "corruption.kind": "insert_steps",
    "teacher.kind": "recorded",
    "dataset.kind": "recorded",
    "engine.kind": "vllm",
    "corruption.mode": "prefix",
    "corruption.steps": "reflection",
    "keywords": "paper",
    "student.attention": "eager",
    "training.method": Method.sft,
    "training.union": [CorruptionConfig(kind="insert_steps", fraction=0.5)],
    "training.lora_targets": "q_proj",
    "training.quantization": "nf4",
    "training.kernel": "compiled",
    "evaluation.benchmarks": {"b": BenchmarkConfig(DatasetConfig(name="x", problems=9))},
    "filter.benchmarks": {"b": BenchmarkConfig(DatasetConfig(name="x", problems=9))},
    "filter.bounds": {"math": [1.0, 2.0]},
    "verification.reward_decides": "all",
    "verification.reward_threshold": 0.5,
    "selection.by": "score",
    "teacher.bare": "thought",
    "selection.problems.by": "source",
    "selection.problems.quotas": {"math": 1.0},
    "filter.min_difficulty": 2.0,
    "filter.max_difficulty": 3.0,
}
"""Another valid value, where adding to the value would not give one."""


def model_of(folder: str) -> AskConfig:
    """Something that is asked through an engine."""
    return AskConfig(name="a", model=folder, user="{question}", engine=EngineConfig())


LABELS = {
    *("teacher.name", "teacher.prompt.name", "teacher.convert.name"),
    *("teacher.engine.name", "teacher.engine.base_url", "teacher.engine.served_as"),
    *(
        "teacher.convert.engine.name",
        "teacher.convert.engine.base_url",
        "teacher.convert.engine.served_as",
    ),
    *("dataset.name", "filter.name", "grading.name", "verification.name", "prompt.name"),
    *(
        "filter.rating.name",
        "filter.rating.engine.name",
        "filter.rating.engine.base_url",
        "filter.rating.engine.served_as",
    ),
    "verification.judge.name",
    *(
        "verification.judge.engine.name",
        "verification.judge.engine.base_url",
        "verification.judge.engine.served_as",
    ),
    *("corruption.name", "corruption._target_"),
    *("corruption.title", "corruption.target", "corruption.colour"),
    *(
        "corruption.ask.name",
        "corruption.ask.engine.name",
        "corruption.ask.engine.base_url",
        "corruption.ask.engine.served_as",
    ),
    *("student.name", "training.name", "evaluation.name", "engine.name", "engine.base_url"),
    "engine.served_as",
}
"""Fields that name a choice or a place and are part of no identity."""

REFERENCES = {"student.after", "teacher.student", "selection.problems_of", "mix"}
"""Fields that name another run: they move keys by what it makes, not by how it is spelled."""

LIMITS = {"teacher.max_rejected", "dataset.max_rejected"}
"""Fields that say whether an artifact may be used, and are part of no identity."""

UNREAD = {
    "model": {
        *("teacher.path", "teacher.hub", "teacher.subset", "teacher.split", "teacher.format"),
        *("teacher.columns", "teacher.where", "teacher.slip_rate", "teacher.seed"),
        "teacher.revision",  # the model is a local folder
    },
    "trained": {
        *("teacher.path", "teacher.hub", "teacher.subset", "teacher.split", "teacher.format"),
        *("teacher.columns", "teacher.where", "teacher.slip_rate", "teacher.seed"),
        *("teacher.model", "teacher.revision"),
    },
    "recorded": {
        *("teacher.model", "teacher.slip_rate", "teacher.seed"),
        *(f"teacher.sampling.{f.name}" for f in fields(SamplingConfig)),
        *(f"teacher.engine.{name}" for name in ("kind", "dtype", "batch", "context", "api")),
    },
}
"""Kind of a teacher -> fields that mean nothing for it, and so move no key."""


def full(folder: str) -> Config:
    """A run in which every field means something: all stages, models in `folder`, LoRA."""
    config = Config()
    config.dataset.kind, config.dataset.problems = "rows", 4000
    config.dataset.format = "json_lines"
    config.dataset.path = f"{folder}/config.json"
    config.filter.rating, config.filter.contamination = model_of(folder), 8
    config.teacher.kind, config.teacher.model = "model", folder
    config.teacher.prompt = PromptConfig(name="p", thought_open="<", thought_close=">")
    config.teacher.engine = EngineConfig()
    config.teacher.convert = model_of(folder)
    config.verification.judge = model_of(folder)
    config.verification.reward_model = folder
    config.prompt.thought_open, config.prompt.thought_close = "<", ">"
    config.corruption = CorruptionConfig(
        kind="delete_steps", fraction=0.5, steps="model", ask=model_of(folder)
    )
    config.student.model = folder
    config.training = TrainingConfig(name="t", method=Method.lora)
    benchmark = BenchmarkConfig(DatasetConfig(kind="sign_puzzle", split="test", problems=8))
    config.evaluation = EvaluationConfig(name="e", benchmarks={"a": benchmark})
    return config


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """The full run, with two folders of models that differ."""
    monkeypatch.setattr(
        "distill.models.engines.pins", lambda engine: {}
    )  # an engine may be missing here
    monkeypatch.setattr("distill.data.source.pins", lambda source: {})  # no hub
    for name in ("student", "student2", "alone"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(name)
    return full(str(tmp_path / "student"))


def keys(config: Config, tmp_path: Path) -> dict[str, str]:
    """Stage -> key of what it would make."""
    made = references.made(config, Store(tmp_path).artifact)
    return {step.stage: step.artifact.key for step in made}


def leaves(config: Any, path: str = "") -> list[tuple[str, bool]]:
    """Every field below a config: (dotted name, whether it is only a label)."""
    found = []
    for f in fields(config):
        name, value = f"{path}{f.name}", getattr(config, f.name)
        if is_dataclass(value):
            found += leaves(value, name + ".")
        else:
            found.append((name, bool(f.metadata.get("label"))))
    return found


def value_at(config: Any, name: str) -> Any:
    """The value of a field by its dotted name."""
    for part in name.split("."):
        config = getattr(config, part)
    return config


def changed(config: Config, name: str, tmp_path: Path) -> Config:
    """A copy in which one field has another valid value."""
    copy = deepcopy(config)
    owner: Any = copy
    *path, last = name.split(".")
    for part in path:
        owner = getattr(owner, part)
    value = getattr(owner, last)
    setattr(owner, last, _another(name, value, tmp_path))
    assert getattr(owner, last) != value
    return copy


def _another(name: str, value: Any, tmp_path: Path) -> Any:
    if name in OTHER:
        return OTHER[name]
    if name in REFERENCES:
        text = f"student.model={tmp_path}/student dataset.problems=60 size.traces=24"
        return {"part": text} if name == "mix" else text
    if name.endswith((".model", ".reward_model")):
        return str(tmp_path / "student2")
    if name.endswith(".path"):
        return str(tmp_path / "student2" / "config.json")
    if isinstance(value, Enum):
        return next(member for member in type(value) if member is not value)
    if isinstance(value, bool):
        return not value
    if isinstance(value, float):
        return value / 2 + 0.125
    if isinstance(value, int):
        return value + 1
    if isinstance(value, dict):
        return {"column": "other"}
    if name.endswith(".user"):
        return "Q: {question}"
    return f"{value or ''} other"


def first_stage(name: str) -> Stage | None:
    """The first stage that a field decides."""
    parts = name.split(".")
    known = (".".join(parts[:length]) for length in (2, 1))
    return next((FIRST_STAGE[group] for group in known if group in FIRST_STAGE), None)


def test_which_fields_are_labels_is_decided_here():
    assert {name for name, label in leaves(full("m")) if label} == LABELS


def test_which_fields_name_another_run_is_decided_here():
    assert set(REFERRED) == REFERENCES


ONLY_OF_TRAINED = "teacher.student"
OF_TEACHERS = [
    *(("model", name) for name, _ in leaves(full("m")) if name != ONLY_OF_TRAINED),
    *(
        (kind, name)
        for kind in ("recorded", "trained")
        for name, _ in leaves(full("m"))
        if name.startswith("teacher.") and (kind, name) != ("recorded", ONLY_OF_TRAINED)
    ),
]


@pytest.mark.parametrize(("kind", "name"), OF_TEACHERS)
def test_a_field_changes_its_stage_and_those_after_it_and_none_before(
    base, tmp_path, name, kind, monkeypatch
):
    if kind == "recorded":
        base.teacher.kind, base.teacher.hub = kind, "a/b"
        monkeypatch.setitem(OTHER, "teacher.kind", "model")
    if kind == "trained":
        base.teacher.kind, base.teacher.model = kind, None
        base.teacher.student = f"student.model={tmp_path}/student training.seed=1"
    still = name in LABELS | LIMITS | UNREAD[kind]
    other = changed(base, name, tmp_path)
    if (kind, name) == ("trained", "teacher.kind"):
        other.teacher.student = None  # of a trained teacher alone
    before, after = keys(base, tmp_path), keys(other, tmp_path)
    if name == "until":
        before = {stage: key for stage, key in before.items() if stage in after}
    order = list(Stage)
    stage = first_stage(name)
    first = None if still or stage is None else order.index(stage)
    for stage in after:
        moved = before[stage] != after[stage]
        assert moved == (first is not None and order.index(stage) >= first), (name, stage)


def test_every_field_is_either_identity_or_declared_not_to_be():
    groups = {f.name for f in fields(Config)}
    assert groups == {name.split(".")[0] for name in FIRST_STAGE} | NO_IDENTITY


def test_another_benchmark_repeats_only_evaluation_however_problems_are_filtered(base, tmp_path):
    before = keys(base, tmp_path)
    after = keys(changed(base, "evaluation.benchmarks", tmp_path), tmp_path)
    assert [stage for stage in after if before[stage] != after[stage]] == [Stage.evaluate]


def test_of_a_benchmark_that_is_looked_for_only_its_problems_are_identity(base, tmp_path):
    problems = DatasetConfig(name="x", problems=9)
    base.filter.benchmarks = {"a": BenchmarkConfig(problems)}
    before = keys(base, tmp_path)
    base.filter.benchmarks = {"b": BenchmarkConfig(problems, samples=8, user="{question}!")}
    assert keys(base, tmp_path) == before


def test_the_address_of_a_server_is_no_identity(base, tmp_path):
    def at(port):
        config = deepcopy(base)
        server = EngineConfig(kind="openai", base_url=f"http://localhost:{port}/v1")
        config.engine = config.teacher.engine = config.teacher.convert.engine = server
        config.verification.judge.engine = config.filter.rating.engine = server
        return keys(config, tmp_path)

    assert at(8000) == at(8001)
    base.teacher.engine = EngineConfig(kind="openai", dtype="float32")
    assert keys(base, tmp_path)[Stage.traces] != at(8000)[Stage.traces]


@pytest.mark.parametrize(
    ("method", "until"),
    [
        (Method.lora, Stage.corrupt),
        (Method.lora, Stage.train),
        (Method.lora, Stage.evaluate),
        (Method.none, Stage.evaluate),
    ],
)
def test_two_runs_are_launched_as_one_exactly_where_they_have_one_key(
    base, tmp_path, method, until
):
    base.training, base.until = TrainingConfig(name="t", method=method), until

    def both(config):
        makes = (Names(), Store(tmp_path).artifact)
        return [run_key(references.made(config, make)) for make in makes]

    launched, recorded = both(base)
    for name, _ in leaves(base):
        if name == "until" or (name.startswith("training.") and method is Method.none):
            continue
        if name == ONLY_OF_TRAINED:
            continue
        other_launched, other_recorded = both(changed(base, name, tmp_path))
        assert (launched == other_launched) == (recorded == other_recorded), name


def test_content_of_the_students_folder_is_identity_and_its_place_is_not(base, tmp_path):
    base.student.model = str(tmp_path / "alone")
    before = keys(base, tmp_path)
    (tmp_path / "moved").mkdir()
    (tmp_path / "alone" / "config.json").rename(tmp_path / "moved" / "config.json")
    base.student.model = str(tmp_path / "moved")
    assert keys(base, tmp_path) == before
    (tmp_path / "moved" / "config.json").write_text("changed")
    assert keys(base, tmp_path)[Stage.train] != before[Stage.train]


def test_content_of_every_file_and_folder_is_identity_and_no_place_is(base, tmp_path):
    before = keys(base, tmp_path)
    place = str(tmp_path / "student")
    named = [name for name, _ in leaves(base) if str(value_at(base, name)).startswith(place)]
    assert {name.split(".")[-1] for name in named} == {"path", "model", "reward_model"}
    (tmp_path / "student").rename(tmp_path / "moved")
    assert keys(full(str(tmp_path / "moved")), tmp_path) == before
    (tmp_path / "moved" / "config.json").write_text("changed")
    after = keys(full(str(tmp_path / "moved")), tmp_path)
    assert not {*after.values()} & {*before.values()}


def test_a_rewriting_is_shared_by_all_shares_and_seeds_and_decides_the_damage(base, tmp_path):
    def at(fraction=0.2, seed=0, user="{thought}"):
        ask = AskConfig(name="a", model=base.student.model, user=user)
        base.corruption = CorruptionConfig(
            kind="remove_keywords", fraction=fraction, seed=seed, mode="traces",
            unit="reflection", ask=ask,
        )  # fmt: skip
        made = keys(base, tmp_path)
        return made[Stage.rewrite], made[Stage.corrupt]

    rewritten, damaged = at()
    for other in (at(fraction=0.5), at(seed=1)):
        assert other[0] == rewritten and other[1] != damaged
    prompted = at(user="Rewrite {thought}")
    assert prompted[0] != rewritten and prompted[1] != damaged


def test_all_arms_in_steps_of_a_model_share_what_it_said(base, tmp_path):
    arms = [
        CorruptionConfig(kind=name, fraction=0.5, steps="model", ask=base.corruption.ask)
        for name in ("delete_steps", "insert_steps", "shuffle_steps")
    ]
    base.training.union, made = arms[1:], []
    for base.corruption in arms:
        made.append(keys(base, tmp_path))
    assert len({one[Stage.segment] for one in made}) == 1
    assert len({one[Stage.corrupt] for one in made}) == 3


def test_what_no_model_is_asked_for_has_no_word_of_one_in_its_identity(base, tmp_path):
    base.corruption = CorruptionConfig(kind="delete_steps", fraction=0.5)
    made = {step.stage: step for step in pipeline.run(base, Store(tmp_path).artifact)}
    assert Stage.segment not in made and Stage.rewrite not in made
    arguments = made[Stage.corrupt].artifact.recipe["arguments"]
    assert set(arguments) == {"corruption", "selected", "verified"}
    assert "ask" not in arguments["corruption"]


@pytest.mark.parametrize("fraction", [0.0, 0.33, 1.0])
def test_none_at_any_fraction_and_anything_at_fraction_0_are_one_identity(fraction):
    none = CorruptionConfig(kind="none")
    assert CorruptionConfig(kind="none", fraction=fraction, seed=3) == none
    assert CorruptionConfig(kind="shuffle_steps", fraction=0.0) == none


def test_fields_that_mean_nothing_for_a_method_do_not_divide_identities():
    sft = TrainingConfig(name="a", method=Method.sft)
    assert TrainingConfig(name="a", method=Method.sft, lora_rank=8) == sft
    untrained = TrainingConfig(name="a", method=Method.none, epochs=7)
    assert untrained == TrainingConfig(name="b", method=Method.none)


def test_stages_leave_the_config_as_it_was(base, tmp_path):
    before = deepcopy(base)
    keys(base, tmp_path)
    assert base == before


SEEDS_OF_ONE_ARM = (
    *("compute", "tracking", "study", "until", "artifacts", "runs"),
    *("training.seed", "corruption.seed"),
)
"""Fields in which runs of one arm may differ, besides labels and limits anywhere: `NEUTRAL`."""

NEUTRAL = ("name", "base_url", "served_as", "_target_", "title", "target", "colour", "max_rejected")


@pytest.fixture
def recorded(base) -> dict[str, Any]:
    """The config of a run as `run.json` has it, every part present."""
    base.training.union = [deepcopy(base.corruption)]
    base.filter.benchmarks = {"a": deepcopy(base.evaluation.benchmarks["a"])}
    base.evaluation.benchmarks["a"].sampling = SamplingConfig()
    return json.loads(json.dumps(asdict(base)))


def json_leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where every value without parts stands in a JSON value."""
    parts: Any = value.items() if isinstance(value, dict) else enumerate(value)
    for name, item in parts:
        if isinstance(item, dict | list) and item:
            yield from json_leaves(item, (*path, name))
        else:
            yield (*path, name)


def with_another(config: dict[str, Any], path: tuple[str | int, ...]) -> dict[str, Any]:
    """A copy of a recorded config in which one value is another."""
    copy = deepcopy(config)
    owner: Any = copy
    for part in path[:-1]:
        owner = owner[part]
    match owner[path[-1]]:
        case bool() as value:
            owner[path[-1]] = not value
        case int() | float() as value:
            owner[path[-1]] = value / 2 + 0.125
        case str() as value:
            owner[path[-1]] = f"{value} other"
        case _:
            owner[path[-1]] = "other"
    return copy


def arm_of(config: dict[str, Any]) -> tuple[Any, ...]:
    """What runs of one arm have in common in the frames."""
    scores = dict.fromkeys(["a"])
    record = {"cell": "", "label": "", "study": config["study"], "commit": "", "stages": {}}
    row = frame([(Path(), record | {"config": config, "scores": scores})]).iloc[0]
    return tuple(row[name] for name in (*SETTINGS, *ARM, "method"))


def test_runs_that_differ_in_any_field_but_a_seed_are_never_seeds_of_one_arm(recorded):
    before, seen = arm_of(recorded), set()
    for path in json_leaves(recorded):
        name = ".".join(map(str, path))
        neutral = name.startswith(SEEDS_OF_ONE_ARM) or path[-1] in NEUTRAL
        assert (arm_of(with_another(recorded, path)) == before) == neutral, name
        seen.add(name)
    assert {"training.union.0.ask.model", "evaluation.benchmarks.a.sampling.seed"} <= seen


@pytest.mark.parametrize("place", ["", "training", "corruption", "dataset", "engine", "evaluation"])
def test_a_field_that_this_version_does_not_know_tells_arms_apart(recorded, place):
    owner = recorded[place] if place else recorded
    owner["curriculum"] = {"name": "easy_first"}
    before = arm_of(recorded)
    owner["curriculum"] = {"name": "hard_first"}
    assert arm_of(recorded) != before


def test_the_base_stands_in_every_section_that_is_scored_like_it(recorded):
    trained, base = settings(recorded, "a", {}), deepcopy(recorded)
    base["training"]["method"] = "none"
    assert settings(base, "a", {}) == trained | {"training_setting": None}
    scoring = ("student", "prompt", "engine", "grading", "evaluation", "keywords")
    for path in json_leaves(base):
        counts = path[0] in scoring and path[-1] not in NEUTRAL
        same = settings(with_another(base, path), "a", {}) == settings(base, "a", {})
        assert same != counts or path == ("training", "method"), path


def test_of_an_evaluation_only_the_benchmark_itself_counts(recorded):
    before = settings(recorded, "a", {})
    recorded["evaluation"]["benchmarks"]["other"] = {"samples": 3}
    assert settings(recorded, "a", {})["evaluation_setting"] == before["evaluation_setting"]


SECTIONS = {
    "both": {"grading", "prompt", "student", "keywords"},
    "training_setting": {
        *("teacher", "dataset", "filter", "verification", "size", "selection", "training"),
        "mix",
    },
    "evaluation_setting": {"engine", "evaluation"},
    "none": {"compute", "tracking", "study", "until", "artifacts", "runs", "corruption"},
}
"""Setting -> the sections of a config that decide it."""


def test_each_leaf_of_a_config_moves_exactly_its_own_setting(recorded):
    assert set().union(*SECTIONS.values()) == set(recorded)
    before = settings(recorded, "a", {})
    for path in json_leaves(recorded):
        after = settings(with_another(recorded, path), "a", {})
        moved = {name for name in before if after[name] != before[name]}
        if path == ("student", "after"):
            assert moved == {"training_setting"}
            continue
        if path[-1] in NEUTRAL or path in (("training", "seed"), ("training", "method")):
            assert moved <= {"training_setting"} if path[-1] == "method" else not moved, path
            continue
        (section,) = [name for name, parts in SECTIONS.items() if path[0] in parts]
        expected = {"none": set(), "both": set(before)}.get(section, {section})
        assert moved == expected, path


def test_the_benchmark_is_in_the_key_of_a_run(base, tmp_path):
    one, two = (BenchmarkConfig(DatasetConfig(kind="sign_puzzle", problems=n)) for n in (8, 9))

    def key(benchmarks):
        base.evaluation = EvaluationConfig(name="e", benchmarks=benchmarks)
        return run_key(pipeline.run(base, Store(tmp_path).artifact))

    found = [key(made) for made in ({"a": one}, {"b": one}, {"a": two}, {"a": one, "b": two},
                                    {"a": two, "b": one})]  # fmt: skip
    assert len(set(found)) == len(found)
    assert key({"b": two, "a": one}) == key({"a": one, "b": two})
