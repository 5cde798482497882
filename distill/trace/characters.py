"""Texts as bytes, one a character, for work that would be slow one character at a time."""

from functools import cache

import numpy as np

CLOSER, BLANK, ELLIPSIS, OTHER = 0x80, 0x81, 0x82, 0xFF
"""What stands for a wide quotation mark at the end, blank, ellipsis and anything else; a letter or
digit has `_`."""


def stand_ins(text: str) -> np.ndarray:
    """Shape (N,), uint8: ASCII characters as they are, each wider one as what stands for it."""
    if text.isascii():
        return np.frombuffer(text.encode("ascii"), np.uint8)
    codes = _code_points(text)
    wide = (codes > 127).nonzero()[0]
    found = codes.astype(np.uint8)
    found[wide] = _table()[np.minimum(codes[wide], 0xFFFF)]
    for place in wide[codes[wide] > 0xFFFF].tolist():
        found[place] = _stand_in(text[place])
    return found


def _code_points(text: str) -> np.ndarray:
    try:
        codes = np.frombuffer(text.encode("utf-16-le"), "<u2")
    except UnicodeEncodeError:  # a lone surrogate
        codes = np.empty(0, "<u2")
    if len(codes) == len(text):
        return codes
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


@cache
def _table() -> np.ndarray:
    return np.array([_stand_in(chr(code)) for code in range(0x10000)], np.uint8)


def _stand_in(character: str) -> int:
    if character.isascii():
        return ord(character)
    if character in "\u201d\u2019":
        return CLOSER
    if character == "\u2026":
        return ELLIPSIS
    return BLANK if character.isspace() else ord("_") if character.isalnum() else OTHER
