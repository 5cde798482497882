"""What changes nothing moves no key: values that mean nothing where they stand."""

from pathlib import Path

import pytest

from ablations.studies.cells import Studies
from distill import pipeline
from distill.checks import reset
from distill.corruptions.config import CorruptionConfig
from distill.data.config import FilterConfig
from distill.models.config import SamplingConfig
from distill.store.artifacts import Store
from distill.store.canonical import canonical
from distill.store.identity import Names, run_key
from distill.training.config import TrainingConfig

ROWS = "dataset=json_lines dataset.path=README.md dataset.format=math dataset.problems=0"
RECORDED = "teacher=recorded teacher.path=README.md dataset.problems=0 teacher.max_rejected=1.0"
GREEDY = "evaluation.sampling.temperature=0"
WARM = "evaluation.sampling.temperature=0.5"
SFT = "training=micro_sft"
REWARD = (
    "verification.reward_model=README.md verification.reward_decides=undecided "
    "verification.reward_threshold=0.0"
)
KEYWORDS = "corruption=remove_keywords corruption.fraction=1.0"

INERT = [
    (GREEDY, "evaluation.sampling.seed=5"),
    (GREEDY, "evaluation.sampling.top_p=0.5"),
    (GREEDY, "evaluation.sampling.top_k=20 evaluation.sampling.min_p=0.1"),
    (GREEDY, "evaluation.sampling.temperature=-0.0"),
    (WARM, "teacher.sampling.seed=4"),
    (SFT, "training.weight_decay=-0.0"),
    *((SFT, f"training.lora_{name}") for name in ("rank=3", "alpha=3", "dropout=0.5", "targets=q")),
    (SFT, "compute.max_unusable=0.5 compute.workers=3 compute.batch_per_device=7"),
    (SFT, "compute.parallel=2"),
    (SFT, "training.quantization=nf4"),
    ("training=none", "training.epochs=7 training.seed=3"),
    ("training=none", "corruption=shuffle_steps corruption.fraction=0.3"),
    ("corruption=none", "keywords=default"),
    ("corruption=none until=corrupt", "keywords=paper"),
    ("corruption=random_digits until=corrupt", "keywords=paper"),
    ("corruption=shuffle_steps until=corrupt", "keywords=extended"),
    ("corruption=none", "corruption.seed=4"),
    ("corruption=none", "corruption.fraction=0.5"),
    ("corruption=none", "corruption.steps=reflection corruption.mode=add"),
    ("corruption=none", "corruption=shuffle_steps corruption.fraction=0.0"),
    ("corruption=none", "corruption=delete_steps corruption.fraction=-0.0 corruption.seed=3"),
    ("corruption=none", "corruption=wrong_answers_matched corruption.fraction=0 corruption.seed=3"),
    ("corruption=shuffle_steps", "corruption.steps=blank_line"),
    ("corruption=delete_steps", "corruption.mode=random corruption.title=x"),
    ("corruption=delete_steps corruption.fraction=1.0", "corruption.seed=4"),
    ("corruption=delete_steps_prefix corruption.fraction=1.0", "corruption.seed=4"),
    (KEYWORDS, "corruption.seed=4"),
    (KEYWORDS + " corruption.mode=traces", "corruption.seed=4"),
    ("dataset.problems=3000", "dataset.path=README.md"),
    ("dataset.problems=3000", "dataset.hub=a/b dataset.subset=c dataset.format=e"),
    ("dataset.problems=3000", "+dataset.where={a:b} +dataset.columns={a:b}"),
    (ROWS, "dataset.seed=3"),
    (ROWS, "dataset.revision=other dataset.hub=a/b dataset.subset=c"),
    (ROWS, "dataset.max_rejected=0.5"),
    (RECORDED, "teacher.max_rejected=0.5"),
    (RECORDED, "teacher.seed=5 teacher.slip_rate=0.2 teacher.sampling.max_new_tokens=5"),
    (RECORDED, "teacher.revision=other teacher.hub=a/b dataset.seed=3"),
    ("teacher=scripted", "teacher.path=README.md teacher.split=test teacher.sampling.seed=3"),
    ("teacher=scripted", "teacher.max_rejected=0.5 teacher.model=README.md"),
    ("teacher=scripted", "teacher.bare=thought"),
    ("teacher.samples=2 selection.per_problem=2", "selection.per_problem=5"),
    ("filter=none", "filter.overlap=0.5 filter.keep_contaminated=true"),
    ("filter.near_duplicates=0.8", "filter.overlap=0.5 filter.keep_contaminated=true"),
    ("verification=grader", "verification.reward_revision=b verification.reward_threshold=0.5"),
    ("verification=grader", "verification.reward_decides=all"),
    ("verification.reward_model=README.md", "verification.reward_revision=b"),
    ("student=micro", "student.revision=other"),
    ("engine.kind=transformers", "engine.context=9 engine.api=chat"),
]  # fmt: skip
"""A run -> other values that make the same bytes at every stage."""

