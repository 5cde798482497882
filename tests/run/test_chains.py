"""Runs that refer to runs: what moves, what is refused, and chains that are really run.

Run: pytest tests/run/test_chains.py
"""

import json
import os
import shlex
import subprocess
import sys
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest

from ablations.studies.cells import Studies
from distill import pipeline
from distill.__main__ import run_cell
from distill.config import Config
from distill.models import hub
from distill.models.config import StudentConfig
from distill.run import references
from distill.run.overrides import long_form
from distill.run.references import LONGEST, Link, chain, follow
from distill.stages import Stage
from distill.store.artifacts import Store
from distill.store.canonical import canonical, canonical_json
from distill.store.identity import CHECKOUT, Names, content_hash, run_key
from distill.trace.records import read_rows, read_traces
from distill.training.config import Method
from distill.training.train import train_student
from tests.test_identity import changed, full, leaves

PLACES = {
    "student.after": (Stage.train, Stage.train),
    "teacher.student": (Stage.train, Stage.traces),
    "mix.part": (Stage.corrupt, Stage.train),
    "selection.problems_of": (Stage.select, Stage.select),
}
"""Place of a reference -> the other run's stage whose artifact it takes, and the first own stage
that this decides."""


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Two folders of models that differ, as `tests.test_identity` has them."""
    monkeypatch.setattr("distill.models.engines.pins", lambda engine: {})
    monkeypatch.setattr("distill.data.source.pins", lambda source: {})
    for name in ("student", "student2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(name)
    return tmp_path


def referring(place, folders) -> Config:
    config = full(str(folders / "student"))
    match place.partition(".")[0]:
        case "student":
            config.student.after = "another"
        case "teacher":
            config.teacher.kind, config.teacher.student = "trained", "another"
        case "mix":
            config.mix = {place.removeprefix("mix."): "another"}
        case "selection":
            config.selection.problems_of = "another"
    return config


def keys(place, other, folders) -> dict[str, str]:
    """Stage -> key of a run that refers to another one."""
    other = deepcopy(other)
    other.until = PLACES[place][0]
    link = Link(other, place, "another", {})
    run = Link(referring(place, folders), "", "", {place: link})
    return {s.stage: s.artifact.key for s in follow(run, Store(folders).artifact).made}


REFERENCES = ("student.after", "teacher.student", "selection.problems_of", "mix")


def stands_for(place, other, folders):
    """What a reference to this run takes of it; None where it has no such stage."""
    made = pipeline.run(other, Store(folders).artifact)
    taken = [step.artifact.key for step in made if step.stage is PLACES[place][0]]
    if place == "mix.part":  # with its own prompt, and the arms that its rows are dropped with
        taken += [canonical_json(canonical([other.prompt, other.training.union]))]
    if place == "teacher.student":  # which is asked as it was trained
        taken += [canonical_json(canonical(other.prompt))]
    return taken


@pytest.mark.parametrize("place", PLACES)
def test_what_a_reference_stands_for_moves_all_after_it_and_nothing_before(place, folders):
    """For every field of the run that is referred to."""
    other = full(str(folders / "student"))
    if place == "mix.part":
        other.selection.seed = 7  # else it is this run's own part
    before, taken = keys(place, other, folders), stands_for(place, other, folders)
    order, first = list(Stage), PLACES[place][1]
    count = {False: 0, True: 0}
    for name, _ in leaves(other):
        new = changed(other, name, folders)
        if name in ("until", *REFERENCES) or new.training.method is Method.none:
            continue
        moved = stands_for(place, new, folders) != taken
        for stage, key in keys(place, new, folders).items():
            later = order.index(stage) >= order.index(first)
            assert (key != before[stage]) == (later and moved), (name, stage)
        count[moved] += 1
    assert min(count.values()) > 5


@pytest.fixture
def compose():
    """Words -> the checked config, as `python -m distill` composes it."""
    studies = Studies()
    return lambda *words: studies.config(long_form(words))


def key(config, make=None):
    return run_key(references.made(config, make or Names()))


AFTER, PAIRS = "student.after=training.seed=1", "selection.problems_of=size=2k"
SPELLED = [
    (f"{AFTER} size.traces=500", "student.after=size=0_5k training.seed=1"),
    (AFTER, "student.after='training.seed=1'"),
    (AFTER, f"{AFTER} training.epochs=3.0 teacher=scripted"),
    (AFTER, f"{AFTER} engine.batch=8"),
    (AFTER, f"{AFTER} evaluation=micro_validation"),
    (AFTER, f"{AFTER} corruption=random_digits corruption.fraction=0"),
    ("mix.a=dataset.seed=1", "mix.another=dataset.seed=1"),
    ("mix.a=dataset.seed=1", "mix.a=dataset.seed=1 training.epochs=9 student=micro_clean"),
    (PAIRS, f"{PAIRS} corruption=random_digits corruption.fraction=0.5"),
    (PAIRS, f"{PAIRS} training=micro_lora"),
]


@pytest.mark.parametrize(("first", "second"), SPELLED)
def test_how_a_reference_is_spelled_or_named_moves_no_key(compose, first, second):
    assert key(compose(first, "size=0_25k")) == key(compose(second, "size=0_25k"))
    assert key(compose(first, "size=0_25k")) != key(compose("size=0_25k"))


def test_the_order_of_parts_moves_no_key_and_a_part_more_does(compose):
    parts = ["mix.a=dataset.seed=1", "mix.b=dataset.seed=2", "mix.c=dataset.seed=3"]
    assert len({key(compose(*some)) for some in (parts, parts[::-1])}) == 1
    assert len({key(compose(*parts[:n])) for n in range(4)}) == 4


def test_a_reference_is_composed_by_the_defaults_and_not_by_the_run_that_refers(compose):
    config = compose("student.after=training.seed=4", "size=0_25k", "training.epochs=9")
    other = chain(config).needs["student.after"].config
    assert (other.size.traces, other.training.epochs, other.training.seed) == (1000, 3.0, 4)


def test_where_and_how_a_chain_is_made_is_that_of_the_run(compose, tmp_path):
    places = (f"artifacts={tmp_path}", f"runs={tmp_path}/runs")
    words = (*places, "compute.threads=3", "tracking=none")
    link = chain(compose("student.after=training.seed=4", *words)).needs["student.after"]
    assert (link.config.artifacts, link.config.runs) == (str(tmp_path), f"{tmp_path}/runs")
    assert link.config.tracking.name == "none"
    assert link.config.compute.threads == 3
    own = chain(compose("student.after=compute.threads=1", *words)).needs["student.after"].config
    assert own.compute.threads == 1 and own.until is Stage.train
    plus = chain(compose("student.after=++compute.threads=1", *words)).needs["student.after"]
    assert plus.config.compute.threads == 1


def test_a_reference_takes_values_of_this_run_as_hydra_fills_them_in(compose):
    words = ["student.after=training.seed=${training.seed} size.traces=${size.traces}", "size=2k"]
    config = compose(*words, "training.seed=5")
    assert config.student.after == "training.seed=5 size.traces=2000"
    assert Studies()._composer._whole(long_form([*words, "training.seed=5"])) == config


def test_a_field_that_a_check_resets_is_taken_as_it_was_stated(compose):
    words = ["student.after=training=micro_lora training.lora_rank=${training.lora_rank}"]
    config = compose(*words, "training.lora_rank=32")
    assert config.student.after == "training=micro_lora training.lora_rank=32"
    assert Studies()._composer._whole(long_form([*words, "training.lora_rank=32"])) == config


def test_runs_with_and_without_a_reference_are_swept_in_any_order():
    for values in ('null,"size=2k"', '"size=2k",null', '"size=2k",null,"size=0_5k"'):
        cells = Studies().cells("single", [f"student.after={values}"])
        found = {cell.config.student.after for cell in cells}
        assert found == {None, "size=2k"} | ({"size=0_5k"} if "0_5k" in values else set())


def test_a_reference_in_a_grid_takes_values_of_each_run(tmp_path):
    places = [f"artifacts={tmp_path}/a", f"runs={tmp_path}/r", "tracking=none", "until=select"]
    small = "dataset.problems=24 size.traces=4"
    after = f'"{small} teacher.slip_rate=0.2 teacher.seed=${{teacher.seed}}"'
    line = f"dataset.problems=24 size.traces=2 teacher.seed=0,1 'selection.problems_of={after}'"
    study = {"name": "mine", "hypothesis": "none"}
    sweeper = {"mode": "MULTIRUN", "sweeper": {"grids": [line]}}
    text = "# @package _global_\n" + json.dumps({"study": study, "hydra": sweeper})
    (tmp_path / "conf" / "study").mkdir(parents=True)
    (tmp_path / "conf" / "study" / "mine.yaml").write_text(text)
    command = [sys.executable, "-m", "distill", "study=mine", *places]
    command += [f"--config-dir={tmp_path}/conf"]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=CHECKOUT)
    records = map(json.loads, (f.read_text() for f in tmp_path.glob("r/mine/*/run.json")))
    seeds = {
        one["config"]["teacher"]["seed"]: one["config"]["selection"]["problems_of"]
        for one in records
    }
    assert seeds == {n: f"{small} teacher.slip_rate=0.2 teacher.seed={n}" for n in (0, 1)}, (
        ran.stderr
    )


def test_references_nest_and_their_runs_come_in_order(compose):
    third = "student.after='size=0_25k training.seed=1' size=0_5k training.seed=2"
    link = chain(
        compose(f'student.after=student.after="{third}" size=1k training.seed=3', "size=2k")
    )
    sizes = [one.config.size.traces for one in link.links()]
    assert sizes == [250, 500, 1000, 2000]
    assert [one.place for one in link.links()] == ["student.after"] * 3 + [""]


def test_a_run_that_several_places_name_is_composed_and_made_once(compose):
    round_before, depth = "dataset.seed=0", 4
    for n in range(depth):  # each begins at the round before, which is its teacher as well
        places = (f"{place}={round_before}" for place in ("student.after", "teacher.student"))
        words = ["teacher=trained", f"training.seed={n}", *places]
        round_before = shlex.join(words)
    link = chain(compose(*words))
    assert [one.config.training.seed for one in link.links()] == [0, *range(depth)]
    trained, names = [], Names()

    def make(stage, *identity, **how):
        trained.extend([identity[1].seed] if stage is train_student else [])
        return names(stage, *identity, **how)

    follow(link, make)
    assert trained == [0, *range(depth)]


def test_only_the_run_itself_is_logged(compose):
    names, logs = Names(), []

    def make(stage, *identity, **how):
        logs.extend([how["log"]] if "log" in how else [])
        return names(stage, *identity, **how)

    references.run(compose("student.after=training.seed=1"), make, print)
    assert logs == [None, print]


def test_a_students_traces_are_those_of_all_parts_and_of_no_other_run(compose):
    after, pairs = "student.after=size=0_25k", "selection.problems_of=size.traces=100"
    alone = compose(after, pairs, "size=2k")
    assert references.traces(alone) == 2000
    parts = ("mix.a=size=1k dataset.seed=1", "mix.b=size=0_5k dataset.seed=2")
    assert references.traces(compose(after, pairs, "size=2k", *parts)) == 3500


def test_what_is_planned_and_described_of_a_chain_goes_all_the_way_down(compose):
    config = compose(f"{AFTER} student.after='training.seed=2'", "mix.a=dataset.seed=1")
    planned = references.planned(config)
    described = references.described(config, references.run(config, Names())[1])
    for said in (planned, described):
        first = said["student.after"]["references"]["student.after"]
        assert first["text"] == "training.seed=2" and first["config"]["training"]["seed"] == 2
        assert first["references"] == said["mix.a"]["references"] == {}
    assert "part" in described["mix.a"] and "part" not in described["student.after"]


REFUSED = {
    "student.after=training=none": "training=none and trains no student; name one that is trained",
    "student.after=student=micro_clean": "micro_clean.* and this one names .*micro.* same student",
    "student.after=size=1k,2k": "lists several values, and a reference is one run",
    "student.after=study=table2": "study names several runs",
    "student.after=artifacts=x": "artifacts is that of the run that refers to it",
    "student.after=++artifacts=x": "artifacts is that of the run that refers to it",
    "student.after=tracking=none": "tracking is that of the run that refers to it",
    "student.after=until=select": "until follows from its place",
    "student.after=hydra.mode=RUN": "is a setting of Hydra's",
    "student.after=size.trace=3": "no config has size.trace; nearest: size.traces",
    "student.after=size.traces=0": "must be >= 1; got 0",
    "student.after=just words": "is no override",
    "student.after=size='1k": "cannot be read: No closing quotation",
    "selection.problems_of=training=none": "makes no select",
    "mix.a=training=none": "makes no corrupt",
    "mix.a=mix.b=dataset.seed=1": r"is a mixture itself \(b\); name its parts",
    "mix.a=size=1k": "mix.a and the run itself are the same traces with the same prompt",
}


@pytest.mark.parametrize("word", REFUSED)
def test_a_reference_that_is_no_run_for_its_place_is_refused_in_words(compose, word):
    with pytest.raises(ValueError, match=REFUSED[word]) as raised:
        key(compose(word, "training.seed=8"))
    assert "teacher=model" not in str(raised.value)
    if "same traces" not in REFUSED[word]:
        place, _, text = word.partition("=")
        assert f"{place}={text!r}" in str(raised.value)


def test_a_student_at_another_revision_is_another_student(compose):
    student = "student.model=some/body"
    same = compose(student, f"student.after={student} training.seed=1")
    assert chain(same).needs["student.after"].config.student == replace(same.student, after=None)
    with pytest.raises(ValueError, match=r"student\.revision=v1 .*, and this one names main"):
        chain(compose(student, f"student.after={student} student.revision=v1"))


def test_an_untrained_run_is_no_teacher(compose):
    with pytest.raises(ValueError, match=r"trains no student; .* or take teacher=model"):
        key(compose("teacher=trained", "teacher.student=training=none"))
    with pytest.raises(ValueError, match=r"teacher\.kind=trained needs teacher\.student"):
        compose("teacher=trained")
    with pytest.raises(ValueError, match=r"is read by teacher=trained alone"):
        compose("teacher.student=size=1k")


@pytest.fixture
def options(tmp_path):
    """Options of a user's own whose runs refer to each other."""
    (tmp_path / "conf" / "student").mkdir(parents=True)

    def option(name, after):
        text = f"defaults: [micro, _self_]\nname: {name}\nafter: {json.dumps(after)}\n"
        (tmp_path / "conf" / "student" / f"{name}.yaml").write_text(text)

    option("itself", "student=itself")
    option("ping", "student=pong training.seed=1")
    option("pong", "student=ping")
    option("deeper", "student=deeper training.seed=1${training.seed}")
    return tmp_path / "conf"


