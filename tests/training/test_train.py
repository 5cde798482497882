"""Training is TRL's, to the same bytes every time, killed or not.

Run: pytest tests/training/test_train.py
"""

import gc
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest
import yaml

from distill.compute import ComputeConfig
from distill.micro import pretrain
from distill.micro import tokenizer as micro_tokenizer
from distill.models import hub
from distill.models.config import Dtype, StudentConfig
from distill.store.identity import CHECKOUT, content_hash
from distill.trace.records import read_rows, write_records
from distill.training import checkpoint, order, sft, trainer
from distill.training import train as stage
from distill.training.config import ONLY, Batching, Kernel, Method, TrainingConfig
from distill.training.rows import IGNORED
from tests.micro_corpus import PROMPT, built_rows, traces

COMPUTE = ComputeConfig(threads=1, progress=False, checkpoint_every=2)
SFT = TrainingConfig(
    name="x",
    epochs=1.5,
    batch=4,
    learning_rate=1e-2,
    max_tokens=1024,
    dtype=Dtype.float32,
    max_grad_norm=0.5,
    weight_decay=0.1,
)
LORA = replace(SFT, method=Method.lora, lora_rank=4, lora_alpha=8, lora_dropout=0.2)
STEPS = 8
"""18 traces: 5 steps a pass, the last of 2 traces."""


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    recipe = pretrain.Recipe(width=32, layers=2, heads=2, feed_forward=64)
    pretrain.save(pretrain.build_model(recipe), folder)
    return folder


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    write_records(folder / "traces.jsonl", traces(18))
    return folder


def train(base, corpus, training, out, *, compute=COMPUTE, log=None, prompt=PROMPT):
    out.mkdir(exist_ok=True)
    student = StudentConfig(name="tiny", model=str(base))
    stage.train_student(
        student, training, prompt, corpus, corpus, [], compute=compute, log=log, out=out
    )
    return out


@pytest.fixture(scope="module")
def trained(base, corpus, tmp_path_factory):
    return train(base, corpus, SFT, tmp_path_factory.mktemp("sft"))


@pytest.fixture(scope="module")
def adapted(base, corpus, tmp_path_factory):
    return train(base, corpus, LORA, tmp_path_factory.mktemp("lora"))


def curve(out):
    return list(read_rows(out / "curve.jsonl"))


def test_the_same_config_gives_the_same_bytes_and_another_seed_does_not(
    base, corpus, trained, tmp_path
):
    assert content_hash(train(base, corpus, SFT, tmp_path / "again")) == content_hash(trained)
    other = train(base, corpus, replace(SFT, seed=1), tmp_path / "other")
    assert curve(other)[0]["loss"] != curve(trained)[0]["loss"]


def test_cosine_to_a_tenth_ends_at_a_tenth_of_the_rate(base, corpus, tmp_path):
    rows = curve(train(base, corpus, replace(SFT, schedule="cosine_to_tenth"), tmp_path))
    warm = math.ceil(SFT.warmup * STEPS)
    for step, row in enumerate(rows[warm:], warm):
        share = (step - warm) / (STEPS - warm)
        expected = 0.1 + 0.9 * (1 + math.cos(math.pi * share)) / 2
        assert row["learning_rate"] == pytest.approx(SFT.learning_rate * expected)


def test_a_curve_has_a_row_a_step_and_counts_every_token(corpus, trained):
    rows = curve(trained)
    summary = json.loads((trained / "summary.json").read_text())
    assert [row["step"] for row in rows] == list(range(1, STEPS + 1))
    assert set(rows[0]) == {"step", "loss", "learning_rate", "grad_norm", "tokens"}
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert rows[0]["learning_rate"] == 0 and rows[1]["learning_rate"] == pytest.approx(1e-2)
    assert summary["steps"] == STEPS and summary["rows"] == 18
    assert summary["tokens"] == rows[-1]["tokens"]
    one_pass = rows[4]["tokens"]
    assert summary["response_tokens"] < one_pass < summary["tokens"] < 2 * one_pass
    assert summary["trainable_parameters"] == summary["parameters"]
    assert summary["final_loss"] == pytest.approx(sum(row["loss"] for row in rows[-5:]) / 5)
    encoded, _ = built_rows(micro_tokenizer.build(), PROMPT, corpus, corpus, [], SFT.max_tokens)
    labels = [label for row in encoded for label in row.labels if label != IGNORED]
    assert summary["response_tokens"] == len(labels)


