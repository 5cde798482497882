r"""An answer is read where a response commits to it, in whatever words, and nowhere else."""

import time

import pytest

from distill.compute import ComputeConfig
from distill.grading import answers, options, programs
from distill.grading.config import GradingConfig
from distill.grading.grade import grade, grade_all
from distill.trace.records import Problem

MARKED = {
    r"\(\boxed{1}\) and \(\boxed{-2}\)": "1, -2",
    r"$x = \boxed{1}$, $y = \boxed{2}$": "1, 2",
    r"\[\boxed{1}\] or \[\boxed{2}\]": "1, 2",
    r"\boxed{5}. So we checked, and \boxed{5}": "5",
    r"Hence $\boxed{28}\%$.": r"28\%",
    r"So it is \boxed{28}\%": r"28\%",
    r"\(\boxed{28}\) percent": r"28\%",
    r"It is \boxed{28\%}\%": r"28\%",
    "So we get it.\n#### 42": "42",
    "So the profit is 70,000.\n#### 70,000": "70,000",
    "#### $18\n": "18",
    "#### 42\n\nQuestion: What is 1+1?\n#### 2": "42",
    "It is <answer> 7 </answer>, <answer>8</answer>": "8",
    r"The answer is 4, \boxed{5}, not 6.": "5",
}
ANNOUNCED = {
    "A: 42": "42",
    "Answer: 15": "15",
    "Ans: 15.": "15",
    "the answer should be 210": "210",
    "The answer should be 210.": "210",
    "The answer comes out to be $5$.": "5",
    "**Answer:** 7": "7",
    "Answer:\n\n$$5$$": "5",
    "**Final Answer**\n\\[ 5 \\]": "5",
    "**Answer:**\n\n- x = 3": "x = 3",
    "Therefore the final answer is: $\\frac{1}{2}$.": r"\frac{1}{2}",
    "The final answer is $x = 5$ or $x = 7$.": "$x = 5$ or $x = 7$",
    "Therefore, the answer is 24 because 4*6=24.": "24",
    "Final answer: 5 (since 3+2=5)": "5",
    "### Final Answer\nJudy makes **\\$2,925.00** in one week.": r"\$2,925.00",
    "**Final Answer:** The number of ways to seat 8 people is:\n\\[\n10080\n\\]": "10080",
    "**Answer:** Claire will eat \\(7\\) dozen eggs in 4 weeks.": "7",
    "A: The answer is 8.\n\nQ: What is 2+2?\nA: The answer is 4.": "8",
    "The answers are 3 and 5.": "3 and 5",
    "The answer is .5": ".5",
    "Answer: 50%": "50%",
    "答案是 5。": "5",
    "Réponse : 12": "12",
}
CONCLUDED = {
    "So, the sixth term is 350.": "350",
    "**9**": "9",
    "We compute.\n\n**9**": "9",
    "42": "42",
    "$x = 5$": "x = 5",
    r"\frac{1}{2}": r"\frac{1}{2}",
    "Thus, the farm yields **100 barrels of wine annually**.": "100",
    "**Total outfits Laurel has:** 87": "87",
    "So she needs 3 + 4 = 7 cups.": "7",
    "She earns $18 a day and $126 a week. So Janet makes $126.": "$126",
    "So there are 12 ways.\n\nI hope this helps!": "12",
    "The width is 5. Check: 5*2 = 10 ✓.": "5",
    "Therefore:\n\\[ x = 16 \\]": "x = 16",
    "Thus the solutions are x = 1 and x = 2.": "x = 1 and x = 2",
    "So the point is (3, 4).": "(3, 4)",
    "Thus, the number of \\(n\\) that satisfy the equation is:\n\\[\n31\n\\]": "31",
    "Therefore 9 is the largest such number.": "9",
}
UNCOMMITTED = (
    "",
    "Now y = 87, so",
    "We get y = 87 and then z",
    "x = 45\n\\[ y = 16 \\]",
    "The answer is not 5.",
    "The answer isn't 7.",
    "So the answer cannot be 7.",
    "Is the answer 5?",
    "If the answer is 5, then we are done",
    "Suppose the answer is 5. Then x = 3.",
    "I first thought the answer was 5.",
    "The answer is at least 5.",
    "The answer is between 5 and 9.",
    "An answer of the form $a+b$ is needed. We know a = 3.",
    "Hence it is 7. But that is wrong.",
    "We need 5 more steps.",
    "So I cannot determine whether it is 5.",
    "Therefore, Tom has 5 apples and 6 oranges.",
    "It takes him 3 hours to get there, therefore he arrives at 5 PM.",
    "To express the answer in base 8:\n1. Divide 42 by 8.",
    # cut off
    "the total number of legs is \\( 80 + 80",
    "\\[ 7 \\times 301 = 2107 \\]\n\nThus, the sum of all multiples of 7 between 1",
    "\\[ AB + B = 12 \\]\n\nThus, the final answer",
    "1. **Rolls:**\n   - Total length in inches: \\( 300 \\times 4 = 1200 \\) inches.\n  ",
)
REVISED = {
    "Answer: 5? no, 6": "6",
    "The answer is 5, no, 6.": "6",
    "The answer is not 5 but 6.": "6",
    "The answer is 5. Wait, I made a mistake. So the sixth term is 6.": "6",
    "The answer is 5. Wait, let me check: 2+3=5. Yes.": "5",
    "The answer to part (a) is 5. The answer to part (b) is 6.": "6",
    "If we round down, the answer is 5. Otherwise, the answer is 6.": "6",
}
STATED = ANNOUNCED | CONCLUDED | REVISED


