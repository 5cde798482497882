"""LEAF. The text around question, thought and solution: written to train, read back to score."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from distill.config import PromptConfig

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Parsed:
    """A response taken apart."""

    thought: str
    solution: str
    """What is read for the answer; empty if the thought was never closed."""

    closed: bool
    """False if a thought was opened and never closed."""


def messages(prompt: PromptConfig, question: str) -> list[dict[str, str]]:
    """The conversation up to the answer: system message, if there is one, and user message."""
    user = {"role": "user", "content": prompt.user.replace("{question}", question)}
    return [{"role": "system", "content": prompt.system}, user] if prompt.system else [user]


def prompt_ids(
    tokenizer: "PreTrainedTokenizerBase", prompt: PromptConfig, question: str
) -> list[int]:
    """Token ids up to where the response begins.

    They are what the tokenizer's chat template makes of `messages`, with the opening of the answer.
    A template that refuses a system message (Gemma) gets it at the head of the user message. A
    tokenizer without a template (a base model) gets the messages parted by blank lines.
    """
    from jinja2 import TemplateError

    chat = messages(prompt, question)
    if tokenizer.chat_template is None:
        return list(tokenizer("".join(f"{m['content']}\n\n" for m in chat))["input_ids"])
    try:
        return _templated(tokenizer, chat)
    except TemplateError:
        if not prompt.system:
            raise
        joined = "\n\n".join(m["content"] for m in chat)
        return _templated(tokenizer, [{"role": "user", "content": joined}])


def response(prompt: PromptConfig, thought: str, solution: str) -> str:
    """What the student is trained to write."""
    return prompt.thought_open + thought + prompt.thought_close + solution + prompt.solution_close


def parse(prompt: PromptConfig, text: str) -> Parsed:
    """Take a response apart; the inverse of `response` for texts without its markers.

    A thought that is opened and never closed has no solution, whatever it mentions. A response that
    opens no thought (an untrained base) is all solution. What precedes the opening or follows the
    end of the solution belongs to neither.
    """
    thought, rest = "", text
    if prompt.thought_open in text:
        opened = text.split(prompt.thought_open, 1)[1]
        thought, close, rest = opened.partition(prompt.thought_close)
        if not close:
            return Parsed(thought, "", closed=False)
    if prompt.solution_close:
        rest = rest.split(prompt.solution_close, 1)[0]
    return Parsed(thought, rest, closed=True)


def _templated(tokenizer: "PreTrainedTokenizerBase", chat: list[dict[str, str]]) -> list[int]:
    ids = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=False)
    return [int(token) for token in ids]
