"""Generate with any causal language model of transformers, in batches; see `decode`."""

import gc
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from distill.compute import ComputeConfig
from distill.models import hub
from distill.models.config import EngineConfig, SamplingConfig
from distill.models.decode import decode
from distill.models.engines import Completion, completed, end_tokens
from distill.store.identity import content_hash

LIBRARIES = ("torch", "transformers", "peft")

_loaded: dict[tuple[str, ...], Any] = {}
"""The model in memory; one at a time."""


def generate(
    engine: EngineConfig,
    model: hub.Model,
    prompts: Sequence[list[int]],
    seeds: Sequence[int],
    sampling: SamplingConfig,
    *,
    done: Collection[int],
    compute: ComputeConfig,
) -> Iterator[tuple[int, Completion]]:
    """See `distill.models.engines.generate`.

    Prompts are completed in fixed chunks of `engine.batch`, in their order, because the rest of a
    batch can change the last bit of a row. A chunk with a pending prompt is completed as a whole.
    """
    device = hub.set_up(compute)
    network = _load(model, engine, device)
    tokenizer = hub.load_tokenizer(model)
    ends = end_tokens(network.generation_config.eos_token_id, tokenizer)
    for start in range(0, len(prompts), engine.batch):
        chunk = range(len(prompts))[start : start + engine.batch]
        if not all(i in done for i in chunk):
            asked = [prompts[i] for i in chunk]
            answers = decode(network, asked, [seeds[i] for i in chunk], sampling, ends)
            for i, ids in zip(chunk, answers, strict=True):
                yield i, completed(ids, ends, tokenizer)


def free() -> None:
    """Drop the model in memory, and return its GPU memory to the system."""
    if not _loaded:
        return
    import torch

    _loaded.clear()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _load(model: hub.Model, engine: EngineConfig, device: str) -> Any:
    """The network; that of the last call if nothing about it has changed.

    A LoRA adapter is merged into float32 weights before they are cast, so that trained and
    untrained students run the same code in the same number format.
    """
    import torch
    from transformers import AutoModelForCausalLM

    adapter = content_hash(model.adapter) if model.adapter else ""
    key = (model.content, adapter, engine.dtype, model.attention, device)
    if key not in _loaded:
        _loaded.clear()
        dtype = getattr(torch, engine.dtype)
        network = AutoModelForCausalLM.from_pretrained(
            **model.source,
            dtype=torch.float32 if model.adapter else dtype,
            attn_implementation=model.attention,
        )
        if model.adapter:
            from peft import PeftModel

            network = PeftModel.from_pretrained(network, model.adapter).merge_and_unload()
            for parameter in network.parameters():  # buffers, such as RoPE's, stay as loaded
                parameter.data = parameter.data.to(dtype)
        _loaded[key] = network.to(device).eval()
    return _loaded[key]
