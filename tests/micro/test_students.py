"""The shipped weights are what the recipe describes, and load as any model folder does."""

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from distill.micro import card as cards
from distill.micro.documents import documents
from distill.micro.pretrain import STUDENTS, build_model, train
from distill.micro.recipe import RECIPES

NAMES = [name for name in RECIPES if (STUDENTS / name / "card.json").exists()]
each = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Two threads are very slow as soon as anything else runs besides the tests."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def read(name: str) -> dict[str, Any]:
    return json.loads((STUDENTS / name / "card.json").read_text())


def test_all_three_are_shipped() -> None:
    assert set(NAMES) == {"micro", "micro_seed1", "micro_clean"}


@each
def test_hashes_agree_with_the_card(name: str) -> None:
    card, recipe = read(name), RECIPES[name]
    assert card["recipe"] == json.loads(json.dumps(asdict(recipe)))
    assert card["recipe_sha256"] == recipe.sha256()
    assert card["first_documents"]["sha256"] == cards.first_documents_sha256(recipe)
    assert card["weights_sha256"] == cards.file_sha256(STUDENTS / name / "model.safetensors")
    assert card["steps"] == recipe.steps
    assert card["tokens"] == recipe.steps * recipe.batch * recipe.length
    assert recipe.seed != cards.HELD_OUT_SEED


@each
def test_replay_of_the_first_steps_gives_the_cards_losses(name: str) -> None:
    model = build_model(RECIPES[name])
    steps = train(model, RECIPES[name], compiled=False)
    losses = [next(steps)[0] for _ in range(3)]
    assert losses == pytest.approx(read(name)["first_losses"][:3], abs=0.01)


@each
@pytest.mark.parametrize(("kind", "noise"), [("clean", 0.0), ("noisy", 1.0)])
def test_held_out_loss_is_the_cards(name: str, kind: str, noise: float) -> None:
    loss = cards.held_out_loss(STUDENTS / name, RECIPES[name], noise=noise)
    assert loss == pytest.approx(read(name)["held_out_loss"][kind], abs=2e-3)


@each
def test_training_ended_lower_than_it_began(name: str) -> None:
    curve = read(name)["loss_curve"]
    assert len(curve) >= 50
    assert curve[-1] < 0.4 * curve[0]


def test_the_control_differs_in_noise_alone_and_shows_it() -> None:
    assert RECIPES["micro_clean"] == replace(RECIPES["micro"], noise=0.0)
    assert RECIPES["micro_seed1"] == replace(RECIPES["micro"], seed=1)
    noisy, clean = read("micro"), read("micro_clean")
    assert clean["documents"] == noisy["documents"]
    assert clean["held_out_loss"]["noisy"] > noisy["held_out_loss"]["noisy"] + 0.1
    assert clean["held_out_loss"]["clean"] < noisy["held_out_loss"]["clean"] + 0.02


def test_micro_keeps_the_acceptance_rule() -> None:
    assert 0.25 <= read("micro")["validation"]["correct"] <= 0.60  # analysis/LOG.md


@each
def test_folder_is_a_standard_model_that_answers(name: str) -> None:
    import torch
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM

    folder: Path = STUDENTS / name
    weights = load_file(folder / "model.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.bfloat16}
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert model.dtype == torch.bfloat16
    assert model.generation_config.eos_token_id == model.config.eos_token_id
    card = read(name)["validation"]
    assert cards.validation_score(folder, 40)["correct"] == pytest.approx(card["correct"], abs=0.25)


def test_peft_wraps_it() -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(STUDENTS / "micro")
    wrapped = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear"))
    trainable = [name for name, value in wrapped.named_parameters() if value.requires_grad]
    assert len(trainable) == 2 * 7 * model.config.num_hidden_layers
    ids = torch.tensor([[5, 6, 7]])
    assert torch.equal(wrapped(ids).logits, model(ids).logits)


def test_documents_of_the_held_out_seed_are_new() -> None:
    recipe = RECIPES["micro"]
    stream = documents(recipe.seed, recipe.mix, 0.0)
    trained = {next(stream) for _ in range(20_000)}
    held = documents(cards.HELD_OUT_SEED, recipe.mix, 0.0)
    fresh = sum(next(held) not in trained for _ in range(cards.HELD_OUT))
    assert fresh > 0.75 * cards.HELD_OUT
