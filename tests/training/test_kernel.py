"""Compiled training makes the same steps up to rounding, to the same bytes every time.

Run: pytest tests/training/test_kernel.py
"""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch._inductor.utils import fresh_cache
from transformers import AutoConfig, AutoModelForCausalLM

from distill.compute import ComputeConfig
from distill.micro import pretrain
from distill.models.config import Dtype, StudentConfig
from distill.store.identity import content_hash
from distill.trace.records import read_rows, write_records
from distill.training import kernel, short_rows
from distill.training import train as stage
from distill.training.config import Batching, Kernel, Method, TrainingConfig, unusable
from tests.micro_corpus import PROMPT, traces

COMPUTE = ComputeConfig(threads=1, progress=False, checkpoint_every=2)
EAGER = TrainingConfig(
    name="x", epochs=1.5, batch=4, learning_rate=1e-2, max_tokens=1024, dtype=Dtype.float32
)
COMPILED = replace(EAGER, kernel=Kernel.compiled)
LORA = replace(COMPILED, method=Method.lora, lora_rank=4, lora_dropout=0.2)
SMALL = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "vocab_size": 100,
    "max_position_embeddings": 512,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    """What torch compiles in this file is kept for its other tests."""
    before = os.environ.get(kernel.CACHE)
    os.environ[kernel.CACHE] = str(tmp_path_factory.mktemp("compiled"))
    yield
    os.environ.pop(kernel.CACHE)
    if before is not None:
        os.environ[kernel.CACHE] = before


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    recipe = pretrain.Recipe(width=32, layers=2, heads=2, feed_forward=64)
    pretrain.save(pretrain.build_model(recipe), folder)
    return folder


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """18 traces: five steps a pass."""
    folder = tmp_path_factory.mktemp("corpus")
    write_records(folder / "traces.jsonl", traces(18))
    return folder


def train(base, corpus, training, out, *, compute=COMPUTE, log=None, mix=()):
    out.mkdir(exist_ok=True)
    student = StudentConfig(name="tiny", model=str(base))
    inputs = (student, training, PROMPT, corpus, corpus, [], None, mix)
    stage.train_student(*inputs, compute=compute, log=log, out=out)
    return out


def curve(out):
    return list(read_rows(out / "curve.jsonl"))


class Killed(BaseException):
    pass


def killed_at(step):
    def log(row):
        if row["step"] == step:
            raise Killed

    return log


def agree(one, other):
    for a, b in zip(curve(one), curve(other), strict=True):
        assert (a["tokens"], a["learning_rate"]) == (b["tokens"], b["learning_rate"])
        assert a["loss"] == pytest.approx(b["loss"], rel=0.02)
        assert a["grad_norm"] == pytest.approx(b["grad_norm"], rel=0.15)


def test_compiled_steps_are_the_eager_ones_up_to_rounding_and_continue_to_the_same_bytes(
    base, corpus, tmp_path
):
    whole = train(base, corpus, COMPILED, tmp_path / "whole")
    agree(whole, train(base, corpus, EAGER, tmp_path / "eager"))
    with pytest.raises(Killed):
        train(base, corpus, COMPILED, tmp_path / "torn", log=killed_at(5))
    torch._dynamo.reset()  # as in another process, which begins at another batch
    rows = []
    torn = train(base, corpus, COMPILED, tmp_path / "torn", log=rows.append)
    assert [row["step"] for row in rows] == [5, 6, 7, 8]
    assert content_hash(torn) == content_hash(whole)


@pytest.mark.slow
def test_what_a_process_compiled_before_changes_no_byte(base, corpus, tmp_path):
    first = train(base, corpus, COMPILED, tmp_path / "first")
    wider = tmp_path / "wider"
    recipe = pretrain.Recipe(width=64, layers=2, heads=2, feed_forward=128)
    pretrain.save(pretrain.build_model(recipe), wider)
    train(wider, corpus, LORA, tmp_path / "other")
    assert content_hash(train(base, corpus, COMPILED, tmp_path / "again")) == content_hash(first)


