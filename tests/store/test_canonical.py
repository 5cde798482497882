"""What a value is as JSON, what is a label, and which keys follow; by hand, without any stage."""

import hashlib
import os
from dataclasses import dataclass, field

import pytest

from distill.store.canonical import files, labels, part_of
from distill.store.identity import (
    CHECKOUT,
    Artifact,
    Names,
    arguments,
    arm_group,
    artifact_key,
    canonical,
    content_hash,
    local_path,
    run_key,
    version,
)

LABEL = {"label": True}


@dataclass
class Server:
    url: str = field(default="", metadata=LABEL)
    other: int = field(default=0, metadata=LABEL)
    dtype: str = "f32"


@dataclass
class Job:
    rate: float = 0.5
    patience: float = field(default=0.25, metadata={"limit": True})
    ask: str = field(default="", metadata={"apart": True})
    data: str = field(default="", metadata={"content": True})
    name: str = field(default="x", metadata=LABEL)
    server: Server | None = None
    arms: list[Server] = field(default_factory=list)
    benchmarks: dict[str, Server] = field(default_factory=dict)


def artifact(key, stage="s", **told):
    return Artifact(stage, key, CHECKOUT / "nowhere", told)


def test_plain_values_stay_and_a_tuple_is_a_list_and_a_negative_zero_none():
    values = [None, True, False, 3, -1.5, "é", {"a": {"b": ()}}, (1, [2.0])]
    assert canonical(values) == [None, True, False, 3, -1.5, "é", {"a": {"b": []}}, [1, [2.0]]]
    assert str(canonical(-0.0)) == "0.0" and canonical(True) is True


@pytest.mark.parametrize("number", [float("inf"), -float("inf"), float("nan")])
def test_a_number_without_json_is_named_with_its_place(number):
    with pytest.raises(TypeError, match=rf"^value\.a\[1\]\.rate is {number}, which has no JSON"):
        canonical({"a": [0, Job(rate=number)]})


def test_a_type_is_no_config_and_an_artifact_is_its_key():
    with pytest.raises(TypeError, match="value is a type"):
        canonical(Job)
    assert canonical([artifact("ab", kept="no")]) == [{"artifact": "ab"}]


def test_a_limit_counts_as_its_default_and_labels_and_what_counts_apart_do_not(tmp_path):
    job = Job(patience=9.0, ask="x", name="y", server=Server("u", 7, "f16"))
    assert canonical(job) == {
        "rate": 0.5, "patience": 0.25, "data": "", "arms": [], "benchmarks": {},
        "server": {"dtype": "f16"},
    }  # fmt: skip


def test_content_that_is_there_counts_by_what_it_holds_and_else_by_its_name(tmp_path):
    file = tmp_path / "a.csv"
    assert canonical(Job(data=str(file)))["data"] == str(file)
    file.write_bytes(b"1,2\n")
    digest = hashlib.sha256(b"1,2\n").hexdigest()
    assert canonical(Job(data=str(file)))["data"] == {"sha256": digest}
    file.write_bytes(b"1,3\n")  # as long as before
    os.utime(file, ns=(1, 1))
    assert canonical(Job(data=str(file)))["data"] != {"sha256": digest}


def test_labels_are_told_by_dotted_name_where_they_say_something():
    job = Job(name="y", server=Server("u", 7))
    assert labels(job, "job") == {"job.name": "y", "job.server.url": "u"}
    assert labels(Job(name=""), "job") == {}
    for other in (Job, artifact("ab"), "text", None, [Server("u")]):
        assert labels(other, "x") == {}


def test_a_part_of_a_type_is_found_through_optional_lists_and_dictionaries():
    assert part_of(Job, "rate") == (float, False)
    assert part_of(Job, "patience") == (float, True) and part_of(Job, "name") == (str, True)
    assert part_of(Job, "ask") == (str, False)
    for name, where in (("server", "url"), ("arms", "0"), ("benchmarks", "any")):
        kind, is_label = part_of(Job, name)
        assert not is_label
        inner = part_of(kind, where)
        assert inner == ((str, True) if where == "url" else (Server, False))
    assert part_of(Job, "missing") is part_of(float, "x") is part_of(None, "x") is None


