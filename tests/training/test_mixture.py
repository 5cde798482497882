"""A student is trained on several runs' traces together, and begins where another run ended.

Run: pytest tests/training/test_mixture.py
"""

import json
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import pytest

from distill.compute import ComputeConfig
from distill.micro import pretrain, tokenizer
from distill.models import hub
from distill.models.config import Dtype, StudentConfig
from distill.store.identity import content_hash
from distill.trace.records import read_rows, write_records
from distill.training import train as stage
from distill.training.config import Batching, Method, Part, TrainingConfig
from distill.training.merge import merge_adapter, pins
from distill.training.mixture import PARTS, PartLosses, with_parts
from distill.training.tokenize import build_parts
from tests.micro_corpus import PROMPT, traces

COMPUTE = ComputeConfig(threads=1, progress=False, checkpoint_every=2)
SFT = TrainingConfig(
    name="x", epochs=1, batch=26, max_tokens=1024, dtype=Dtype.float32, autocast=False
)
LORA = replace(SFT, method=Method.lora, lora_rank=4, lora_alpha=8, batch=4, learning_rate=1e-2)
OTHER = replace(PROMPT, name="other", user="Puzzle: {question}")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    recipe = pretrain.Recipe(width=32, layers=2, heads=2, feed_forward=64)
    pretrain.save(pretrain.build_model(recipe), folder)
    return folder


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    """18 traces, and 8 of other problems."""
    folders = [tmp_path_factory.mktemp(name) for name in ("first", "second")]
    write_records(folders[0] / "traces.jsonl", traces(18))
    write_records(folders[1] / "traces.jsonl", traces(8, seed=1))
    return folders


def train(
    base, corpora, training, out, *, prompts=(PROMPT, OTHER), begun=None, how=COMPUTE, log=None
):
    out.mkdir(exist_ok=True)
    own, *others = zip(prompts, corpora, strict=False)
    mix = [(prompt, corpus, corpus, []) for prompt, corpus in others]
    stage.train_student(
        StudentConfig(name="tiny", model=str(base)),
        *(training, own[0], own[1], own[1], [], begun, mix),
        compute=how,
        log=log,
        out=out,
    )
    return out


def curve(out):
    return list(read_rows(out / "curve.jsonl"))


def summary(out):
    return json.loads((out / "summary.json").read_text())


def names(corpora):
    parts = zip((PROMPT, OTHER), corpora, strict=True)
    return [Part(prompt, corpus, corpus, []).name for prompt, corpus in parts]


class Alone:
    """One process."""

    def reduce(self, sums, how):
        return sums if how == "sum" else None


class Two(Alone):
    """Two processes that counted the same."""

    def reduce(self, sums, how):
        return 2 * sums


def counted(losses, *batches):
    """Counts batches of (loss of each token, whether it is trained on, number of its part)."""
    import torch

    for nll, mask, of in batches:
        outputs = SimpleNamespace(
            log_probs=-torch.tensor(nll).float(), label_mask=torch.tensor(mask)
        )
        model = losses.counting(lambda outputs=outputs: outputs, torch.tensor(of))
        assert model() is outputs


def test_losses_are_means_over_tokens_that_are_trained_on_since_the_last_call():
    losses = PartLosses(["a", "b", "c"])
    first = [[1, 2, 3], [4, 5, 6]], [[0, 1, 1], [1, 1, 0]], [[9, 0, 0, 1], [9, 1, 1, 1]]
    second = [[7, 8]], [[1, 0]], [[9, 0, 0]]
    counted(losses, first, second)
    assert losses.taken(Alone()) == {"a": (2 + 7) / 2, "b": (3 + 4 + 5) / 3, "c": None}
    counted(losses, second)
    assert losses.taken(Two()) == {"a": 7, "b": None, "c": None}


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([[0] * 4] * 2, [[0, 0, 0, 0], [1, 1, 0, 0]]),  # a batch of padded rows
        ([[0] * 6], [[0, 0, 0, 1, 1, 0]]),  # rows joined, and filled up
    ],
)
def test_the_part_of_a_token_is_where_its_label_is(labels, expected):
    import torch

    collated = with_parts(lambda examples: {"labels": torch.tensor(labels)})
    found = collated([{PARTS: [0, 0, 0]}, {PARTS: [1, 1]}])
    assert found[PARTS].tolist() == expected


@pytest.fixture(scope="module")
def alone(base, corpora, tmp_path_factory):
    """First losses and response tokens of trainings on each part alone; a batch holds it whole."""
    found = []
    for prompt, corpus in zip((PROMPT, OTHER), corpora, strict=True):
        out = train(base, [corpus], SFT, tmp_path_factory.mktemp("alone"), prompts=(prompt,))
        found.append((curve(out)[0]["loss"], summary(out)["response_tokens"], summary(out)))
    return found


