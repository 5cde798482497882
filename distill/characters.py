"""Texts as arrays of code points, for work that would be slow one character at a time."""

import numpy as np


def code_points(text: str) -> np.ndarray:
    """The code points of a text of N characters: shape (N,), writable, uint8 where all is ASCII."""
    if text.isascii():
        return np.frombuffer(bytearray(text, "ascii"), np.uint8)
    return np.frombuffer(bytearray(text, "utf-32-le", "surrogatepass"), "<u4")


def text_of(codes: np.ndarray) -> str:
    """The text of such an array; lone surrogates stay what they are."""
    if codes.dtype == np.uint8:
        return codes.tobytes().decode("ascii")
    return codes.tobytes().decode("utf-32-le", "surrogatepass")
