"""Conversations with a model, reply by reply."""

from distill.compute import ComputeConfig
from distill.models import hub
from distill.models.config import EngineConfig, SamplingConfig
from distill.models.converse import converse

COMPUTE = ComputeConfig(progress=False, threads=1)


def test_what_a_template_wrote_of_a_thought_is_put_back(says, monkeypatch, tmp_path):
    from distill.micro import tokenizer as micro_tokenizer

    tokenizer = micro_tokenizer.build()
    tokenizer.chat_template = "{{ messages[0]['content'] + '<think>\n' }}"
    monkeypatch.setattr(hub, "load_tokenizer", lambda model: tokenizer)
    asked = says("so\n</think>\n\n4")
    (reply,) = converse(
        hub.Model("m"),
        EngineConfig(),
        SamplingConfig(),
        [[{"role": "user", "content": "2+2"}]],
        ["k"],
        thought_open="<think>\n",
        keep=tmp_path / "k",
        compute=COMPUTE,
    )
    ((_, ids, _),) = asked
    assert tokenizer.decode(ids) == "2+2<think>\n"
    assert reply.text == "<think>\nso\n</think>\n\n4"