@pytest.mark.parametrize("name", ["itself", "ping", "deeper"])
def test_a_circle_is_refused_and_named_before_anything_runs(options, tmp_path, name):
    words = [f"student={name}", f"artifacts={tmp_path}/a", f"runs={tmp_path}/r", "tracking=none"]
    command = [sys.executable, "-m", "distill", *words, "--config-dir", str(options)]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=CHECKOUT)
    assert ran.returncode == 1 and "Traceback" not in ran.stderr
    if name != "deeper":  # whose seed grows until it is too large
        assert "in a circle" in ran.stderr and f"student={name}" in ran.stderr
        assert ran.stderr.count("->") == (1 if name == "itself" else 2)  # each link once
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("after", "told"),
    [
        ([1, 2, 1], "'1' -> '2' -> the first again"),
        ([1, 2, 3, 1], "'1' -> '2' -> '3' -> the first again"),
        ([1, 2, 3, 4, 1], "'1' -> '2' -> '3' -> '4' -> the first again"),
    ],
)
def test_a_circle_is_told_without_what_leads_to_it(monkeypatch, after, told):
    def numbered(seed):
        config = Config()
        config.student.model, config.until, config.training.seed = "m", Stage.train, seed
        config.prompt.thought_open = config.prompt.thought_close = "x"
        config.student.after = str(after[seed])
        return config

    monkeypatch.setattr(references, "_composed", lambda place, text, config: numbered(int(text)))
    with pytest.raises(ValueError, match="in a circle: ") as raised:
        chain(numbered(0))
    assert f"in a circle: {told}" in str(raised.value).replace("student.after=", "")


