"""Keys of artifacts stay what they are unless a change decides that they move."""

import importlib.metadata
import json
import platform
from pathlib import Path

import pytest

from ablations.studies.cells import Studies
from distill import pipeline
from distill.store import identity
from distill.store.artifacts import Store

RECORDED = json.loads((Path(__file__).parent / "fixtures" / "keys.json").read_text())
"""`STUDY OVERRIDES` -> the first digits of the key of every step, without versions of libraries."""


@pytest.mark.parametrize("study", ["table2", "confounders", "sft_vs_lora", "size"])
def test_a_study_has_the_keys_that_it_had(monkeypatch, study):
    monkeypatch.setattr(importlib.metadata, "version", lambda package: "0")
    monkeypatch.setattr(platform, "python_version", lambda: "3")
    identity.version.cache_clear()
    try:
        store = Store(Path("artifacts"))
        runs = {
            f"{study} {cell.label}": [
                step.artifact.key[:16] for step in pipeline.run(cell.config, store.artifact)
            ]
            for cell in Studies().cells(study)
        }
    finally:
        identity.version.cache_clear()
    assert runs == {name: keys for name, keys in RECORDED.items() if name.split()[0] == study}
