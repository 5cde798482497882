"""How often answers are judged rightly, beside math-verify alone: leave one source out.

Pairs are the unit tests of other graders and recorded outputs with verdicts, in shared/data. Each
pair is decided by a rule of ours, which its reason names, after rewrites of its notation. A source
is scored without the rules and rewrites that serve no other source: a rule serves a source where
it decides a pair rightly, a rewrite where it changes a pair that is judged rightly. math-verify
decides what those rules would have. So no rule scores the source that alone suggested it.

Sources conflict on percentages, order and tolerance. Our convention: a bare list has no order, a
percentage equals its bare number where the gold answer has no unit, a rounded decimal needs six
digits. Rows that want otherwise are listed in tests/fixtures/grading_differences.csv as `both` or
`theirs`, and recorded verdicts that are wrong as `ours`; the last column counts without them.

Run: python tests/bench/bench_equivalence.py (about three minutes).
"""

import csv
import json
import logging
import re
import resource
from collections import defaultdict
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from distill.grading import algebra, answers, notation, workers
from distill.grading.equivalence import Comparison, Outcome

SHARED = Path(__file__).parents[3] / "shared" / "data"
DIFFERENCES = Path(__file__).parents[1] / "fixtures" / "grading_differences.csv"
OUTPUTS = (
    "graded/qwen25_14b_instruct_graded",
    "graded/qwen25math_math100x8",
    "traces/deepseek_r1_aime24",
    "traces/r1distill_qwq_aime25",
    "traces/skythought_ablation_outputs",
    "traces/thought_anchors_math",
)
ALL = len(notation.REWRITES)
COMPETITIONS = {"aime24", "aime25", "amc23", "math500", "MATH", "MATH (100 problems)"}

_FORMULA = re.compile(
    r"(?<!\\)\$\$.+?\$\$|(?<!\\)\$[^$]+\$|\\\(.+?\\\)|(?<!\\)\\\[.+?\\\]", re.DOTALL
)
_NUMBER = re.compile(
    r"(?<![\w.])[-+]?(?:\d[\d,]*(?:\.\d+)?|\.\d+)(?:\s?/\s?\d+)?(?:\s?%| pct| percent)?"
)
_PROSE = re.compile(r"(?<![\\\w{])(?!and\b)[A-Za-z]['a-z]{2,}")


@dataclass(frozen=True)
class Pair:
    """Two answers, and whether their source calls them equal."""

    id: str
    source: str
    gold: str
    answer: str
    equal: bool
    tolerance: float = 0.0

    def judged(self) -> Outcome:
        """Our verdict and the rule that gave it."""
        return _judged(self.gold, self.answer, self.tolerance, len(notation.REWRITES))

    def by_library(self) -> bool:
        """The verdict of math-verify alone."""
        return _by_library(self.gold, self.answer)

    def rewritten(self) -> set[str]:
        """The patterns of the rewrites that change either answer."""
        found = set()
        for text in (self.gold, self.answer):
            for pattern, by in notation.REWRITES:
                text, before = pattern.sub(by, text), text
                found |= {pattern.pattern} if text != before else set()
        return found


@cache
def _judged(gold: str, answer: str, tolerance: float, rewrites: int) -> Outcome:
    if rewrites == ALL:
        return workers.compare(gold, answer, percent=False, tolerance=tolerance)
    oracle = partial(algebra.compare, tolerance=tolerance)
    return Comparison(oracle, tolerance=tolerance).equal(gold, answer)


@cache
def _by_library(gold: str, answer: str) -> bool:
    from math_verify import parse, verify

    try:
        return bool(verify(*(parse(f"${text}$") for text in (gold, answer))))
    except Exception:  # too large or too slow for it
        return False


def read(text: str, kind: str) -> str | None:
    """The answer in a text of another grader's unit tests: most are no solution of ours."""
    if kind.startswith("bare"):
        return answers.extract(text) if "boxed" in text else text
    if answer := answers.extract(text):
        return answer
    prose = len(_PROSE.findall(_FORMULA.sub(" ", text))) >= 2 or "Answer" in text
    if _FORMULA.fullmatch(text.strip()) or not (prose or "Therefore" in text):
        return text
    found = [(m.end(), m[0]) for p in (_FORMULA, _NUMBER) for m in p.finditer(text)]
    return max(found)[1] if found else None