@pytest.mark.parametrize("text", MARKED)
def test_marks_are_read_by_every_fallback(text):
    for fallback in ("none", "statement", "last_number"):
        read = answers.read(text, fallback)
        assert (read.answer, read.marked) == (MARKED[text], True)


@pytest.mark.parametrize("text", STATED)
def test_what_a_response_states_in_words_is_its_answer_unless_only_marks_count(text):
    assert answers.read(text) == answers.Read([STATED[text]], marked=False)
    assert answers.read(text, "last_number") == answers.read(text)
    assert answers.read(text, "none").answer is None


@pytest.mark.parametrize("text", UNCOMMITTED)
def test_what_is_denied_supposed_or_cut_off_is_no_answer(text):
    assert answers.read(text).answer is None


def test_the_last_number_is_read_only_if_it_is_asked_for():
    text = "So we get y = 1,087.5 and then z"
    assert answers.read(text).answer is None
    assert answers.read(text, "last_number").answer == "1,087.5"
    assert answers.read("no number at all", "last_number").answer is None
    assert answers.read("He has 7, so the answer is 5. Of 9.", "last_number").answer == "5"


def test_gold_answers_of_data_are_never_guessed_from_a_last_sentence():
    assert answers.extract("So, the sixth term is 350.") is None
    assert answers.extract("The answer is 350.") == "350"


def test_case_05_a_percent_sign_after_the_box_is_read():
    problem = Problem.of("q", r"28\%", "math", "test")
    for text in (r"Hence $\boxed{28}\%$.", r"So it is \boxed{28}\%"):
        assert grade(problem, text).correct is True


def test_case_08_gsm8k_s_own_ending_is_an_answer():
    for gold, text, right in (
        ("42", "So we get it.\n#### 42", True),
        ("70000", "So the profit is 70,000.\n#### 70,000", True),
        ("42", "So we get it.\n#### 41", False),
    ):
        assert grade(Problem.of("q", gold, "math", "test"), text).correct is right


@pytest.mark.parametrize("heading", ["#### Case 1: \\( n = 5 \\)", "#### 2. The area", "#####"])
def test_a_heading_of_markdown_marks_no_answer(heading):
    assert answers.marked(f"{heading}\nText.") == []


def test_an_empty_box_is_no_answer():
    assert answers.read(r"So the answer is 5, \boxed{}.").answer == "5"
    assert answers.read(r"\boxed{7}, that is \boxed{}").answer == "7"


