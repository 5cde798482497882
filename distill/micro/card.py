"""Write a base student's card: its recipe, its scores, and hashes by which tests verify both."""

import hashlib
import itertools
import json
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.micro import sign_puzzle
from distill.micro.documents import documents
from distill.trace.boxes import boxes

if TYPE_CHECKING:
    from distill.micro.recipe import Recipe

FIRST_DOCUMENTS = 2000
"""Documents, from the first, whose text is hashed separately: a test need not write all of them."""
HELD_OUT = 256
"""Documents in the held-out losses."""
HELD_OUT_SEED = 1_000_003
"""A seed that no recipe may use."""
PROBLEMS = 200
"""Validation problems that are scored, drawn with seed 0."""
NEW_TOKENS = 430
"""Tokens per response, at most; the longest correct trace fits."""


def write_card(folder: Path, *, recipe: "Recipe", made: dict[str, Any]) -> None:
    """Measure the base in `folder`; write `README.md` and `card.json`, which includes `made`."""
    card = {
        "name": folder.name,
        "recipe": asdict(recipe),
        "recipe_sha256": recipe.sha256(),
        "first_documents": {"count": FIRST_DOCUMENTS, "sha256": first_documents_sha256(recipe)},
        **made,
        "held_out_loss": {
            "clean": held_out_loss(folder, recipe, noise=0.0),
            "noisy": held_out_loss(folder, recipe, noise=1.0),
        },
        "validation": validation_score(folder),
        "weights_sha256": file_sha256(folder / "model.safetensors"),
        "versions": {name: version(name) for name in ("torch", "transformers", "tokenizers")},
    }
    (folder / "card.json").write_text(json.dumps(card, indent=1) + "\n")
    (folder / "README.md").write_text(_readme(card))


def first_documents_sha256(recipe: "Recipe") -> str:
    """Hash of the first `FIRST_DOCUMENTS` documents, each followed by a zero byte."""
    digest = hashlib.sha256()
    stream = documents(recipe.seed, recipe.mix, recipe.noise)
    for text in itertools.islice(stream, FIRST_DOCUMENTS):
        digest.update(text.encode() + b"\0")
    return digest.hexdigest()


def held_out_loss(folder: Path, recipe: "Recipe", *, noise: float) -> float:
    """Mean loss in nats per token on documents that no base was trained on.

    The documents are the same for every `noise` and every base of one mix, except for the digits
    that noise replaces. The loss is computed in float32 from the saved weights, each document by
    itself.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    texts = sorted(itertools.islice(documents(HELD_OUT_SEED, recipe.mix, noise), HELD_OUT), key=len)
    nats, tokens = 0.0, 0
    for start in range(0, HELD_OUT, 32):  # similar lengths share a batch: little padding
        batch = [text + tokenizer.eos_token for text in texts[start : start + 32]]
        rows = tokenizer(batch, padding=True, padding_side="right", return_tensors="pt")
        labels = rows.input_ids.masked_fill(rows.attention_mask == 0, -100)[:, 1:]
        with torch.no_grad():
            logits = model(input_ids=rows.input_ids).logits[:, :-1]
        nats += torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), labels.flatten(), reduction="sum"
        ).item()
        tokens += int((labels != -100).sum())
    return round(nats / tokens, 5)


def validation_score(folder: Path, count: int = PROBLEMS) -> dict[str, Any]:
    """Score greedy responses to validation problems, in bf16: share correct, share truncated."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    puzzles = sign_puzzle.problems("validation", count, seed=0)
    prompts = [f"Problem: {puzzle.question}\n" for puzzle in puzzles]
    rows = tokenizer(prompts, padding=True, padding_side="left", return_tensors="pt")
    rows = {key: rows[key] for key in ("input_ids", "attention_mask")}
    with torch.no_grad():
        made = model.generate(**rows, max_new_tokens=NEW_TOKENS, do_sample=False)
    made = made[:, rows["input_ids"].shape[1] :]
    ended = (made == tokenizer.eos_token_id).any(1).float().mean().item()
    right = 0
    for puzzle, ids in zip(puzzles, made, strict=True):
        boxed = boxes(tokenizer.decode(ids, skip_special_tokens=True))
        right += bool(boxed) and sign_puzzle.check(puzzle.question, boxed[-1].content)[0]
    return {"problems": count, "correct": right / count, "truncated": round(1 - ended, 4)}


def file_sha256(path: Path) -> str:
    """Hash of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _readme(card: dict[str, Any]) -> str:
    recipe, score = card["recipe"], card["validation"]
    return f"""---
library_name: transformers
tags: [sign-puzzle, reasoning-distillation]
---
# {card["name"]}

Base student of distill's embedded world: a Llama of {recipe["layers"]} layers and width
{recipe["width"]}, pretrained on arithmetic, copying, reflections, unordered trials and short direct
answers of the sign puzzle. It has never seen a long trace.

| | |
|---|---|
| Made by | `python -m distill.micro.pretrain {card["name"]}` |
| Data | {card["documents"]:,} documents of `distill/micro/documents.py`, seed {recipe["seed"]} |
| Digit noise | in {recipe["noise"]:.0%} of the documents |
| Steps | {card["steps"]:,} of {recipe["batch"]} x {recipe["length"]} tokens ({card["tokens"]:,}) |
| Seconds | {card["seconds"]:,.0f} on {card["threads"]} CPU thread(s) |
| Training loss, last hundredth | {card["loss_curve"][-1]:.4f} nats a token |
| Held-out loss, clean / noisy documents | {card["held_out_loss"]["clean"]:.4f} / \
{card["held_out_loss"]["noisy"]:.4f} nats a token |
| Score, {score["problems"]} validation problems, greedy | {score["correct"]:.1%} |

`card.json` holds the recipe, the loss curve and the hashes that tests compare. No validation or
test problem's numbers are in any document.
"""
