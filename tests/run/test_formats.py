"""Records of older versions are read as what those versions did."""

import dataclasses
import json
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from ablations.results.settings import settings
from ablations.studies.cells import Studies
from distill.config import Config
from distill.run.formats import FORMAT, MIGRATIONS, upgraded
from distill.run.record import read_record
from distill.store.identity import CHECKOUT

FOLDER = Path(__file__).parents[1] / "fixtures" / "formats"


def specimen(kind: Any) -> Any:
    """Every field of a config class with its default, optional and repeated parts present."""
    hints, made = get_type_hints(kind), {}
    for f in dataclasses.fields(kind):
        hint = hints[f.name]
        inner = next((k for k in (hint, *get_args(hint)) if dataclasses.is_dataclass(k)), None)
        if inner is None:
            factory = f.default_factory
            made[f.name] = f.default if factory is dataclasses.MISSING else factory()
        elif get_origin(hint) is dict:
            made[f.name] = {"entry": specimen(inner)}
        else:
            made[f.name] = [specimen(inner)] if get_origin(hint) is list else specimen(inner)
    return json.loads(json.dumps(made))


def names(value: Any, path: str = "") -> set[str]:
    """Dotted names of all parts of a JSON object; items of a list share theirs."""
    if isinstance(value, list):
        return {name for item in value for name in names(item, path)}
    if not isinstance(value, dict) or not value:
        return {path}
    return {name for key, item in value.items() for name in names(item, f"{path}.{key}")}


def test_a_change_of_a_field_or_a_default_raises_the_format(accept):
    """`pytest tests/run/test_formats.py --accept` writes down a format that was raised."""
    path, now = FOLDER / f"{FORMAT}.json", specimen(Config)
    if accept and not path.exists():
        path.write_text(json.dumps(now, indent=1) + "\n")
    assert path.exists(), "a new FORMAT: run pytest tests/run/test_formats.py --accept"
    changed = sorted(names(now) ^ names(then := json.loads(path.read_text())))
    assert now == then, (
        f"fields or defaults changed ({', '.join(changed) or 'defaults'}): raise FORMAT in "
        "distill/run/formats.py, add a migration that says what versions without the change did, "
        "and run pytest tests/run/test_formats.py --accept"
    )


@pytest.mark.parametrize("form", range(1, FORMAT))
def test_a_migration_leaves_every_field_of_the_next_format_and_no_other(form):
    old, new = (json.loads((FOLDER / f"{n}.json").read_text()) for n in (form, form + 1))
    known, made = names(new), names(MIGRATIONS[form](old))
    absent = {name for name in known if not any(f"{name}.".startswith(f"{m}.") for m in made)}
    assert not absent
    assert not {name for name in made if not any(f"{k}.".startswith(f"{name}.") for k in known)}


def test_every_format_has_a_migration_to_the_next():
    assert sorted(MIGRATIONS) == list(range(1, FORMAT))


def test_a_record_of_a_later_version_is_refused(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps({"format": FORMAT + 1, "config": {}}))
    with pytest.raises(ValueError, match=rf"run\.json: format {FORMAT + 1} .* up to {FORMAT}"):
        read_record(tmp_path / "run.json")


def test_recorded_runs_of_the_first_format_are_in_the_arms_that_a_study_asks_for():
    """`analysis/results/table2` was recorded before several fields existed."""
    label = "corruption=shuffle_steps corruption.fraction=0.33"
    cell = Studies().one(["study=table2", *label.split(), "compute.threads=1"])
    asked = settings(dataclasses.asdict(cell.config), "sign_puzzle", {})
    records = map(read_record, sorted((CHECKOUT / "analysis/results/table2").glob("*/run.json")))
    found = [record for record in records if label in record["label"]]
    mine = [settings(record["config"], "sign_puzzle", {}) for record in found]
    assert asked in mine


def test_a_config_of_the_first_format_is_read_in_the_fields_of_this_one():
    old = {
        "teacher": {"name": "model", "engine": {"name": "vllm"}, "convert": None},
        "dataset": {"name": "gsm8k", "format": "", "hub": "openai/gsm8k"},
        "corruption": {"name": "delete_steps", "fraction": 0.5},
        "training": {"name": "micro_sft", "union": [{"name": "insert_steps"}]},
        "evaluation": {"benchmarks": {"b": {"dataset": {"name": "sign_puzzle", "format": ""}}}},
    }
    new = upgraded(old, 1)
    assert new["teacher"]["kind"] == "model"
    assert new["teacher"]["engine"]["kind"] == "vllm"
    assert (new["dataset"]["kind"], new["dataset"]["format"]) == ("rows", "gsm8k")
    assert new["corruption"]["kind"] == "delete_steps"
    assert new["training"]["union"][0]["kind"] == "insert_steps"
    assert "kind" not in new["training"]
    assert new["evaluation"]["benchmarks"]["b"]["dataset"]["kind"] == "sign_puzzle"
    assert upgraded(new, 1) == new
