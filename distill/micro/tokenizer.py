r"""Build the students' tokenizer: words, digits and "\n\n" are tokens, bytes encode all else."""

import string
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PAD, EOS = "<|pad|>", "<|end|>"

WORDS = """
    Problem Use or between to make Solution Thought First Wait Alternatively Let let me verify Yes
    Right Not not and is negative Compute the The So Is equal Copy Reverse last next after of in
    Find with x try Try
""".split()  # noqa: SIM905 - a word list reads best as text

PIECES = r"\n\n|\\boxed| ?[A-Za-z]+|[0-9]|[^A-Za-z0-9]"
"""Splits a text into pieces; a piece that is not a token is split into characters."""

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% else %}{{ '\\n' }}{% endif %}"
    "{% endfor %}"
)
"""Each message, then a newline or, after an answer, the end token. No generation prompt."""


def build() -> "PreTrainedTokenizerFast":
    """Build the tokenizer, from this file alone.

    Any text round-trips: unknown words are split into letters, and other characters into UTF-8
    bytes. Special tokens written out in a text are read as special tokens, as is usual.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(
        models.BPE(vocab=_vocabulary(), merges=[], byte_fallback=True, ignore_merges=True)
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(PIECES), behavior="isolated")
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=EOS,
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
        model_max_length=2048,
        padding_side="left",
    )


def _vocabulary() -> dict[str, int]:
    tokens = [PAD, EOS, "\n\n", "\n", " ", r"\boxed"]
    tokens += string.digits + string.punctuation + string.ascii_letters
    tokens += [form for word in WORDS for form in (word, f" {word}")]
    tokens += [f"<0x{byte:02X}>" for byte in range(256)]
    return {token: index for index, token in enumerate(dict.fromkeys(tokens))}
