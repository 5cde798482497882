"""Settings of training in several processes: FSDP on GPUs, DDP on CPUs."""

import os
from typing import Any

from distill.training.config import TrainingConfig
from distill.training.mixture import PARTS
from distill.training.rows import TRAINED


def with_blank_row(dataset: Any) -> Any:
    """The data set with a last row without labels; see `distill.training.order.OrderSampler`."""
    ids = dataset[0]["input_ids"][:2]
    blank = {"input_ids": ids, TRAINED: [False] * len(ids), "seq_lengths": [len(ids)]}
    blank[PARTS] = [0] * len(ids)
    return dataset.add_item({name: blank[name] for name in dataset.column_names})


def load_on_cpus() -> None:
    """Let torch load checkpoints to `cpu:0`, as accelerate names a CPU; it knows only `cpu`."""
    from torch.serialization import register_package

    register_package(
        30, lambda storage: None, lambda storage, at: storage if at.startswith("cpu:") else None
    )


def sharded(processes: int, device: str) -> bool:
    """Whether processes share the weights."""
    return processes > 1 and device == "cuda"


def fsdp(processes: int) -> dict[str, Any]:
    """Trainer settings of FSDP2: each process holds a share of weights, gradients and moments.

    Gradients are shared out after every forward pass of a step, not only after its last: until then
    each process would keep those of all weights, in float32 (122 GiB for 32 billion). Weights in
    bfloat16 thus get the parts of a step added up in bfloat16, as they do in one process.

    Raises:
        ValueError: there are fewer GPUs than processes.
    """
    import torch

    if (there := torch.cuda.device_count()) < processes:
        raise ValueError(f"compute.processes={processes} need a GPU each, but torch sees {there}")
    os.environ["ACCELERATE_USE_FSDP"] = "true"  # else every process loads all weights into memory
    config = {"cpu_ram_efficient_loading": True, "state_dict_type": "SHARDED_STATE_DICT"}
    every_pass = {"gradient_accumulation_kwargs": {"sync_each_batch": True}}
    return {
        "fsdp": True,
        "fsdp_config": {"version": 2, **config},
        "accelerator_config": every_pass,
    }


def precision(training: TrainingConfig) -> Any:
    """FSDP's precision, as in one process: gradients are summed and losses kept in float32.

    accelerate's default would sum gradients in bfloat16, round the model's outputs, and, with
    autocast, keep bfloat16 weights in float32.
    """
    import torch
    from torch.distributed.fsdp import MixedPrecisionPolicy

    products = torch.bfloat16 if training.autocast else None
    return MixedPrecisionPolicy(param_dtype=products, reduce_dtype=torch.float32)
