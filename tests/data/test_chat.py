"""Chat messages: one question and its reply, whatever the turns are called.

Run: pytest tests/data/test_chat.py
"""

import json
from pathlib import Path

import pytest

from distill.data import problem_formats, trace_formats
from distill.data.config import DatasetConfig
from distill.data.values import RowError
from distill.store.identity import CHECKOUT
from distill.teachers.config import TeacherConfig

FIELD_CASES = CHECKOUT.parent / "shared" / "cases" / "field"
THINKS = "<think>\n1+1=2\n</think>\n\n\\boxed{2}"


def recorded(turns, form="messages", columns=None, **more):
    source = TeacherConfig(kind="recorded", format=form, path="x.jsonl", columns=columns or {})
    field = "messages" if form == "messages" else "conversations"
    return trace_formats.reader(source)({field: turns} | more)


def said(role, content, **more):
    return {"role": role, "content": content} | more


ASKED = said("user", "What is 1+1?")


def case(name: str):
    path = Path(FIELD_CASES, name)
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    return json.loads(path.read_text(encoding="utf-8"))


def read_of_case(name: str, row):
    """A row of ours like that of the case, and the case's own where it is there."""
    source = TeacherConfig(kind="recorded", format="messages", path="x.jsonl")
    reads = [trace_formats.reader(source)(row)]
    if Path(FIELD_CASES, name).is_file():
        reads.append(trace_formats.reader(source)(case(name)))
    return reads


def test_case_24_messages_with_a_system_turn():
    turns = [said("system", "Be careful."), ASKED, said("assistant", THINKS)]
    for read in read_of_case("24_messages_system.jsonl", {"messages": turns, "answer": "2"}):
        assert (read.question, read.answer) == ("What is 1+1?", "2")
        (response,) = read.responses
        assert (response.text, response.parts) == (THINKS, None)


def test_case_25_messages_whose_thought_stands_apart():
    turns = [ASKED, said("assistant", "\\boxed{2}", reasoning_content="1+1=2")]
    for read in read_of_case("25_messages_reasoning.jsonl", {"messages": turns, "answer": "2"}):
        assert (read.question, read.answer) == ("What is 1+1?", "2")
        assert read.responses[0].parts == ("1+1=2", "\\boxed{2}")


@pytest.mark.parametrize("form", ["messages", "sharegpt"])
@pytest.mark.parametrize("roles", [("user", "assistant"), ("human", "gpt"), ("User", "model")])
@pytest.mark.parametrize("keys", [("role", "content"), ("from", "value")])
def test_turns_are_known_by_either_pair_of_names(form, roles, keys):
    turns = [dict(zip(keys, turn, strict=True)) for turn in zip(roles, ("q", THINKS), strict=True)]
    read = recorded(turns, form, answer=2)
    assert (read.question, read.answer, read.responses[0].text) == ("q", "2", THINKS)


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning", "thinking"])
def test_a_thought_stands_in_a_key_of_its_turn_or_in_parts(key):
    apart = said("assistant", "b", **{key: "a"})
    parts = said("assistant", [{"type": key, key: "a"}, {"type": "text", "text": "b"}])
    both = said("assistant", parts["content"], **{key: "a"})
    for turn in (apart, parts, both):
        assert recorded([ASKED, turn]).responses[0].parts == ("a", "b")
    for empty in ("", None, " \n"):
        read = recorded([ASKED, said("assistant", THINKS, **{key: empty})])
        assert (read.responses[0].parts, read.responses[0].text) == (None, THINKS)


def test_content_in_parts_is_their_text():
    parts = [{"type": "text", "text": "What is "}, {"type": "text", "text": "1+1?"}]
    assert recorded([said("user", parts), said("assistant", "x")]).question == "What is 1+1?"


