"""Attention for short rows on a CPU, as batched matrix products that torch can compile."""

from collections.abc import Callable
from functools import cache
from typing import Any


@cache
def attention() -> Callable[..., tuple[Any, None]]:
    """The function that transformers' attention interface takes; one, so that it compiles once."""
    import torch

    def attend(
        module: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: torch.Tensor | None,
        scaling: float | None = None,
        dropout: float = 0.0,
        **other: Any,
    ) -> tuple[torch.Tensor, None]:
        """Attention of one layer.

        Query, key and value are of shape (rows, heads, length, width), with fewer heads of key and
        value where several queries share one. The mask is added to the scores. Memory grows with
        the square of the length.

        Returns:
            The output, of shape (rows, length, heads, width), and no probabilities.

        Raises:
            ValueError: the model's attention has more to it, such as a cap on its scores.
        """
        more = {name: other.get(name) for name in ("softcap", "s_aux")} | {
            "dropout": dropout or None
        }
        if has := [name for name, there in more.items() if there is not None]:
            raise ValueError(f"{type(module).__name__} has {has[0]} in its attention")
        dtype = query.dtype
        if torch.is_autocast_enabled(query.device.type):
            dtype = torch.get_autocast_dtype(query.device.type)
        if (groups := query.shape[1] // key.shape[1]) > 1:
            key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
        scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
        inputs = (query.to(dtype), key.to(dtype), value.to(dtype), attention_mask, scaling)
        return Products.apply(*inputs).transpose(1, 2).contiguous(), None

    class Products(torch.autograd.Function):
        """Keeps the probabilities in the number format of the products, not in float32."""

        @staticmethod
        def forward(ctx: Any, query: Any, key: Any, value: Any, mask: Any, scaling: float) -> Any:
            scores = torch.matmul(query, key.transpose(-1, -2)).float() * scaling
            if mask is not None:
                scores = scores + mask
            shares = torch.softmax(scores, -1).to(query.dtype)
            out = torch.matmul(shares, value)
            ctx.save_for_backward(query, key, value, shares, out)
            ctx.scaling = scaling
            return out

        @staticmethod
        def backward(ctx: Any, *grads: Any) -> Any:
            query, key, value, shares, out = ctx.saved_tensors
            grad = grads[0].to(query.dtype)
            of_value = torch.matmul(shares.transpose(-1, -2), grad)
            of_shares = torch.matmul(grad, value.transpose(-1, -2)).float()
            mean = (grad.float() * out.float()).sum(-1, keepdim=True)
            of_scores = ((of_shares - mean) * shares.float() * ctx.scaling).to(query.dtype)
            of_query = torch.matmul(of_scores, key)
            of_key = torch.matmul(of_scores.transpose(-1, -2), query)
            return of_query, of_key, of_value, None, None

    return attend
