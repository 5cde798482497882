"""Right answers count, however they are written, and wrong ones do not; no answer stops a run.

Pairs of answers: tests/fixtures/answer_pairs.csv.
"""

import csv
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from distill.compute import ComputeConfig
from distill.grading import answers, countdown, workers
from distill.grading import grade as grading
from distill.grading.answer_parts import Parts, assigned, parts
from distill.grading.config import GradingConfig
from distill.grading.equivalence import MAX_DEPTH
from distill.grading.grade import Verdict, grade, grade_all
from distill.grading.numbers import number
from distill.grading.units import without_unit
from distill.sandbox import start
from distill.store.identity import CHECKOUT
from distill.trace.records import Problem

with (Path(__file__).parents[1] / "fixtures" / "answer_pairs.csv").open(encoding="utf-8") as file:
    PAIRS = list(csv.DictReader(file))
COUNTDOWN = CHECKOUT.parent / "shared" / "data" / "benchmarks" / "countdown.jsonl"
TWO = ComputeConfig(workers=2, progress=False)
HOPELESS = (
    "9^9^9^9",
    "10^10^10",
    "10^{10^{10}}",
    "(10^{100})!",
    r"\sum_{k=1}^{1000000000} \frac{1}{k^2}",
    r"\binom{1000000000}{500000000}",
    r"\prod_{k=1}^{99999} (x+k)",
    "{" * 3000 + "1" + "}" * 3000,
    "(" * (MAX_DEPTH + 1) + "1" + ")" * (MAX_DEPTH + 1),
)


def problem(answer, kind="math", **more):
    return Problem.of("q", answer, kind, "test", **more)


def boxed(answer):
    return rf"So it is $\boxed{{{answer}}}$."


def test_a_decimal_comma_is_read_where_a_number_is_asked_and_not_where_a_list_is():
    assert workers.compare("1000.99", "1000,99", percent=False)[0] is True
    assert workers.compare("2,3", "2.3", percent=False)[0] is False


def test_a_bare_number_against_a_gold_percentage_is_an_option():
    strict, lenient = GradingConfig(), GradingConfig(percent=True)
    for how in (strict, lenient):
        assert grade(problem("10"), boxed("10%"), how).correct is True
        assert grade(problem("0.1"), boxed(r"10\%"), how).correct is True
        assert grade(problem("11"), boxed(r"10\%"), how).correct is False
    assert grade(problem(r"10\%"), boxed("10"), strict).correct is False
    assert grade(problem(r"10\%"), boxed("10"), lenient).correct is True


def test_a_tolerance_accepts_what_is_no_farther_than_it():
    pair = r"7 \times 10^{35}", r"7.1 \cdot 10^{35}"
    assert workers.compare(*pair, percent=False, tolerance=1e34)[0] is True
    assert workers.compare(*pair, percent=False, tolerance=1e33)[0] is False


@pytest.mark.parametrize("written", ["4.3", r"\frac{86}{20}", r"\sqrt{18.49}", r"x = \sqrt{18.49}"])
def test_a_problem_carries_its_tolerance(written):
    assert grade(problem("4.2", tolerance=0.1), boxed(written)).correct is True
    assert grade(problem("4.2", tolerance=0.01), boxed(written)).correct is False
    assert grade(problem("4.2"), boxed(written)).correct is False


@pytest.mark.parametrize(
    ("solution", "answer"),
    (
        (r"First \boxed{1}. Then $\boxed{\frac{1}{\sqrt{2}}}$.", r"\frac{1}{\sqrt{2}}"),
        (r"\boxed{1} and \boxed{2}", "1, 2"),
        (r"\boxed{5}. Checked, so \[\boxed{5}\]", "5"),
        (r"\boxed{\boxed{3}}", r"\boxed{3}"),
        (r"The set is \boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed{7} but then \boxed{8", "7"),
        (r"\boxed 9.", "9"),
        ("<answer> (1 + 2) * 3 </answer>", "(1 + 2) * 3"),
        ("**Final Answer:** The volume is 120. I hope it is correct.", "120"),
        (r"Hence the final answer is $x^2$.", "x^2"),
        ("The answer is: **(B)**", "(B)"),
        ("We get y = 87 and then z", None),
        ("", None),
    ),
)
def test_the_last_box_or_announcement_is_the_answer_and_a_stray_formula_is_none(solution, answer):
    assert answers.extract(solution) == answer