def tolerance(row: dict[str, Any]) -> float:
    """What the source allows: a number of decimals, OlympiadBench a distance."""
    precision = (row.get("params") or {}).get("precision", 0)
    if isinstance(precision, list):
        return precision[0] if len(precision) == 1 else 0.0
    return precision if "olympiad" in row["source"] else 0.5 * 10**-precision if precision else 0.0


def pairs() -> list[Pair]:
    """All pairs of answers; equal texts and outputs without an answer are nobody's merit."""
    found = []
    for row in _rows("equivalence/unit_test_triples"):
        gold_kind = "bare" if row["kind"].startswith("pred") else row["kind"]
        gold, answer = read(row["gold"], gold_kind), read(row["pred"], row["kind"])
        source = re.split(r"[/:]", row["source"])[0]
        if gold and answer:
            found.append(Pair(row["id"], source, gold, answer, row["equal"], tolerance(row)))
    for name in OUTPUTS:
        for row in _rows(name):
            gold = str(row.get("gold_raw") or row["gold_answer"])
            answer = answers.extract(row["solution"] if "solution" in row else row["response"])
            if answer and row["benchmark"] in COMPETITIONS:
                source = name.split("/")[1]
                found.append(Pair(row["id"], source, gold, answer, row["correct"]))
    return [pair for pair in found if pair.gold.strip() != pair.answer.strip()]


def main() -> None:
    """Print shares of right verdicts and numbers of false accepts by source."""
    if not SHARED.is_dir():
        print(f"skipped: there is no {SHARED}")
        return
    with DIFFERENCES.open(encoding="utf-8") as file:
        disputed = {row["id"] for row in csv.DictReader(file)}
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    logging.disable(logging.CRITICAL)
    found = list(dict.fromkeys(pairs()))
    ours = {pair: pair.judged() for pair in found}
    rewritten = {pair: pair.rewritten() for pair in found}
    serves: dict[str, set[str]] = defaultdict(set)
    for pair, (verdict, rule) in ours.items():
        if verdict is pair.equal:
            for name in {_rule(rule)} | rewritten[pair]:
                serves[name].add(pair.source)
    rewrites, table = notation.REWRITES, defaultdict(list)
    for pair in found:
        library, (left_out, rule) = pair.by_library(), ours[pair]
        alone = {name for name in rewritten[pair] if serves[name] <= {pair.source}}
        if alone:
            notation.REWRITES = tuple(r for r in rewrites if r[0].pattern not in alone)
            _judged.cache_clear()
            notation.tidy.cache_clear()
            left_out, rule = pair.judged()
            notation.REWRITES = rewrites
            notation.tidy.cache_clear()
        if serves[_rule(rule)] <= {pair.source}:
            left_out = library
        table[pair.source].append((pair, ours[pair][0], left_out, library))
    lonely = {name: min(sources) for name, sources in serves.items() if len(sources) == 1}
    print("rules and rewrites that serve one source alone, and are left out there:")
    for name, source in sorted(lonely.items()):
        print(f"  {source}: {name}")
    print(f"{'source':34}{'pairs':>6}{'ours':>8}{'left out':>10}{'library':>9}{'undisputed':>12}")
    for source in [*sorted(table), "all unit tests", "all outputs", "all"]:
        chosen = [
            row
            for name, rows in table.items()
            for row in rows
            if name == source
            or source == "all"
            or ((source == "all outputs") == any(name in o for o in OUTPUTS) and "all " in source)
        ]
        agreed = [row for row in chosen if row[0].id not in disputed]
        shares = [_share(chosen, column) for column in (1, 2, 3)]
        print(f"{source:34}{len(chosen):6}{shares[0]:>8}{shares[1]:>10}{shares[2]:>9}", end="")
        print(f"{_share(agreed, 2):>12}  false accepts", *(_wrong(agreed, c) for c in (1, 2, 3)))


def _rule(reason: str) -> str:
    """The name of a rule: its reason without the values."""
    return re.sub(r"[\d.]+ (?:parts|against)|part .*|brackets .*|differ: .*|within .*", "", reason)


def _share(rows: list[tuple[Any, ...]], column: int) -> str:
    right = sum(row[column] is row[0].equal for row in rows)
    return f"{100 * right / len(rows):.1f}" if rows else "-"


def _wrong(rows: list[tuple[Any, ...]], column: int) -> int:
    return sum(row[column] is True and not row[0].equal for row in rows)


def _rows(name: str) -> list[dict[str, Any]]:
    with (SHARED / f"{name}.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


if __name__ == "__main__":
    main()
