"""Engines on a GPU, in bfloat16. Run on a machine that has one: pytest -m gpu tests/gpu."""

from importlib.util import find_spec

import pytest

from distill.compute import ComputeConfig
from distill.micro import sign_puzzle
from distill.models import engines, hub
from distill.models.config import EngineConfig, PromptConfig, SamplingConfig
from distill.models.prompt import chat_ids, messages
from distill.store.identity import CHECKOUT

pytestmark = pytest.mark.gpu

MICRO = hub.Model(str(CHECKOUT / "distill" / "micro" / "students" / "micro"))
COMPUTE = ComputeConfig(device="cuda", progress=False, memory_share=0.3)
GREEDY = SamplingConfig(max_new_tokens=300)


@pytest.fixture(scope="module")
def prompts():
    tokenizer = hub.load_tokenizer(MICRO)
    asked = PromptConfig(user="Problem: {question}", thought_open="", thought_close="")
    puzzles = sign_puzzle.problems("validation", 100, 0)
    return [chat_ids(tokenizer, messages(asked, puzzle.question)) for puzzle in puzzles]


@pytest.mark.parametrize("name", ["transformers", "vllm"])
def test_an_engine_completes_every_prompt_and_repeats_itself(prompts, name):
    if not find_spec(name):
        pytest.skip(f"{name} is not installed")
    engine = EngineConfig(kind=name, dtype="bfloat16")

    def complete():
        seeds = [0] * len(prompts)
        rows = engines.generate(engine, MICRO, prompts, seeds, GREEDY, compute=COMPUTE)
        return dict(rows)

    made = complete()
    assert sorted(made) == list(range(len(prompts)))
    assert all(0 < row.tokens <= GREEDY.max_new_tokens for row in made.values())
    assert sum(row.finish_reason == "stop" for row in made.values()) > len(prompts) / 2
    assert complete() == made