def test_two_answers_for_one_are_wrong():
    assert grade(problem("1"), r"It is $\boxed{1}$ or $\boxed{2}$.").correct is False


def test_extraction_takes_time_in_proportion_to_the_text():
    begun = time.process_time()
    for text in (r"\boxed{" * 20_000, r"\boxed{1} " * 20_000, "answer is " * 20_000, "{" * 200_000):
        answers.extract(text)
    assert time.process_time() - begun < 5  # a quadratic scan takes minutes


def test_an_unclosed_or_missing_answer_is_wrong_and_says_so():
    verdict = grade(problem("87"), "Now y = 87, so")
    assert verdict == Verdict(False, None, "no answer is marked or stated", marked=False)


def test_an_empty_gold_answer_leaves_the_row_undecided():
    assert grade(problem(""), boxed("1")).correct is None


def test_what_was_compared_in_an_earlier_call_is_not_compared_again(monkeypatch):
    item = problem(r"\frac{\sqrt{3}}{2}"), boxed(r"\sqrt{3/4}")
    compared = {}
    first = grade_all([item, item], GradingConfig(), TWO, compared)
    assert len(compared) == 1
    monkeypatch.setattr(workers, "compare", lambda *asked: pytest.fail("compared again"))
    assert grade_all([item], GradingConfig(), TWO, compared) == first[:1]
    assert first[0].correct


def test_hopeless_answers_are_undecided_and_harm_no_other_row():
    rows = [(problem("5"), boxed(text)) for text in HOPELESS]
    good = [(problem(rf"\frac{{\sqrt{{{k}}}}}{{2}}"), boxed(rf"\sqrt{{{k}/4}}")) for k in (2, 3, 5)]
    verdicts = grade_all([*good, *rows, *good, (problem("7"), boxed("8"))], GradingConfig(), TWO)
    expected = [True] * 3 + [None] * len(HOPELESS) + [True] * 3 + [False]
    assert [verdict.correct for verdict in verdicts] == expected
    assert all(verdict.why for verdict in verdicts)


@pytest.fixture
def worker():
    worker = workers.Worker()
    assert worker.compare("1", "1", percent=False)[0] is True
    yield worker
    worker.end()


def ended_children() -> float:
    """Seconds of processor time that all processes used that were started here and have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def used(pid: int) -> float:
    """Seconds of processor time that a running process has used."""
    return sum(psutil.Process(pid).cpu_times()[:2])


@pytest.mark.parametrize("text", HOPELESS, ids=lambda text: text[:24])
def test_a_hopeless_answer_is_undecided_at_the_deadline_of_processor_time(worker, text):
    before = ended_children() + used(worker.process.pid)
    assert worker.compare(r"\sqrt{5}", text, percent=False)[0] is None
    worker.end()
    assert ended_children() - before < workers.DEADLINE + 0.3


def test_a_worker_that_is_killed_costs_one_row_only(worker):
    worker.process.kill()
    assert worker.compare("1", "x", percent=False) == (None, "its process broke down")
    assert worker.process.returncode is not None
    assert workers.compare(r"\sqrt{8}", r"2\sqrt{2}", percent=False)[0] is True


def test_a_worker_cannot_take_more_memory_than_its_limit(worker):
    limits = Path(f"/proc/{worker.process.pid}/limits").read_text()
    line = next(line for line in limits.splitlines() if line.startswith("Max address space"))
    assert line.split()[3] == str(workers.MEMORY)


STARTER = """
import sys
from distill.grading import workers
worker = workers.Worker()
worker.compare("1", "1", percent=False)
workers._idle.append(worker)
print(worker.process.pid, flush=True)
if sys.argv[1:] == ["busy"]:
    worker.compare("1", r"\\prod_{k=1}^{99999} (x+k)", percent=False)
