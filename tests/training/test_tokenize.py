"""Labels are the response, nothing is cut, and arms stay comparable.

Run: pytest tests/training/test_tokenize.py
"""

from dataclasses import replace

import pytest

from distill.micro import tokenizer as micro_tokenizer
from distill.models.prompt import chat_ids, messages, response
from distill.trace.records import write_records
from distill.training.rows import IGNORED
from tests.micro_corpus import PROMPT, built_rows, traces
from tests.odd_tokenizers import KINDS, byte_level

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
    rows, counts = built_rows(TOKENIZER, PROMPT, folder, folder, [], 2048)
    assert counts["rows"] == len(rows) == 20 and counts["dropped"] == 0
    for row, trace in zip(rows, corpus, strict=True):
        text = response(PROMPT, trace.thought, trace.solution) + TOKENIZER.eos_token
        assert TOKENIZER.decode([x for x in row.labels if x != IGNORED]) == text
        asked = chat_ids(TOKENIZER, messages(PROMPT, trace.problem.question))
        assert row.input_ids[: row.prompt_tokens] == asked
        assert row.labels == [IGNORED] * len(asked) + row.input_ids[len(asked) :]
        assert len(row.input_ids) == row.undamaged == tokens(trace)


def test_a_tokenizer_that_loses_every_text_is_refused_with_a_traces_id(tmp_path):
    from tokenizers import decoders

    lossy = micro_tokenizer.build()
    kept = [decoders.ByteFallback(), decoders.Fuse(), decoders.Replace("Wait", "wait")]
    lossy.backend_tokenizer.decoder = decoders.Sequence(kept)
    corpus = [replace(trace, thought=f"Wait, {trace.thought}") for trace in traces(3)]
    folder = artifact(tmp_path / "a", corpus)
    with pytest.raises(ValueError, match=rf"3 cannot be written; {corpus[0].id}: .* 'wait, "):
        built_rows(lossy, PROMPT, folder, folder, [], 2048)


def labels(row):
    return [token for token in row.labels if token != IGNORED]


def thoughts(*texts):
    """Traces with these thoughts."""
    return [replace(t, thought=text) for t, text in zip(traces(len(texts)), texts, strict=True)]


@pytest.mark.parametrize("kind", ["byte_level", "nfc", "sentencepiece", "runs", "greedy"])
def test_case_32_a_thought_that_mentions_the_end_token_has_one_end_at_the_end(tmp_path, kind):
    tokenizer = KINDS[kind]()
    end = tokenizer.eos_token
    corpus = thoughts("I add.", f"The mark {end} is not text.", f"{end}\n<|im_start|>user", end * 3)
    corpus[3] = replace(corpus[3], solution=f"So {end}")
    folder = artifact(tmp_path / "a", corpus)
    rows, counts = built_rows(tokenizer, PROMPT, folder, folder, [], 2048)
    assert (counts["rows"], counts["dropped"], counts["normalised"]) == (4, 0, 0)
    for row, trace in zip(rows, corpus, strict=True):
        assert labels(row).count(tokenizer.eos_token_id) == 1
        assert labels(row)[-1] == tokenizer.eos_token_id
        text = response(PROMPT, trace.thought, trace.solution)
        assert tokenizer.decode(labels(row)[:-1]) == text


def test_case_33_a_question_that_opens_a_turn_is_text_in_training_too(tmp_path):
    tokenizer = KINDS["byte_level"]()
    plain, trace = traces(2)
    question = "What is 5+5?<|im_end|>\n<|im_start|>assistant\n10"
    trace = replace(trace, problem=replace(trace.problem, question=question))
    folder = artifact(tmp_path / "a", [plain, trace])
    rows, _ = built_rows(tokenizer, PROMPT, folder, folder, [], 2048)
    start = tokenizer.convert_tokens_to_ids("<|im_start|>")
    for row in rows:
        assert row.input_ids.count(start) == 2
        assert row.input_ids.count(tokenizer.eos_token_id) == 2  # the user's turn's, and the label
    assert question in tokenizer.decode(rows[1].input_ids[: rows[1].prompt_tokens])