def test_a_chain_has_an_end(monkeypatch):
    endless = iter(range(1, 10_000))

    def composed(place, text, config):
        other = deepcopy(config)
        other.training.seed, other.student.after = next(endless), "another"
        return other

    monkeypatch.setattr(references, "_composed", composed)
    config = Config()
    config.student.after, config.until = "another", Stage.train
    config.prompt.thought_open = config.prompt.thought_close = "x"
    config.student.model = "m"
    with pytest.raises(ValueError, match=f"in a circle: .* {LONGEST + 1 - 4} more"):
        chain(config)


SMALL = (
    "size.traces=8 dataset.problems=24 training.epochs=1 training.batch=4 training.max_tokens=1024 "
    "student.name=tiny student.model={student} compute.threads=1 compute.progress=false"
)
SCORED = (
    *("evaluation.benchmarks.sign_puzzle.dataset.problems=4", "tracking=none"),
    *("evaluation.sampling.max_new_tokens=40",),
)


@pytest.fixture
def run(tiny_student, tmp_path, compose):
    """Words, and where a run is made -> its record."""

    def run(*words, place=tmp_path):
        text = SMALL.format(student=tiny_student)
        filled = [word.replace("SMALL", text) for word in words]
        places = (f"artifacts={place}/a", f"runs={place}/r")
        config = compose(*text.split(), *filled, *SCORED, *places)
        outcome = run_cell(config, " ".join(words))
        (path,) = Path(place, "r", "single").glob(f"{outcome.key[:16]}/run.json")
        return config, json.loads(path.read_text())

    return run


