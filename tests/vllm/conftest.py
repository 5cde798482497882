"""What the tests of vLLM share: the micro student on a CPU build, in float32.

They run in an environment of their own (`make test-vllm`), and are skipped where vLLM is not
installed.
"""

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

from distill.compute import ComputeConfig
from distill.micro import sign_puzzle
from distill.models import engines, hub
from distill.models.config import EngineConfig, PromptConfig, SamplingConfig
from distill.models.prompt import chat_ids, messages
from distill.store.identity import CHECKOUT

# One GiB of cache, no compiled kernels: a start in seconds.
os.environ |= {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_CI_ENV": "1"}

STUDENTS = CHECKOUT / "distill" / "micro" / "students"
COMPUTE = ComputeConfig(threads=1, progress=False)
GREEDY = SamplingConfig(max_new_tokens=300)


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.vllm)
            if not find_spec("vllm"):
                item.add_marker(pytest.mark.skip(reason="vllm is not installed: make test-vllm"))


@pytest.fixture(scope="session")
def micro():
    return hub.Model(str(STUDENTS / "micro"))


@pytest.fixture(scope="session")
def prompts(micro):
    """The questions of 200 puzzles as token ids."""
    tokenizer = hub.load_tokenizer(micro)
    asked = PromptConfig(user="Problem: {question}", thought_open="", thought_close="")
    puzzles = sign_puzzle.problems("validation", 200, 0)
    return [chat_ids(tokenizer, messages(asked, puzzle.question)) for puzzle in puzzles]


@pytest.fixture(scope="session")
def adapters(micro, tmp_path_factory):
    """Two LoRA adapters of rank 4 that change what the student writes, each in its own way."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    made = []
    for seed in range(2):
        torch.manual_seed(seed)
        base = AutoModelForCausalLM.from_pretrained(micro.name, dtype=torch.float32)
        adapted = get_peft_model(base, LoraConfig(r=4, lora_alpha=8, target_modules="all-linear"))
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.2)
        folder = tmp_path_factory.mktemp("artifact") / "adapter"
        adapted.save_pretrained(folder)
        made.append(hub.Model(micro.name, adapter=folder))
    return made


@pytest.fixture(scope="session")
def with_transformers():
    """Greedy completions by the transformers engine, each model once."""
    made = {}

    def complete(model, prompts):
        key = (model, len(prompts))
        if key not in made:
            engine = EngineConfig(dtype="float32")
            seeds = [0] * len(prompts)
            rows = engines.generate(engine, model, prompts, seeds, GREEDY, compute=COMPUTE)
            made[key] = dict(rows)
        return made[key]

    return complete


@pytest.fixture(scope="session")
def differences():
    """Two engines' completions of the same prompts -> a line for each prompt where they differ."""

    def compare(ours, theirs):
        assert sorted(ours) == sorted(theirs)
        lines = []
        for i in sorted(ours):
            a, b = [[*made.ids, made.finish_reason] for made in (ours[i], theirs[i])]
            if a != b:
                at = next(k for k, (x, y) in enumerate(zip(a, b, strict=False)) if x != y)
                lines.append(f"prompt {i} differs first at token {at}: {a[at]} and {b[at]}")
            else:
                assert ours[i] == theirs[i]
        print(f"{len(ours) - len(lines)} of {len(ours)} completions are equal", *lines, sep="\n")
        return lines

    return compare
