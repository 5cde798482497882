"""Traces of the embedded world, and the prompt that its students are trained with."""

import random
from typing import Any

from distill.micro import scripted_teacher, sign_puzzle
from distill.models.config import PromptConfig
from distill.trace.records import Problem, Trace
from distill.training.rows import Row
from distill.training.tokenize import build_rows

PROMPT = PromptConfig(
    name="micro",
    user="Problem: {question}",
    thought_open="Thought:\n",
    thought_close="\nSolution: ",
)


def traces(count: int, seed: int = 0) -> list[Trace]:
    """Correct traces of the scripted teacher, one per problem."""
    made = []
    for puzzle in sign_puzzle.problems("train", count, seed):
        problem = Problem.of(puzzle.question, puzzle.answer, "sign_puzzle", "train")
        written = scripted_teacher.write(puzzle.question, random.Random(problem.id), False)
        made.append(Trace.of(problem, "scripted", 0, *written))
    return made


def built_rows(*asked: Any) -> tuple[list[Row], dict[str, Any]]:
    """What `build_rows` keeps, and its counts."""
    rows: list[Row] = []
    return rows, build_rows(*asked, rows.append)