sys.stdin.read()
"""


def runs(pid: int) -> bool:
    """Whether a process runs; one that has ended and is not reaped does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize(
    ("state", "how"), [("idle", None), ("idle", signal.SIGKILL), ("busy", signal.SIGKILL)]
)
def test_workers_end_with_the_process_that_started_them(state, how):
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, state],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=CHECKOUT,
    )
    with starter:
        pid = int(starter.stdout.readline())
        if state == "busy":
            idle = used(pid)
            while used(pid) < idle + 0.2:
                time.sleep(0.02)
        if how is None:
            starter.communicate()
        else:
            starter.send_signal(how)
    until = time.monotonic() + 60
    while runs(pid) and time.monotonic() < until:
        time.sleep(0.02)
    assert not runs(pid)


def test_grading_works_from_any_thread():
    found = []
    item = problem(r"\sqrt{12}"), boxed(r"2\sqrt{3}")
    thread = threading.Thread(target=lambda: found.append(grade(*item).correct))
    thread.start()
    thread.join()
    assert found == [True]


def test_cheap_verdicts_start_no_worker(monkeypatch):
    def refuse(*args):
        raise AssertionError("a worker was asked")

    monkeypatch.setattr(workers, "compare", refuse)
    rows = (("204", "204"), ("3/4", r"\frac34"), ("(1,2)", "(1, 2)"), ("1,2", "2 and 1"))
    items = [(problem(gold), boxed(answer)) for gold, answer in rows]
    assert [verdict.correct for verdict in grade_all(items, GradingConfig(), TWO)] == [True] * 4


@pytest.fixture
def one_core():
    """Only one core is this process's, whatever it was."""
    cores = os.sched_getaffinity(0)
    if len(cores) < 2:
        pytest.skip("this process may use one core only")
    os.sched_setaffinity(0, {min(cores)})
    yield
    os.sched_setaffinity(0, cores)


@pytest.mark.parametrize("asked", [0, 1, 2])
def test_as_many_answers_are_compared_at_once_as_were_asked_for_or_this_process_has_cores(
    asked, one_core, monkeypatch
):
    def compare(*pair):
        running.append(pair)
        most.append(len(running))
        enough.wait(0.05)
        running.remove(pair)
        return True, "recorded"

    running, most, enough = [], [], threading.Event()
    monkeypatch.setattr(workers, "compare", compare)
    items = [(problem(r"\sqrt{12}"), boxed(rf"{k}\sqrt{{3}}")) for k in range(2, 40)]
    made = grade_all(items, GradingConfig(), ComputeConfig(workers=asked, progress=False))
    assert [verdict.why for verdict in made] == ["recorded"] * len(items)
    assert max(most) == max(asked, 1)


def test_the_same_answer_is_compared_once(monkeypatch):
    asked = []
    monkeypatch.setattr(
        workers, "compare", lambda *pair, **more: (asked.append(pair), (True, ""))[1]
    )
    items = [(problem(r"\sqrt{12}"), boxed(r"2\sqrt{3}"))] * 5
    assert [v.correct for v in grade_all(items, GradingConfig(), TWO)] == [True] * 5
    assert len(asked) == 1


def test_all_at_once_gives_the_verdicts_of_one_by_one_in_order():
    items = [(problem(row["gold"]), boxed(row["answer"])) for row in PAIRS[::3]]
    assert grade_all(items, GradingConfig(), TWO) == [grade(*item) for item in items]


@pytest.mark.parametrize(
    ("solution", "correct"),
    (
        (r"\boxed{B}", True),
        (r"\boxed{\text{(B)}}", True),
        ("The answer is (B) Paris.", True),
        ("Because of that:\n**B**", True),
        ("Answer: C", False),
        ("B is a vitamin, and the rest is history", False),
        (r"\boxed{A, B}", False),
    ),
)
def test_a_choice_is_right_by_its_letter(solution, correct):
    assert grade(problem("B", "choice"), solution).correct is correct


def test_a_choice_without_a_gold_letter_is_undecided():
    assert grade(problem("Paris", "choice"), r"\boxed{B}").correct is None


