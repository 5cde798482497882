"""Write pretraining documents of each kind: skills that long traces need, but no long trace.

The kinds are arithmetic, copying, short reflections, search in another task, unordered trials
without an answer, and short direct answers. Tuples of numbers come from the train split only.
"""

import random
from collections.abc import Callable, Sequence

from distill.micro.scripted_teacher import STEP, computation, verdict
from distill.micro.sign_puzzle import LARGEST, SignPuzzle, expression, split_of, total

Document = tuple[str, str]
"""A prompt, which gets no digit noise and may be empty, and a body."""


def facts(rng: random.Random) -> Document:
    """Eight facts, e.g. `31+5=36.` or `3-8 is negative.`, in a row."""
    return "", " ".join(_fact(rng) for _ in range(8))


def direct(rng: random.Random) -> Document:
    """A sign puzzle, answered at once with its computation."""
    puzzle, signs = _puzzle(rng, rng.choice([3, 4]))
    work, _ = computation(puzzle.numbers, signs)
    boxed = _boxed(expression(puzzle.numbers, signs))
    return f"Problem: {puzzle.question}\n", f"Solution: {work} So {boxed}"


def compute(rng: random.Random) -> Document:
    """An expression: computed, computed and verified, proposed, or only answered."""
    numbers = _train_numbers(rng, rng.choice([2, 3, 4]))
    signs = _signs(rng, len(numbers))
    work, made = computation(numbers, signs)
    answer = _boxed("negative" if made is None else str(made))
    prompt = f"Problem: Compute {expression(numbers, signs)}.\n"
    form = rng.random()
    if form < 0.4 and made is not None:
        return prompt, f"Solution: {work} So {answer}"
    if form < 0.6:
        return "", f"Let me try {expression(numbers, signs)}.{STEP}{work}"
    if form < 0.8:
        verified = "" if made is None else f"{STEP}Let me verify: {work} Right."
        return prompt, f"Thought:\n{work}{verified}\nSolution: {answer}"
    return prompt, f"Solution: {answer}"


def reflect(rng: random.Random) -> Document:
    """Two to five short reflections on single operations."""
    separator = rng.choice([STEP, "\n", " "])
    return "", separator.join(_reflection(rng) for _ in range(rng.randint(2, 5)))


def copy(rng: random.Random) -> Document:
    """A list of numbers from 0 to 40: copied, reversed, the number after another, or the last."""
    items = [str(rng.randint(0, 40)) for _ in range(rng.randint(2, 6))]
    row = " ".join(items)
    place = items.index(rng.choice(items[:-1]))
    asked, answer = rng.choice(
        [
            (f"Copy {row}", row),
            (f"Reverse {row}", " ".join(reversed(items))),
            (f"Is next after {items[place]} in {row}", items[place + 1]),
            (f"The last of {row}", items[-1]),
        ]
    )
    thought = f"Thought:\n{answer}.\n" if rng.random() < 0.5 else ""
    return f"Problem: {asked}.\n", f"{thought}Solution: {_boxed(answer)}"


def unknown(rng: random.Random) -> Document:
    """Find x in a+x=c or a-x=c: at once, or by guessing upwards with checks and reflections."""
    sign, x, start = rng.choice("+-"), rng.randint(1, LARGEST), rng.randint(0, 27)
    start += x if sign == "-" else 0
    target = _operate(start, sign, x)
    prompt = f"Problem: Find x with {start}{sign}x={target}.\n"
    if rng.random() < 0.3:
        return prompt, f"Solution: {start}{sign}{x}={target}. So {_boxed(str(x))}"
    first, steps = max(1, x - rng.randint(0, 3)), []
    for guess in range(first, x + 1):
        lead = "First" if guess == first else rng.choice(["Wait", "Alternatively"])
        made = _operate(start, sign, guess)
        steps.append(f"{lead}, let me try {start}{sign}{guess}.")
        steps.append(f"{start}{sign}{guess}={made}.")
        steps.append(verdict(made, target))
    return prompt, f"Thought:\n{STEP.join(steps)}\nSolution: {_boxed(str(x))}"


def trials(rng: random.Random) -> Document:
    """One to five trials of random sign patterns, with a prompt of their own."""
    puzzle, signs = _puzzle(rng, rng.choice([3, 4, 4]))
    steps: list[str] = []
    for trial in range(rng.randint(1, 5)):
        if rng.random() < 0.85:
            signs = _signs(rng, len(puzzle.numbers))
        work, made = computation(puzzle.numbers, signs)
        again = ["Wait, let me try", "Alternatively, let me try", "Try"]
        lead = rng.choice(again) if trial else "Let me try"
        steps.append(f"{lead} {expression(puzzle.numbers, signs)}.")
        steps += [work, verdict(made, puzzle.target)]
        if made == puzzle.target:
            break
    prompt = f"Problem: {puzzle.question.replace('Use', 'Try', 1)}\n"
    return prompt, f"Thought:\n{STEP.join(steps)}"


WRITERS: dict[str, Callable[[random.Random], Document]] = {
    "facts": facts,
    "direct": direct,
    "compute": compute,
    "reflect": reflect,
    "copy": copy,
    "unknown": unknown,
    "trials": trials,
}


def _fact(rng: random.Random) -> str:
    left, right = rng.randint(0, 36), rng.randint(1, LARGEST)
    if rng.random() < 0.5:
        return f"{left}+{right}={left + right}."
    return computation([left, right], "-")[0]


def _reflection(rng: random.Random) -> str:
    left, right, sign = rng.randint(0, 36), rng.randint(1, LARGEST), rng.choice("+-")
    if sign == "-" and left < right:
        left = right + rng.randint(0, 27)
    made = _operate(left, sign, right)
    fact = f"{left}{sign}{right}={made}."
    target = made if rng.random() < 0.4 else rng.randint(0, 36)
    wrong = max(0, made + rng.choice([-10, -2, -1, 1, 2, 10]))
    other, _ = computation([left, right], "+" if sign == "-" else "-")
    question = f"Is {left}{sign}{right} equal to {target}? {fact} {verdict(made, target)}"
    return rng.choice(
        [
            f"{left}{sign}{right}={wrong}. Wait, {fact}",
            f"Let me verify: {fact} Right.",
            question,
            question,
            f"{fact} Alternatively, {other}",
            f"Alternatively, let me try {left}{sign}{right}. {fact}",
            f"First, {fact}",
        ]
    )


def _puzzle(rng: random.Random, size: int) -> tuple[SignPuzzle, Sequence[str]]:
    """A puzzle of the train split, and the signs that its target was computed with."""
    while True:
        numbers, signs = _train_numbers(rng, size), _signs(rng, size)
        target = total(numbers, signs)
        if target is not None:
            return SignPuzzle(numbers, target), signs


def _train_numbers(rng: random.Random, size: int) -> tuple[int, ...]:
    while True:
        numbers = tuple(rng.randint(1, LARGEST) for _ in range(size))
        if split_of(numbers) == "train":
            return numbers


def _signs(rng: random.Random, size: int) -> list[str]:
    return [rng.choice("+-") for _ in range(size - 1)]


def _operate(left: int, sign: str, right: int) -> int:
    return left + right if sign == "+" else left - right


def _boxed(answer: str) -> str:
    return rf"\boxed{{{answer}}}."
