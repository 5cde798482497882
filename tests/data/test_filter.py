"""What is left out before a teacher is asked, and why."""

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.data.config import DatasetConfig, FilterConfig
from distill.data.filter import filter_problems
from distill.data.overlap import SHINGLE, Benchmark, near_duplicates, pieces
from distill.data.problems import load_problems
from distill.store.identity import CHECKOUT
from distill.trace.records import Problem, read_problems, read_rows, write_records

DATA = CHECKOUT.parent / "shared" / "data" / "benchmarks"
texts = st.lists(
    st.lists(st.sampled_from("abc"), max_size=12).map(" ".join), max_size=12, unique=True
)


def words(seed, count):
    rng = random.Random(seed)
    return [f"w{rng.randrange(10**6)}" for _ in range(count)]


def jaccard(one, other):
    left, right = (set(pieces(text, SHINGLE)) for text in (one, other))
    return len(left & right) / len(left | right) if left | right else 0.0


def artifact(folder, name, problems):
    (folder / name).mkdir()
    write_records(folder / name / "problems.jsonl", problems)
    return folder / name


def filtered(folder, config, problems, *benchmarks):
    out = folder / "out"
    out.mkdir(exist_ok=True)
    filter_problems(config, problems, list(benchmarks), out=out)
    kept = [p.question for p in read_problems(out / "problems.jsonl")]
    return kept, json.loads((out / "summary.json").read_text()), out


def of(question, source="train/a", **more):
    return Problem.of(question, "1", "math", source, **more)


@settings(max_examples=300, deadline=None)
@given(texts, st.sampled_from([0.1, 0.34, 0.5, 0.8, 1.0]))
def test_near_duplicates_are_those_that_comparing_all_pairs_finds(questions, similarity):
    kept, expected = [], set()
    for index, question in enumerate(questions):
        if any(jaccard(question, questions[other]) >= similarity for other in kept):
            expected.add(index)
        else:
            kept.append(index)
    found = near_duplicates(questions, similarity)
    assert set(found) == expected
    for index, (first, value) in found.items():
        assert first in kept and first < index
        assert value == jaccard(questions[index], questions[first])


@settings(max_examples=200, deadline=None)
@given(texts, texts, st.integers(1, 6))
def test_an_overlap_is_the_greatest_there_is_and_none_is_missed(benchmark, asked, length):
    index = Benchmark(benchmark, length)
    runs = [set(pieces(target, length)) for target in benchmark]
    for question in asked:
        shared = [len(set(pieces(question, length)) & run) for run in runs]
        found = index.overlap(question)
        assert (found is not None) == any(shared)
        if found:
            shares = [count / len(run) for count, run in zip(shared, runs, strict=True) if run]
            assert (found.shared, found.pieces) == (shared[found.index], len(runs[found.index]))
            assert found.shared / found.pieces == max(shares)
            assert found.others == sum(map(bool, shared)) - 1
            assert f" {found.words} " in f" {question.lower()} "


def test_white_space_and_case_do_not_hide_a_duplicate():
    text = " ".join(words(0, 30))
    assert near_duplicates([text, text.upper().replace(" ", "\n ")], 1.0) == {1: (0, 1.0)}


def test_one_changed_word_of_fifty_is_a_near_duplicate_and_ten_are_not():
    one = words(0, 50)
    few, many = [*one], [*one]
    few[25] = "changed"
    many[::5] = ["changed"] * 10
    found = near_duplicates([" ".join(text) for text in (one, few, many)], 0.8)
    assert list(found) == [1]


