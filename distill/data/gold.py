"""Whether a grader takes a kind of problems, and a gold answer: what none takes is no problem."""

from distill.data.values import RowError
from distill.grading import answers, countdown
from distill.grading.grade import GRADERS


def check_gold(kind: str, answer: str) -> None:
    """Raise RowError where no grader takes the kind, or the kind's grader cannot read the answer.

    An empty answer is left to whoever calls: some sources give none, and nothing is decided then.
    """
    if kind not in GRADERS:
        raise RowError(f"no grader for its kind: {kind[:40]!r}; known are {', '.join(GRADERS)}")
    if kind == "math" and "####" in answer:
        raise RowError("the answer is a worked solution that ends in ####: format gsm8k reads it")
    if kind == "choice" and answer and answers.letter(answer) is None:
        raise RowError(f"the answer names no option by its letter: {answer[:40]!r}")
    if kind == "countdown" and answer and countdown.check(answer, answer)[0] is None:
        raise RowError(f"the answer is no expression of numbers: {answer[:40]!r}")
