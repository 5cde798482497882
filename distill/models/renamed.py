"""A copy of a tokenizer in which control tokens go by other names, so that no text names them."""

import json
import re
from typing import Any

Tokenizer = Any
"""A `PreTrainedTokenizerBase` of transformers."""

BYTE = re.compile(r"<0x[0-9A-Fa-f]{2}>")
"""A token of one byte, of which a tokenizer makes characters that it does not know."""


class UnwritableError(ValueError):
    """A text that the tokenizer cannot encode as text; the message says why."""


def renamed_copy(tokenizer: Tokenizer, names: dict[str, str]) -> Any:
    """A `tokenizers.Tokenizer` with the same ids, whose control tokens have these names.

    Raises:
        UnwritableError: the tokenizer is not of the library `tokenizers`.
    """
    from tokenizers import Tokenizer as Backend

    backend: Any = getattr(tokenizer, "backend_tokenizer", None)
    if not hasattr(backend, "to_str"):
        raise UnwritableError("it mentions a control token, which this tokenizer cannot split")
    state = json.loads(backend.to_str())
    added = [t for t in state["added_tokens"] if not BYTE.fullmatch(t["content"])]
    for token in added:
        if token["content"] in names:
            token["content"] = names[token["content"]]
            token |= {"normalized": False, "single_word": False}
    state |= {"added_tokens": added, "truncation": None, "padding": None, "post_processor": None}
    state["model"] = _renamed(state["model"], names)
    return Backend.from_str(json.dumps(state))


def _renamed(model: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """A tokenizer's model whose vocabulary has these pieces under other names."""
    vocab, made = model["vocab"], dict(model)
    if isinstance(vocab, dict):
        made["vocab"] = {names.get(piece, piece): i for piece, i in vocab.items()}
    else:  # Unigram: pieces with scores
        made["vocab"] = [[names.get(piece, piece), score] for piece, score in vocab]
    if model.get("unk_token") in names:
        made["unk_token"] = names[model["unk_token"]]
    if "merges" in model:
        pairs = [tuple(m.split(" ", 1)) if isinstance(m, str) else m for m in model["merges"]]
        made["merges"] = [[a, b] for a, b in pairs if not {a, b, a + b} & names.keys()]
    return made
