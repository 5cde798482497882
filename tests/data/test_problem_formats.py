"""Rows in published schemas become problems."""

import base64
import json
import pickle
import re
import zlib

import pytest

from distill.data import code_formats
from distill.data.code_formats import pickled_text
from distill.data.config import DatasetConfig
from distill.data.problem_formats import FORMATS, reader
from distill.data.problems import load_problems
from distill.data.values import RowError
from distill.grading import code_tests
from distill.grading.countdown import check, expression
from distill.grading.grade import grade
from distill.trace.records import Problem, read_problems, read_rows


def read(name, row, columns):
    return reader(DatasetConfig(format=name, columns=columns))(row)


def packed(cases):
    return base64.b64encode(zlib.compress(pickle.dumps(json.dumps(cases)))).decode()


STDIN = {"input": "1 2\n", "output": "3\n", "testtype": "stdin"}
CALL = {"input": '[1, 2]\n"a"', "output": "3", "testtype": "functional"}
STARTER = "class Solution:\n    def f(self, x, y):\n"
LCB = {
    "question_content": "Sum.",
    "starter_code": "",
    "public_test_cases": json.dumps([STDIN]),
    "private_test_cases": packed([STDIN | {"input": "5 5"}]),
    "metadata": "{}",
}
CASES = {
    "json_lines": (
        {"question": "2+2?", "answer": 4, "difficulty": "3.5"},
        {"answer": "4", "kind": "math", "difficulty": 3.5},
    ),
    "messages": (
        {
            "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "2+2?"}],
            "answer": "4",
        },
        {"question": "2+2?", "answer": "4", "kind": "math"},
    ),
    "sharegpt": (
        {
            "conversations": [{"from": "human", "value": "2+2?"}, {"from": "gpt", "value": "5"}],
            "answer": 4.0,
        },
        {"question": "2+2?", "answer": "4", "kind": "math"},
    ),
    "numina_math": (
        {"problem": "p", "solution": r"So \boxed{\frac{1}{2}}.", "source": "olympiads"},
        {"question": "p", "answer": r"\frac{1}{2}", "part": "olympiads"},
    ),
    "math": (
        {"problem": "p", "solution": r"\boxed{7}", "level": "Level 5", "type": "Algebra"},
        {"answer": "7", "difficulty": 5.0},
    ),
    "gsm8k": (
        {"question": "q", "answer": "a <<1+1=2>>2 eggs\n#### -1,234,567"},
        {"answer": "-1234567"},
    ),
    "still_2": (
        {
            "question": "q",
            "combined_text": "<|begin_of_thought|>\\boxed{8}<|end_of_thought|>"
            "<|begin_of_solution|>It is \\boxed{9}.<|end_of_solution|>",
            "domain": "puzzle",
        },
        {"answer": "9", "part": "puzzle"},
    ),
    "olympiadbench": (
        {"question": "q", "context": "c", "final_answer": ["$1$", "$2$"], "unit": "cm"},
        {"question": "c\n\nq\n\nGive the answer in $cm$, without the unit.", "answer": "$1$, $2$"},
    ),
    "mmlu": (
        {"question": "q", "choices": ["w", "x", "y", "z"], "answer": 2, "subject": "s"},
        {"question": "q\n\nA) w\nB) x\nC) y\nD) z", "answer": "C", "kind": "choice"},
    ),
    "countdown": (
        {"nums": [2, 3, 4], "target": 10, "answer": "2*3+4"},
        {"answer": "2*3+4", "kind": "countdown"},
    ),
    "apps": (
        {
            "question": "q",
            "input_output": '{"inputs": ["1\\n"], "outputs": [["1", "2"]]}',
            "starter_code": "",
            "difficulty": "interview",
        },
        {"tests": ('{"type": "stdin", "input": "1\\n", "output": "1\\n2"}',), "kind": "code"},
    ),
    "taco": (
        {
            "question": "q",
            "input_output": '{"fn_name": "f", "inputs": [[1, 2]], "outputs": [[3]]}',
            "starter_code": "def f(a, b):",
        },
        {"tests": ('{"type": "call", "function": "f", "arguments": [1, 2], "expected": 3}',)},
    ),
    "humaneval": (
        {"prompt": "def f(x):\n", "test": "def check(candidate): pass", "entry_point": "f"},
        {"kind": "code", "answer": ""},
    ),
    "mbpp": (
        {"text": "Do.", "test_list": ["assert f() == 1"], "test_setup_code": ""},
        {"question": "Do.\n\nIt should pass these tests:\n\nassert f() == 1", "kind": "code"},
    ),
    "livecodebench": (
        LCB,
        {
            "tests": (
                '{"type": "stdin", "input": "1 2\\n", "output": "3\\n"}',
                '{"type": "stdin", "input": "5 5", "output": "3\\n"}',
            )
        },
    ),
    "gpqa": (
        {"Question": "q", "Correct Answer": " r \n"}
        | {f"Incorrect Answer {i}": f"w{i}" for i in (1, 2, 3)},
        {"kind": "choice"},
    ),
}


