"""What a model brings is data: no code is run, and what does not fit is named with its numbers.

Run: pytest tests/models/test_network.py
"""

import json
import shutil

import pytest

from distill.compute import ComputeConfig
from distill.micro import tokenizer as micro_tokenizer
from distill.models import engines, hub, network
from distill.models.config import EngineConfig, SamplingConfig
from distill.models.engines import Refusal

COMPUTE = ComputeConfig(threads=1, progress=False)


@pytest.fixture
def folder(tiny_student, tmp_path):
    return shutil.copytree(tiny_student, tmp_path / "model")


def edit(path, **fields):
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_a_model_with_code_of_its_own_is_refused_and_the_code_is_not_run(folder, file):
    mark = folder / "was_run"
    (folder / "evil.py").write_text(f"open({str(mark)!r}, 'w')\nclass Evil: pass\n")
    edit(folder / file, auto_map={"AutoModelForCausalLM": "evil.Evil", "AutoConfig": "evil.Evil"})
    model = hub.Model(str(folder))
    for load in (hub.load_tokenizer, network.load_network, network.load_config):
        with pytest.raises(ValueError, match=rf"code of its own \(auto_map in {file}\)"):
            load(model)
    assert not mark.exists()


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", None])
def test_weights_that_are_no_safetensors_are_refused_and_not_read(folder, name):
    (folder / "model.safetensors").unlink()
    if name:
        (folder / name).write_bytes(b"cos\nsystem\n(S'touch was_run'\ntR.")
    there = f"only {name}" if name else "no weights at all"
    with pytest.raises(ValueError, match=f"as safetensors, .* it has {there}"):
        network.load_network(hub.Model(str(folder)))


def test_safetensors_are_read_and_what_lies_beside_them_is_not(folder):
    (folder / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch was_run'\ntR.")
    assert network.load_network(hub.Model(str(folder))).num_parameters() > 0


@pytest.mark.parametrize(
    ("kind", "fields", "expected"),
    [
        ("llama", {"max_position_embeddings": 512}, 512),
        ("gpt2", {"n_positions": 64}, 64),
        ("bloom", {"seq_length": 2048}, 2048),
        ("mamba", {}, None),
        ("qwen2", {"max_position_embeddings": 100, "rope_scaling": None}, 100),
        (
            "qwen2",
            {
                "max_position_embeddings": 100,
                "rope_scaling": {
                    "rope_type": "yarn",
                    "factor": 4.0,
                    "original_max_position_embeddings": 100,
                },
            },
            400,
        ),
        (
            "llama",
            {
                "max_position_embeddings": 4096,
                "rope_scaling": {"rope_type": "linear", "factor": 2.0},
            },
            8192,
        ),
        (
            "llama",  # as of Llama 3.1: the number is that after scaling
            {
                "max_position_embeddings": 131072,
                "rope_scaling": {
                    "rope_type": "llama3",
                    "factor": 8.0,
                    "low_freq_factor": 1.0,
                    "high_freq_factor": 4.0,
                    "original_max_position_embeddings": 8192,
                },
            },
            131072,
        ),
        ("gemma3", {"text_config": {"max_position_embeddings": 777}}, 777),
    ],
)
def test_positions_are_those_that_the_config_states(kind, fields, expected):
    from transformers import AutoConfig

    assert network.positions(AutoConfig.for_model(kind, **fields)) == expected


def test_a_tokenizer_larger_than_the_embedding_is_named_with_both_numbers(folder):
    tokenizer = micro_tokenizer.build()
    config = network.load_config(hub.Model(str(folder)))
    network.check_vocabulary(tokenizer, config, "m")
    size = len(tokenizer)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    network.check_vocabulary(tokenizer, config, "m")  # no text becomes it
    with pytest.raises(ValueError, match=rf"ids up to {size}, .* for {size} tokens"):
        network.check_vocabulary(tokenizer, config, "m", used=size)
    tokenizer.add_tokens(["word"])
    with pytest.raises(ValueError, match=rf"ids up to {size + 1}, .* for {size} tokens"):
        network.check_vocabulary(tokenizer, config, "m")


def complete(folder, prompts, new):
    made = engines.generate(
        EngineConfig(dtype="float32", batch=2),
        hub.Model(str(folder)),
        prompts,
        [0] * len(prompts),
        SamplingConfig(max_new_tokens=new),
        done=set(),
        compute=COMPUTE,
    )
    return dict(made)


@pytest.fixture
def learned(tmp_path):
    """A network with learned positions, which has none to give beyond its last."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    tokenizer = micro_tokenizer.build()
    config = GPT2Config(
        vocab_size=len(tokenizer), n_positions=16, n_embd=8, n_layer=1, n_head=2, eos_token_id=1
    )
    made = GPT2LMHeadModel(config)
    made.generation_config.eos_token_id = 1
    made.save_pretrained(tmp_path / "gpt2")
    tokenizer.save_pretrained(tmp_path / "gpt2")
    return tmp_path / "gpt2"


def test_responses_end_with_the_positions_and_prompts_beyond_them_are_refused(learned, caplog):
    prompts = [[60] * length for length in (3, 16, 15, 12, 20)]
    made = complete(learned, prompts, 40)
    assert {i for i, reply in made.items() if isinstance(reply, Refusal)} == {1, 4}
    assert "16 tokens leave no room for a response in 16 positions" in str(made[1])
    for i in (0, 2, 3):
        assert made[i].finish_reason == "length" and made[i].tokens == 16 - len(prompts[i])
    (said,) = caplog.messages
    assert "up to 15 tokens" in said and "max_new_tokens=40" in said and "16 positions" in said


def test_responses_within_the_positions_are_what_they_were(learned, caplog):
    prompts = [[60, 61, 62], [70, 71]]
    short = complete(learned, prompts, 5)
    long = complete(learned, prompts, 40)
    assert [long[i].ids[:5] for i in (0, 1)] == [short[i].ids for i in (0, 1)]
    assert [short[i].tokens for i in (0, 1)] == [5, 5] and len(caplog.messages) == 1
