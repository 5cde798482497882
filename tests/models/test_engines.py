"""The transformers engine gives the model's own tokens, whatever else is in the batch.

Run: pytest tests/models/test_engines.py
"""

import math
from collections import Counter

import pytest

from distill.compute import ComputeConfig
from distill.micro import pretrain, tokenizer
from distill.models import decode, engines
from distill.models.config import EngineConfig, SamplingConfig
from distill.models.engines import transformers
from distill.models.hub import Model

COMPUTE = ComputeConfig(threads=1, progress=False)
EXACT = EngineConfig(dtype="float32", batch=4)
TEXTS = ["Problem: 1+2", "6", "Let me try 3+4.", "Thought:\n\n", "a b c d e f g", "Wait, 9-4=5"]
PROMPTS = tokenizer.build()(TEXTS, add_special_tokens=False)["input_ids"]
NEW = 40


def save(network, folder):
    """As a folder; a random network seldom ends, so frequent tokens are made end tokens."""
    import torch

    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(3)
    network.generation_config.eos_token_id = [1, *range(40, 60)]
    pretrain.save(network.float(), folder)


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    folder = tmp_path_factory.mktemp("llama")
    recipe = pretrain.Recipe(width=32, layers=2, heads=2, feed_forward=64)
    save(pretrain.build_model(recipe), folder)
    return Model(str(folder))


@pytest.fixture(scope="module")
def windowed(tmp_path_factory):
    """Grouped heads, and every other layer sees 8 tokens only."""
    import torch
    from transformers import Gemma2Config, Gemma2ForCausalLM

    torch.manual_seed(0)
    config = Gemma2Config(
        vocab_size=len(tokenizer.build()),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        sliding_window=8,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=None,
    )
    folder = tmp_path_factory.mktemp("gemma2")
    save(Gemma2ForCausalLM(config), folder)
    return Model(str(folder), attention="eager")


def complete(model, sampling, prompts=PROMPTS, done=(), seeds=None, how=EXACT):
    seeds = seeds or list(range(len(prompts)))
    return dict(engines.generate(how, model, prompts, seeds, sampling, done=done, compute=COMPUTE))


def generate_with_transformers(model, prompt, **how):
    import torch
    from transformers import AutoModelForCausalLM

    network = AutoModelForCausalLM.from_pretrained(model.name, dtype=torch.float32)
    ids = torch.tensor([prompt])
    made = network.generate(
        ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=NEW, **how
    )
    return made[0, len(prompt) :].tolist(), set(network.generation_config.eos_token_id)


@pytest.mark.parametrize("name", ["llama", "windowed"])
def test_greedy_tokens_are_those_of_transformers_generate_one_by_one(name, request):
    model = request.getfixturevalue(name)
    made = complete(model, SamplingConfig(max_new_tokens=NEW))
    reasons = Counter()
    for i, prompt in enumerate(PROMPTS):
        expected, ends = generate_with_transformers(model, prompt)
        stopped = expected[-1] in ends
        assert made[i].ids == (expected[:-1] if stopped else expected)
        assert made[i].finish_reason == ("stop" if stopped else "length")
        assert made[i].tokens == len(expected) <= NEW
        assert made[i].text == tokenizer.build().decode(made[i].ids)
        reasons[made[i].finish_reason] += 1
    assert reasons["stop"] and len({completion.tokens for completion in made.values()}) > 2


def test_greedy_tokens_under_a_repetition_penalty_are_those_of_transformers_generate(llama):
    plain = complete(llama, SamplingConfig(max_new_tokens=NEW))
    made = complete(llama, SamplingConfig(max_new_tokens=NEW, repetition_penalty=1.3))
    for i, prompt in enumerate(PROMPTS):
        expected, ends = generate_with_transformers(llama, prompt, repetition_penalty=1.3)
        assert made[i].ids == (expected[:-1] if expected[-1] in ends else expected)
    assert any(made[i].ids != plain[i].ids for i in made)


def test_presence_counts_what_was_written_and_repetition_what_was_asked_too():
    import torch

    logits = torch.tensor([[1.0, 2.0, -1.0, 4.0], [1.0, 2.0, -1.0, 4.0]])
    penalties = decode.Penalties(
        [[0, 2], [3]], SamplingConfig(presence_penalty=0.5, repetition_penalty=2.0)
    )
    first = penalties.applied(logits, [0, 1])
    assert first.tolist() == [[0.5, 2.0, -2.0, 4.0], [1.0, 2.0, -1.0, 2.0]]
    penalties.note([0, 1], torch.tensor([1, 3]))
    assert penalties.applied(logits, [0, 1])[0].tolist() == [0.5, 1 - 0.5, -2.0, 4.0]
    assert penalties.applied(logits[1:], [1])[0].tolist() == [1.0, 2.0, -1.0, 2 - 0.5]


def test_a_presence_penalty_of_two_keeps_close_tokens_from_being_written_twice(llama):
    plain = complete(llama, SamplingConfig(max_new_tokens=NEW))
    made = complete(llama, SamplingConfig(max_new_tokens=NEW, presence_penalty=2.0))

    def distinct(answers):
        return sum(len({*a.ids}) for a in answers.values()) / sum(
            len(a.ids) for a in answers.values()
        )

    assert distinct(made) > distinct(plain)