@pytest.mark.slow
def test_steps_of_one_row_continue_to_the_same_bytes_too(base, tmp_path):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    write_records(corpus / "traces.jsonl", traces(17))
    whole = train(base, corpus, LORA, tmp_path / "whole")
    with pytest.raises(Killed):
        train(base, corpus, LORA, tmp_path / "torn", log=killed_at(6))
    torch._dynamo.reset()
    torn = train(base, corpus, LORA, tmp_path / "torn")
    assert content_hash(torn) == content_hash(whole)


@pytest.mark.slow
def test_another_cache_makes_the_same_bytes(base, corpus, tmp_path):
    warm = train(base, corpus, LORA, tmp_path / "warm")
    torch._dynamo.reset()
    with fresh_cache(dir=str(tmp_path), delete=False):
        cold = train(base, corpus, LORA, tmp_path / "other")
        assert any(Path(os.environ[kernel.CACHE]).rglob("*.so"))
    assert content_hash(cold) == content_hash(warm)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "compute"),
    [
        ({}, {"batch_per_device": 1}),
        ({}, {"gradient_checkpointing": True}),
        ({}, {"processes": 2}),
        ({"autocast": False}, {}),
        ({"method": Method.lora, "lora_rank": 4}, {}),
    ],
)
def test_each_way_of_training_can_be_compiled(base, corpus, tmp_path, changes, compute):
    how = replace(COMPUTE, **compute)
    eager = train(base, corpus, replace(EAGER, **changes), tmp_path / "eager", compute=how)
    training = replace(COMPILED, **changes)
    agree(train(base, corpus, training, tmp_path / "compiled", compute=how), eager)


@pytest.mark.slow
def test_the_batch_that_layers_are_compiled_on_counts_in_no_part(base, corpus, tmp_path):
    mix = [(replace(PROMPT, user="Another: {question}"), corpus, corpus, [])]
    eager = train(base, corpus, EAGER, tmp_path / "eager", mix=mix)
    compiled = train(base, corpus, COMPILED, tmp_path / "compiled", mix=mix)
    for one, other in zip(curve(eager), curve(compiled), strict=True):
        for name, loss in one["losses"].items():
            assert (loss is None) == (other["losses"][name] is None)
            assert loss is None or loss == pytest.approx(other["losses"][name], rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["llama", "qwen2", "qwen3", "mistral", "gemma3_text", "phi3"])
def test_students_of_the_field_can_be_compiled(kind):
    sliding = {"sliding_window": 40} if kind in ("mistral", "gemma3_text") else {}
    config = AutoConfig.for_model(kind, **SMALL, **sliding)
    ids = torch.arange(2 * 96).view(2, 96) % 100
    mask = torch.ones_like(ids)
    mask[1, 70:] = 0
    found = []
    for attention in ("sdpa", kernel.attention_for(config, "sdpa", "cpu")):
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config, attn_implementation=attention).train()
        if found:
            kernel.compile_layers(model)
        labels = torch.where(mask > 0, ids, -100)
        loss = model(ids, mask, labels=labels, use_cache=False).loss
        loss.backward()
        found.append([loss, *(weight.grad for weight in model.parameters())])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("heads", [4, 2, 1])