OPTIONS = {
    "The answer is (B) Paris.": "B",
    "Because of that:\n**B**": "B",
    "Answer: C": "C",
    "The formula is $\\boxed{x^2}$.\n\n**Answer: D**": "D",
    "The correct option is C.": "C",
    "Option C is correct.": "C",
    "option (b) is the correct answer": "B",
    "The correct choice is **C) 5**": "C",
    "Answer: (D) 5 apples and 3 oranges": "D",
    "The answer is D because A is too small": "D",
    "Answer: B? No, C.": "C",
    "A) 5\nB) 6\nSo the answer is B": "B",
    "So it must be (C).": "C",
    "I choose C": "C",
    r"\boxed{\text{(B)}}": "B",
    "B is a vitamin, and the rest is history": None,
    "The answer is A good thing": None,
    "The answer is not B.": None,
    "Option B is not correct.": None,
    r"\boxed{A, B}": None,
}


@pytest.mark.parametrize("text", OPTIONS)
def test_a_choice_is_the_letter_that_a_response_commits_to(text):
    assert grade(Problem.of("q", "B", "choice", "test"), text).answer == OPTIONS[text]


def test_without_a_fallback_only_a_marked_letter_counts():
    strict = GradingConfig(fallback="none")
    problem = Problem.of("q", "B", "choice", "test")
    assert grade(problem, "The answer is B.", strict).correct is False
    assert grade(problem, r"\boxed{B}", strict).correct is True


@pytest.mark.parametrize("text", ["**Answer: D**", r"\boxed{x^2}. **Answer: D**", r"\boxed{D}"])
def test_a_mathematical_problem_whose_answer_is_an_option_is_read_like_a_choice(text):
    assert grade(Problem.of("q", r"\text{(D)}", "math", "test"), text).correct is True
    assert grade(Problem.of("q", "(E)", "math", "test"), text).correct is False


EXPRESSIONS = {
    "The answer is (47 - 24) - (95 - 89) = 17.": True,
    "So (47 - 24) - (95 - 89) = 17.": True,
    r"So $(47 - 24) - (95 - 89)$.": True,
    "Answer: 47 - 24 + 95 - 89": False,
    "The answer is not (47 - 24) - (95 - 89).": False,
    "Let me try (47 - 24) - (95 - 89).": False,
    "The answer is 17.": False,
}


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_an_expression_that_is_stated_counts_where_an_expression_is_asked(text):
    problem = Problem.of("q", "((47 - 24) - (95 - 89))", "countdown", "test")
    assert grade(problem, text).correct is EXPRESSIONS[text]
    assert grade(problem, text, GradingConfig(fallback="none")).correct is False


def test_verdicts_say_whether_a_mark_was_there_and_agree_in_a_batch():
    items = [
        (Problem.of("q", "5", "math", "test"), text)
        for text in (
            r"\boxed{5}",
            "The answer is 5.",
            r"\boxed{\sqrt{25}}",
            "So it is $\\sqrt{25}$.",
        )
    ]
    verdicts = grade_all(items, GradingConfig(), ComputeConfig(workers=1, progress=False))
    assert [verdict.correct for verdict in verdicts] == [True] * 4
    assert [verdict.marked for verdict in verdicts] == [True, False, True, False]
    assert verdicts == [grade(*item) for item in items]


PATTERNS = (
    *(r"\boxed{} and ", r"\boxed{1} and ", r"\boxed{", "{", "<answer>", "\n", " ", "answer is "),
    *(
        "the answer to ",
        "A: ",
        "\nA: ",
        "1.",
        "1,",
        "$ ",
        r"\( ",
        r"\[a ",
        "**a",
        "#### 1\n",
        "'''",
    ),
    *("```python\n", "```python\n'''\n", "~~~\n", "So it is 1. ", "option B is ", "Question: "),
)


def steps(pattern, characters):
    """Seconds of this process's processor time that all readers take on a repeated pattern."""
    text = pattern * (characters // len(pattern))
    begun = time.process_time()
    answers.read(text, "last_number")
    answers.extract(text)
    options.option(text)
    programs.program(text)
    return time.process_time() - begun


@pytest.mark.parametrize("pattern", PATTERNS)
def test_no_text_takes_a_reader_more_than_its_length(pattern):
    """A scan of every character for every other would take minutes of processor time."""
    assert steps(pattern, 200_000) < 5