def test_a_trained_folder_loads_anywhere_with_the_bases_format_and_token_ids(base, trained):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(trained / "model", dtype="auto")
    assert model.dtype == torch.bfloat16
    text = "Problem: Use + or - between 6 1 1 3 to make 9.\nThought:\n\nWait, Łódź"
    before, after = (AutoTokenizer.from_pretrained(folder) for folder in (base, trained / "model"))
    assert after(text)["input_ids"] == before(text)["input_ids"]
    assert before(text)["input_ids"] == micro_tokenizer.build()(text)["input_ids"]
    for name in (
        "tokenizer.json",
        "tokenizer_config.json",
        "config.json",
        "generation_config.json",
    ):
        assert (trained / "model" / name).read_bytes() == (base / name).read_bytes()
    assert {path.name for path in trained.iterdir()} == {"model", "curve.jsonl", "summary.json"}


def test_a_base_in_four_bits_is_the_base_up_to_rounding_and_its_output_is_not_in_four(base):
    import torch

    pytest.importorskip("bitsandbytes", reason="the extra `qlora` is not installed")
    model = hub.Model(str(base))
    rounded = trainer.load_model(model, replace(LORA, quantization="nf4"), "cpu")
    whole = trainer.load_model(model, LORA, "cpu")
    kinds = {name: type(part).__name__ for name, part in rounded.named_modules()}
    linear = [n for n, part in whole.named_modules() if isinstance(part, torch.nn.Linear)]
    assert {n for n in linear if kinds[n] == "Linear4bit"} == {*linear} - {"lm_head"}
    layer = whole.model.layers[0].mlp.up_proj
    asked = torch.randn(8, layer.in_features, generator=torch.Generator().manual_seed(0))
    exact = layer(asked.to(layer.weight.dtype)).float()
    near = rounded.model.layers[0].mlp.up_proj(asked.bfloat16()).float()
    assert 0 < (near - exact).norm() < 0.2 * exact.norm()


def test_the_first_loss_is_the_cross_entropy_of_response_and_end_tokens_alone(corpus, tmp_path):
    """By hand, from the text of the traces: the batch holds all of them, so no order matters."""
    import torch
    from transformers import AutoModelForCausalLM

    student = CHECKOUT / "distill" / "micro" / "students" / "micro"
    training = replace(SFT, batch=18, epochs=1, autocast=False)
    made = train(student, corpus, training, tmp_path)
    network = AutoModelForCausalLM.from_pretrained(student, dtype=torch.float32).eval()
    tokenizer = micro_tokenizer.build()
    sums = {"response": 0.0, "prompt": 0.0}
    counts = {"response": 0, "prompt": 0}
    for trace in traces(18):
        asked = tokenizer(f"Problem: {trace.problem.question}\n").input_ids
        text = f"Thought:\n{trace.thought}\nSolution: {trace.solution}<|end|>"
        answer = tokenizer(text).input_ids
        with torch.no_grad():
            logits = network(torch.tensor([asked + answer])).logits[0]
        nats = -logits.log_softmax(-1)
        for at, token in enumerate([*asked[1:], *answer]):
            part = "prompt" if at < len(asked) - 1 else "response"
            sums[part] += float(nats[at, token])
            counts[part] += 1
    first = curve(made)[0]["loss"]
    assert first == pytest.approx(sums["response"] / counts["response"], rel=1e-5)
    everything = sum(sums.values()) / sum(counts.values())
    assert first != pytest.approx(everything, rel=0.01)  # what training on the prompt would give


def weights(out):
    from safetensors.torch import load_file

    return load_file(out / "adapter" / "adapter_model.safetensors")


@pytest.fixture
def one_order(monkeypatch):
    """The order of the rows is the same for every seed."""
    monkeypatch.setattr(order, "epoch_order", lambda lengths, *rest: list(range(len(lengths))))


def test_with_equal_order_another_seed_begins_with_other_adapter_weights(
    base, corpus, tmp_path, one_order
):
    import torch

    still = replace(LORA, lora_dropout=0.0, epochs=0.2, learning_rate=1e-12)
    made = [
        train(base, corpus, replace(still, seed=seed), tmp_path / f"{k}")
        for k, seed in enumerate((0, 0, 1))
    ]
    one, same, other = map(weights, made)
    assert len({curve(out)[0]["loss"] for out in made}) == 1  # the same rows, and B is zero
    for name in (name for name in one if "lora_A" in name):
        torch.testing.assert_close(same[name], one[name], rtol=0, atol=0)
        assert (other[name] - one[name]).abs().max() > 1e-3


