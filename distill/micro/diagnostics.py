"""Diagnose a sign-puzzle response: which parts of its content and structure are intact.

Damage to the content lowers `true_equations`; damage to the structure shows in the other three.
"""

import re
from collections.abc import Iterable

from distill.micro.scripted_teacher import STEP
from distill.micro.sign_puzzle import parse_question, sign_patterns

COLUMNS = ("true_equations", "trials_in_order", "repeated_steps", "stops_after_yes")

_EQUATION = re.compile(r"(?<![0-9+-])([0-9]{1,9})([+-])([0-9]{1,9})=([0-9]{1,9})(?![0-9])")
_TRIAL = re.compile(r"[tT]ry ([0-9]+(?:[+-][0-9]+)*)\.")
_LEAD = re.compile(r"^(Wait|Alternatively|First), ")


def diagnose(question: str, response: str) -> dict[str, float | None]:
    r"""Measure one response, `Thought:\n...\nSolution: ...`; the thought may be missing.

    Returns:
        Shares in [0, 1]; None if there is nothing to count.

        true_equations: of the equations of two numbers in the whole response, the share that holds.
        trials_in_order: of the proposed expressions, the share whose signs are the next pattern in
            the teacher's order. The k-th proposal is compared with the k-th pattern, so that one
            left out also counts against all later ones. The numbers are not compared.
        repeated_steps: of the thought's steps, the share that occurred before, ignoring a leading
            "Wait,", "Alternatively," or "First,".
        stops_after_yes: of the steps that end in "Yes.", the share followed by a verification, or
            by exactly one last step: the student stops when it has found the answer.
    """
    steps = _steps(response)
    return {
        "true_equations": _share(
            (int(a) + int(b) if sign == "+" else int(a) - int(b)) == int(made)
            for a, sign, b, made in _EQUATION.findall(response)
        ),
        "trials_in_order": _share(_in_order(steps, len(parse_question(question).numbers))),
        "repeated_steps": _share(_repeated(steps)),
        "stops_after_yes": _share(
            i + 2 == len(steps) or (i + 1 < len(steps) and steps[i + 1].startswith("Let me verify"))
            for i, step in enumerate(steps)
            if step.endswith("Yes.")
        ),
    }


def _steps(response: str) -> list[str]:
    if not response.startswith("Thought:\n"):
        return []
    return response.removeprefix("Thought:\n").split("\nSolution")[0].split(STEP)


def _in_order(steps: list[str], size: int) -> Iterable[bool]:
    proposals = [match[1] for step in steps if (match := _TRIAL.search(step))]
    patterns = ["".join(signs) for signs in sign_patterns(size)]
    for place, proposal in enumerate(proposals):
        signs = "".join(re.findall(r"[+-]", proposal))
        yield place < len(patterns) and signs == patterns[place]


def _repeated(steps: list[str]) -> Iterable[bool]:
    seen: set[str] = set()
    for step in steps:
        words = _LEAD.sub("", step)
        yield words in seen
        seen.add(words)


def _share(holds: Iterable[bool]) -> float | None:
    counted = list(holds)
    return sum(counted) / len(counted) if counted else None
