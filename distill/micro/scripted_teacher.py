"""The scripted teacher of the embedded world: search with trials, reflection and verification."""

import random
from collections.abc import Sequence

from distill.micro.sign_puzzle import expression, parse_question, sign_patterns, total

STEP = "\n\n"
"""Separator of two steps of a thought."""


def write(question: str, rng: random.Random, slip: bool) -> tuple[str, str]:
    r"""Write a long trace.

    The teacher tries the sign patterns in order. Each trial proposes, computes and checks, and all
    but the first begin with a reflection. A verification ends the thought.

    With a `slip`, the last operation of one failing trial gives the target by mistake, so that the
    final answer is wrong and the thought agrees with it. This trial may come after a correct one,
    whose result is then misread too; so traces with a slip are not shorter than correct ones. If no
    trial can have a slip, the trace is correct.

    Returns:
        thought: steps separated by a blank line.
        solution: the final answer, `So \boxed{6+1-1+3}.`, in the form of the base students' own
            short answers.

    Raises:
        ValueError: not a sign puzzle, or one that has no answer.
    """
    puzzle = parse_question(question)
    numbers, target = puzzle.numbers, puzzle.target
    patterns = sign_patterns(len(numbers))
    totals = [total(numbers, signs) for signs in patterns]
    if target not in totals:
        raise ValueError(f"no signs between {numbers} make {target}")
    failing = [i for i, made in enumerate(totals) if made not in (None, target)]
    stop = rng.choice(failing) if slip and failing else totals.index(target)
    steps = []
    for trial in range(stop + 1):
        shown = totals[trial]
        if trial == stop:
            shown = target
        elif shown == target:
            shown = _near(target, rng)
        steps += _trial(numbers, patterns[trial], shown, target, trial == 0, rng)
    work = _with_result(*computation(numbers, patterns[stop]), target)
    steps.append(f"Let me verify: {work} Right.")
    return STEP.join(steps), rf"So \boxed{{{expression(numbers, patterns[stop])}}}."


def computation(numbers: Sequence[int], signs: Sequence[str]) -> tuple[str, int | None]:
    """Compute from left to right: ("6+1=7, 7-1=6.", 6); ("1-3 is negative.", None) stops early."""
    running = numbers[0]
    parts: list[str] = []
    for number, sign in zip(numbers[1:], signs, strict=True):
        if sign == "-" and number > running:
            return ", ".join([*parts, f"{running}-{number} is negative."]), None
        result = running + number if sign == "+" else running - number
        parts.append(f"{running}{sign}{number}={result}")
        running = result
    return ", ".join(parts) + ".", running


def verdict(made: int | None, target: int) -> str:
    """The check that ends a trial; None: a running total was negative."""
    if made is None:
        return f"So not {target}."
    return f"{made} is {target}. Yes." if made == target else f"{made} is not {target}."


def _trial(
    numbers: Sequence[int],
    signs: Sequence[str],
    shown: int | None,
    target: int,
    first: bool,
    rng: random.Random,
) -> list[str]:
    """The steps of a trial: propose, compute (with `shown` as the result) and check."""
    lead = "First" if first else rng.choice(["Wait", "Alternatively"])
    return [
        f"{lead}, let me try {expression(numbers, signs)}.",
        _with_result(*computation(numbers, signs), shown),
        verdict(shown, target),
    ]


def _with_result(work: str, made: int | None, shown: int | None) -> str:
    """The computation with its last result replaced by `shown`."""
    return work if made == shown else f"{work.rsplit('=', 1)[0]}={shown}."


def _near(target: int, rng: random.Random) -> int:
    """A total close to the target, but not the target, and not negative."""
    return rng.choice([target + d for d in (-2, -1, 1, 2) if target + d >= 0])