@pytest.mark.parametrize("batching", [Batching.grouped, Batching.packed])
def test_the_loss_of_a_part_is_that_of_a_training_on_it_alone(
    base, corpora, alone, tmp_path, batching
):
    out = train(base, corpora, replace(SFT, batching=batching), tmp_path)
    first = curve(out)[0]
    assert list(first["losses"]) == names(corpora)
    for loss, (expected, _, _) in zip(first["losses"].values(), alone, strict=True):
        assert loss == pytest.approx(expected, rel=1e-4)
    tokens = [count for _, count, _ in alone]
    whole = sum(loss * n for (loss, _, _), n in zip(alone, tokens, strict=True)) / sum(tokens)
    assert first["loss"] == pytest.approx(whole, rel=1e-4)


def test_a_part_keeps_its_prompt_and_is_counted(base, corpora, alone, tmp_path):
    found = summary(train(base, corpora, SFT, tmp_path))
    assert found["rows"] == 26 and list(found["parts"]) == names(corpora)
    for part, (loss, count, own) in zip(found["parts"].values(), alone, strict=True):
        assert part["response_tokens"] == count and part["rows"] == own["rows"]
        assert part["tokens"] == own["tokens"]  # with its own prompt, which is of another length
        assert part["share"] == pytest.approx(count / found["response_tokens"])
        assert part["final_loss"] == pytest.approx(loss, rel=1e-4)
    assert sum(part["share"] for part in found["parts"].values()) == pytest.approx(1)


def test_every_step_counts_each_token_under_one_part(base, corpora, tmp_path):
    training = replace(SFT, batch=4, epochs=2)
    for row in curve(train(base, corpora, training, tmp_path)):
        there = [loss for loss in row["losses"].values() if loss is not None]
        assert min(there) - 1e-4 <= row["loss"] <= max(there) + 1e-4


@pytest.mark.slow
def test_passes_of_two_processes_make_the_losses_of_one(base, corpora, tmp_path):
    one, two = (
        curve(train(base, corpora, replace(SFT, batch=6), tmp_path / str(n), how=how))
        for n, how in enumerate([COMPUTE, replace(COMPUTE, processes=2, batch_per_device=1)])
    )
    for mine, other in zip(one, two, strict=True):
        for name, loss in mine["losses"].items():
            if loss is None:
                assert other["losses"][name] is None
            else:
                assert other["losses"][name] == pytest.approx(loss, rel=1e-3)


def test_a_trace_that_is_too_long_is_dropped_in_its_part(base, corpora, tmp_path):
    parts = [Part(prompt, c, c, []) for prompt, c in zip((PROMPT, OTHER), corpora, strict=True)]
    rows = []
    build_parts(tokenizer.build(), parts, 1024, rows.append)
    limit = sorted(len(row.input_ids) for row in rows)[13]
    found = summary(train(base, corpora, replace(SFT, max_tokens=limit), tmp_path))
    assert found["dropped"] == sum(part["dropped"] for part in found["parts"].values()) > 0
    ids = [name for part in found["parts"].values() for name in part["dropped_ids"]]
    assert found["dropped_ids"] == ids


class Killed(BaseException):
    pass


def test_a_mixture_that_is_killed_continues_to_the_same_bytes(base, corpora, tmp_path):
    def kill(row):
        if row["step"] == 5:
            raise Killed

    training = replace(LORA, lora_dropout=0.2)
    whole = train(base, corpora, training, tmp_path / "whole")
    with pytest.raises(Killed):
        train(base, corpora, training, tmp_path / "killed", log=kill)
    assert content_hash(train(base, corpora, training, tmp_path / "killed")) == content_hash(whole)


def test_a_part_is_named_by_its_traces_and_prompt_alone():
    first = Part(PROMPT, None, Folder("a"), [])
    assert first.name == Part(replace(PROMPT, name="label"), "x", Folder("a"), ["y"]).name
    assert first.name != Part(OTHER, None, Folder("a"), []).name
    assert first.name != Part(PROMPT, None, Folder("b"), []).name


class Folder:
    def __init__(self, name):
        self.name = name


@pytest.fixture(scope="module")
def adapted(base, corpora, tmp_path_factory):
    return train(base, corpora[:1], LORA, tmp_path_factory.mktemp("lora"))


@pytest.fixture(scope="module")
def merged(base, adapted, tmp_path_factory):
    out = tmp_path_factory.mktemp("merged")
    student = StudentConfig(name="tiny", model=str(base))
    merge_adapter(student, adapted, compute=COMPUTE, out=out)
    return out


