"""Find an expression of given numbers, each used once, that makes a target."""

from collections.abc import Iterator
from fractions import Fraction

Term = tuple[Fraction, str]


def expression(numbers: list[int], target: int) -> str | None:
    """The first expression with `+ - * /`, in exact fractions, that equals the target, or None.

    Four numbers take a few milliseconds, six some seconds.
    """
    return _search([(Fraction(number), str(number)) for number in numbers], Fraction(target))


def _search(terms: list[Term], target: Fraction) -> str | None:
    if len(terms) == 1:
        return terms[0][1] if terms[0][0] == target else None
    for i in range(len(terms)):
        for j in range(i + 1, len(terms)):
            rest = [term for k, term in enumerate(terms) if k not in (i, j)]
            for made in _joined(terms[i], terms[j]):
                found = _search([*rest, made], target)
                if found is not None:
                    return found
    return None


def _joined(left: Term, right: Term) -> Iterator[Term]:
    (a, one), (b, other) = left, right
    yield a + b, f"({one} + {other})"
    yield a * b, f"({one} * {other})"
    yield a - b, f"({one} - {other})"
    yield b - a, f"({other} - {one})"
    if b:
        yield a / b, f"({one} / {other})"
    if a:
        yield b / a, f"({other} / {one})"
