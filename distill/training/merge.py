"""The stage that merges a trained adapter into its base, so that another run can begin there."""

from pathlib import Path
from typing import Any

from distill.compute import ComputeConfig
from distill.models import engines, hub, network
from distill.models.config import StudentConfig
from distill.store.artifacts import write_json
from distill.store.identity import version
from distill.training import checkpoint, lora
from distill.training.train import release_memory

VERSION = 1


def pins(student: StudentConfig, *rest: Any) -> dict[str, str | None]:
    """What else decides the weights: the base model and the versions of libraries."""
    return {"model": hub.resolve(student)} | {name: version(name) for name in lora.LIBRARIES}


def merge_adapter(
    student: StudentConfig,
    trained: Path,
    begun: Path | None = None,
    *,
    compute: ComputeConfig,
    out: Path,
) -> None:
    """Write the whole model of a student with an adapter to `out/model`, with its tokenizer.

    Weights are summed in float32 and written in the base's number format. `trained` is the artifact
    with the adapter, `begun` that of the whole model that its training began at, None the base.
    `summary.json` counts the `parameters`.
    """
    import torch
    from peft import PeftModel

    engines.free()
    hub.set_up(compute)
    base = hub.base_model(student, begun)
    stored = network.load_config(base).dtype or torch.float32
    model = network.load_network(base, dtype=torch.float32, attn_implementation=base.attention)
    model.config.dtype = stored
    merged = PeftModel.from_pretrained(model, trained / "adapter").merge_and_unload()
    parameters = merged.num_parameters()
    checkpoint.save_model(merged, None, base, checkpoint.emptied(out / "model"))
    write_json(out / "summary.json", {"parameters": parameters})
    del model, merged
    release_memory()
