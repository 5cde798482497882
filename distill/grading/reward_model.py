"""A reward model, which is any sequence classifier with one output, scores solutions."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from distill.compute import ComputeConfig
from distill.models import engines, hub, network
from distill.models.prompt import Chat, chat_ids
from distill.store.resume import append, kept_rows
from distill.trace.records import Trace

LIBRARIES = ("torch", "transformers")


def score(
    name: str, revision: str, traces: Iterable[Trace], *, keep: Path, compute: ComputeConfig
) -> list[float]:
    """The model's score of each trace's solution as the reply to its question.

    Scores are computed in float32 and one at a time, since batching changes their last bits. The
    model, a hub id at `revision` or a local folder, does not see the thoughts. `keep` is a JSON
    lines file to which scores are written as they are made and from which an interrupted call
    continues; it is left behind. Traces are read once, and not kept.

    Raises:
        ValueError: the model has more than one output.
    """
    from tqdm import tqdm

    known = {row["trace"]: row["score"] for row in kept_rows(keep)}
    read, scores = None, []
    with keep.open("a", encoding="utf-8", newline="\n") as file:
        for trace in tqdm(traces, desc="reward", disable=not compute.progress):
            if trace.id not in known:
                read = read or _reader(name, revision, compute)
                known[trace.id] = read(_chat(trace))
                append(file, {"trace": trace.id, "score": known[trace.id]}, flush=False)
            scores.append(known[trace.id])
    return scores


def _chat(trace: Trace) -> Chat:
    return [
        {"role": "user", "content": trace.problem.question},
        {"role": "assistant", "content": trace.solution},
    ]


def _reader(name: str, revision: str, compute: ComputeConfig) -> Any:
    """A function from a conversation to its score."""
    import torch

    engines.free()
    device = hub.set_up(compute)
    model = hub.model_of(name, revision)
    tokenizer = hub.load_tokenizer(model)
    auto = "AutoModelForSequenceClassification"
    net = network.load_network(model, auto, dtype=torch.float32).to(device).eval()
    if (outputs := net.config.num_labels) != 1:
        raise ValueError(f"reward model {name!r} must have one output, it has {outputs}")

    def read(chat: Chat) -> float:
        if tokenizer.chat_template is None:
            ids = tokenizer("\n\n".join(m["content"] for m in chat))["input_ids"]
        else:
            ids = chat_ids(tokenizer, chat, reply=False)
        with torch.inference_mode():
            return float(net(torch.tensor([ids], device=device)).logits[0, 0])

    return read
