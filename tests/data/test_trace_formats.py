"""Rows in the schemas of published traces, written here.

Run: pytest tests/data/test_trace_formats.py
"""

import json

import pytest

from distill.data.trace_formats import FORMATS, as_problem, reader
from distill.data.values import RowError
from distill.store.identity import CHECKOUT
from distill.teachers.config import TeacherConfig
from distill.trace.records import Problem

TRACES = CHECKOUT.parent / "shared" / "data" / "traces"
TAGGED = (
    "<|begin_of_thought|>\n\nTwo and two.\n\nWait, \\boxed{5}?\n\n<|end_of_thought|>\n\n"
    "<|begin_of_solution|>\n\nIt is \\boxed{4}.\n\n<|end_of_solution|>"
)
CONVERSATION = {
    "system": "Your role as an assistant ...",
    "conversations": [
        {"from": "user", "value": r"Return your final response within \boxed{}. What is 2+2?"},
        {"from": "assistant", "value": TAGGED},
    ],
}
ROWS = {
    "json_lines": {"question": "What is 2+2?", "answer": 4, "thought": "a", "solution": "b"},
    "messages": {
        "messages": [
            {"role": "system", "content": "Be careful."},
            {"role": "user", "content": "What is 2+2?"},
            {"role": "assistant", "content": "<think>\na\n</think>\n\n\\boxed{4}"},
        ],
        "answer": "4",
    },
    "sharegpt": {
        "conversations": [
            {"from": "human", "value": "What is 2+2?"},
            {"from": "gpt", "value": "<think>\na\n</think>\n\n\\boxed{4}"},
        ],
        "answer": 4,
    },
    "bespoke_stratos_17k": CONVERSATION,
    "sky_t1_17k": CONVERSATION,
    "openthoughts_114k": {
        "problem": "What is 2+2?",
        "deepseek_reasoning": "a",
        "deepseek_solution": "b",
        "ground_truth_solution": r"Add them. \boxed{4}",
        "domain": "math",
        "source": "amc_aime",
        "test_cases": None,
        "starter_code": None,
    },
    "s1k_1_1": {
        "solution": "4",
        "question": "What is 2+2?",
        "cot_type": "math",
        "source_type": "AI-MO/NuminaMath-CoT/aops_forum",
        "metadata": "{}",
        "gemini_thinking_trajectory": "g",
        "gemini_attempt": "h",
        "deepseek_thinking_trajectory": "a",
        "deepseek_attempt": "b",
        "gemini_grade": "No",
        "gemini_grade_reason": "",
        "deepseek_grade": "Yes",
        "deepseek_grade_reason": "",
    },
    "limo": {
        "question": "What is 2+2?",
        "solution": "a\n\n**Final Answer**\n\n\\boxed{4}",
        "answer": "4",
    },
    "openr1_math_220k": {
        "problem": "What is 2+2?",
        "solution": "Add them.",
        "answer": "4",
        "problem_type": "Algebra",
        "question_type": "math-word-problem",
        "source": "olympiads",
        "uuid": "0",
        "is_reasoning_complete": [True, False],
        "generations": ["<think>\na\n</think>\n\n\\boxed{4}", "<think>\nc"],
        "correctness_math_verify": [True, False],
        "correctness_llama": None,
        "finish_reasons": ["stop", "length"],
        "correctness_count": 1,
        "messages": [],
    },
    "numina_cot": {
        "source": "olympiads",
        "problem": "What is 2+2?",
        "solution": r"Add them: \boxed{4}.",
        "messages": [],
    },
}


WITHOUT_GOLD = ("bespoke_stratos_17k", "sky_t1_17k")
"""Formats whose published rows have no reference answer."""


def source(format_, **more):
    return TeacherConfig(kind="recorded", format=format_, path="some/rows.jsonl", **more)


def recorded(row, source):
    return reader(source)(row)


def problem_of(row, source):
    """The problem of a row, or why it is rejected."""
    try:
        return as_problem(recorded(row, source), source)
    except RowError as error:
        return str(error)


