"""What all tests share: no network, W&B login or clock, and Hydra's way of composing a config."""

import gc
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hypothesis import settings
from omegaconf import DictConfig

from distill.run import sweep
from distill.store.identity import CHECKOUT

os.environ |= {"HF_HUB_OFFLINE": "1", "WANDB_MODE": "offline", "TOKENIZERS_PARALLELISM": "false"}
os.environ["DISTILL_DIGESTS"] = ""  # the user's cache is neither read nor written

settings.register_profile("no clock", deadline=None)  # an example may be the first that imports
settings.load_profile("no clock")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--accept` writes down what a test compares with; `--sweeps` says how often to contend."""
    parser.addoption("--accept", action="store_true", help="record what was decided to change")
    parser.addoption("--sweeps", type=int, default=2, help="of processes that make one study")


@pytest.fixture(autouse=True)
def loggers_are_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hydra, which another test may have run in this process, disables loggers that there are."""
    monkeypatch.setattr(logging.root.manager, "disable", 0)
    for name, logger in logging.root.manager.loggerDict.items():
        if name.startswith("distill") and isinstance(logger, logging.Logger):
            monkeypatch.setattr(logger, "disabled", False)
            logger._cache.clear()


@pytest.fixture
def accept(request: pytest.FixtureRequest) -> bool:
    """Whether the files that a test compares with are to be written again."""
    return request.config.getoption("--accept")


@pytest.fixture
def hydra_compose() -> Iterator[Callable[..., DictConfig]]:
    """Overrides -> the config that `python -m distill` is given, unchecked."""
    sweep.register()
    with initialize_config_dir(str(CHECKOUT / "conf"), version_base=None):
        yield lambda *overrides: compose("config", list(overrides))


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[tuple[int, Any, int]]]:
    """Replies -> an engine that gives them, and a list that fills with what it is asked.

    The i-th prompt gets the i-th reply, a text, a (text, finish reason), a `Completion` or a
    `Refusal`; the last comes first, since engines finish in any order. Asked: (i, prompt, seed).
    """
    from distill.models import engines
    from distill.models.engines import Completion, Refusal

    def says(*replies: Any) -> list[tuple[int, Any, int]]:
        asked: list[tuple[int, Any, int]] = []

        def generate(engine, model, prompts, seeds, sampling, *, done, compute):
            assert len(prompts) == len(seeds) == len(replies)
            for i in reversed(range(len(prompts))):
                if i in done:
                    continue
                asked.append((i, prompts[i], seeds[i]))
                made = (replies[i], "stop") if isinstance(replies[i], str) else replies[i]
                if not isinstance(made, Completion | Refusal):
                    made = Completion([], *made, len(made[0]))
                yield i, made

        monkeypatch.setattr(engines, "generate", generate)
        return asked

    return says


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


@pytest.fixture(autouse=True, scope="module")
def what_is_there_stays() -> None:
    """What earlier files have loaded is not looked through again each time garbage is collected.

    A training collects garbage twice, and a process that has run half of the tests holds millions
    of objects.
    """
    gc.collect()
    gc.freeze()
