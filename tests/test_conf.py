"""Options compose, names agree, bad values are refused in words."""

import importlib
import math
import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
import yaml
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from ablations.studies.cells import Studies
from distill import checks, config
from distill.config import Config
from distill.corruptions import operators
from distill.corruptions.locate import OPERATORS
from distill.data.config import BenchmarkConfig
from distill.run.compose import PAPERS, build
from distill.run.fields import describe
from distill.store.identity import CHECKOUT

CONF = CHECKOUT / "conf"
FILES = [path for path in CONF.glob("*/*.yaml") if path.parent.name != PAPERS]
OPTIONS = sorted((path.parent.name, path.stem) for path in FILES)
CORRUPTIONS = sorted(option for group, option in OPTIONS if group == "corruption")
STUDIES = sorted(option for group, option in OPTIONS if group == "study")
NAMED_BY_FILE = (
    "teacher",
    "corruption",
    "dataset",
    "prompt",
    "student",
    "training",
    "evaluation",
    "engine",
    "tracking",
    "study",
)
PLACES = {
    "ask": "teacher.convert",
    "benchmark": "evaluation.benchmarks.added",
    "sampling": "evaluation.sampling",
}
"""Groups that are no field of their own -> a place that their options fit."""

ENOUGH_DATA = "dataset.problems=0"
SAMPLED = ["evaluation.sampling.temperature=1"]
ASKED_BY_CHAT = ["teacher=model", "teacher.model=x", "+engine@teacher.engine=openai"]
ASKED_BY_CHAT += ["teacher.engine.api=chat"]
CONVERTED_BY_CHAT = ["+ask@teacher.convert=sky_t1_convert", "teacher.convert.engine.kind=openai"]
CONVERTED_BY_CHAT += ["teacher.convert.engine.api=chat"]