NOT_READ = {
    "several turns": (
        [ASKED, said("assistant", "2"), said("user", "And 2+2?"), said("assistant", THINKS)],
        r"no question with its reply: user, assistant, user, assistant.*messages\[-2:\]",
    ),
    "no user": ([said("assistant", "2")], "no question with its reply: assistant"),
    "swapped": ([said("assistant", "2"), ASKED], "no question with its reply: assistant, user"),
    "system alone": ([said("system", "s")], "a system turn alone"),
    "late system": ([ASKED, said("system", "s"), said("assistant", "2")], "user, system, assist"),
    "no reply": ([ASKED], "no reply"),
    "empty reply": ([ASKED, said("assistant", None)], "no reply"),
    "tool": ([ASKED, said("tool", "2")], "role that is not read: 'tool'"),
    "call": ([ASKED, said("assistant", "", tool_calls=[{"id": 1}])], "calls a tool"),
    "image": ([said("user", [{"type": "image_url"}])], "type that is not read: 'image_url'"),
    "bare part": ([said("user", ["text"])], "a part of .* is text, not an object"),
    "empty part": ([said("user", [{"type": "text"}])], "holds no text"),
    "object": ([said("user", {"text": "q"})], "content of a turn of messages is an object"),
    "number": ([said("user", 4)], "content of a turn of messages is a number, not text"),
    "text": (json.dumps([ASKED]), "messages is text, not a list"),
    "texts": (["q", "a"], "a turn of messages is text, not an object"),
    "null": (None, "no messages"),
    "none": ([], "no messages"),
    "keys": ([{"speaker": "user", "text": "q"}], "no role and content, nor from and value: speak"),
    "twice": ([ASKED, said("assistant", THINKS, reasoning="a")], "thought twice"),
    "two thoughts": ([ASKED, said("assistant", "b", reasoning="a", thinking="c")], "that differ"),
    "thought list": (
        [ASKED, said("assistant", "b", reasoning=["a"])],
        "reasoning of a turn of mess",
    ),
}


@pytest.mark.parametrize("name", NOT_READ)
def test_what_is_no_question_with_its_reply_is_set_aside_in_words(name):
    turns, message = NOT_READ[name]
    with pytest.raises(RowError, match=message):
        recorded(turns, answer="2")


def test_the_last_two_turns_are_read_where_columns_asks_for_them():
    turns = [ASKED, said("assistant", "2"), said("user", "And 2+2?"), said("assistant", THINKS)]
    read = recorded(turns, columns={"messages": "messages[-2:]"}, answer="4")
    assert (read.question, read.responses[0].text) == ("And 2+2?", THINKS)


def test_a_prompt_and_its_completion_are_joined_by_an_expression():
    columns = {"messages": "[prompt, completion][]"}
    read = recorded(None, columns=columns, prompt=[ASKED], completion=[said("assistant", THINKS)])
    assert (read.question, read.responses[0].text) == ("What is 1+1?", THINKS)


def test_a_gold_answer_comes_from_its_column_and_without_one_there_is_none():
    turns = [ASKED, said("assistant", THINKS)]
    assert recorded(turns, columns={"answer": "gold"}, gold="5").answer == "5"
    assert recorded(turns).answer == ""
    for gold in (None, "", "N/A", float("nan"), ["2"], True):
        with pytest.raises(RowError, match="answer"):
            recorded(turns, columns={"answer": "gold"}, gold=gold)
    with pytest.raises(RowError, match="no answer: no column gold"):
        recorded(turns, columns={"answer": "gold"})


@pytest.mark.parametrize("form", ["bespoke_stratos_17k", "sky_t1_17k"])
def test_published_conversations_take_the_gold_answer_of_a_column_too(form):
    turns = [{"from": "user", "value": "q"}, {"from": "assistant", "value": THINKS}]
    assert recorded(turns, form).answer == ""
    assert recorded(turns, form, answer="5").answer == "5"
    assert recorded(turns, form, columns={"answer": "gold"}, gold=7).answer == "7"
    with pytest.raises(RowError, match="no answer"):
        recorded(turns, form, answer=None)


def test_the_same_messages_are_problems():
    reader = problem_formats.reader(DatasetConfig(format="messages", path="x.jsonl"))
    more = {"answer": "B", "kind": "choice", "difficulty": "Level 3"}
    read = reader({"messages": [said("developer", "s"), ASKED]} | more)
    assert (read.question, read.answer, read.difficulty) == ("What is 1+1?", "B", 3.0)
    with pytest.raises(RowError, match="no answer"):
        reader({"messages": [ASKED]})