def test_a_name_is_looked_for_here_and_then_in_the_checkout(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert os.path.samefile(local_path("conf"), CHECKOUT / "conf")
    (tmp_path / "conf").mkdir()
    assert os.path.samefile(local_path("conf"), tmp_path / "conf")
    assert local_path(str(tmp_path)) == tmp_path and local_path("no such file") is None


def test_files_of_a_folder_are_all_that_are_below_it_in_one_order(tmp_path):
    for name in ("b", "a/c/d", "a/b", "Z"):
        (tmp_path / "f" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "f" / name).write_text(name)
    (tmp_path / "f" / "broken").symlink_to("nowhere")
    (tmp_path / "g").symlink_to(tmp_path / "f" / "a")
    (tmp_path / "f" / "linked").symlink_to(tmp_path / "g")
    (tmp_path / "f" / "a" / "c" / "up").symlink_to(tmp_path / "f")  # would go round for ever
    names = ["Z", "a/b", "a/c/d", "b", "linked/b", "linked/c/d"]
    assert [name for name in files(tmp_path / "f") if "up" not in name] == names
    (tmp_path / "empty").mkdir()
    assert files(tmp_path / "empty") == []
    with pytest.raises(FileNotFoundError, match="empty is an empty folder"):
        content_hash(tmp_path / "empty")


def test_an_artifact_knows_what_it_holds(tmp_path):
    made = Artifact("s", "k", tmp_path / "k", {})
    (tmp_path / "k").mkdir()
    assert not made.exists
    (tmp_path / "k" / "recipe.json").write_text('{"key": "k"}')
    (tmp_path / "k" / "summary.json").write_text('{"rows": 3}')
    assert made.exists and made.record() == {"key": "k"} and made.summary() == {"rows": 3}


def test_the_key_of_a_run_is_of_its_last_stage_and_of_the_benchmarks_there():
    def key(*made):
        return run_key([(stage, artifact(k, stage), b) for stage, k, b in made])

    one = key(("train", "a", ""), ("evaluate", "b", "x"), ("evaluate", "c", "y"))
    assert len(one) == 64
    assert key(("train", "z", ""), ("evaluate", "b", "x"), ("evaluate", "c", "y")) == one
    others = (
        [("evaluate", "b", "x")],
        [("evaluate", "b", "x"), ("evaluate", "d", "y")],
        [("evaluate", "b", "x"), ("evaluate", "c", "z")],
        [("train", "b", "x"), ("train", "c", "y")],
    )
    assert len({one, *(key(*made) for made in others)}) == 5


def test_the_group_of_an_arm_counts_all_but_labels_limits_and_what_is_named():
    config = {
        "rate": 1, "name": "a", "patience": 2, "server": {"url": "u", "dtype": "d", "new": 0},
        "arms": [{"url": "u", "dtype": "d"}], "benchmarks": {"b": {"url": "u", "dtype": "d"}},
        "seed": 1, "unknown": {"name": "x"},
    }  # fmt: skip
    group = arm_group(config, Job, ["seed", "server.new"])
    assert len(group) == 16 and set(group) <= set("0123456789abcdef")

    def changed(name, value):
        return arm_group(config | {name: value}, Job, ["seed", "server.new"])

    same = {
        "name": "b", "patience": 3, "seed": 2, "server": {"url": "v", "dtype": "d", "new": 1},
        "arms": [{"url": "v", "dtype": "d"}], "benchmarks": {"b": {"url": "v", "dtype": "d"}},
    }  # fmt: skip
    assert {changed(name, value) for name, value in same.items()} == {group}
    others = {
        "rate": 2, "server": {"url": "u", "dtype": "e", "new": 0}, "unknown": {"name": "y"},
        "arms": [{"url": "u", "dtype": "e"}], "benchmarks": {"c": {"url": "u", "dtype": "d"}},
        "new": 0,
    }  # fmt: skip
    found = [changed(name, value) for name, value in others.items()]
    assert group not in found and len(set(found)) == len(found)


def stage(config, given, extra=None, *, out, threads=1):
    raise AssertionError("is never called")


def other_stage(config, given, extra=None, *, out, threads=1):
    raise AssertionError("is never called")


def test_arguments_count_by_name_as_far_as_they_are_given():
    given = arguments(stage, [Server(), [artifact("a"), artifact("b")]])
    keys = [{"artifact": "a"}, {"artifact": "b"}]
    assert given == {"config": {"dtype": "f32"}, "given": keys}
    assert arguments(stage, [Server(), None, 5])["extra"] == 5
    for wrong in ([Server()], [Server(), 1, 2, 3]):
        with pytest.raises(TypeError, match="argument"):
            arguments(stage, wrong)


def test_names_tell_apart_what_is_told_apart_by_arguments_and_ask_for_nothing_else():
    names = Names()
    config = Server("u", dtype="f32")

    def key(*identity, of=stage, **how):
        made = names(of, *identity, **how)
        assert made.stage == of.__name__
        return made.key

    one = key(config, [artifact("a")])
    assert len(one) == 64 and one == key(Server("v"), (artifact("a"),), threads=9, out="x")
    others = [
        key(Server(dtype="f16"), [artifact("a")]),
        key(config, [artifact("b")]),
        key(config, artifact("a")),
        key(config, [artifact("a"), artifact("a")]),
        key(config, [artifact("a")], of=other_stage),
    ]
    assert len({one, *others}) == 6
    assert Names()(stage, config, [artifact("a")]).key == one


def test_a_recipe_is_hashed_whatever_the_order_of_its_fields():
    assert artifact_key({"a": 1, "b": [2]}) == artifact_key({"b": [2], "a": 1})
    assert artifact_key({"a": 1}) == hashlib.sha256(b'{"a":1}').hexdigest()


def test_the_version_of_a_package_that_is_not_there_is_none():
    assert version("no-such-package-here") is None
    assert version("pytest") == pytest.__version__