def test_with_equal_order_and_adapter_another_seed_draws_another_dropout(
    base, corpus, tmp_path, one_order, monkeypatch
):
    import torch

    def constant(tensor, *rest, **more):
        with torch.no_grad():
            return tensor.copy_(torch.linspace(-0.1, 0.1, tensor.numel()).reshape(tensor.shape))

    monkeypatch.setattr(torch.nn.init, "kaiming_uniform_", constant)
    ends = {}
    for dropout in (0.0, 0.5):
        for seed in (0, 1):
            training = replace(LORA, lora_dropout=dropout, seed=seed, epochs=0.4)
            made = train(base, corpus, training, tmp_path / f"{dropout}-{seed}")
            ends[dropout, seed] = content_hash(made / "adapter" / "adapter_model.safetensors")
    assert ends[0.0, 0] == ends[0.0, 1]  # nothing else of the seed is left
    assert len(set(ends.values())) == 3


def edited(base, folder, **fields):
    """A copy of the base whose config says something else."""
    shutil.copytree(base, folder)
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))
    return folder


def test_rows_longer_than_the_students_positions_are_refused_with_both_numbers(
    base, corpus, tmp_path
):
    student = edited(base, tmp_path / "short", max_position_embeddings=64)
    rows, _ = built_rows(micro_tokenizer.build(), PROMPT, corpus, corpus, [], SFT.max_tokens)
    longest = max(len(row.input_ids) for row in rows)
    said = rf"rows of up to {longest} tokens .* the 64 positions .* training\.max_tokens=1024"
    with pytest.raises(ValueError, match=said):
        train(student, corpus, SFT, tmp_path / "out")
    assert not (tmp_path / "out" / "curve.jsonl").exists()
    enough = edited(base, tmp_path / "enough", max_position_embeddings=longest)
    assert curve(train(enough, corpus, replace(SFT, epochs=0.2), tmp_path / "made"))


def test_a_student_that_cannot_be_trained_is_refused_in_words(
    base, corpus, tmp_path, caplog, monkeypatch
):
    endless = tmp_path / "endless"
    shutil.copytree(base, endless)
    for name in ("tokenizer_config.json", "tokenizer.json"):
        text = (endless / name).read_text()
        (endless / name).write_text(text.replace('"eos_token": "<|end|>"', '"eos_token": null'))
    with pytest.raises(ValueError, match="has no end token"):
        train(endless, corpus, SFT, tmp_path / "a")
    assert caplog.messages == []
    bare = shutil.copytree(base, tmp_path / "bare")
    (bare / "chat_template.jinja").unlink()
    train(bare, corpus, replace(SFT, epochs=0.2), tmp_path / "c")
    assert "has no chat template" in caplog.text
    small = tmp_path / "small"
    network = pretrain.build_model(pretrain.Recipe(width=32, layers=1, heads=2, feed_forward=64))
    network.resize_token_embeddings(100)
    pretrain.save(network, small)
    with pytest.raises(ValueError, match=r"ids up to 434, .* for 100 tokens"):
        train(small, corpus, SFT, tmp_path / "b")


