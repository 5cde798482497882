"""Any text round-trips, and every loader gives the same ids."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.micro import tokenizer
from distill.micro.pretrain import STUDENTS

TOKENIZER = tokenizer.build()
FOLDERS = sorted(path.parent for path in STUDENTS.glob("*/tokenizer_config.json"))
WORLD = st.text("Problem:\n Use+-0123456789.WaitTryx\\boxed{}é<>|", max_size=60)


@given(st.one_of(st.text(max_size=60), WORLD))
@settings(max_examples=300, deadline=None)
def test_any_text_round_trips(text: str) -> None:
    assert TOKENIZER.decode(TOKENIZER(text)["input_ids"]) == text


@pytest.mark.parametrize(
    "text", ["<0x41>", "a  b\r\n\n\n c\t", " boxed \\boxed", "日本 é 🙂", "٣½"]
)
def test_awkward_text_round_trips(text: str) -> None:
    assert TOKENIZER.decode(TOKENIZER(text)["input_ids"]) == text


def test_tokens_are_words_digits_and_step_ends() -> None:
    ids = TOKENIZER("Wait, let me try 6+12.\n\nYes.")["input_ids"]
    assert TOKENIZER.convert_ids_to_tokens(ids) == [
        *("Wait", ",", " let", " me", " try", " ", "6", "+", "1", "2", ".", "\n\n", "Yes", ".")
    ]


def test_chat_template_gives_the_plain_prompt() -> None:
    user = {"role": "user", "content": "Problem: Use + or - between 6 1 1 3 to make 9."}
    assistant = {"role": "assistant", "content": "Solution: \\boxed{6+1-1+3}."}
    prompt = TOKENIZER.apply_chat_template([user], tokenize=False, add_generation_prompt=True)
    assert prompt == user["content"] + "\n"
    whole = TOKENIZER.apply_chat_template([user, assistant], tokenize=False)
    assert whole == prompt + assistant["content"] + TOKENIZER.eos_token


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_auto_tokenizer_gives_the_same_ids(folder: Path) -> None:
    """Transformers 5.17 may choose a class by model type, which loses line ends and blanks."""
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(folder)

    @given(st.one_of(st.text(max_size=60), WORLD))
    def same(text: str) -> None:
        ids = TOKENIZER(text)["input_ids"]
        assert loaded(text)["input_ids"] == ids
        assert loaded.decode(ids) == text

    same()
    assert loaded.chat_template == TOKENIZER.chat_template
    assert (loaded.pad_token, loaded.eos_token) == (TOKENIZER.pad_token, TOKENIZER.eos_token)
