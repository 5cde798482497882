"""The composer gives what Hydra gives, and refuses what Hydra drops."""

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.errors import HydraException

from distill.run.compose import Composer, build
from distill.store.identity import CHECKOUT

ENGINES = ("vllm", "openai", "transformers")


@pytest.fixture
def composer(hydra_compose):
    return Composer(ConfigLoaderImpl(create_config_search_path(str(CHECKOUT / "conf"))))


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["corruption=shuffle_steps", "corruption.fraction=0.67"],
        ["training=none"],
        ["study=table2", "corruption=delete_steps", "training.seed=2"],
        ["world=paper"],
        ["world=paper", "size=7k", "training.learning_rate=2e-5"],
        ["size=2k", "world=paper", "prompt=micro"],
        ["evaluation=micro_validation", "evaluation.sampling.max_new_tokens=99"],
        ["study=smoke", "training=none"],
        ["training=lora", "student.name=${training.name}", "training.name=other"],
        ["corruption=delete_steps_model", "+teacher.columns={answer: gold}", "until=train"],
    ],
)
def test_the_fast_composer_gives_what_hydra_gives(composer, hydra_compose, overrides):
    assert composer.config(overrides) == build(hydra_compose(*overrides))


def test_cells_share_the_sections_in_which_they_are_alike(composer):
    one, other = (composer.config(["training=lora", f"training.seed={n}"]) for n in (0, 1))
    assert one.training != other.training
    assert one.teacher is other.teacher and one.evaluation is other.evaluation


def test_a_shared_teacher_is_run_by_each_cells_own_engine(composer):
    model = ["teacher=model", "teacher.model=m"]
    names = [composer.config([*model, f"engine={name}"]).teacher.engine.kind for name in ENGINES]
    assert tuple(names) == ENGINES


def test_a_teacher_with_an_engine_of_its_own_keeps_it(composer):
    own = ["teacher=model", "teacher.model=m", "+engine@teacher.engine=openai", "engine=vllm"]
    made = composer.config(own)
    assert (made.teacher.engine.kind, made.engine.kind) == ("openai", "vllm")


def test_one_cell_leaves_no_trace_in_the_next(composer):
    before = composer.config([])
    composer.config(["corruption=shuffle_steps", "corruption.fraction=0.5", "size.traces=7"])
    assert composer.config([]) == before


@pytest.mark.parametrize("bad", ["size.traces=none", "corruption.fraction=1.5", "training.x=1"])
def test_a_cell_that_is_refused_leaves_no_trace_either(composer, bad):
    before = composer.config([])
    with pytest.raises((ValueError, HydraException)):
        composer.config(["selection.seed=7", "dataset.problems=9", bad])
    assert composer.config([]) == before