@pytest.mark.parametrize("name", FORMATS)
def test_every_schema_gives_the_question_the_answer_and_every_response(name):
    read = recorded(ROWS[name], source(name))
    gold = "" if name in WITHOUT_GOLD else "4"
    assert (read.question, read.answer, read.kind) == ("What is 2+2?", gold, "math")
    assert len(read.responses) == (2 if name == "openr1_math_220k" else 1)
    problem = problem_of(ROWS[name], source(name))
    assert problem == Problem.of("What is 2+2?", gold, "math", "local")


@pytest.mark.parametrize("name", ["json_lines", "openthoughts_114k", "s1k_1_1"])
def test_thought_and_solution_that_were_published_apart_stay_so(name):
    (response,) = recorded(ROWS[name], source(name)).responses
    assert response.parts == ("a", "b")


def test_a_worked_solution_is_a_short_thought_and_what_it_boxes_the_solution():
    (response,) = recorded(ROWS["numina_cot"], source("numina_cot")).responses
    assert response.parts == (r"Add them: \boxed{4}.", r"The final answer is $\boxed{4}$.")
    assert problem_of(ROWS["numina_cot"] | {"solution": "A proof."}, source("numina_cot")) == (
        "no answer"
    )


@pytest.mark.parametrize("name", ["bespoke_stratos_17k", "sky_t1_17k", "limo"])
def test_whole_texts_stay_whole(name):
    (response,) = recorded(ROWS[name], source(name)).responses
    assert response.parts is None
    assert response.text in (TAGGED, ROWS["limo"]["solution"])


@pytest.mark.parametrize("name", FORMATS)
def test_a_row_without_question_is_named_as_such(name):
    row = json.loads(json.dumps(ROWS[name]).replace("What is 2+2?", " "))
    assert problem_of(row, source(name)) == "no question"


@pytest.mark.parametrize("name", ["json_lines", "limo", "openr1_math_220k"])
def test_a_null_answer_is_named_where_the_schema_has_answers(name):
    assert problem_of(ROWS[name] | {"answer": None}, source(name)) == "no answer"


@pytest.mark.parametrize("name", FORMATS)
def test_a_row_of_another_schema_is_rejected_with_the_column_it_lacks(name):
    why = problem_of({"prompt": "What is 2+2?"}, source(name))
    chat = why.startswith(("no messages: no column", "no conversations: no column"))
    assert why == "no generations" or chat or why.endswith("has prompt")


def test_an_unknown_format_names_the_choices():
    with pytest.raises(ValueError, match=r"json_lines, limo.*got 'parquet'"):
        problem_of({}, source("parquet"))


def test_the_traces_of_the_other_model_are_chosen_by_column():
    columns = {
        "deepseek_thinking_trajectory": "gemini_thinking_trajectory",
        "deepseek_attempt": "gemini_attempt",
    }
    read = recorded(ROWS["s1k_1_1"], source("s1k_1_1", columns=columns))
    assert read.responses[0].parts == ("g", "h")


def test_a_question_for_a_program_is_code_without_an_answer():
    ask = "Generate an executable Python function generated from the given prompt. Add two numbers."
    turns = [{"from": "user", "value": ask}, {"from": "assistant", "value": TAGGED}]
    read = recorded({"system": "", "conversations": turns}, source("bespoke_stratos_17k"))
    assert (read.kind, read.answer, read.question) == ("code", "", ask)


def test_the_tests_of_a_program_go_with_its_problem():
    program = {"inputs": ["1\n2\n"], "outputs": ["3\n"]}
    row = ROWS["openthoughts_114k"] | {"domain": "code", "test_cases": json.dumps(program)}
    problem = problem_of(row, source("openthoughts_114k"))
    assert (problem.kind, problem.answer, len(problem.tests)) == ("code", "", 1)
    assert json.loads(problem.tests[0])["type"] == "stdin"
    assert problem.question.startswith("What is 2+2?") and "standard input" in problem.question
    function = program | {"fn_name": "add", "inputs": [[1, 2]], "outputs": [3]}
    row |= {"test_cases": json.dumps(function), "starter_code": "def add(a, b):"}
    problem = problem_of(row, source("openthoughts_114k"))
    assert json.loads(problem.tests[0])["type"] == "call" and "def add" in problem.question
    why = problem_of(row | {"test_cases": "[1"}, source("openthoughts_114k"))
    assert why.startswith("test_cases are not as in TACO")


