"""A model is named by its content or its commit, without a network.

Run: pytest tests/models/test_hub.py
"""

import pytest

from distill.compute import ComputeConfig
from distill.models import hub
from distill.models.config import Api, EngineConfig, StudentConfig

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def student(model, **more):
    return StudentConfig(name="x", model=model, **more)


def test_a_folder_is_named_by_its_content(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    first = hub.resolve(student(str(tmp_path)))
    assert hub.base_model(student(str(tmp_path))).revision is None
    (tmp_path / "config.json").write_text("{ }")
    assert hub.resolve(student(str(tmp_path))) != first


def test_a_commit_stands_for_itself():
    assert hub.resolve(student("org/model", revision=COMMIT)) == COMMIT


def test_a_branch_is_looked_up_in_this_machines_cache(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    refs = tmp_path / "models--org--cached" / "refs"
    refs.mkdir(parents=True)
    (refs / "main").write_text(COMMIT)
    assert hub.resolve(student("org/cached")) == COMMIT
    assert hub.base_model(student("org/cached")).source["revision"] == COMMIT


def test_a_tokenizer_that_writes_a_servers_prompts_is_pinned_and_a_name_for_chats_is_not():
    tokens, chats = (EngineConfig(kind="openai", api=api) for api in Api)
    assert hub.model_of("org/model", COMMIT, tokens).source["revision"] == COMMIT
    assert hub.resolve_model("org/model", COMMIT, tokens) == COMMIT
    assert hub.model_of("gpt-x", "main", chats) == hub.Model("gpt-x")
    assert hub.resolve_model("gpt-x", "main", chats) is None


def test_a_model_nobody_can_name_is_refused_with_its_name_and_what_to_do():
    with pytest.raises(OSError, match=r"model 'org/absent'.*revision='v2'.*40 hex digits"):
        hub.resolve(student("org/absent", revision="v2"))


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert hub.set_up(ComputeConfig()) == "cpu"
    with pytest.raises(ValueError, match=r"compute\.device=cuda"):
        hub.set_up(ComputeConfig(device="cuda"))