CHAIN = (
    "student.after=student.after='SMALL training.seed=1' SMALL training=micro_lora training.seed=2"
)


def made(place):
    """Stage -> keys of the artifacts that are there."""
    return {
        folder.name: {one.name for one in folder.glob("*") if (one / "recipe.json").is_file()}
        for folder in Path(place, "a").glob("*")
    }


def test_a_chain_of_three_is_run_and_recorded(run, tmp_path, capsys):
    config, record = run(CHAIN, "training.seed=3")
    there = made(tmp_path)
    assert {stage: len(keys) for stage, keys in there.items()} == {
        **dict.fromkeys(("sample_traces", "verify_traces", "select_traces"), 1),
        **{"load_problems": 2, "corrupt_traces": 1, "train_student": 3, "merge_adapter": 1},
        "evaluate_student": 1,
    }
    middle = record["references"]["student.after"]
    first = middle["references"]["student.after"]
    own = record["stages"]["train"]["key"]
    assert {own, middle["key"], first["key"]} == there["train_student"]
    assert (first["stage"], first["config"]["training"]["seed"]) == ("train", 1)
    assert (
        middle["config"]["training"]["method"] == "lora" and middle["text"] == config.student.after
    )
    again = run(CHAIN, "training.seed=3")[1]
    assert again == record and "done before" not in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_chain_that_is_killed_continues_where_it_was(run, tmp_path, monkeypatch, at):
    whole = made_bytes(run, tmp_path / "whole")
    calls = iter(range(1, 99))
    train = pipeline.train_student

    def killed(*arguments, **how):
        if next(calls) == at:
            raise KeyboardInterrupt
        train(*arguments, **how)

    killed.__module__, killed.__name__ = train.__module__, train.__name__
    killed.__wrapped__ = train
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(pipeline, "train_student", killed)
        run(CHAIN, "training.seed=3", place=tmp_path / "killed")
    assert len(made(tmp_path / "killed").get("train_student", ())) == at - 1
    assert made_bytes(run, tmp_path / "killed") == whole