def test_every_format_has_a_case():
    assert set(CASES) == set(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_a_row_in_the_published_schema_becomes_its_problem(name):
    row, expected = CASES[name]
    made = read(name, row, {})
    assert {field: getattr(made, field) for field in expected} == expected


@pytest.mark.parametrize("name", FORMATS)
def test_a_row_without_its_columns_is_unusable_in_words(name):
    with pytest.raises(RowError):
        read(name, {"other": 1}, {})


@pytest.mark.parametrize("name", FORMATS)
def test_fields_in_columns_of_other_names_are_found_and_by_an_alternative_their_own_too(name):
    row = {field: value for field, value in CASES[name][0].items() if field in FORMATS[name].fields}
    renamed = {f"the {field}": value for field, value in row.items()}
    whole = read(name, row, {})
    assert read(name, renamed, {field: f"the {field}" for field in row}) == whole
    assert read(name, row, {field: f"the {field}|{field}" for field in row}) == whole


def test_the_order_of_options_is_frozen_by_the_question_and_differs_between_questions():
    row = CASES["gpqa"][0]
    swapped = row | {"Incorrect Answer 1": "w3", "Incorrect Answer 3": "w1"}
    assert read("gpqa", row, {}) == read("gpqa", row, {}) == read("gpqa", swapped, {})
    letters = {read("gpqa", row | {"Question": str(i)}, {}).answer for i in range(40)}
    assert letters == set("ABCD")
    made = read("gpqa", row, {})
    assert f"{made.answer}) r" in made.question.splitlines()


def test_an_error_that_olympiadbench_allows_is_a_tolerance_or_an_unusable_row():
    row = {"question": "q", "final_answer": ["4.2"], "error": "1e-1"}
    assert read("olympiadbench", row, {}).tolerance == 0.1
    assert read("olympiadbench", row | {"error": None}, {}).tolerance == 0.0
    assert read("olympiadbench", row | {"error": "1e-1,1e-2"}, {}).tolerance == 0.01
    assert read("olympiadbench", row | {"error": "1e-1,"}, {}).tolerance == 0.0
    for error in ("small", "nan", "inf", "-1"):
        with pytest.raises(RowError, match=f"'{error}'"):
            read("olympiadbench", row | {"error": error}, {})


def test_functions_of_livecodebench_are_called_with_a_value_a_line():
    row = LCB | {
        "starter_code": STARTER,
        "public_test_cases": json.dumps([CALL]),
        "private_test_cases": "",
        "metadata": '{"func_name": "f"}',
    }
    made = read("livecodebench", row, {})
    test = {"type": "call", "function": "f", "arguments": [[1, 2], "a"], "expected": 3}
    assert [json.loads(text) for text in made.tests] == [test | {"imports": True}]
    assert STARTER.rstrip() in made.question


class Hostile:
    def __reduce__(self):
        return (print, ("ran",))


@pytest.mark.parametrize(
    "value", [Hostile(), ["text"], b"bytes", {"a": 1}, 7, None, ("a", "b"), print, Problem]
)
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_no_pickle_is_loaded_and_only_a_text_is_read(value, protocol, capsys):
    with pytest.raises(ValueError, match="only one plain text"):
        pickled_text(pickle.dumps(value, protocol))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("text", ["", "ä\n\u2028", "x" * 300, "x" * 70_000])
def test_a_pickled_text_is_read_as_pickle_would(text, protocol):
    assert pickled_text(pickle.dumps(text, protocol)) == text


@pytest.mark.parametrize("data", ["!!", "AAAA", packed([STDIN])[:-8], "eJw="])
def test_damaged_private_tests_are_an_unusable_row(data):
    with pytest.raises(RowError, match="no tests"):
        read("livecodebench", LCB | {"private_test_cases": data}, {})


def test_an_expression_found_makes_the_target_by_the_graders_own_rule():
    for numbers, target in [([95, 89, 47, 24], 17), ([3, 3, 8, 8], 24), ([1, 2], 2), ([7], 7)]:
        found = expression(numbers, target)
        assert check(found, found)[0] and eval(found) == pytest.approx(target)
    assert expression([1, 1], 5) is None


def test_problems_are_kept_once_chosen_by_seed_and_nested(tmp_path):
    rows = [{"question": f"q{i % 20}", "answer": "1"} for i in range(25)] + [{"question": "q"}]
    path = tmp_path / "p.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))

    def made(count, seed=0):
        config = DatasetConfig(
            format="json_lines", path=str(path), problems=count, seed=seed, max_rejected=0.1
        )
        load_problems(config, out=tmp_path)
        return [p.question for p in read_problems(tmp_path / "problems.jsonl")]

    assert made(0) == [f"q{i}" for i in range(20)]
    summary = json.loads((tmp_path / "summary.json").read_text())
    counts = {"problems": 20, "rows": 26, "rejected": 1, "repeated": 5}
    assert summary == counts | {"reasons": {"no answer": 1}}
    assert "no column answer" in next(read_rows(tmp_path / "rejected.jsonl"))["why"]
    assert made(12)[:5] == made(5) != made(5, seed=1)
    with pytest.raises(ValueError, match=r"dataset\.problems=21, but the source gives 20"):
        made(21)


def test_an_unknown_format_names_the_choices():
    with pytest.raises(ValueError, match=r"gsm8k.*got 'gsm9k'"):
        read("gsm9k", {}, {})


def test_a_choice_problem_is_graded_by_its_letter():
    made = read("gpqa", CASES["gpqa"][0], {})
    problem = Problem.of(made.question, made.answer, made.kind, "t")
    wrong = next(letter for letter in "ABCD" if letter != made.answer)
    verdicts = [grade(problem, rf"\boxed{{{letter}}}").correct for letter in (made.answer, wrong)]
    assert verdicts == [True, False]


ODD = {
    "gsm8k no mark": ("gsm8k", {"answer": "She has 3, so 12."}, "no ####"),
    "gsm8k null": ("gsm8k", {"answer": None}, "no ####"),
    "gsm8k none": ("gsm8k", {"answer": "so\n#### None"}, "'None' says that there is none"),
    "gsm8k empty": ("gsm8k", {"answer": "so\n#### "}, "no answer"),
    "gsm8k more": (
        "gsm8k",
        {"answer": "so\n#### 12\nwhich is a dozen"},
        "several lines after ####",
    ),
    "still_2 no mark": ("still_2", {"combined_text": "\\boxed{9}"}, "no <|begin_of_solution|>"),
    "mmlu text": ("mmlu", {"choices": "['a', 'b']"}, "choices is text, not a list"),
    "mmlu true": ("mmlu", {"answer": True}, "answer is a boolean, not a whole number"),
    "mmlu beyond": ("mmlu", {"answer": 4}, "answer is no index of choices: 4 of 4"),
    "mmlu null option": ("mmlu", {"choices": ["a", None]}, "an item of choices is null, not text"),
    "mmlu twice": ("mmlu", {"choices": ["a", "a"], "answer": 0}, "the right option is there twice"),
    "gpqa twice": ("gpqa", {"Incorrect Answer 1": "r"}, "the right option is there twice"),
    "gpqa empty": ("gpqa", {"Incorrect Answer 3": None}, "an option is empty"),
    "mbpp text": ("mbpp", {"test_list": "assert f() == 1"}, "test_list is text, not a list"),
    "mbpp object": ("mbpp", {"test_list": [{"a": 1}]}, "an item of test_list is an object"),
    "countdown text": ("countdown", {"nums": "[1, 2]"}, "nums is text, not a list"),
    "countdown half": ("countdown", {"nums": [1.5, 2]}, "an item of nums is a number, not a whole"),
    "countdown many": (
        "countdown",
        {"nums": [1] * 7, "answer": None},
        "no answer: one is searched",
    ),
    "countdown words": ("countdown", {"answer": "two of them"}, "the answer is no expression"),
    "apps object": (
        "apps",
        {"input_output": {"inputs": []}},
        "input_output is an object, not text",
    ),
    "apps letters": (
        "apps",
        {"input_output": '{"inputs": "ab", "outputs": "cd"}'},
        "inputs is text",
    ),
    "apps arguments": (
        "apps",
        {"input_output": '{"fn_name": "f", "inputs": ["ab"], "outputs": [1]}'},
        "an item of inputs is text, not a list",
    ),
    "apps fewer": ("apps", {"input_output": '{"inputs": ["a"], "outputs": []}'}, "0 for 1"),
    "humaneval": ("humaneval", {"entry_point": "f(x)"}, "no tests: prompt, test and the name"),
    "olympiad": ("olympiadbench", {"final_answer": ["N/A"]}, "no final_answer: 'N/A' says"),
    "olympiad null": ("olympiadbench", {"final_answer": [None]}, "final_answer is null"),
    "choice": ("json_lines", {"kind": "choice", "answer": 2}, "names no option by its letter: '2'"),
    "kind": (
        "json_lines",
        {"kind": "Math"},
        "no grader for its kind: 'Math'; known are sign_puzzle",
    ),
    "test text": ("json_lines", {"kind": "code", "tests": ["assert f()"]}, "tests is not JSON"),
    "test type": ("json_lines", {"kind": "code", "tests": [{"type": "io"}]}, "not in the schema"),
    "test number": (
        "json_lines",
        {"kind": "code", "tests": [{"type": "stdin", "input": 1, "output": "1"}]},
        "not in the schema: input; known are stdin",
    ),
    "tests of a number": (
        "json_lines",
        {"kind": "math", "tests": [{"input": "", "output": "1"}]},
        "tests are of problems of kind",
    ),
    "livecodebench": (
        "livecodebench",
        {"public_test_cases": '[{"input": 1, "output": "", "testtype": "stdin"}]'},
        "no tests: input of a test is a number, not text",
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_a_value_that_is_not_what_its_field_holds_is_set_aside_in_words(name):
    form, change, message = ODD[name]
    with pytest.raises(RowError, match=re.escape(message)):
        read(form, CASES[form][0] | change, {})


def test_tests_of_ones_own_have_the_schema_of_the_grader():
    assert {kind: set(parts) for kind, parts in code_formats._TYPES.items()} == code_tests._REQUIRED
    assert set(code_formats._MORE) == code_tests._OPTIONAL