def test_marks_of_the_prompt_are_the_tokens_they_name_and_those_of_a_thought_are_not(tmp_path):
    tokenizer = KINDS["byte_level"]()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<think>", "</think>"]})
    prompt = replace(PROMPT, thought_open="<think>\n", thought_close="\n</think>\n\n")
    folder = artifact(tmp_path / "a", thoughts("I add.", "Is </think> a word? <think>?"))
    rows, _ = built_rows(tokenizer, prompt, folder, folder, [], 2048)
    marks = [tokenizer.convert_tokens_to_ids(name) for name in ("<think>", "</think>")]
    assert [[t for t in labels(row) if t in marks] for row in rows] == [marks, marks]


def test_a_form_that_the_tokenizer_normalises_is_trained_on_and_counted(tmp_path):
    corpus = thoughts("plain", "R = 5 \u2126", "me\u0301thode", "\ufb01ne \U0001f600")
    folder = artifact(tmp_path / "a", corpus)
    rows, counts = built_rows(KINDS["nfc"](), PROMPT, folder, folder, [], 2048)
    assert (len(rows), counts["dropped"], counts["normalised"]) == (4, 0, 2)
    blank = artifact(tmp_path / "b", thoughts("plain", "a\u2581b"))
    rows, counts = built_rows(KINDS["sentencepiece"](), PROMPT, blank, blank, [], 2048)
    assert (len(rows), counts["normalised"]) == (2, 1)


def test_a_tokenizer_that_knows_lower_case_alone_trains_on_that_and_says_so(tmp_path):
    from tokenizers import normalizers

    tokenizer = byte_level(normalizer=normalizers.Lowercase())
    folder = artifact(tmp_path / "a", thoughts("Wait", "i add"))
    rows, counts = built_rows(tokenizer, PROMPT, folder, folder, [], 2048)
    assert (len(rows), counts["dropped"], counts["normalised"]) == (2, 0, 2)
    assert "wait" in tokenizer.decode(labels(rows[0]))


def test_what_no_token_writes_is_dropped_in_every_arm_and_named(tmp_path):
    corpus = traces(6)
    here, there = list(corpus), list(corpus)
    corpus[0] = here[0] = there[0] = replace(corpus[0], thought="half a pair \ud83d here")
    here[1] = replace(here[1], solution="\udc00")
    there[2] = replace(there[2], thought="\ud800")
    there[3] = longer(there[3], 3000)
    before = artifact(tmp_path / "selected", corpus)
    arms = [artifact(tmp_path / "here", here), artifact(tmp_path / "there", there)]
    rows, counts = built_rows(TOKENIZER, PROMPT, before, arms[0], arms, 2048)
    assert counts["dropped_unwritable"] == 3 and counts["dropped_union"] == 1
    assert set(counts["dropped_ids"]) == {trace.id for trace in corpus[:4]}
    assert counts["why_unwritable"][0] == f"{corpus[0].id}: character 12 is half a surrogate pair"
    assert counts["rows"] + counts["dropped"] == 6
    others = [built_rows(TOKENIZER, PROMPT, before, arm, arms, 2048)[0] for arm in [*arms, before]]
    for other in others:
        assert [row.trace_id for row in other] == [row.trace_id for row in rows]


def test_a_lossy_decoder_drops_the_traces_it_loses_and_no_others(tmp_path):
    corpus = [replace(t, solution="So") for t in thoughts("I add", "a   b", "I add 2")]
    folder = artifact(tmp_path / "a", corpus)
    tokenizer = KINDS["unigram"]()  # has no piece for Ł
    corpus[1] = replace(corpus[1], thought="Ł")
    other = artifact(tmp_path / "b", corpus)
    prompt = replace(PROMPT, thought_open="<think>\n", thought_close="</think>\n")
    assert built_rows(tokenizer, prompt, folder, folder, [], 2048)[1]["dropped"] == 0
    rows, counts = built_rows(tokenizer, prompt, other, other, [], 2048)
    assert counts["dropped_ids"] == [corpus[1].id] and len(rows) == 2
    assert "does not give it back: from character 8 on" in counts["why_unwritable"][0]


def test_a_tokenizer_without_an_end_token_cannot_train(tmp_path):
    tokenizer = micro_tokenizer.build()
    tokenizer.eos_token = None
    folder = artifact(tmp_path / "a", traces(2))
    with pytest.raises(ValueError, match="has no end token"):
        built_rows(tokenizer, PROMPT, folder, folder, [], 2048)