def made_bytes(run, place):
    _, record = run(CHAIN, "training.seed=3", place=place)
    models = sorted(path.parent for path in place.glob("a/train_student/*/recipe.json"))
    return record["cell"], [(path.name, content_hash(path / "curve.jsonl")) for path in models]


@pytest.mark.slow
def test_two_processes_make_each_link_once(tiny_student, tmp_path):
    small = SMALL.format(student=tiny_student)
    words = [
        *(*small.split(), CHAIN.replace("SMALL", small), *SCORED, "training.seed=3"),
        *(f"artifacts={tmp_path}/a", f"runs={tmp_path}/r"),
    ]
    command = [sys.executable, "-m", "distill", *words]
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    both = [
        subprocess.Popen(command, cwd=CHECKOUT, env=env, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sum(text.count("making train_student") for text in said) == 3
    assert sum(text.count("making merge_adapter") for text in said) == 1
    assert not [*tmp_path.rglob("*.partial"), *tmp_path.rglob("failed.json")]


def test_a_mixture_is_run_and_each_part_is_told_by_its_name(run, tmp_path):
    noisy = "SMALL dataset.seed=1 corruption=random_digits corruption.fraction=0.5 size.traces=4"
    _, record = run(f"mix.noisy={noisy}")
    parts = record["stages"]["train"]["summary"]["parts"]
    name = record["references"]["mix.noisy"]["part"]
    assert parts[name]["rows"] == 4 and sum(part["rows"] for part in parts.values()) == 12
    last = list(read_rows(Path(record["stages"]["train"]["path"]) / "curve.jsonl"))[-1]
    assert set(last["losses"]) == set(parts)


def test_a_trained_teacher_writes_traces_as_it_was_trained_to(run, tmp_path):
    words = ("teacher=trained", "teacher.bare=thought", "teacher.sampling.max_new_tokens=30")
    _, record = run(
        *words,
        "teacher.student=SMALL training=micro_lora 'prompt.user=\"Q: {question}\"'",
        "until=traces",
        "dataset.problems=4",
        "size.traces=1",
    )
    traces = list(read_traces(Path(record["stages"]["traces"]["path"]) / "traces.jsonl"))
    there = made(tmp_path)
    (merged,) = there["merge_adapter"]
    model = Path(tmp_path, "a", "merge_adapter", merged, "model")
    assert {trace.teacher for trace in traces} <= {content_hash(model)[:12]}
    recipe = json.loads((Path(record["stages"]["traces"]["path"]) / "recipe.json").read_text())
    assert recipe["identity"]["arguments"]["teacher"]["prompt"]["user"] == "Q: {question}"
    assert recipe["identity"]["arguments"]["student"] == {"artifact": merged}


def test_an_untrained_run_after_another_scores_its_student(run, tmp_path):
    _, first = run("training.seed=1")
    _, scored = run("student.after=SMALL training.seed=1", "training=none")
    assert "train" not in scored["stages"]
    rows = [Path(r["scores"]["sign_puzzle"]["path"]) / "samples.parquet" for r in (first, scored)]
    assert rows[0].read_bytes() == rows[1].read_bytes()


def test_pairs_of_two_runs_are_of_the_same_problems(run, tmp_path):
    other = "SMALL teacher.seed=5 size.traces=14"
    _, record = run(f"selection.problems_of={other}", "until=select")
    summary = record["stages"]["select"]["summary"]
    assert summary["paired_problems"] == 14
    folders = {
        key: Path(tmp_path, "a", "select_traces", key) for key in made(tmp_path)["select_traces"]
    }
    mine = record["stages"]["select"]["key"]
    problems = {
        k: [t.problem.id for t in read_traces(f / "traces.jsonl")] for k, f in folders.items()
    }
    (theirs,) = problems.keys() - {mine}
    kept = [problem for problem in problems[theirs] if problem in problems[mine]]
    assert problems[mine] == kept and len(kept) == 8


def test_a_pipeline_does_not_run_past_a_reference_that_was_not_made(compose):
    with pytest.raises(
        ValueError, match=r"student\.after refers to another run, which was not made"
    ):
        pipeline.run(compose("student.after=training.seed=1"), Names())


def test_seeds_of_a_chain_are_one_arm_where_a_study_settles(compose):
    chains = [
        compose("student.after=training.seed=${training.seed}", f"training.seed={n}")
        for n in (0, 1)
    ]
    first, second = map(references.seedless, chains)
    assert first == second
    other = references.seedless(compose("student.after=size=2k"))
    assert other != first


@pytest.mark.parametrize(
    "words",
    [
        "corruption=random_digits corruption.fraction=0.5 corruption.seed=SEED",
        "selection.problems_of='size=2k training.seed=SEED'",
        "'mix.a=dataset.seed=1 training.seed=SEED'",
        "teacher=trained teacher.student='training=micro_lora training.seed=SEED'",
    ],
)
def test_seeds_anywhere_in_a_chain_are_one_arm(compose, words):
    seeds = (shlex.split(words.replace("SEED", str(seed))) for seed in (1, 2))
    first, second = (references.seedless(compose(*some)) for some in seeds)
    assert first == second


def test_the_order_of_the_words_of_a_reference_is_that_of_a_command_line(compose):
    seeds = ("training.seed=1 training.seed=2", "training.seed=2 training.seed=1")
    found = [chain(compose(f"student.after={words}")).needs["student.after"] for words in seeds]
    assert [link.config.training.seed for link in found] == [2, 1]


def test_the_student_that_a_run_begins_at_is_served_where_an_adapter_needs_it(
    tiny_student, tmp_path
):
    student = StudentConfig(name="tiny", model=str(tiny_student))
    (tmp_path / "adapter").mkdir()
    assert hub.trained_model(student, None, tmp_path).name == str(tmp_path / "model")
    assert hub.trained_model(student, tmp_path, tmp_path / "b").name == str(
        tmp_path / "b" / "model"
    )
