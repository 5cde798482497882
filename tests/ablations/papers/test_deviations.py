"""A run differs from a paper only where the paper's file says so, with a reason."""

import re
from dataclasses import fields, is_dataclass, replace

import pytest
import yaml

from ablations.__main__ import main
from ablations.papers.deviations import (
    LONG,
    NO_REASON,
    as_json,
    deviations,
    grid,
    is_close,
    likeness,
    nearest,
)
from ablations.papers.stated import Paper, Setting, papers
from distill.run.compose import CONF

STUDIES = [(name, study) for name, paper in papers().items() for study in paper.studies]


@pytest.fixture(scope="module")
def runs(studies):
    """Study of a paper -> its configs as recorded."""
    return {study: [as_json(c.config) for c in studies.cells(study)] for _, study in STUDIES}


def unlisted(configs, name):
    """Settings that differ without a listed reason."""
    found = [one for config in configs for one in deviations(config, papers()[name])]
    return {(one.setting, one.paper, one.ours) for one in found if one.why == NO_REASON}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "study"), STUDIES)
def test_a_study_of_a_paper_differs_from_it_only_where_a_reason_is_listed(runs, name, study):
    assert unlisted(runs[study], name) == set()


@pytest.mark.parametrize("more", [[], ["training=none", "prompt=qwen_cot"]])
def test_the_papers_world_differs_only_where_a_reason_is_listed(studies, more):
    config = studies.one(["world=paper", *more]).config
    assert unlisted([as_json(config)], "li2025") == set()


@pytest.mark.parametrize(
    ("override", "setting", "ours"),
    [
        ("training.batch=8", "training.batch", "8"),
        ("training.learning_rate=2e-5", "training.learning_rate", "2e-05"),
        ("keywords=extended", "keywords", "extended"),
        ("prompt=sky_t1_short", "prompt.system", "Think the problem through"),
        ("filter=paper_decontaminated", "filter.contamination", "8"),
        ("training=none", "prompt.system", "Your role as an assistant"),
        ("evaluation.benchmarks.aime24.samples=4", "evaluation.benchmarks.*.samples", "4"),
        ("teacher=qwq_32b_preview", "teacher.convert.model", "none"),
        ("engine=transformers", "engine.kind", "transformers"),
    ],
)
def test_a_choice_of_ones_own_is_listed_without_a_reason(studies, override, setting, ours):
    found = unlisted([as_json(studies.one(["world=paper", override]).config)], "li2025")
    assert any(one[0] == setting and one[2].startswith(ours) for one in found), found


def test_cosine_decay_is_listed_with_its_reason(studies):
    config = as_json(studies.one(["world=paper", "training=sft_released"]).config)
    (one,) = [d for d in deviations(config, papers()["li2025"]) if d.setting == "training.schedule"]
    assert (one.paper, one.ours) == ("linear", "cosine") and "every released file" in one.why


def leaves(value, place=""):
    """Dotted fields of a config that decide something; those of benchmarks are left out."""
    for f in fields(value):
        name, inner = f"{place}{f.name}", getattr(value, f.name)
        if f.metadata.get("label") or f.metadata.get("limit") or f.name == "benchmarks":
            continue
        if is_dataclass(inner):
            yield from leaves(inner, f"{name}.")
        else:
            yield name


HOW = ("compute", "tracking", "study", "until", "artifacts", "runs")
"""Fields that say how and where a run is carried out."""


@pytest.mark.parametrize("more", [[], ["corruption=delete_steps_model"], ["training=lora"]])
def test_every_field_of_the_papers_world_is_compared_or_said_to_be_unstated(studies, more):
    paper = papers()["li2025"]
    named = {one.field for one in paper.settings}
    config = studies.one(["world=paper", *more]).config
    for name in leaves(config):
        parts = name.split(".")
        above = {".".join(parts[:length]) for length in range(1, len(parts) + 1)}
        known = above & {*paper.unstated, *named} or any(n.startswith(f"{name}.") for n in named)
        assert known or parts[0] in HOW, f"{name}: compare it in conf/papers/li2025.yaml, or add it"


