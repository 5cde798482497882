"""A mixture's loss is counted for each of its parts, besides that of all."""

from collections.abc import Callable, Sequence
from typing import Any

PARTS = "parts"
"""Column of a mixture's data set: of every token the number of the part that its trace is of."""


class PartLosses:
    """Adds up the losses of each part between two entries of the trainer's log."""

    def __init__(self, names: Sequence[str]) -> None:
        """Args: names: of the parts, in the order of their numbers."""
        self.names = names
        self._sums: Any = None

    def counting(self, model: Any, place: Any) -> Callable[..., Any]:
        """The model, whose outputs are counted; `place` is a batch of the column `PARTS`.

        The outputs have log-probabilities of the next tokens, one less than there are tokens in a
        row, and say which of these are trained on.
        """
        import torch

        def counted(**given: Any) -> Any:
            outputs = model(**given)
            of = torch.where(outputs.label_mask.bool(), place[:, 1:], len(self.names)).flatten()
            nll = -outputs.log_probs.detach().float().flatten()
            new = nll.new_zeros(2, len(self.names) + 1)
            new[0].index_add_(0, of, nll)
            new[1].index_add_(0, of, torch.ones_like(nll))
            self._sums = new if self._sums is None else self._sums + new
            return outputs

        return counted

    def taken(self, accelerator: Any) -> dict[str, float | None]:
        """Part -> mean loss of its response tokens since the last call, over all processes."""
        totals, counts = accelerator.reduce(self._sums, "sum").tolist()
        self._sums = None
        return {
            name: total / count if count else None
            for name, total, count in zip(self.names, totals, counts, strict=False)
        }


def with_parts(collate: Callable[..., Any]) -> Callable[[list[dict[str, Any]]], dict[str, Any]]:
    """A collator that keeps the column `PARTS`, padded or joined as it does with labels."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    def collated(examples: list[dict[str, Any]]) -> dict[str, Any]:
        batch = collate(examples)
        rows = [torch.tensor(example[PARTS]) for example in examples]
        labels = batch["labels"]
        joined = len(labels) < len(rows)
        places = torch.cat(rows)[None] if joined else pad_sequence(rows, batch_first=True)
        batch[PARTS] = torch.zeros_like(labels)
        batch[PARTS][:, : places.shape[1]] = places
        return batch

    return collated