def read(group, option):
    return yaml.safe_load((CONF / group / f"{option}.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_every_option_of_every_group_makes_a_checked_config(hydra_compose, group, option):
    more = [ENOUGH_DATA] if group == "size" else []
    more += ['teacher.student="training.seed=1"'] if option == "trained" else []
    if group in PLACES:
        build(hydra_compose(f"+{group}@{PLACES[group]}={option}"))
        return
    made = build(hydra_compose(f"{group}={option}", *more))
    if group in NAMED_BY_FILE:
        assert getattr(made, group).name == option


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_every_option_says_what_it_is_and_how_to_run_it(group, option):
    text = (CONF / group / f"{option}.yaml").read_text(encoding="utf-8")
    comments = " ".join(line for line in text.splitlines() if line.startswith("#"))
    assert "python -m distill" in comments
    assert f"{group}={option}" in comments or "Look:" in comments


def test_every_folder_of_conf_is_a_field_of_config_and_every_field_a_folder():
    folders = {path.name for path in CONF.iterdir() if path.is_dir()}
    groups = {field.name for field in fields(Config) if is_dataclass(field.type)}
    assert folders - {"world", PAPERS, *PLACES} == groups


def test_an_operator_has_one_name_in_config_conf_and_code():
    files = {path.stem for path in Path(operators.__path__[0]).glob("[!_]*.py")}
    own = {option for option in CORRUPTIONS if read("corruption", option)["kind"] == option}
    assert set(OPERATORS) == files == own
    for name in files:
        assert callable(getattr(importlib.import_module(f"{operators.__name__}.{name}"), name))


def test_problems_are_compared_with_every_benchmark_there_is(hydra_compose):
    there_are = {option for group, option in OPTIONS if group == "benchmark"}
    for option in ("decontaminated", "reported", "paper_decontaminated"):
        assert set(build(hydra_compose(f"filter={option}")).filter.benchmarks) == there_are


@pytest.mark.parametrize("option", CORRUPTIONS)
def test_a_variant_of_a_corruption_begins_with_its_operators_name(option):
    operator = read("corruption", option)["kind"]
    assert option == operator or option.startswith(f"{operator}_")


@pytest.mark.parametrize("option", STUDIES)
def test_a_study_states_its_hypothesis_and_is_named_as_its_file(option):
    study = read("study", option)["study"]
    assert study["name"] == option
    assert len(study["hypothesis"].split()) >= 5


@pytest.mark.parametrize("option", sorted({*STUDIES} - {"real_traces", "smoke"}))
def test_a_study_whose_scores_mean_something_states_what_it_expects_of_its_own_arms(option):
    """Composing refuses an expectation of an arm that the study does not run."""
    found = Studies().cells(option)
    assert found[0].config.study.expect


def test_every_config_class_has_a_docstring():
    classes = [c for c in vars(config).values() if isinstance(c, type) and is_dataclass(c)]
    assert all(not made.__doc__.startswith(made.__name__) for made in classes)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["corruption.kind=shufle_steps"], ["shufle_steps", "shuffle_steps", "corruption.kind"]),
        (
            ["corruption=shuffle_steps", "corruption.fraction=1.5"],
            ["corruption.fraction", "[0, 1]", "1.5"],
        ),
        (["corruption=shuffle_steps", "corruption.mode=random"], ["mode", "random", "steps"]),
        (["corruption=delete_steps", "corruption.mode=suffix"], ["suffix", "random", "prefix"]),
        (["corruption=delete_steps", "corruption.steps=model"], ["ask", "split_steps", "model"]),
        (
            ["corruption=remove_keywords_reflection", "corruption.mode=units"],
            ["mode", "units", "traces"],
        ),
        (
            ["corruption=delete_steps", "+ask@corruption.ask=split_steps"],
            ["corruption.ask", "blank_line", "split_steps"],
        ),
        (["size.traces=64000"], ["64000", "dataset.problems=2400"]),
        (["size.traces=0"], ["size.traces", ">= 1", "0"]),
        (["training.method=lora", "training.lora_rank=0"], ["training.lora_rank", ">= 1", "0"]),
        (["training.learning_rate=0"], ["training.learning_rate", "> 0", "0"]),
        (["training.adam_beta1=1"], ["training.adam_beta1", "[0, 1)", "1.0"]),
        (["training.learning_rate=inf"], ["training.learning_rate", "finite", "inf"]),
        (["training.weight_decay=nan"], ["training.weight_decay", "finite", "nan"]),
        (["evaluation.sampling.temperature=inf"], ["sampling.temperature", "finite", "inf"]),
        (["filter.min_difficulty=nan"], ["filter.min_difficulty", "finite", "nan"]),
        (["+filter.bounds.math=[1,inf]"], ["filter.bounds.math", "finite", "inf"]),
        (["verification.reward_threshold=inf"], ["verification.reward_threshold", "finite"]),
        (["engine.kind=llama"], ["engine.kind", "llama", "transformers", "vllm"]),
        (["training.method=dpo"], ["dpo", "sft", "lora", "none"]),
        (["dataset.split=dev"], ["dataset.split", "dev", "validation"]),
        (["prompt.user=Solve"], ["prompt.user", "{question}", "Solve"]),
        (["evaluation.sampling.top_p=0"], ["sampling.top_p", "(0, 1]", "0"]),
        (["evaluation.sampling.presence_penalty=3"], ["presence_penalty", "[-2, 2]", "3"]),
        (
            ["engine=openai", "engine.api=chat", *SAMPLED, "evaluation.sampling.top_k=20"],
            ["evaluation.sampling.top_k=20", "engine.api=chat", "completions"],
        ),
        (
            [*ASKED_BY_CHAT, "teacher.sampling.repetition_penalty=1.05"],
            ["teacher.sampling.repetition_penalty=1.05", "engine.api=chat"],
        ),
        (
            [*CONVERTED_BY_CHAT, "teacher.convert.sampling.repetition_penalty=1.1"],
            ["sampling.repetition_penalty=1.1", "engine.api=chat"],
        ),
        (["teacher.slip_rate=2"], ["teacher.slip_rate", "[0, 1]", "2"]),
        (["compute.device=tpu"], ["compute.device", "tpu", "cuda"]),
        (["teacher.max_rejected=2"], ["teacher.max_rejected", "[0, 1]", "2"]),
        (["compute.max_unusable=2"], ["compute.max_unusable", "[0, 1]", "2"]),
        (["filter.contamination=8"], ["filter.contamination=8", "filter=decontaminated"]),
        (
            ["+benchmark@filter.benchmarks.b=gsm8k", "filter.benchmarks.b.harness=mmlu"],
            ["filter.benchmarks.b", "lm-evaluation-harness", "dataset"],
        ),
        (["corruption=shufle_steps"], ["shufle_steps", "shuffle_steps", "delete_steps"]),
        (["corruption.fracton=0.5"], ["fracton", "CorruptionConfig"]),
        (["training.epochs=many"], ["many", "training.epochs", "Float"]),
    ],
)
def test_a_value_out_of_range_is_refused_with_value_rule_and_choices(
    hydra_compose, overrides, words
):
    with pytest.raises((ValueError, HydraException, OmegaConfBaseException)) as caught:
        build(hydra_compose(*overrides))
    text = f"{caught.value} {caught.value.__cause__ or ''}"
    assert all(word in text for word in words), text


def test_a_key_in_place_of_its_variables_name_is_refused_and_not_repeated(hydra_compose):
    with pytest.raises((ValueError, OmegaConfBaseException)) as caught:
        build(hydra_compose("compute.api_key=sk-secret-123"))
    assert "NAME of an environment variable" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("stage", ["rate", "filter", "convert", "rewrite", "segment"])