@pytest.mark.parametrize(
    ("answer", "correct"),
    (
        ("(47 - 24) - (95 - 89)", True),
        (r"47 - 24 - 95 + 89 = 17", True),
        ("17", False),
        ("47 - 24 - 6", False),
        ("95 + 89 + 47 + 24", False),
        ("95 * 89 / (47 - 47)", False),
        ("__import__('os').getpid()", False),
        ("(" * 1000, False),
    ),
)
def test_countdown_wants_every_number_once_and_the_target(answer, correct):
    gold = problem("((47 - 24) - (95 - 89))", "countdown")
    assert grade(gold, f"<answer>{answer}</answer>").correct is correct


def test_countdown_divides_exactly_and_reads_latex():
    assert countdown.check("3 / 49 * 49", r"\frac{3}{49} \times 49")[0] is True
    assert countdown.check("8 / (3 - 8 / 3)", r"8 \div (3 - \frac{8}{3})")[0] is True


@pytest.mark.skipif(not COUNTDOWN.exists(), reason="shared/data is not there")
def test_every_countdown_reference_is_right_and_its_target_alone_is_wrong():
    rows = [json.loads(line) for line in COUNTDOWN.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        gold = problem(row["answer"], "countdown")
        assert grade(gold, boxed(row["answer"])).correct is True
        assert grade(gold, boxed(str(row["target"]))).correct is False


def test_a_program_goes_to_the_sandbox_unless_it_is_said_plainly_that_there_is_none(monkeypatch):
    asked = []

    def record(problem, code, *, choice):
        asked.append((code, choice.unsandboxed))
        return None, "recorded"

    monkeypatch.setattr("distill.grading.code_tests.grade_code", record)
    item = problem("", "code"), "```python\nprint(1)\n```"
    assert grade(*item) == Verdict(None, "print(1)\n", "recorded")
    grade_all([item], GradingConfig(), ComputeConfig(unsandboxed_code=True, progress=False))
    assert asked == [("print(1)\n", False), ("print(1)\n", True)]


def test_an_unknown_kind_names_the_choices():
    with pytest.raises(ValueError, match=r"no grader for kind 'poem'; known: choice, code"):
        grade_all([(problem("x", "poem"), "")], GradingConfig(), TWO)


def test_what_decides_verdicts_from_outside_is_pinned():
    pins = grading.pins()
    assert pins["version"] == grading.VERSION
    assert pins["math-verify"] and pins["sympy"] and pins["latex2sympy2_extended"]


def test_the_python_that_runs_programs_is_pinned():
    said = start.run("import sys; print(sys.version)", choice=start.Choice("none")).stdout
    assert grading.pins()["python"] == said.split()[0]


def test_numbers_of_any_size_cost_nothing():
    assert number("9^{99999999999}") is None
    assert number("1e99999") is None
    assert number("9" * 100_000) is None


def test_an_answer_is_taken_apart_where_a_reader_would():
    assert parts("1,234") is None
    assert parts("(1,2)+(3,4)") is None  # its brackets are not around the whole
    assert parts("(1,2),(3,4)").items == ["(1,2)", "(3,4)"]
    assert parts(r"0 < x \le 1").brackets == "(]"
    assert parts(r"1 \pm \sqrt{2}").items == [r"1 + \sqrt{2}", r"1 - \sqrt{2}"]
    assert assigned("x = 2 + 3 = 5") == ("x", "5")
    assert assigned("5 = x") == ("x", "5")
    assert assigned(r"\cos(x) = 1") == ("=", r"\cos(x) = 1")
    assert assigned("m + n = 17") == ("=", "m + n = 17")
    assert assigned("m + n = 17", stated=True) == ("m+n", "17")
    assert without_unit(r"15 \text{ cm}^2") == ("15", "centimeter square")
    assert without_unit("3x") == ("3x", "")
    assert parts("x=1, y=2").names == ["x", "y"]
    assert parts("(x,y) = (1,2)").names == ["x", "y"]
    assert parts("x=1, x=2") == Parts("", ["1", "2"])


def test_a_process_that_holds_much_memory_itself_can_have_answers_compared():
    code = (
        "from distill.grading import workers; held = b'x' * 700_000_000; "
        "print(workers.compare(r'\\sqrt{8}', r'\\sqrt{7}', False)[0])"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
