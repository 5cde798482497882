"""Generate with any causal LM of transformers: a batched loop over its forward pass."""

import gc
from collections.abc import Collection, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from distill.compute import ComputeConfig
from distill.models import hub
from distill.models.config import EngineConfig, SamplingConfig
from distill.models.engines import Completion, completed
from distill.store.identity import content_hash

if TYPE_CHECKING:
    from torch import Tensor

LIBRARIES = ("torch", "transformers", "peft")

SPARE = 0.85
"""Finished rows are taken out of the batch once this share of it or less is unfinished."""

GROWTH = 256
"""Least positions by which the cache grows; otherwise it doubles."""

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
    """See `distill.engines.generate`.

    Prompts are generated in fixed chunks of `engine.batch`, in their order, because the batch
    around a row can move its last bit. A chunk with a prompt that is owed is generated whole.
    """
    from tqdm import tqdm

    device = hub.set_up(compute)
    network = _load(model, engine, device)
    tokenizer = hub.load_tokenizer(model)
    ends = _end_tokens(network, tokenizer)
    chunks = [
        range(start, min(start + engine.batch, len(prompts)))
        for start in range(0, len(prompts), engine.batch)
    ]
    owed = [chunk for chunk in chunks if any(i not in done for i in chunk)]
    kept = sum(map(len, chunks)) - sum(map(len, owed))
    with tqdm(
        total=len(prompts), initial=kept, desc="generate", disable=not compute.progress
    ) as bar:
        for chunk in owed:
            asked = [prompts[i] for i in chunk]
            answers = _decode(network, asked, [seeds[i] for i in chunk], sampling, ends)
            for i, ids in zip(chunk, answers, strict=True):
                yield i, completed(ids, ends, tokenizer)
            bar.update(len(chunk))


def free() -> None:
    """Drop the model in memory, and what is kept of its memory."""
    if not _loaded:
        return
    import torch

    _loaded.clear()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _load(model: hub.Model, engine: EngineConfig, device: str) -> Any:
    """The network, kept from the last call if nothing about it changed.

    A LoRA adapter is merged into float32 weights before they are cast, so that trained and
    untrained students run the same code in the same number format.
    """
    import torch
    from transformers import AutoModelForCausalLM

    key = (
        model.content,
        content_hash(model.adapter) if model.adapter else "",
        engine.dtype,
        model.attention,
        device,
    )
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


def _end_tokens(network: Any, tokenizer: Any) -> set[int]:
    """Tokens that end a response: those of the generation config, and the tokenizer's."""
    ends = network.generation_config.eos_token_id
    ends = set(ends if isinstance(ends, list) else [ends]) | {tokenizer.eos_token_id}
    return ends - {None}


def _decode(
    network: Any,
    prompts: Sequence[list[int]],
    seeds: Sequence[int],
    sampling: SamplingConfig,
    ends: Collection[int],
) -> list[list[int]]:
    """Continue all prompts side by side, each up to an end token or `max_new_tokens`.

    Returns:
        Generated ids by prompt, the end token included where there is one.
    """
    import torch

    with torch.inference_mode():
        longest = max(map(len, prompts))
        device = network.device
        ids = torch.zeros(len(prompts), longest, dtype=torch.long)
        seen = torch.zeros_like(ids)
        for row, prompt in enumerate(prompts):
            ids[row, longest - len(prompt) :] = torch.tensor(prompt)
            seen[row, longest - len(prompt) :] = 1
        ids, seen = ids.to(device), seen.to(device)
        positions = (seen.cumsum(1) - 1).clamp(min=0)
        cache = _new_cache(network.config, longest + sampling.max_new_tokens)
        answers: list[list[int]] = [[] for _ in prompts]
        draw = _greedy if sampling.temperature == 0 else _sampler(seeds, sampling)
        rows = list(range(len(prompts)))
        for _ in range(sampling.max_new_tokens):
            logits = network(
                input_ids=ids,
                attention_mask=seen,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            ).logits[:, -1]
            ids = draw(logits.float(), rows)
            for row, token in zip(rows, ids.tolist(), strict=True):
                if not answers[row] or answers[row][-1] not in ends:
                    answers[row].append(token)
            live = [k for k, row in enumerate(rows) if answers[row][-1] not in ends]
            if not live:
                break
            positions = positions[:, -1:] + 1
            if len(live) <= SPARE * len(rows):
                rows = [rows[k] for k in live]
                keep = torch.tensor(live, device=device)
                ids, seen, positions = ids[keep], seen[keep], positions[keep]
                cache.batch_select_indices(keep)
            ids = ids[:, None]
            seen = torch.cat([seen, seen.new_ones(len(rows), 1)], 1)
        return answers


