"""Badly written traces: mixed languages, long paragraphs, code blocks in prose."""

import json
from collections import Counter
from dataclasses import replace

import pytest

from distill.run.compose import build
from distill.store.identity import CHECKOUT
from distill.teachers.config import VerificationConfig
from distill.teachers.quality import RULES, flaws, foreign
from distill.trace.records import Problem, Trace
from tests.teachers.test_verify import verify

RULED = VerificationConfig(name="r", max_foreign=0.0, max_paragraph=50, code_blocks=False)
SHARED = CHECKOUT.parent / "shared" / "data" / "traces"


def trace(thought, solution=r"\boxed{1}", kind="math", question="What is it?"):
    return Trace.of(Problem.of(question, "1", kind, "t"), "t", 0, thought, solution)


CASES = {
    "well written": (trace("Let \u03b1 be 1 for all x in \u211d; \U0001d465 too."), ()),
    "Chinese among English": (trace("Let me 检查 this."), ("mixed_languages",)),
    "Cyrillic in the solution": (trace("So it is.", "Это 1"), ("mixed_languages",)),
    "Chinese, as asked": (trace("这是 x 的值。", question="求 x 的值"), ()),
    "English to a Chinese question": (trace("Let x be 值.", question="求 x 的值"), ()),
    "Korean beside Chinese": (trace("这是 x 的值。네", question="求值"), ("mixed_languages",)),
    "Japanese": (trace("これは答えです。", "答えは1", question="答えは?"), ()),
    "a long paragraph": (trace("Yes. " * 11), ("long_paragraph",)),
    "two paragraphs": (trace("Yes. " * 9 + "\n \n" + "Yes. " * 9), ()),
    "a code block": (trace("So:\n```python\nprint(1)\n```"), ("code_block",)),
    "a program": (trace("So:\n```python\nprint(1)\n```", kind="code"), ()),
    "backticks in a line": (trace("The value `x` and ```y``` it is."), ()),
    "commands in Chinese": (trace(r"所以 \frac{1}{2} 是答案。", question="求值"), ()),
    "all": (trace("Check 检查 me. " * 9, "~~~\n1\n~~~"), RULES),
    "no letters": (trace("1 + 1 = 2", "2"), ()),
}


@pytest.mark.parametrize("case", CASES)
def test_a_trace_breaks_the_rules_that_it_breaks(case):
    given, broken = CASES[case]
    assert flaws(given, RULED) == broken
    assert flaws(given, VerificationConfig(name="grader")) == ()


def test_the_foreign_share_is_of_letters_and_its_limit_is_a_share():
    assert foreign("abc def 检查", "") == pytest.approx(2 / 8)
    assert foreign("abc def 检查", "检?") == foreign("123", "") == 0
    given = trace("abc def 检查", "")
    for limit, broken in ((0.25, ()), (0.24, ("mixed_languages",))):
        assert flaws(given, replace(RULED, max_foreign=limit)) == broken


def test_right_but_badly_written_traces_keep_their_verdict_and_are_counted_by_rule(tmp_path):
    block = "```\nx\n```\n\n"
    texts = (r"\boxed{1}", block + r"\boxed{1}", block + r"检查 \boxed{1}", block + r"\boxed{2}")
    made, counts = verify(tmp_path, RULED, *texts)
    assert [t.correct for t in made] == [True, True, True, False]
    assert [t.flaws for t in made] == [
        (),
        ("code_block",),
        ("mixed_languages", "code_block"),
        ("code_block",),
    ]
    by_rule = {"mixed_languages": 1, "long_paragraph": 0, "code_block": 2}
    assert counts["badly_written"] == {"any": 2} | by_rule


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is not here")
def test_of_real_traces_few_are_badly_written_and_each_for_what_it_shows(hydra_compose):
    rules = build(hydra_compose("verification=r1_quality")).verification
    counts, seen = Counter(), 0
    for path in sorted(SHARED.glob("*.jsonl")):
        for line in path.open(encoding="utf-8"):
            row = json.loads(line)
            given = trace(row.get("reasoning") or "", "", question=row.get("question") or "")
            seen += 1
            for rule in flaws(given, rules):
                counts[rule] += 1
                if rule == "long_paragraph":
                    assert max(map(len, given.thought.split("\n\n"))) > 2000
                if rule == "code_block":
                    assert "```" in given.thought
                if rule == "mixed_languages":
                    assert any(letter.isalpha() and ord(letter) > 0x3FF for letter in given.thought)
    assert {*counts} == {*RULES} and all(count < 0.03 * seen for count in counts.values())
