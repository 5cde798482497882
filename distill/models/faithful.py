"""Whether a tokenizer gives a text back: what a student is trained to write is what was written."""

from typing import Any

from distill.models.control import Tokenizer


def difference(tokenizer: Tokenizer, ids: list[int], text: str) -> tuple[bool, str]:
    """How what the ids decode to differs from the text they were made of.

    Texts that the tokenizer's own normaliser makes equal do not differ in earnest: a student can
    only write the normalised form (Qwen's is NFC). Nor does a blank that the tokenizer puts before
    every text.

    Returns:
        Whether they differ before normalisation; and where they do after it, or else "".
    """
    decoded = tokenizer.decode(ids, clean_up_tokenization_spaces=False)
    wanted = (text, _lead(tokenizer) + text)
    if decoded in wanted:
        return False, ""
    normal = _normaliser(tokenizer)
    if normal(decoded) in map(normal, wanted):
        return True, ""
    read, wrote = normal(decoded), normal(text)
    pairs = enumerate(zip(read, wrote, strict=False))
    at = next((i for i, (a, b) in pairs if a != b), min(len(read), len(wrote)))
    return True, (
        f"the tokenizer does not give it back: from character {at} on it decodes "
        f"{read[at : at + 40]!r}, not {wrote[at : at + 40]!r}"
    )


def _normaliser(tokenizer: Tokenizer) -> Any:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    normalizer = getattr(backend, "normalizer", None)
    return normalizer.normalize_str if normalizer else str


def _lead(tokenizer: Tokenizer) -> str:
    """White space that the tokenizer puts before every text."""
    ids = tokenizer("x", add_special_tokens=False)["input_ids"]
    before, x, _ = tokenizer.decode(ids, clean_up_tokenization_spaces=False).partition("x")
    return before if x and before.isspace() else ""
