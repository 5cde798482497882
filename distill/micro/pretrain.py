"""Pretrain a base student by its recipe.

    python -m distill.micro.pretrain micro --threads 2

On two cores, two processes with one thread each run well at the same time; with two threads each
they are very slow.
"""

import argparse
import hashlib
import itertools
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.micro import tokenizer as micro_tokenizer
from distill.micro.card import write_card
from distill.micro.documents import documents
from distill.micro.recipe import RECIPES, Recipe

if TYPE_CHECKING:
    import torch
    from transformers import LlamaForCausalLM

STUDENTS = Path(__file__).parent / "students"
FIRST_LOSSES = 5
"""Losses recorded one by one, so that a test can reproduce them."""


def pretrain(recipe: Recipe, out: Path, *, threads: int = 2, compiled: bool = True) -> None:
    """Pretrain a base and save a Hugging Face model folder in bf16, with tokenizer and card.

    The files of `out` are written at the end. `threads` of PyTorch change rounding only; `compiled`
    uses `torch.compile`, which takes 20 s once and is then about twice as fast.
    """
    import torch
    from tqdm import tqdm

    torch.set_num_threads(threads)
    started = time.time()
    model = build_model(recipe)
    stream = hashlib.sha256()
    losses: list[float] = []
    documents_used = 0
    bar = tqdm(train(model, recipe, compiled=compiled), total=recipe.steps, desc=out.name)
    for loss, batch, count in bar:
        losses.append(loss)
        documents_used = count
        stream.update(batch.numpy().astype("<i4").tobytes())
        bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
    made = {
        "steps": len(losses),
        "documents": documents_used,
        "tokens": len(losses) * recipe.batch * recipe.length,
        "stream_sha256": stream.hexdigest(),
        "seconds": round(time.time() - started, 1),
        "threads": threads,
        "first_losses": losses[:FIRST_LOSSES],
        "loss_curve": _curve(losses),
    }
    save(model, out)
    write_card(out, recipe=recipe, made=made)


def build_model(recipe: Recipe) -> "LlamaForCausalLM":
    """The untrained student in float32.

    Llama, because transformers 5.17 forces its own tokenizer class on every `qwen2` folder.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = micro_tokenizer.build()
    torch.manual_seed(recipe.seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=recipe.width,
        intermediate_size=recipe.feed_forward,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.heads,
        max_position_embeddings=recipe.positions,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def train(
    model: "LlamaForCausalLM", recipe: Recipe, *, compiled: bool
) -> Iterator[tuple[float, "torch.Tensor", int]]:
    """Train in place; yields per step: mean loss in nats per token, token ids [B, T], documents."""
    import torch

    forward = torch.compile(model, dynamic=False) if compiled else model
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    gains = [p for p in model.parameters() if p.dim() < 2]
    groups: list[dict[str, Any]] = [{"params": matrices}, {"params": gains, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(
        groups,
        lr=recipe.learning_rate,
        betas=recipe.betas,
        weight_decay=recipe.weight_decay,
        fused=True,
    )
    model.train()
    for step, (batch, count) in enumerate(itertools.islice(batches(recipe), recipe.steps)):
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * recipe.schedule(step)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = forward(input_ids=batch).logits
        loss = torch.nn.functional.cross_entropy(
            logits[:, :-1].float().flatten(0, 1), batch[:, 1:].flatten()
        )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        yield loss.item(), batch, count


def batches(recipe: Recipe) -> Iterator[tuple["torch.Tensor", int]]:
    """Pack documents into an endless stream of batches: token ids [B, T], documents used so far."""
    import torch

    rows, count = [], 0
    for row, used in packed(documents(recipe.seed, recipe.mix, recipe.noise), recipe.length):
        rows.append(row)
        count += used
        if len(rows) == recipe.batch:
            yield torch.tensor(rows), count
            rows = []


def packed(texts: Iterator[str], length: int) -> Iterator[tuple[list[int], int]]:
    """Fill rows of `length` token ids with documents and end tokens: row, documents in it."""
    tokenizer = micro_tokenizer.build()
    row: list[int] = []
    used = 0
    while chunk := list(itertools.islice(texts, 256)):
        for ids in tokenizer(chunk, add_special_tokens=False)["input_ids"]:
            row += [*ids, tokenizer.eos_token_id]
            used += 1
            if len(row) >= length:
                yield row[:length], used
                row, used = [], 0


def save(model: "LlamaForCausalLM", out: Path) -> None:
    """Write the model folder: weights in bf16, configs, tokenizer. Casts `model` to bf16."""
    import torch

    out.mkdir(parents=True, exist_ok=True)
    model.generation_config.do_sample = False
    model.to(torch.bfloat16).save_pretrained(out)
    micro_tokenizer.build().save_pretrained(out)


def _curve(losses: list[float]) -> list[float]:
    """Mean loss of every hundredth of the steps."""
    size = max(1, len(losses) // 100)
    groups = [losses[start : start + size] for start in range(0, len(losses), size)]
    return [round(sum(group) / len(group), 4) for group in groups]


def main() -> None:
    """Pretrain one of the named bases."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=sorted(RECIPES))
    parser.add_argument("--out", type=Path, help="folder; default distill/micro/students/NAME")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    arguments = parser.parse_args()
    out = arguments.out or STUDENTS / arguments.name
    pretrain(RECIPES[arguments.name], out, threads=arguments.threads)


if __name__ == "__main__":
    main()