def test_an_adapter_trains_few_weights_and_names_its_base_as_the_config_does(base, adapted):
    config = json.loads((adapted / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(base)
    assert config["target_modules"] == sorted(config["target_modules"])
    assert not any("lm_head" in name or "embed" in name for name in config["target_modules"])
    summary = json.loads((adapted / "summary.json").read_text())
    assert 0 < summary["trainable_parameters"] < summary["parameters"] / 5
    assert curve(adapted)[-1]["loss"] < curve(adapted)[0]["loss"]
    names = {path.name for path in (adapted / "adapter").iterdir()}
    assert names == {"adapter_config.json", "adapter_model.safetensors"}


def test_a_training_killed_by_the_system_continues_to_the_same_bytes(
    base, corpus, adapted, tmp_path
):
    # Killed in step 6; dropout makes the random state matter, hash randomisation the process.
    script = f"""
import os, signal, sys
sys.path.insert(0, {str(CHECKOUT)!r})
from pathlib import Path
from distill.training import checkpoint
from distill.training import train as stage
from distill.training.config import *
from distill.models.config import *
from distill.compute import *
def log(row):
    if row["step"] == 6:
        os.kill(os.getpid(), signal.SIGKILL)
stage.train_student(
    StudentConfig(name="tiny", model={str(base)!r}), {LORA!r}, {PROMPT!r},
    Path({str(corpus)!r}), Path({str(corpus)!r}), [],
    compute={COMPUTE!r}, log=log, out=Path({str(tmp_path)!r}),
)
"""
    for value in (*Method, *Dtype, *Batching, *Kernel):
        script = script.replace(repr(value), f"{type(value).__name__}.{value.name}")
    killed = subprocess.run(
        [sys.executable, "-c", script], env=os.environ | {"PYTHONHASHSEED": "7"}
    )
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "checkpoints" / "checkpoint-4" / checkpoint.COMPLETE).exists()
    rows = []
    train(base, corpus, LORA, tmp_path, log=rows.append)
    assert [row["step"] for row in rows] == [5, 6, 7, 8]
    assert content_hash(tmp_path) == content_hash(adapted)


class Killed(BaseException):
    pass


def killed_at(step):
    def log(row):
        if row["step"] == step:
            raise Killed

    return log


@pytest.mark.parametrize("step", [1, 3, 7])
def test_a_training_killed_in_any_pass_continues_to_the_same_bytes(
    base, corpus, trained, tmp_path, step
):
    with pytest.raises(Killed):
        train(base, corpus, SFT, tmp_path, log=killed_at(step))
    rows = []
    train(base, corpus, SFT, tmp_path, log=rows.append)
    assert rows[0]["step"] == (step - 1) // 2 * 2 + 1
    assert content_hash(tmp_path) == content_hash(trained)


def test_accumulated_passes_continue_to_the_same_bytes_too(base, corpus, tmp_path):
    by_two = replace(COMPUTE, batch_per_device=2)
    whole = train(base, corpus, SFT, tmp_path / "whole", compute=by_two)
    with pytest.raises(Killed):
        train(base, corpus, SFT, tmp_path / "torn", compute=by_two, log=killed_at(8))
    torn = train(base, corpus, SFT, tmp_path / "torn", compute=by_two)
    assert content_hash(torn) == content_hash(whole)


def test_an_incomplete_checkpoint_is_not_resumed_from(base, corpus, trained, tmp_path):
    with pytest.raises(Killed):
        train(base, corpus, SFT, tmp_path, log=killed_at(5))
    (tmp_path / "checkpoints" / "checkpoint-4" / checkpoint.COMPLETE).unlink()
    (tmp_path / "checkpoints" / "checkpoint-4" / "optimizer.pt").write_bytes(b"torn")
    rows = []
    train(base, corpus, SFT, tmp_path, log=rows.append)
    assert rows[0]["step"] == 1
    assert content_hash(tmp_path) == content_hash(trained)


@pytest.mark.parametrize("last", ["save_model", "discard", "write_json"])
def test_a_student_killed_while_it_is_saved_is_saved_whole_the_next_time(
    base, corpus, trained, tmp_path, monkeypatch, last
):
    module = sft if last == "write_json" else checkpoint
    original = getattr(module, last)

    def torn(*args):
        if last == "discard" and "checkpoint-" in Path(args[0]).name:
            return original(*args)
        if last == "save_model":
            (args[-1] / "model.safetensors").write_bytes(b"torn")
        raise Killed

    monkeypatch.setattr(module, last, torn)
    with pytest.raises(Killed):
        train(base, corpus, SFT, tmp_path)
    monkeypatch.undo()
    rows = []
    train(base, corpus, SFT, tmp_path, log=rows.append)
    assert rows[0]["step"] > 4
    assert content_hash(tmp_path) == content_hash(trained)


def test_accumulating_passes_make_the_same_step_as_one(base, corpus, trained, tmp_path):
    made = train(base, corpus, SFT, tmp_path, compute=replace(COMPUTE, batch_per_device=1))
    for one, many in zip(curve(trained), curve(made), strict=True):
        assert one["tokens"] == many["tokens"]
        assert one["loss"] == pytest.approx(many["loss"], rel=0.01)


def test_packing_cuts_nothing_and_lets_no_trace_see_another(base, corpus, tmp_path):
    everything = replace(SFT, batch=18, epochs=1, autocast=False)
    alone = train(base, corpus, everything, tmp_path / "alone")
    packed = replace(everything, batching=Batching.packed)
    together = train(base, corpus, packed, tmp_path / "packed")
    assert curve(together)[0]["tokens"] == curve(alone)[0]["tokens"]
    assert curve(together)[0]["loss"] == pytest.approx(curve(alone)[0]["loss"], rel=1e-5)
    assert curve(together)[0]["grad_norm"] == pytest.approx(curve(alone)[0]["grad_norm"], rel=1e-4)


def test_a_batch_that_passes_cannot_make_up_is_refused(base, corpus, tmp_path):
    with pytest.raises(ValueError, match=r"batch_per_device=3 must divide .* 4"):
        train(base, corpus, SFT, tmp_path, compute=replace(COMPUTE, batch_per_device=3))


def test_several_processes_that_would_each_train_a_whole_batch_are_refused(
    base, corpus, tmp_path, monkeypatch
):
    monkeypatch.setenv("WORLD_SIZE", "8")
    with pytest.raises(ValueError, match=r"WORLD_SIZE=8 .* compute\.processes=8"):
        train(base, corpus, SFT, tmp_path)


def test_a_loss_that_is_no_number_stops_the_training_in_words(base, corpus, tmp_path):
    wild = replace(SFT, learning_rate=1e30, max_grad_norm=1e30)
    with pytest.raises(FloatingPointError, match=r"at step \d.*training\.learning_rate"):
        train(base, corpus, wild, tmp_path)


def test_a_training_says_nothing_that_nobody_asked_for(base, corpus, tmp_path, capfd, recwarn):
    train(base, corpus, replace(SFT, epochs=0.2), tmp_path)
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")
    assert [str(warning.message) for warning in recwarn] == []


def test_every_method_has_a_module_a_yaml_and_fields_of_its_own():
    assert set(stage.METHODS) == set(Method) - {Method.none}
    for module in stage.METHODS.values():
        assert {"torch", "transformers"} <= set(module.LIBRARIES) and callable(module.train)
    files = (CHECKOUT / "conf" / "training").glob("*.yaml")
    named = {yaml.safe_load(path.read_text()).get("method", "sft") for path in files}
    assert named == {str(method) for method in Method}
    names = [name for names in ONLY.values() for name in names]
    assert set(names) < {f.name for f in fields(TrainingConfig)} and len(set(names)) == len(names)


def test_pins_name_the_libraries_and_the_content_of_the_model(base):
    student = StudentConfig(name="tiny", model=str(base))
    assert set(stage.pins(student, SFT, PROMPT)) == {
        *("model", "date", "torch", "transformers", "trl")
    }
    assert "peft" in stage.pins(student, LORA, PROMPT)
    assert stage.pins(student, SFT, PROMPT)["model"] == content_hash(base)


def test_trls_defaults_would_lose_the_thought_and_the_end_token(base, tmp_path):
    """Why rows are tokenised here and `max_length` is None; measured on TRL 1.16."""
    from datasets import Dataset
    from transformers import AutoModelForCausalLM
    from trl import SFTConfig, SFTTrainer

    tokenizer = micro_tokenizer.build()
    tokenizer.chat_template = (  # as DeepSeek-R1's, which cuts off what precedes </think>
        "{% for m in messages %}{{ m['content'].split('</think>')[-1] }}"
        "{% if m['role'] == 'assistant' %}{{ eos_token }}{% else %}\n{% endif %}{% endfor %}"
    )
    answers = ["Wait, 1+1=2.</think>So 2", "</think>" + "7" * 1100]
    chats = [
        [{"role": "user", "content": "1+1"}, {"role": "assistant", "content": answer}]
        for answer in answers
    ]
    trainer = SFTTrainer(
        AutoModelForCausalLM.from_pretrained(base),
        SFTConfig(str(tmp_path), report_to="none", use_cpu=True, disable_tqdm=True),
        train_dataset=Dataset.from_dict({"messages": chats}),
        processing_class=tokenizer,
    )
    short, long = trainer.train_dataset["input_ids"]
    assert "Wait" not in tokenizer.decode(short)
    assert len(long) == 1024 and tokenizer.eos_token_id not in long


def test_a_training_leaves_no_trainer_and_no_model_behind(base, corpus, tmp_path):
    from transformers import PreTrainedModel, Trainer

    def alive():
        return [o for o in gc.get_objects() if isinstance(o, PreTrainedModel | Trainer)]

    before = {id(o) for o in alive()}
    gc.disable()  # not left to the luck of when it next runs
    try:
        train(base, corpus, SFT, tmp_path / "out")
        left = [type(o).__name__ for o in alive() if id(o) not in before]
    finally:
        gc.enable()
    assert left == []


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and needs glibc's malloc_trim")
def test_free_memory_between_blocks_that_live_on_goes_back_to_the_system():
    import torch

    def resident():
        status = Path("/proc/self/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024

    before = resident()
    blocks = [torch.ones(size) for _ in range(3000) for size in (20_000, 200)]
    full = resident()
    kept = blocks[1::2]
    blocks.clear()
    stage.release_memory()
    assert full - before > 200 and len(kept) == 3000
    assert resident() - before < 0.2 * (full - before)