def test_a_worked_reference_without_a_marked_answer_is_no_answer():
    row = ROWS["s1k_1_1"] | {"solution": "First, suppose that it is not so. " * 10}
    assert recorded(row, source("s1k_1_1")).answer == ""


def test_responses_that_were_cut_off_are_marked():
    read = recorded(ROWS["openr1_math_220k"], source("openr1_math_220k"))
    assert [r.finish_reason for r in read.responses] == ["stop", "length"]
    row = ROWS["json_lines"] | {"truncated": True}
    assert recorded(row, source("json_lines")).responses[0].finish_reason == "length"


def test_columns_that_plus_joins_are_one_text():
    row = {"q": "1?", "gold": "2", "pre": "<think>\n", "r": "x", "post": None}
    columns = {"question": "q", "answer": "gold", "text": "pre+r+post"}
    read = recorded(row, source("json_lines", columns=columns))
    assert read.responses[0].text == "<think>\nx"
    with pytest.raises(RowError, match=r"no text: no column pre\+r\+post; has q, gold, pre, r"):
        row.pop("post")
        recorded(row, source("json_lines", columns=columns))


def test_optional_columns_of_json_lines_say_kind_teacher_and_difficulty():
    more = {"kind": "choice", "answer": "B", "teacher": "QwQ", "level": "3"}
    columns = {"difficulty": "level"}
    read = recorded(ROWS["json_lines"] | more, source("json_lines", columns=columns))
    assert (read.kind, read.responses[0].teacher, read.difficulty) == ("choice", "QwQ", 3.0)
    problem = problem_of(ROWS["json_lines"] | more, source("json_lines", columns=columns))
    assert (problem.kind, problem.difficulty) == ("choice", 3.0)


FIELDS = {"answer": "gold_answer", "thought": "reasoning", "teacher": "model"}
WHOLE = {
    "answer": "gold_answer",
    "text": "pre+reasoning+mid+solution+post",
    "teacher": "run",
}
FILES = {
    "deepseek_r1_aime24": (30, 30, 0),
    "qwq_r1distill_gsm8k_math500": (1386, 900, 0),
    "r1distill_qwq_aime25": (180, 30, 0),
    "r1distill_sentence_labelled": (300, 0, 300),
    "skythought_ablation_outputs": (230, 70, 0),
    "thought_anchors_math": (153, 153, 0),
}
"""Shared file -> its rows, distinct questions, and rows that cannot be used: no question."""


@pytest.mark.parametrize("name", FILES)
def test_json_lines_reads_every_row_of_the_shared_traces_or_says_why_not(name):
    if not TRACES.is_dir():
        pytest.skip(f"no shared traces at {TRACES}")
    with (TRACES / f"{name}.jsonl").open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    columns = FIELDS
    if name == "skythought_ablation_outputs":
        columns = WHOLE
    problems = [problem_of(row, source("json_lines", columns=columns)) for row in rows]
    refused = [why for why in problems if isinstance(why, str)]
    questions = {p.question for p in problems if isinstance(p, Problem)}
    assert (len(rows), len(questions), len(refused)) == FILES[name]
    assert all(why.startswith("no question: no column question; has ") for why in refused)


def test_a_row_of_another_shape_is_rejected_and_not_fatal():
    source = TeacherConfig(kind="recorded", format="json_lines")
    row = {"question": "q", "answer": "1", "thought": "t", "solution": "s", "difficulty": [3]}
    with pytest.raises(RowError, match="difficulty is a list, not a level"):
        recorded(row, source)
    assert recorded(row | {"difficulty": "hard"}, source).difficulty is None