def logits(model):
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    network = AutoModelForCausalLM.from_pretrained(model.name, dtype=torch.float32)
    if model.adapter:
        network = PeftModel.from_pretrained(network, model.adapter)
    with torch.no_grad():
        return network.eval()(torch.tensor([[5, 6, 7, 8, 9, 10]])).logits


def test_a_merged_model_is_its_base_with_the_adapter_in_the_bases_format(base, adapted, merged):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    student = StudentConfig(name="tiny", model=str(base))
    apart = logits(hub.trained_model(student, adapted))
    whole = logits(hub.base_model(student, merged))
    before = logits(hub.base_model(student))
    rounding = (whole - apart).abs().max()
    assert rounding < 0.05 * (apart - before).abs().max()
    assert (
        AutoModelForCausalLM.from_pretrained(merged / "model", dtype="auto").dtype == torch.bfloat16
    )
    text = "Problem: Use + or - between 6 1 1 3 to make 9."
    tokens = [AutoTokenizer.from_pretrained(f)(text)["input_ids"] for f in (base, merged / "model")]
    assert tokens[0] == tokens[1]
    assert summary(merged) == {
        "parameters": summary(adapted)["parameters"] - summary(adapted)["trainable_parameters"]
    }


def test_weights_are_summed_in_float32_and_rounded_once(base, adapted, merged):
    import torch
    from safetensors.torch import load_file

    adapter = load_file(adapted / "adapter" / "adapter_model.safetensors")
    before, after = (load_file(f / "model.safetensors") for f in (base, merged / "model"))
    there = [name.removesuffix(".lora_A.weight") for name in adapter if ".lora_A." in name]
    assert there
    for name in there:
        down, up = (adapter[f"{name}.lora_{side}.weight"].float() for side in "AB")
        weight = name.removeprefix("base_model.model.") + ".weight"
        whole = before[weight].float() + LORA.lora_alpha / LORA.lora_rank * (up @ down)
        differ = whole.to(torch.bfloat16) != after[weight]
        assert differ.float().mean() < 2e-3  # the order of a sum may round it otherwise


def test_an_adapter_over_a_begun_model_is_merged_into_that(base, corpora, merged, tmp_path):
    student = StudentConfig(name="tiny", model=str(base))
    made = train(base, corpora[:1], LORA, tmp_path / "out", begun=merged)
    (tmp_path / "both").mkdir()
    merge_adapter(student, made, merged, compute=COMPUTE, out=tmp_path / "both")
    apart = logits(hub.trained_model(student, made, merged))
    whole = logits(hub.base_model(student, tmp_path / "both"))
    assert (whole - apart).abs().max() < 0.05 * (
        apart - logits(hub.base_model(student))
    ).abs().max()


def test_what_is_merged_is_told_by_the_base_and_the_libraries(base):
    found = pins(StudentConfig(name="tiny", model=str(base)))
    assert found["model"] == content_hash(base)
    assert {"torch", "transformers", "peft"} <= set(found) and all(found.values())


def test_training_begins_where_another_ended(base, corpora, adapted, merged, tmp_path):
    training = replace(SFT, batch=18)
    fresh = curve(train(base, corpora[:1], training, tmp_path / "fresh"))[0]["loss"]
    after = curve(train(base, corpora[:1], training, tmp_path / "after", begun=merged))
    assert after[0]["loss"] < fresh - 0.1
    assert after[0]["loss"] == pytest.approx(curve(adapted)[-1]["loss"], rel=0.2)


def test_an_adapter_over_a_begun_model_is_served_on_that(base, corpora, merged, tmp_path):
    made = train(base, corpora[:1], LORA, tmp_path / "out", begun=merged)
    student = StudentConfig(name="tiny", model=str(base))
    model = hub.trained_model(student, made, merged)
    assert model.name == str(merged / "model") and model.adapter == made / "adapter"
    config = json.loads((made / "adapter" / "adapter_config.json").read_text())
    named = f"{merged.parent.name}/{merged.name}/model"
    assert config["base_model_name_or_path"] == named  # a place in any store, on no machine
    losses = [row["loss"] for row in curve(made)]
    assert losses[-1] < losses[0] and all(b < 2 * a for a, b in pairwise(losses))
    assert logits(model).shape == logits(hub.base_model(student)).shape


def test_a_prompt_of_a_part_is_that_part_s(base, corpora, tmp_path):
    """The same traces under two prompts are two parts."""
    both = [corpora[0], corpora[0]]
    found = summary(train(base, both, SFT, tmp_path))
    first, second = found["parts"].values()
    assert first["response_tokens"] == second["response_tokens"]
    assert first["tokens"] != second["tokens"]