def test_only_chunks_with_a_pending_prompt_are_generated_and_with_the_same_result(
    llama, monkeypatch
):
    sampling = SamplingConfig(temperature=1.0, top_p=0.9, max_new_tokens=NEW)
    whole = complete(llama, sampling)
    chunks, original = [], transformers.decode

    def decoded(network, asked, *how):
        chunks.append(asked)
        return original(network, asked, *how)

    monkeypatch.setattr(transformers, "decode", decoded)
    assert complete(llama, sampling, done={0, 1, 2, 3, 5}) == {4: whole[4]}
    assert chunks == [PROMPTS[4:6]]


def test_a_prompts_draws_come_from_its_own_seed(llama):
    sampling = SamplingConfig(temperature=1.0, max_new_tokens=NEW)
    made = complete(llama, sampling, [PROMPTS[0]] * 4, seeds=[7, 8, 7, 9])
    assert made[0] == made[2]
    assert len({tuple(made[i].ids) for i in range(4)}) == 3
    alone = complete(llama, sampling, [PROMPTS[0]], seeds=[8])
    assert alone[0] == made[1]


def test_drawn_tokens_have_the_models_probabilities_and_none_lies_outside_the_nucleus():
    import torch

    shares = torch.tensor([0.5, 0.3, 0.15, 0.05])
    logits = shares.log().repeat(4000, 1)[:, [3, 0, 2, 1]]
    rows = range(len(logits))
    two = [0, 0.625, 0, 0.375]
    for kept, expected in [
        ({}, [0.05, 0.5, 0.15, 0.3]),
        ({"top_p": 0.79}, two),
        ({"top_k": 2}, two),
        ({"top_k": 9}, [0.05, 0.5, 0.15, 0.3]),
        ({"min_p": 0.31}, two),  # of 0.5
        ({"min_p": 0.31, "top_k": 1}, [0, 1, 0, 0]),
        ({"top_k": 3, "top_p": 0.82}, two),  # 0.8 of the 0.95 that are left is 0.842
    ]:
        draw = decode.sampler(rows, SamplingConfig(temperature=1.0, **kept))
        counts = torch.bincount(draw(logits, rows), minlength=4) / len(logits)
        for share, wanted in zip(counts.tolist(), expected, strict=True):
            assert abs(share - wanted) <= 4 * math.sqrt(wanted * (1 - wanted) / len(logits))
    cold = decode.sampler(rows, SamplingConfig(temperature=0.01))
    assert set(cold(logits, rows).tolist()) == {1}


def test_an_adapter_merged_gives_the_tokens_of_the_unmerged_one(llama, tmp_path):
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    base = AutoModelForCausalLM.from_pretrained(llama.name, dtype=torch.float32)
    adapted = get_peft_model(base, LoraConfig(r=4, lora_alpha=64, target_modules="all-linear"))
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    adapted.save_pretrained(tmp_path)
    made = complete(Model(llama.name, adapter=tmp_path), SamplingConfig(max_new_tokens=NEW))
    changed = 0
    for i, prompt in enumerate(PROMPTS):
        expected = adapted.generate(
            input_ids=torch.tensor([prompt]), do_sample=False, max_new_tokens=NEW
        )[0, len(prompt) :].tolist()
        assert expected[: len(made[i].ids)] == made[i].ids
        changed += made[i].ids != complete(llama, SamplingConfig(max_new_tokens=NEW))[i].ids
    assert changed


def test_weights_are_loaded_once_and_anew_when_the_folder_changes(llama, tmp_path, monkeypatch):
    import shutil

    import torch
    from transformers import AutoModelForCausalLM

    loads = []
    original = AutoModelForCausalLM.from_pretrained
    monkeypatch.setattr(
        AutoModelForCausalLM, "from_pretrained", lambda **how: loads.append(how) or original(**how)
    )
    folder = tmp_path / "model"
    shutil.copytree(llama.name, folder)
    few = SamplingConfig(max_new_tokens=2)
    transformers._loaded.clear()
    first = complete(Model(str(folder)), few)
    assert complete(Model(str(folder)), few) == first
    assert len(loads) == 1
    network = original(str(folder), dtype=torch.float32)
    network.get_output_embeddings().weight.data.mul_(-1)
    network.save_pretrained(folder)
    assert complete(Model(str(folder)), few) != first
    assert len(loads) == 2


def test_an_engine_that_does_not_exist_is_refused_with_the_choices(llama):
    with pytest.raises(ValueError, match=r"one of .*transformers.*got 'vlllm'"):
        engines.generate(
            EngineConfig(kind="vlllm"), llama, [], [], SamplingConfig(), compute=COMPUTE
        )


def test_pins_name_the_versions_that_are_installed():
    from importlib.metadata import version

    pins = engines.pins(EngineConfig())
    assert pins["torch"] == version("torch") and pins["transformers"] == version("transformers")


def test_a_freed_engine_keeps_no_model_and_loads_it_again(llama):
    asked = (EXACT, llama, [[5, 6]], [0], SamplingConfig(max_new_tokens=3))
    before = list(engines.generate(*asked, compute=COMPUTE))
    assert transformers._loaded
    engines.free()
    assert not transformers._loaded
    assert list(engines.generate(*asked, compute=COMPUTE)) == before