def _greedy(logits: "Tensor", rows: Sequence[int]) -> "Tensor":
    return logits.argmax(-1)


def _sampler(seeds: Sequence[int], sampling: SamplingConfig) -> Any:
    """A function that draws the next tokens, each row from its own stream of random numbers."""
    import torch

    streams = [torch.Generator().manual_seed(seed) for seed in seeds]

    def draw(logits: "Tensor", rows: Sequence[int]) -> "Tensor":
        shares, tokens = (logits / sampling.temperature).softmax(-1).sort(-1, descending=True)
        reached = shares.double().cumsum(-1)
        nucleus = (reached - shares < sampling.top_p).sum(-1, keepdim=True)
        total = reached.gather(-1, nucleus - 1)
        uniform = torch.cat([torch.rand(1, generator=streams[row]) for row in rows])
        drawn = torch.searchsorted(reached, uniform.to(total)[:, None] * total, right=True)
        return tokens.gather(-1, drawn.clamp(max=nucleus - 1))[:, 0]

    return draw


def _new_cache(config: Any, limit: int) -> Any:
    """A cache of keys and values, written in place, whose memory doubles up to `limit` positions.

    That of transformers copies everything at every token; this one does so a few times a batch.
    Windowed layers keep all positions too: the attention mask leaves out what is too far back.
    """
    from transformers import Cache

    layer = _growing_layer()
    layers = config.get_text_config().num_hidden_layers
    return Cache(layers=[layer(limit) for _ in range(layers)])


@cache
def _growing_layer() -> type:
    import torch
    from transformers.cache_utils import DynamicLayer

    class GrowingLayer(DynamicLayer):
        """`keys` and `values` are views of the filled part of larger tensors."""

        def __init__(self, limit: int) -> None:
            super().__init__()
            self.limit = limit
            self.store: list[torch.Tensor] = []

        def lazy_initialization(self, key_states: "Tensor", value_states: "Tensor") -> None:
            self.dtype, self.device = key_states.dtype, key_states.device
            self.store = [states[:, :, :0] for states in (key_states, value_states)]
            self.keys, self.values = self.store
            self.is_initialized = True

        def update(
            self, key_states: "Tensor", value_states: "Tensor", *args: Any, **kwargs: Any
        ) -> tuple["Tensor", "Tensor"]:
            if not self.is_initialized:
                self.lazy_initialization(key_states, value_states)
            start = self.keys.shape[2]
            end = start + key_states.shape[2]
            if end > self.store[0].shape[2]:
                room = min(self.limit, max(2 * start, end + GROWTH))
                self.store = [_with_room(states, room) for states in (self.keys, self.values)]
            for memory, states in zip(self.store, (key_states, value_states), strict=True):
                memory[:, :, start:end] = states
            self.keys, self.values = (memory[:, :, :end] for memory in self.store)
            return self.keys, self.values

        def batch_select_indices(self, indices: "Tensor") -> None:
            room = self.store[0].shape[2]
            self.store = [_with_room(t[indices], room) for t in (self.keys, self.values)]
            end = self.keys.shape[2]
            self.keys, self.values = (memory[:, :, :end] for memory in self.store)

    return GrowingLayer


def _with_room(states: "Tensor", room: int) -> "Tensor":
    """A copy, rows x heads x positions x width, with `room` positions in memory."""
    rows, heads, positions, width = states.shape
    memory = states.new_empty(rows, heads, room, width)
    memory[:, :, :positions] = states
    return memory
