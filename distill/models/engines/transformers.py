"""Generate with any causal language model of transformers, in batches; see `decode`."""

import gc
import logging
import sys
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from distill.compute import ComputeConfig
from distill.models import hub, network
from distill.models.config import EngineConfig, SamplingConfig
from distill.models.decode import decode
from distill.models.engines import Completion, Refusal, completed, end_tokens
from distill.store.identity import content_hash

LIBRARIES = ("torch", "transformers", "peft")

log = logging.getLogger(__name__)

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
) -> Iterator[tuple[int, Completion | Refusal]]:
    """See `distill.models.engines.generate`.

    A response is cut where the positions end that the network was made for; a prompt that leaves it
    none is refused. Prompts are completed in fixed chunks of `engine.batch`, in their order,
    because the rest of a batch can change the last bit of a row. A chunk with a pending prompt is
    completed as a whole.
    """
    device = hub.set_up(compute)
    net = _load(model, engine, device)
    tokenizer = hub.load_tokenizer(model)
    used = max((max(prompt) for prompt in prompts if prompt), default=0)
    network.check_vocabulary(tokenizer, net.config, model.name, used)
    ends = end_tokens(net.generation_config.eos_token_id, tokenizer)
    room = network.positions(net.config) or sys.maxsize
    fitting = [i for i, prompt in enumerate(prompts) if len(prompt) < room]
    for i in sorted({*range(len(prompts))} - {*fitting} - {*done}):
        length = len(prompts[i])
        yield i, Refusal(f"its {length} tokens leave no room for a response in {room} positions")
    longest = max((len(prompts[i]) for i in fitting), default=0)
    if longest + sampling.max_new_tokens > room:
        log.warning(
            "prompts of up to %s tokens and sampling.max_new_tokens=%s are more than the %s "
            "positions of %s: a response that reaches them is cut there",
            *(longest, sampling.max_new_tokens, room, model.name),
        )
    for start in range(0, len(fitting), engine.batch):
        chunk = fitting[start : start + engine.batch]
        if not all(i in done for i in chunk):
            asked = [prompts[i] for i in chunk]
            answers = decode(net, asked, [seeds[i] for i in chunk], sampling, ends, room)
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

    adapter = content_hash(model.adapter) if model.adapter else ""
    key = (model.content, adapter, engine.dtype, model.attention, device)
    if key not in _loaded:
        _loaded.clear()
        dtype = getattr(torch, engine.dtype)
        first = torch.float32 if model.adapter else dtype
        net = network.load_network(model, dtype=first, attn_implementation=model.attention)
        if model.adapter:
            from peft import PeftModel

            net = PeftModel.from_pretrained(net, model.adapter).merge_and_unload()
            for parameter in net.parameters():  # buffers, such as RoPE's, stay as loaded
                parameter.data = parameter.data.to(dtype)
        _loaded[key] = net.to(device).eval()
    return _loaded[key]