def test_a_run_ends_at_no_stage_that_it_has_not(hydra_compose, stage):
    with pytest.raises((ValueError, OmegaConfBaseException), match=f"until={stage}"):
        build(hydra_compose(f"until={stage}"))


@pytest.mark.parametrize(
    ("group", "kind"),
    [
        ("corruption", "shuffle_steps"),
        ("teacher", "recorded"),
        ("dataset", "recorded"),
        ("engine", "vllm"),
    ],
)
def test_a_kind_that_is_given_as_a_label_is_refused(hydra_compose, group, kind):
    with pytest.raises((ValueError, OmegaConfBaseException), match=f"{group}.kind={kind}"):
        build(hydra_compose(f"{group}.name={kind}"))


def test_a_kind_without_its_option_takes_the_label_of_no_other(hydra_compose):
    made = build(hydra_compose("corruption.kind=shuffle_steps", "corruption.fraction=0.5"))
    assert (made.corruption.kind, made.corruption.name) == ("shuffle_steps", "shuffle_steps")


def configs(kind=config.Config):
    """Every class that a config is made of."""
    found = {kind: None}
    for hint in get_type_hints(kind).values():
        for part in (hint, *get_args(hint)):
            if is_dataclass(part) and part not in found:
                found |= dict.fromkeys(configs(part))
    return list(found)


NUMBERS = [
    (kind, name, hint)
    for kind in configs()
    for name, hint in get_type_hints(kind).items()
    if {int, float} & {hint, *get_args(hint)} or "list[float]" in str(hint)
]


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
@pytest.mark.parametrize(
    ("kind", "name", "hint"), NUMBERS, ids=[f"{k.__name__}.{n}" for k, n, _ in NUMBERS]
)
def test_no_number_of_any_config_may_be_infinite_or_none_at_all(kind, name, hint, value):
    given = {"a": [0.0, value]} if "dict" in str(hint) else value
    with pytest.raises(ValueError, match=rf"{name}.* must be a finite number"):
        kind(**{name: given})


RULED = [
    (f"{kind.__name__}.{f.name}", f.metadata[checks.RULE])
    for kind in configs()
    for f in fields(kind)
    if checks.RULE in f.metadata and {int, float} & {get_type_hints(kind)[f.name]}
]
"""Numbers of all configs with their rules."""

INTERVAL = re.compile(r"in ([\[(])(-?\d+), (\d+)([\])])|(>=?) (\d+)")


@pytest.mark.parametrize(("name", "rule"), RULED, ids=[name for name, _ in RULED])
def test_a_number_may_be_exactly_what_the_text_of_its_rule_says(name, rule):
    opens, low, high, closes, above, least = INTERVAL.fullmatch(rule.text).groups()
    low, high = float(low or least), float(high or "inf")
    inside = [math.nextafter(low, high), min(high, low + 1) - 1e-9]
    outside = [math.nextafter(low, -math.inf), low - 1, -math.inf, math.nan]
    (inside if opens == "[" or above == ">=" else outside).append(low)
    if math.isfinite(high):
        (inside if closes == "]" else outside).append(high)
        outside += [math.nextafter(high, math.inf), high + 1]
    assert all(rule.holds(value) for value in inside), inside
    assert not any(rule.holds(value) for value in outside), outside


FROM_SOME = [field for field in describe(Config) if field.rule.startswith(">= ")]


@pytest.mark.parametrize("field", FROM_SOME, ids=lambda field: field.name)
def test_a_number_may_be_0_where_its_text_says_what_that_does_and_is_never_negative(field):
    says = re.search(r"\b0(?::| takes| leaves| is)", field.text) is not None
    assert field.rule == (">= 0" if says else ">= 1")


NO_NAMES = ["", ".", "..", ".hidden", "a/b", "../a", "/a", "a\\b", "a\0b", "a\nb", "\t", " a", "a "]
NO_NAMES += [
    "~a",
    "a.",
    "con",
    "NUL",
    "nul.txt",
    "Com1",
    "lpt9.log",
    "a:b",
    "a*",
    "a?",
    'a"',
    "a<b",
]
NO_NAMES += ["a|b", "a" * 101, "\u00e4" * 51, "a\u202eb", "\ud800", " "]


@pytest.mark.parametrize("name", NO_NAMES)
def test_a_name_that_could_not_name_a_file_is_none(name):
    with pytest.raises(ValueError, match=r"study\.name must be a name"):
        config.StudyConfig(name)
    with pytest.raises(ValueError, match=r"evaluation\.benchmarks must be a name"):
        config.EvaluationConfig("x", {name: BenchmarkConfig()})


@pytest.mark.parametrize(
    "name", ["demo", "a b", "v1.2", "\u00fcn\u00ef", "console", "a" * 100, "com"]
)
def test_a_name_may_have_blanks_dots_and_letters_of_any_alphabet(name):
    assert config.StudyConfig(name).name == name