@pytest.mark.slow
def test_a_reason_is_listed_only_for_what_some_run_does(studies, runs):
    """Reasons that no study, nor a choice that they name, needs any more are to be deleted."""
    released = as_json(studies.one(["world=paper", "training=sft_released"]).config)
    for name, paper in papers().items():
        configs = [config for study in paper.studies for config in runs[study]]
        configs += [released] if name == "li2025" else []
        seen = {(d.setting, d.why) for config in configs for d in deviations(config, paper)}
        listed = {(s.what or s.field, d["why"]) for s in paper.settings for d in s.deviates}
        assert listed == seen


def test_values_are_compared_in_the_forms_that_the_papers_files_have():
    config = {"a": {"b": 1.0, "c": {"x": {"n": 1}, "y": {"n": 4}}}, "t": "wait", "study": {}}
    text = "sha256:716ecabb45ac6a88a049398fde2d3d5225c6dd3121ae9bbc5af457eb4baf056a"
    cases = [
        (Setting("s", 1, field="a.b"), []),
        (Setting("s", 2, field="a.b"), ["1.0"]),
        (Setting("s", any=[2, 1], field="a.b"), []),
        (Setting("s", 1, field="a.c.*.n"), ["4"]),
        (Setting("s", ["x", "y"], field="a.c"), []),
        (Setting("s", ["x"], field="a.c"), ["x, y"]),
        (Setting("s", text, field="t"), []),
        (Setting("s", 2, field="a.b", when={"t": ["wait", "but"]}), ["1.0"]),
        (Setting("s", 2, field="a.b", when={"t": "but"}), []),
        (Setting("s", 2, field="a.b", unless={"t": "wait"}), []),
        (Setting("s", "cut", field="a.long", absent="drop"), ["drop"]),
        (Setting("s", "drop", field="a.long", absent="drop"), []),
        (Setting("s", "theirs", what="w", deviates=[{"ours": "mine", "why": "so"}]), ["mine"]),
    ]
    for setting, ours in cases:
        found = deviations(config, Paper("t", "c", [], [setting]))
        assert [one.ours for one in found] == ours, setting


@pytest.mark.slow
def test_runs_of_a_study_are_counted_and_a_difference_is_listed_once(runs):
    made = grid(runs["table2_paper"], "li2025")
    rows = {row[0]: row for row in made.rows}
    assert rows["who finds the sentences with keywords"][-1] == "3 of 19"
    assert rows["training framework"][-1] == "18 of 19"
    assert len(rows) == len(made.rows)


@pytest.mark.slow
def test_a_run_is_compared_with_the_paper_that_it_is_nearest_to(studies, runs):
    world = as_json(studies.one(["world=paper"]).config)
    for config, name in ((world, "li2025"), (runs["r1_distill"][0], "deepseek_r1")):
        assert nearest(config) == name and is_close(config)
    assert not is_close(as_json(studies.one([]).config))
    assert not is_close(as_json(studies.cells("table2")[1].config))
    far = replace(papers()["li2025"], settings=papers()["li2025"].settings[:10])
    assert likeness(world, far) == 1


@pytest.mark.parametrize("path", sorted((CONF / "papers").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_setting_has_a_source_and_every_reason_words(path):
    read = yaml.safe_load(path.read_text(encoding="utf-8"))
    for one in read["settings"]:
        assert len(one["source"]) > 3 and ("paper" in one) != ("any" in one), one
        assert one.get("field") or (one["what"] and one["deviates"]), one
        assert all(len(d["why"].split()) >= 4 for d in one.get("deviates", ())), one


def test_the_command_prints_what_differs_and_why(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["deviations", "world=paper", "training.batch=8"]) == 0
    text = " ".join(re.sub("[│┃━─]", " ", capsys.readouterr().out).split())
    assert "training.batch 96 8 no reason is listed" in text
    assert "problems of OlympiadBench 675 674" in text
    assert main(["deviations", "--paper", "lima"]) == 1
    assert "no paper 'lima'; known: deepseek_r1, li2025" in capsys.readouterr().err


@pytest.mark.parametrize(("length", "ends"), [(LONG - 1, "x"), (LONG, "x"), (LONG + 1, "...")])
def test_a_text_is_cut_where_a_table_could_not_show_it(length, ends):
    setting = Setting("somewhere", paper="y", field="prompt.system")
    paper = replace(papers()["li2025"], settings=(setting,))
    (one,) = deviations({"prompt": {"system": "x" * length}}, paper)
    assert len(one.ours) == min(length, LONG) and one.ours.endswith(ends)