def test_the_attention_for_short_rows_is_attention(heads):
    draw = torch.Generator().manual_seed(0)
    shape = (2, 4, 7, 8)
    query = torch.randn(shape, generator=draw, requires_grad=True)
    key, value = (
        torch.randn((2, heads, 7, 8), generator=draw, requires_grad=True) for _ in range(2)
    )
    mask = torch.full((7, 7), float("-inf")).triu(1).expand(2, 1, 7, 7)
    weight = torch.randn((2, 7, 4, 8), generator=draw)
    ours, _ = short_rows.attention()(None, query, key, value, mask, 0.3)
    theirs = torch.nn.functional.scaled_dot_product_attention(
        query, key, value, mask, scale=0.3, enable_gqa=True
    ).transpose(1, 2)
    torch.testing.assert_close(ours, theirs)
    inputs = (query, key, value)
    for one, other in zip(
        torch.autograd.grad((ours * weight).sum(), inputs),
        torch.autograd.grad((theirs * weight).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("more", [{"softcap": 30.0}, {"s_aux": torch.ones(4)}, {"dropout": 0.1}])
def test_an_attention_that_has_more_to_it_is_refused(more):
    row = torch.ones(1, 4, 3, 8)
    with pytest.raises(ValueError, match=next(iter(more))):
        short_rows.attention()(None, row, row, row, None, 1.0, **more)


def test_a_student_that_cannot_be_compiled_stops_and_names_the_other_kernel():
    capped = AutoConfig.for_model("gemma2", **SMALL)
    with pytest.raises(
        ValueError, match=r"attn_logit_softcapping=50.*attention=eager.*kernel=eager"
    ):
        kernel.attention_for(capped, "sdpa", "cpu")
    assert kernel.attention_for(capped, "eager", "cpu") == "eager"
    assert kernel.attention_for(capped, "sdpa", "cuda") == "sdpa"
    with pytest.raises(ValueError, match=r"Linear has none.*training\.kernel=eager"):
        kernel.compile_layers(torch.nn.Linear(1, 1))
    with (
        pytest.raises(ValueError, match=r"no such thing.*training\.kernel=eager"),
        kernel.compiling(torch.nn.Linear(1, 1)),
    ):
        raise torch._dynamo.exc.Unsupported("\nno such thing\n")
    with pytest.raises(ZeroDivisionError), kernel.compiling(torch.nn.Linear(1, 1)):
        raise ZeroDivisionError


def test_what_compiling_needs_is_told_before_anything_runs(monkeypatch):
    assert unusable(COMPILED, COMPUTE) == ""
    packed = replace(COMPILED, batching=Batching.packed)
    assert "packed is not compiled; training.kernel=eager" in unusable(packed, COMPUTE)
    quantized = replace(LORA, quantization="nf4")
    assert "nf4 is not compiled; training.kernel=eager" in unusable(quantized, COMPUTE)
    monkeypatch.setattr(kernel.sysconfig, "get_path", lambda name: "/nowhere")
    assert "Python.h is not found" in unusable(COMPILED, COMPUTE)
    monkeypatch.setenv("CXX", "no-such-compiler")
    said = unusable(COMPILED, COMPUTE)
    assert "no-such-compiler is not found" in said and "training.kernel=eager" in said
    assert unusable(EAGER, COMPUTE) == ""


def test_what_is_compiled_is_kept_in_the_store_for_this_machine_alone(tmp_path, monkeypatch):
    def kept():
        monkeypatch.delenv(kernel.CACHE, raising=False)
        kernel.keep_compiled(tmp_path)
        return os.environ[kernel.CACHE]

    here = kept()
    assert here == kept() and here.startswith(str(tmp_path / "compiled"))
    monkeypatch.setattr(kernel.platform, "node", lambda: "another")
    assert kept() != here
    monkeypatch.setenv(kernel.CACHE, "/mine")
    kernel.keep_compiled(tmp_path)
    assert os.environ[kernel.CACHE] == "/mine"


def test_what_is_drawn_and_summed_up_while_compiling_counts_for_nothing():
    model = torch.nn.Linear(1, 1)
    model(torch.ones(1, 1)).backward()  # an earlier pass of the same step
    expected = [weight.grad.clone() for weight in model.parameters()]
    torch.manual_seed(3)
    drawn = torch.rand(1)
    torch.manual_seed(3)
    with kernel.compiling(model):
        model(torch.rand(1, 1)).backward()
    assert torch.rand(1) == drawn
    assert [weight.grad for weight in model.parameters()] == expected


def test_there_is_a_compiler_in_the_environment_of_the_tests():
    assert shutil.which(os.environ.get("CXX", "g++"))