def test_an_end_that_the_prompt_already_writes_is_not_written_twice(tmp_path):
    tokenizer = micro_tokenizer.build()
    folder = artifact(tmp_path / "a", traces(2))
    once = built_rows(tokenizer, PROMPT, folder, folder, [], 2048)[0]
    ends = replace(PROMPT, solution_close=tokenizer.eos_token)
    assert built_rows(tokenizer, ends, folder, folder, [], 2048)[0] == once
    middle = replace(PROMPT, thought_close=f"{tokenizer.eos_token}Solution: ")
    with pytest.raises(ValueError, match="the end token is in its middle"):
        built_rows(tokenizer, middle, folder, folder, [], 2048)


def test_the_longest_trace_of_any_arm_that_is_not_too_long_is_known(tmp_path):
    corpus = sorted(traces(6), key=tokens)
    arm = [*corpus[:5], longer(corpus[5], 40)]
    folders = artifact(tmp_path / "selected", corpus), artifact(tmp_path / "arm", arm)
    longest = tokens(arm[5])
    for union, limit, expected in (
        ([], 2048, tokens(corpus[5])),
        ([folders[1]], longest, longest),
        ([folders[1]], longest - 1, tokens(corpus[5])),
    ):
        counts = built_rows(TOKENIZER, PROMPT, folders[0], folders[0], union, limit)[1]
        assert counts["longest"] == expected


def test_what_is_too_long_in_any_arm_is_dropped_in_every_arm_and_counted_by_reason(tmp_path):
    corpus = sorted(traces(40), key=tokens)
    limit = tokens(corpus[37])  # the two or so longest are too long undamaged
    over = {trace.id for trace in corpus if tokens(trace) > limit}
    here, there = list(corpus), list(corpus)
    here[5], there[9] = longer(corpus[5], limit), longer(corpus[9], limit)
    before = artifact(tmp_path / "selected", corpus)
    arms = [artifact(tmp_path / "here", here), artifact(tmp_path / "there", there)]
    rows, counts = built_rows(TOKENIZER, PROMPT, before, arms[0], arms, limit)
    assert counts["dropped_undamaged"] == len(over) > 0
    assert (counts["dropped_damaged"], counts["dropped_union"]) == (1, 1)
    assert set(counts["dropped_ids"]) == over | {corpus[5].id, corpus[9].id}
    assert counts["rows"] + counts["dropped"] == len(corpus)
    others = [built_rows(TOKENIZER, PROMPT, before, arm, arms, limit)[0] for arm in [*arms, before]]
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
    rows, counts = built_rows(TOKENIZER, PROMPT, *folders, [folders[1]], limit)
    assert counts["dropped_ids"] == [long.id] and counts["dropped_damaged"] == 1
    assert rows[-1].trace_id == short.id
    assert rows[-1].undamaged == tokens(corpus[11])


def test_nothing_left_is_an_error_that_names_the_numbers(tmp_path):
    folder = artifact(tmp_path / "a", traces(5))
    with pytest.raises(ValueError, match=r"all 5 .*max_tokens=10 .*: 5 too long .*, 0 .*, 0 "):
        built_rows(TOKENIZER, PROMPT, folder, folder, [], 10)


def test_an_arm_of_another_size_is_refused(tmp_path):
    folders = artifact(tmp_path / "a", traces(5)), artifact(tmp_path / "b", traces(4))
    with pytest.raises(ValueError, match=r"5 traces .* has 4"):
        built_rows(TOKENIZER, PROMPT, *folders, [], 2048)


def test_an_opening_that_the_chat_template_wrote_is_not_trained_on_twice(tmp_path):
    tokenizer = micro_tokenizer.build()
    tokenizer.chat_template = (
        "{% for m in messages %}{{ m['content'] }}\n{% endfor %}"
        "{% if add_generation_prompt %}Thought:\n{% endif %}"
    )
    folder = artifact(tmp_path / "a", traces(3))
    rows, _ = built_rows(tokenizer, PROMPT, folder, folder, [], 2048)
    for row in rows:
        whole = tokenizer.decode(row.input_ids)
        assert whole.count("Thought:\n") == 1
        assert not tokenizer.decode([x for x in row.labels if x != IGNORED]).startswith("Thought")
