"""Labels are the response, nothing is cut, and arms stay comparable.

Run: pytest tests/training/test_tokenize.py
"""

from dataclasses import replace

import pytest

from distill.micro import tokenizer as micro_tokenizer
from distill.models.prompt import chat_ids, messages, response
from distill.trace.records import write_records
from distill.training.tokenize import IGNORED, build_rows
from tests.micro_corpus import PROMPT, traces

TOKENIZER = micro_tokenizer.build()


def artifact(folder, records):
    folder.mkdir()
    write_records(folder / "traces.jsonl", records)
    return folder


def tokens(trace):
    asked = chat_ids(TOKENIZER, messages(PROMPT, trace.problem.question))
    text = response(PROMPT, trace.thought, trace.solution)
    return len(asked) + len(TOKENIZER(text, add_special_tokens=False)["input_ids"]) + 1


def longer(trace, by):
    return replace(trace, thought=trace.thought + "1" * by)


def test_labels_are_the_response_and_the_end_token_and_nothing_of_the_prompt(tmp_path):
    corpus = traces(20)
    corpus[3] = replace(corpus[3], thought="\n\nŁ😀\r\n\tno  word\n\n", solution=" ")
    folder = artifact(tmp_path / "a", corpus)
    rows, counts = build_rows(TOKENIZER, PROMPT, folder, folder, [], 2048)
    assert counts["rows"] == len(rows) == 20 and counts["dropped"] == 0
    for row, trace in zip(rows, corpus, strict=True):
        text = response(PROMPT, trace.thought, trace.solution) + TOKENIZER.eos_token
        assert TOKENIZER.decode([x for x in row.labels if x != IGNORED]) == text
        asked = chat_ids(TOKENIZER, messages(PROMPT, trace.problem.question))
        assert row.input_ids[: row.prompt_tokens] == asked
        assert row.labels == [IGNORED] * len(asked) + row.input_ids[len(asked) :]
        assert len(row.input_ids) == row.undamaged == tokens(trace)


def test_a_tokenizer_that_loses_text_is_refused_with_the_traces_id(tmp_path):
    from tokenizers import normalizers

    lossy = micro_tokenizer.build()
    lossy.backend_tokenizer.normalizer = normalizers.Lowercase()
    corpus = traces(3)
    folder = artifact(tmp_path / "a", corpus)
    with pytest.raises(ValueError, match=corpus[0].id):
        build_rows(lossy, PROMPT, folder, folder, [], 2048)


def test_what_is_too_long_in_any_arm_is_dropped_in_every_arm_and_counted_by_reason(tmp_path):
    corpus = sorted(traces(40), key=tokens)
    limit = tokens(corpus[37])  # the two or so longest are too long undamaged
    over = {trace.id for trace in corpus if tokens(trace) > limit}
    here, there = list(corpus), list(corpus)
    here[5], there[9] = longer(corpus[5], limit), longer(corpus[9], limit)
    before = artifact(tmp_path / "selected", corpus)
    arms = [artifact(tmp_path / "here", here), artifact(tmp_path / "there", there)]
    rows, counts = build_rows(TOKENIZER, PROMPT, before, arms[0], arms, limit)
    assert counts["dropped_undamaged"] == len(over) > 0
    assert (counts["dropped_damaged"], counts["dropped_union"]) == (1, 1)
    assert set(counts["dropped_ids"]) == over | {corpus[5].id, corpus[9].id}
    assert counts["rows"] + counts["dropped"] == len(corpus)
    others = [build_rows(TOKENIZER, PROMPT, before, arm, arms, limit)[0] for arm in [*arms, before]]
    for other in others:
        assert [r.trace_id for r in other] == [r.trace_id for r in rows]
        assert [r.undamaged for r in other] == [r.undamaged for r in rows]
        assert max(len(r.input_ids) for r in other) <= limit


def test_a_trace_in_the_place_of_another_is_judged_by_its_own_length(tmp_path):
    corpus = sorted(traces(12), key=tokens)
    strangers = sorted(traces(200, seed=1), key=tokens)
    known = {trace.id for trace in corpus}
    short, long = (next(t for t in s if t.id not in known) for s in (strangers, strangers[::-1]))
    limit = tokens(corpus[10])
    assert tokens(short) < limit < tokens(long)
    arm = [long, *corpus[1:11], short]
    folders = artifact(tmp_path / "selected", corpus), artifact(tmp_path / "arm", arm)
    rows, counts = build_rows(TOKENIZER, PROMPT, *folders, [folders[1]], limit)
    assert counts["dropped_ids"] == [long.id] and counts["dropped_damaged"] == 1
    assert rows[-1].trace_id == short.id
    assert rows[-1].undamaged == tokens(corpus[11])


def test_nothing_left_is_an_error_that_names_the_numbers(tmp_path):
    folder = artifact(tmp_path / "a", traces(5))
    with pytest.raises(ValueError, match=r"all 5 traces .*max_tokens=10: 5 undamaged, 0 .*, 0 "):
        build_rows(TOKENIZER, PROMPT, folder, folder, [], 10)


def test_an_arm_of_another_size_is_refused(tmp_path):
    folders = artifact(tmp_path / "a", traces(5)), artifact(tmp_path / "b", traces(4))
    with pytest.raises(ValueError, match=r"5 traces .* has 4"):
        build_rows(TOKENIZER, PROMPT, *folders, [], 2048)


def test_an_opening_that_the_chat_template_wrote_is_not_trained_on_twice(tmp_path):
    tokenizer = micro_tokenizer.build()
    tokenizer.chat_template = (
        "{% for m in messages %}{{ m['content'] }}\n{% endfor %}"
        "{% if add_generation_prompt %}Thought:\n{% endif %}"
    )
    folder = artifact(tmp_path / "a", traces(3))
    rows, _ = build_rows(tokenizer, PROMPT, folder, folder, [], 2048)
    for row in rows:
        whole = tokenizer.decode(row.input_ids)
        assert whole.count("Thought:\n") == 1
        assert not tokenizer.decode([x for x in row.labels if x != IGNORED]).startswith("Thought")