MOVING = [
    (WARM, "evaluation.sampling.seed=5"),
    (WARM, "evaluation.sampling.top_p=0.5"),
    (WARM, "evaluation.sampling.top_k=20"),
    (WARM, "evaluation.sampling.min_p=0.1"),
    (GREEDY, "evaluation.sampling.presence_penalty=0.5"),
    (GREEDY, "evaluation.sampling.repetition_penalty=1.05"),
    (GREEDY, "evaluation.sampling.max_new_tokens=5"),
    (GREEDY, "keywords=paper"),
    (KEYWORDS + " until=corrupt", "keywords=paper"),
    ("corruption=shuffle_steps corruption.steps=reflection until=corrupt", "keywords=paper"),
    ("training=micro_lora", "training.lora_rank=3"),
    ("training=micro_lora", "training.quantization=nf4"),
    ("training=micro_sft", "training.kernel=compiled"),
    ("corruption=delete_steps corruption.fraction=0.99", "corruption.seed=4"),
    ("corruption=delete_steps corruption.fraction=1.0", "corruption.steps=reflection"),
    ("corruption=shuffle_steps corruption.fraction=1.0", "corruption.seed=4"),
    ("corruption=random_digits corruption.fraction=1.0", "corruption.seed=4"),
    ("corruption=wrong_answers corruption.fraction=1.0", "corruption.seed=4"),
    ("corruption=wrong_answers_edited corruption.fraction=1.0", "corruption.seed=4"),
    ("corruption=insert_steps corruption.fraction=1.0", "corruption.seed=4"),
    (ROWS, "dataset.split=test"),
    ("dataset.problems=3000", "dataset.seed=1"),
    ("teacher=scripted", "teacher.seed=1"),
    (RECORDED, "teacher.split=test"),
    (RECORDED, "teacher.bare=thought"),
    ("teacher.samples=3 selection.per_problem=2", "selection.per_problem=1"),
    ("filter.near_duplicates=0.8", "filter.near_duplicates=0.7"),
    (REWARD, "verification.reward_threshold=0.5"),
    (REWARD, "verification.reward_decides=all"),
]
"""The same beside what they stand next to: here they do make other bytes."""


@pytest.fixture(scope="module")
def keys():
    """Overrides -> the key of the run, and its key before anything is looked up."""
    studies, stores = Studies(), (Store(Path("artifacts")).artifact, Names())

    def keys(*lines):
        overrides = " ".join(lines).split()
        config = studies.one(overrides).config
        return [run_key(pipeline.run(config, make)) for make in stores]

    return keys


@pytest.mark.parametrize(("run", "other"), INERT)
def test_a_value_that_means_nothing_moves_no_key(keys, run, other):
    assert keys(run, other) == keys(run)


@pytest.mark.parametrize(("run", "other"), MOVING)
def test_a_value_that_means_something_moves_the_key(keys, run, other):
    made, before = keys(run, other), keys(run)
    assert made[0] != before[0] and made[1] != before[1]


def test_the_union_is_a_set_of_damaged_arms():
    shuffled = CorruptionConfig("shuffle_steps", 0.5)
    added = CorruptionConfig("insert_steps", 0.5, mode="add")
    zero = CorruptionConfig("insert_steps", 0.0, mode="add")
    first = TrainingConfig(name="t", union=[shuffled, added])
    for union in ([added, shuffled], [zero, added, shuffled, added]):
        assert TrainingConfig(name="t", union=union) == first
    assert TrainingConfig(name="t", union=[added]) != first


def test_a_field_that_came_later_is_no_word_of_an_identity_until_it_is_set():
    later = {"top_k": 20, "min_p": 0.1, "presence_penalty": 0.5, "repetition_penalty": 1.05}
    first = canonical(SamplingConfig(temperature=1.0))
    assert set(first) == {"temperature", "top_p", "max_new_tokens", "seed"}
    for name, value in later.items():
        made = canonical(SamplingConfig(temperature=1.0, **{name: value}))
        assert made == first | {name: value}


def test_negative_zero_is_zero_everywhere():
    assert str(canonical(-0.0)) == "0.0"
    assert str(SamplingConfig(temperature=-0.0).temperature) == "0.0"
    whole = CorruptionConfig("shuffle_steps", 1)
    assert canonical(whole) == canonical(CorruptionConfig("shuffle_steps", 1.0))
    assert str(whole.fraction) == "1.0"
    bounds = FilterConfig(name="f", bounds={"a": [-0.0, 1.0]}).bounds
    assert str(bounds) == "{'a': [0.0, 1.0]}"


def test_a_field_is_reset_to_its_default_and_no_other_is():
    config = SamplingConfig(temperature=1.0, top_p=0.5, seed=3)
    reset(config, "seed")
    assert config == SamplingConfig(temperature=1.0, top_p=0.5)