def test_each_rule_leaves_out_its_problems_and_names_them(tmp_path):
    shared = words(1, 8)
    long = words(2, 40)
    problems = [
        of("too easy", difficulty=1.0),
        of("unrated"),
        of(" ".join(long), difficulty=5.0),
        of(" ".join([*long, "more"]), difficulty=5.0),
        of(" ".join(["Let", *shared, "be"]), difficulty=5.0),
        of("good", difficulty=5.0),
        of("too easy for its part", "train/olympiads", difficulty=8.0),
    ]
    config = FilterConfig(
        name="f",
        min_difficulty=2,
        bounds={"olympiads": [9, 10]},
        near_duplicates=0.8,
        contamination=8,
    )
    source = artifact(tmp_path, "problems", problems)
    bench = artifact(tmp_path, "bench", [of(" ".join(["So", *shared]), "aime24/test")])
    kept, summary, out = filtered(tmp_path, config, source, bench)
    assert kept == [problems[2].question, "good"]
    why = {row["id"]: row["why"] for row in read_rows(out / "rejected.jsonl")}
    assert why[problems[0].id] == "difficulty 1 is below 2"
    assert why[problems[1].id] == "no difficulty"
    assert why[problems[6].id] == "difficulty 8 is below 9"
    assert problems[2].id in why[problems[3].id] and "Jaccard" in why[problems[3].id]
    (row,) = read_rows(out / "contamination.jsonl")
    assert (row["id"], row["benchmark"]) == (problems[4].id, "aime24/test")
    assert row["words"] == " ".join(shared) and row["share"] == 0.5
    assert summary == {
        "before": 7,
        "problems": 2,
        "out_of_bounds": 3,
        "near_duplicates": 1,
        "overlapping": 1,
        "overlapping_by_benchmark": {"aime24/test": 1},
        "contaminated": 1,
    }


@pytest.mark.parametrize("more", [{"keep_contaminated": True}, {"overlap": 0.51}])
def test_overlap_may_be_reported_only(tmp_path, more):
    text = words(1, 8)
    source = artifact(tmp_path, "problems", [of(" ".join([*text, "x"]))])
    bench = artifact(tmp_path, "bench", [of(" ".join(["y", *text]), "b/test")])
    config = FilterConfig(name="f", contamination=8, **more)
    kept, summary, _ = filtered(tmp_path, config, source, bench)
    assert len(kept) == 1 and summary["overlapping"] == 1 and summary["contaminated"] == 0


def test_a_filter_that_leaves_nothing_is_an_error(tmp_path):
    source = artifact(tmp_path, "problems", [of("a"), of("b")])
    with pytest.raises(ValueError, match="none of 2 problems"):
        filtered(tmp_path, FilterConfig(name="f", min_difficulty=3), source)


@pytest.mark.parametrize("pair", [[1], [9, 4], [1, 2, 3]])
def test_bounds_that_are_no_interval_are_refused(pair):
    with pytest.raises(ValueError, match=r"filter.bounds.math .* \[least, greatest\]"):
        FilterConfig(bounds={"math": pair})


def shared_file(folder, name):
    path = DATA / f"{name}.jsonl"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    out = folder / name
    out.mkdir(exist_ok=True)
    load_problems(DatasetConfig(name=name, format="json_lines", path=str(path)), out=out)
    return out


def test_math500_overlaps_with_all_of_itself(tmp_path):
    problems = shared_file(tmp_path, "math500")
    config = FilterConfig(name="f", near_duplicates=0.8, contamination=8, keep_contaminated=True)
    _, summary, out = filtered(tmp_path, config, problems, problems)
    assert summary["overlapping"] == summary["before"] == 500
    whole = [row for row in read_rows(out / "contamination.jsonl") if row["share"] == 1]
    assert {row["id"] for row in whole if row["id"] == row["benchmark_id"]} == {
        p.id for p in read_problems(problems / "problems.jsonl")
    }


def test_past_aime_problems_share_no_more_than_stock_phrases_with_aime_2024(tmp_path):
    past, aime24 = shared_file(tmp_path, "aime_1983_2023"), shared_file(tmp_path, "aime24")
    for length, count in [(8, 227), (13, 8)]:
        config = FilterConfig(name="f", near_duplicates=0.8, contamination=length)
        _, summary, out = filtered(tmp_path, config, past, aime24)
        assert (summary["contaminated"], summary["problems"]) == (count, 975 - count)
        assert max(row["share"] for row in read_rows(out / "contamination.jsonl")) <= 0.2
    config = FilterConfig(name="f", contamination=8, overlap=0.5)
    assert len(filtered(tmp_path, config, past, aime24)[0]) == 975
