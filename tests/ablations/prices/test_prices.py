"""What a plan asks of models and machines, and what that costs."""

import json
from dataclasses import replace
from statistics import median
from types import SimpleNamespace

import pytest

from ablations.prices.costs import Cost, by_stage, cost, generation
from ablations.prices.demand import Flow, Known
from ablations.prices.demands import demands
from ablations.prices.estimates import NOTHING, Estimate, unknown
from ablations.prices.measured import Measured, of_study
from ablations.prices.prices import missing, prices, sources
from ablations.prices.rates import Rates
from ablations.prices.sizes import Size, size
from ablations.prices.traces import problem_count
from ablations.prices.ways import Arm, way
from ablations.studies.plan import Asked, plan
from distill.compute import ComputeConfig
from distill.run.overrides import split
from distill.stages import Stage
from distill.store.artifacts import Store
from distill.store.canonical import RECIPE

NONE = Measured()
MICRO = "distill/micro/students/micro"
QWQ = "Qwen/QwQ-32B-Preview"


@pytest.fixture
def unreachable(monkeypatch):
    """Nothing can be looked up, as without the hub; keys are names of what is asked for."""

    def refuse(self, stage, *identity, **how):
        raise OSError("no hub here")

    monkeypatch.setattr(Store, "artifact", refuse)


@pytest.fixture
def of(studies, unreachable):
    """(overrides) -> the demands of one run, by stage."""

    def follow(*overrides, rates=None, records=NONE):
        planned = plan([studies.one(overrides)])
        return {d.stage: d for d in demands(planned, rates or Rates(), records)}

    return follow


@pytest.fixture
def own(tmp_path):
    """(rows) -> rates with these of a user."""

    def read(*rows):
        path = tmp_path / "own.csv"
        path.write_text("\n".join(["quantity,what,value", *rows]))
        return Rates(path)

    return read


def step(key, seconds, **summary):
    """What `run.json` has of a stage."""
    return {"key": key, "seconds": seconds, "how": {}, "summary": summary}


def record(studies, *overrides, **steps):
    """A record of a run; `evaluate` is its score on `sign_puzzle`."""
    scores = {"sign_puzzle": steps.pop("evaluate")} if "evaluate" in steps else {}
    config = studies.one(overrides).record(None)["config"]
    return {"config": json.loads(json.dumps(config)), "stages": steps, "scores": scores}


def test_the_papers_own_training_takes_the_hours_that_its_authors_paid_for(of):
    demand = of("world=paper", "dataset=numina_math", "size=17k")[Stage.train]
    found = cost(demand, Rates(), NONE)
    assert found.gpu_hours.value == pytest.approx(19 * 8, rel=0.03)
    assert found.money.value == pytest.approx(2.69 * found.gpu_hours.value)


def test_an_adapter_is_trained_without_the_gradients_of_the_base(of):
    full, adapter = (
        cost(of("world=paper", f"training={name}")[Stage.train], Rates(), NONE).gpu_hours.value
        for name in ("sft", "lora")
    )
    assert 3 / 4 < adapter / full < 0.77  # of products three in four; attention costs the same


def test_a_vendors_model_costs_what_it_reads_and_writes(of):
    demand = of("world=paper")[Stage.rate]
    assert demand.requests.value == 80_000
    found = cost(demand, Rates(), NONE)
    money = (0.15 * demand.read.value + 0.60 * demand.written.value) / 1e6
    assert found.money.value == pytest.approx(money)
    assert demand.written.value == 80_000 * 1024  # its limit, since nobody knows its length
    assert found.money.at_most and not found.gpu_hours.value


def test_a_vendors_model_without_a_price_is_unknown_until_you_give_one(of, own):
    asked = ("world=paper", "filter.rating.model=my-model")
    demand = of(*asked)[Stage.rate]
    assert cost(demand, Rates(), NONE).money.missing == (
        "read_price of my-model",
        "write_price of my-model",
    )
    rates = own("read_price,my-model,1", "write_price,my-model,0")
    assert cost(demand, rates, NONE).money.value == pytest.approx(demand.read.value / 1e6)


def test_a_teacher_is_asked_about_what_the_filter_keeps(of):
    found = of("world=paper", "teacher.samples=3")
    assert found[Stage.traces].requests.value == 3 * 9_000
    assert found[Stage.traces].written.value == 3 * 9_000 * 4_000
    everything = of("world=paper", "filter=decontaminated")[Stage.traces].requests
    assert (everything.value, everything.at_most) == (80_000, True)
    assert of("world=paper", "filter=none")[Stage.traces].requests.at_most is False


@pytest.fixture
def lengths(own):
    """A question has 10 tokens, a trace 1000, and a prompt as many as characters."""
    return own("question_tokens,*,10", f"trace_tokens,{QWQ},1000", "characters,prompt,1")


def test_what_is_read_and_written_is_question_prompt_and_reply(studies, of, lengths):
    words = ("world=paper", "verification=judge", "teacher.samples=2", "training.epochs=3")
    found, config = of(*words, rates=lengths), studies.one(words).config

    def texts(prompt):
        return len(prompt.system) + len(prompt.user)

    rating, teacher, judge = config.filter.rating, config.teacher, config.verification.judge
    kept, rows = 18_000, 4_618
    expected = {
        Stage.rate: (80_000, 10 + texts(rating), rating.sampling.max_new_tokens, True),
        Stage.traces: (kept, 10 + texts(teacher.prompt), 1000, False),
        Stage.convert: (kept, 1010 + texts(teacher.convert), 1000, False),
        Stage.verify: (kept, 1010 + texts(judge), judge.sampling.max_new_tokens, True),
    }
    for stage, (requests, read, written, at_most) in expected.items():
        demand = found[stage]
        assert demand.requests.value == pytest.approx(requests)
        assert demand.read.value == pytest.approx(requests * read)
        assert demand.written.value == pytest.approx(requests * written)
        assert demand.written.at_most is at_most
    assert found[Stage.verify].requests.at_most  # what the grader decides is not asked about
    row = 1010 + len(config.prompt.system)
    assert found[Stage.train].length.value == row
    assert found[Stage.train].trained.value == pytest.approx(3 * rows * row)
    scored = found[Stage.evaluate]
    asked = 10 + len(config.prompt.system + "{question}")
    assert scored.read.value == scored.requests.value * asked


def test_a_score_of_each_trace_is_read_off_and_nothing_is_written(of, lengths):
    words = ("verification=reward", "verification.reward_model=some/scorer")
    found = of("world=paper", *words, rates=lengths)[Stage.verify]
    assert found.requests.value == 9_000 and found.read.value == pytest.approx(9_000 * 1010)
    assert found.way.model == "some/scorer" and not found.written.value


@pytest.mark.parametrize(
    ("corruption", "at_most"),
    [("delete_steps", True), ("remove_keywords", True), ("shuffle_steps", False)],
)
def test_what_deletes_makes_rows_shorter_by_an_unknown_length(of, corruption, at_most):
    found = of("world=paper", f"corruption={corruption}")[Stage.train]
    assert found.trained.at_most is at_most
    plain = of("world=paper")[Stage.train].trained
    assert (found.trained.value, plain.at_most) == (plain.value, False)


def test_a_thought_that_is_written_anew_is_no_longer_than_it_was(of, lengths):
    found = of("world=paper", "corruption=remove_keywords_reflection", rates=lengths)[Stage.rewrite]
    assert (found.written.value, found.written.at_most) == (4_618 * 1000, True)


def test_a_trace_is_no_longer_than_its_teacher_may_write(of, lengths):
    found = of("world=paper", "teacher.sampling.max_new_tokens=300", rates=lengths)
    assert (found[Stage.traces].written.value, found[Stage.convert].written.value) == (
        pytest.approx(9_000 * 300),
        pytest.approx(9_000 * 300),
    )


def test_a_published_number_of_problems_is_at_most_theirs_where_some_are_left_out():
    asked = {"name": "numina_math", "kind": "rows", "problems": None, "subset": None}
    found = [problem_count(Rates(), SimpleNamespace(**asked, where=w)) for w in ({}, {"a": "b"})]
    assert [(count.value, count.at_most) for count in found] == [(162_110, False), (162_110, True)]
    nobody = SimpleNamespace(**asked | {"name": "mine"}, where={"a": "b"})
    assert not problem_count(Rates(), nobody).at_most


def test_recorded_and_scripted_traces_ask_no_model(of):
    assert not of()[Stage.traces].requests.value
    assert not of("world=one_gpu")[Stage.traces].requests.value


def test_rows_of_training_are_counted_in_every_epoch_and_no_longer_than_allowed(of):
    once = of("world=paper", "training.epochs=1")[Stage.train].trained
    assert of("world=paper", "training.epochs=3")[Stage.train].trained.value == 3 * once.value
    short = of("world=paper", "training.epochs=1", "training.max_tokens=100")[Stage.train].trained
    assert (short.value, short.at_most) == (100 * 4_618, True)


def test_a_response_whose_length_nobody_knows_is_as_long_as_its_limit(of):
    demand = of("world=paper", "evaluation=general")[Stage.evaluate]
    assert demand.written.value == 16_384 * demand.requests.value
    assert demand.written.at_most


@pytest.mark.parametrize(
    ("arm", "tokens"),
    [
        (["training=none"], 825),
        (["corruption=none"], 15_902),
        (["corruption=shuffle_steps", "corruption.fraction=1.0"], 18_054),
        (["corruption=random_digits", "corruption.fraction=0.2"], 15_902),
    ],
)
def test_the_papers_arms_answer_as_long_as_the_paper_says(studies, unreachable, arm, tokens):
    cell = studies.one(["world=paper", "evaluation=paper_math", *arm])
    evaluation = cell.config.evaluation
    one = replace(evaluation, benchmarks={"aime24": evaluation.benchmarks["aime24"]})
    cell = replace(cell, config=replace(cell.config, evaluation=one))
    (demand,) = [d for d in demands(plan([cell]), Rates(), NONE) if d.stage == Stage.evaluate]
    assert demand.requests.value == 30
    assert demand.written.value == pytest.approx(30 * tokens)


def test_your_length_comes_before_the_recorded_and_the_published_one(of, own):
    rates = own("response_tokens,sign_puzzle,7")
    demand = of(rates=rates)[Stage.evaluate]
    assert demand.written.value == 7 * demand.requests.value


def test_an_artifact_that_several_runs_share_is_asked_for_once(studies, unreachable):
    planned = plan(studies.cells("table2"))
    found = demands(planned, Rates(), NONE)
    assert len({d.artifact.key for d in found}) == len(found)
    counts = [sum(d.stage == stage for d in found) for stage in ("traces", "train", "evaluate")]
    assert counts == [1, 18, 19]


def test_what_exists_costs_nothing_and_hands_on_what_it_counts(studies, tmp_path):
    cell = studies.one([f"artifacts={tmp_path}", f"runs={tmp_path}/runs", "size.traces=50"])
    planned = plan([cell])
    before = {one.demand.stage: one for one in prices(planned, Rates()).costs}
    assert before[Stage.train].hours.value > 0
    for name, summary in (("select_traces", {"traces": 40}), ("train_student", {})):
        artifact = next(a for a in planned[0].artifacts if a.stage == name)
        artifact.path.mkdir(parents=True)
        (artifact.path / RECIPE).write_text("{}")
        (artifact.path / "summary.json").write_text(json.dumps(summary))
    found = prices(planned, Rates())
    after = {one.demand.stage: one for one in found.costs}
    train = after[Stage.train]
    assert train.demand.done and train.hours.value == 0
    counted = before[Stage.train].demand.trained.value * 40 / 50
    assert train.demand.trained.value == pytest.approx(counted)
    (stage,) = [stage for stage in found.stages if stage.stage == Stage.train]
    assert (stage.distinct, stage.to_make) == (1, 0)
    assert all(number.value == 0 for number in stage.numbers)


def test_lengths_of_traces_that_exist_are_looked_at(studies, tmp_path):
    planned = plan([studies.one([f"artifacts={tmp_path}", "training.epochs=1"])])
    made = next(a for a in planned[0].artifacts if a.stage == "corrupt_traces")
    made.path.mkdir(parents=True)
    (made.path / RECIPE).write_text("{}")
    (made.path / "summary.json").write_text('{"traces": 10}')
    row = json.dumps({"thought": "x" * 200, "solution": "y" * 90})
    (made.path / "traces.jsonl").write_text(f"{row}\n{row}\n")
    train = {d.stage: d for d in demands(planned, Rates(), NONE)}[Stage.train]
    assert train.trained.value == pytest.approx(10 * (290 / 2.9 + 100), rel=0.01)


def test_all_of_the_first_traces_are_looked_at_and_problems_are_counted(tmp_path):
    known, flow = Known(Rates(), NONE), Flow(Estimate(9), Estimate(9))
    (tmp_path / "traces.jsonl").write_text(
        "".join(
            json.dumps({"thought": "x" * length, "solution": ""}) + "\n"
            for length in [29] * 100 + [87] * 100 + [10**6]
        )
    )
    made = SimpleNamespace(stage="s", exists=True, path=tmp_path, summary=lambda: {"problems": 4})
    found = known.counted(made, flow)
    assert found.tokens.value == pytest.approx(58 / 2.9)  # of the first 200
    assert found.items.value == 4
    assert known.counted(SimpleNamespace(exists=False), flow) == flow


def test_seconds_are_those_of_recorded_runs_each_artifact_once(studies):
    one = record(studies, train=step("t", 90.0, rows=10, tokens=300))
    twin = record(studies, train=step("t", 90.0, rows=10, tokens=300))
    other = record(studies, train=step("u", 30.0, rows=10, tokens=300))
    found = Measured([one, twin, other])
    how, work = way(Stage.train, MICRO, "sft", ComputeConfig()), Estimate(50.0)
    assert found.seconds(how, work).value == pytest.approx(50 * 120 / 600)
    assert "by 2 recorded (single)" in found.seconds(how, work).sources[0]
    assert found.seconds(how._replace(gpus=2), work) is None
    assert found.seconds(how._replace(model="another"), work) is None


def test_runs_of_this_machine_come_before_those_that_the_repository_records(studies):
    slow, fast = (
        [record(studies, train=step("t", seconds, rows=10, tokens=100))] for seconds in (90, 10)
    )
    how, work = way(Stage.train, MICRO, "sft", ComputeConfig()), Estimate(100.0)
    assert Measured(fast, before=Measured(slow)).seconds(how, work).value == 10
    assert Measured([], before=Measured(slow)).seconds(how, work).value == 90


def test_what_a_stage_takes_before_its_work_is_told_apart_where_works_differ(studies):
    def of_works(*works):
        made = (step(f"{w}", 20 + 0.1 * w, rows=10, tokens=w) for w in works)
        return Measured([record(studies, train=one) for one in made])

    how = way(Stage.train, MICRO, "sft", ComputeConfig())
    assert of_works(100, 200, 400, 800).seconds(how, Estimate(10)).value == pytest.approx(21)
    alike = of_works(100, 101, 102, 103)
    assert alike.seconds(how, Estimate(10)).value == pytest.approx(10 * (80 + 40.6) / 406)
    few = of_works(100, 800)
    assert few.seconds(how, Estimate(900)).value == pytest.approx(900 * 130 / 900)


@pytest.fixture
def trainings(studies):
    """(work, seconds) of trainings -> what is measured, and how each was made."""
    one = record(studies, train=None)
    how = way(Stage.train, MICRO, "sft", ComputeConfig())

    def measured(points):
        steps = [step(f"{work}", took, rows=10, tokens=work) for work, took in points]
        return Measured([one | {"stages": {"train": train}} for train in steps]), how

    return measured


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        (((100, 30), (120, 32), (140, 34), (150, 35)), 21),  # 1.5 times apart tell 20 seconds
        (((100, 30), (120, 32), (140, 34), (149, 34.9)), 10 * 130.9 / 509),
        (((100, 30), (200, 40), (400, 120), (800, 100)), 21),  # one shared its machine
        (((100, 10), (200, 40), (400, 100), (800, 220)), 10 * 370 / 1500),  # -20 before any work
        (((100, 100), (200, 90), (400, 70), (800, 30)), 10 * 290 / 1500),  # more work, less time
    ],
)
def test_what_comes_before_work_is_told_by_works_that_are_apart(trainings, points, expected):
    found, how = trainings(points)
    assert found.seconds(how, Estimate(10)).value == pytest.approx(expected)


def test_of_many_recorded_runs_those_of_all_works_decide(trainings):
    found, how = trainings([(work, 5 + max(0.1 * work, work - 360)) for work in range(1, 601)])
    slope = found.seconds(how, Estimate(1)).value - found.seconds(how, Estimate(0)).value
    pairs = [(a, b) for a in range(1, 601) for b in range(a + 1, 601)]
    took = [max(0.1 * work, work - 360) for work in range(601)]
    assert slope == pytest.approx(median((took[b] - took[a]) / (b - a) for a, b in pairs), rel=0.1)


def test_seconds_of_several_processes_add_up(studies):
    two = ComputeConfig(processes=2)
    how, work = way(Stage.train, MICRO, "sft", two), Estimate(100.0)
    trained = step("t", 90.0, rows=10, tokens=100)
    stated = Measured([record(studies, "compute.processes=2", train=trained)])
    assert stated.seconds(how, work).value == 180
    made_before = trained | {"how": {"compute": {"processes": 2, "device": "auto"}}}
    assert Measured([record(studies, train=made_before)]).seconds(how, work).value == 180


def test_rows_are_counted_in_every_epoch_and_responses_in_every_sample(studies):
    scored = step("e", 50.0, problems=10, samples=4, tokens=25.0)
    trained = step("t", 1.0, rows=10, tokens=4000)
    found = Measured([record(studies, "training.epochs=4", train=trained, evaluate=scored)])
    assert found.row_tokens(Arm(MICRO, "sft", "none", 0.0), "scripted").value == 100
    engine = studies.one([]).config.engine.kind
    how = way(Stage.evaluate, MICRO, engine, ComputeConfig())
    assert found.seconds(how, Estimate(1000)).value == 50


def test_a_stage_that_counts_traces_is_measured_by_them(studies):
    found = Measured([record(studies, traces=step("s", 20.0, problems=5, traces=10))])
    assert found.seconds(way(Stage.traces, "scripted", "", None), Estimate(10)).value == 20


def test_lengths_that_no_run_here_has_are_those_that_the_repository_records(studies):
    scored = step("e", 1.0, problems=10, samples=1, tokens=25.0)
    trained = step("t", 1.0, rows=10, tokens=4000)
    recorded = Measured([record(studies, "training.epochs=4", train=trained, evaluate=scored)])
    found, arm = Measured([], before=recorded), Arm(MICRO, "sft", "none", 0.0)
    assert found.row_tokens(arm, "scripted").value == 100
    assert found.response_tokens(arm, "sign_puzzle").value == 25


def test_a_recorded_arm_is_as_long_as_it_was_and_others_as_its_student(studies):
    shuffled = ["corruption=shuffle_steps", "corruption.fraction=1.0"]
    found = Measured(
        [
            record(studies, evaluate=step("a", 1.0, problems=10, samples=1, tokens=100.0)),
            record(
                studies, *shuffled, evaluate=step("b", 1.0, problems=10, samples=1, tokens=300.0)
            ),
        ]
    )
    arms = [Arm(MICRO, "sft", *damage) for damage in (("none", 0.0), ("shuffle_steps", 1.0))]
    lengths = [found.response_tokens(arm, "sign_puzzle").value for arm in arms]
    assert lengths == [100, 300]
    assert found.response_tokens(Arm(MICRO, "sft", "new", 1.0), "sign_puzzle").value == 200
    assert found.response_tokens(Arm(MICRO, "none", "none", 0.0), "sign_puzzle") is None


def test_rows_and_responses_are_as_long_as_recorded_ones(studies, of):
    scored = step("e", 1.0, problems=10, samples=1, tokens=25.0)
    trained = step("t", 1.0, rows=10, tokens=4000)
    found = Measured([record(studies, "training.epochs=4", train=trained, evaluate=scored)])
    assert of(records=found)[Stage.train].length.value == 100
    after = of("student.after=training.seed=1", "training=none", records=found)[Stage.evaluate]
    for demand in (of(records=found)[Stage.evaluate], after):
        assert demand.written.value == 25 * demand.requests.value


def test_a_base_is_not_as_long_as_students_that_are_trained(studies, unreachable):
    words = ("world=paper", "evaluation=paper_math", "+benchmark@evaluation.benchmarks.g=gsm8k")

    def written(*more):
        found = demands(plan([studies.one([*words, *more])]), Rates(), NONE)
        (demand,) = [d for d in found if d.stage == Stage.evaluate and d.requests.value == 1319]
        return demand.written.value / 1319, demand.written.at_most

    assert written() == (657, False)
    assert written("training=none") == (32_768, True)


def test_your_lengths_come_before_recorded_ones(studies, of, own):
    scored = step("e", 1.0, problems=10, samples=1, tokens=25.0)
    trained = step("t", 1.0, rows=10, tokens=4000)
    found = Measured([record(studies, "training.epochs=4", train=trained, evaluate=scored)])
    rates = own(
        *("trace_tokens,scripted,70", "question_tokens,*,10", "response_tokens,sign_puzzle,7")
    )
    mine = of(rates=rates, records=found)
    system = Known(rates, found).text(studies.one([]).config.prompt.system)
    assert mine[Stage.train].length.value == pytest.approx(80 + system.value)
    assert mine[Stage.evaluate].written.value == 7 * mine[Stage.evaluate].requests.value


def test_a_student_that_answers_several_times_is_asked_as_often(of):
    demand = of("world=paper", "evaluation=best_of_128")[Stage.evaluate]
    assert demand.requests.value == 674 * 128


def test_a_reward_model_that_was_recorded_has_a_price(studies, of):
    words = ("world=paper", "verification=reward")
    demand = of(*words)[Stage.verify]
    assert cost(demand, Rates(), NONE).gpu_hours.missing
    scored = step("v", 3600.0, traces=1000)
    records = Measured([record(studies, *words, verify=scored)])
    found = cost(demand, Rates(), records).gpu_hours
    assert found.value == pytest.approx(9_000 / 1000) and not found.missing


def test_tasks_of_the_harness_ask_all_of_their_problems(studies, unreachable):
    planned = plan([studies.one(["world=paper", "evaluation=general", "training=none"])])
    counts = sorted(demand.requests.value for demand in demands(planned, Rates(), NONE))
    assert counts == [541, 1172, 2750, 14_042]  # `mgsm_direct` has those of `mgsm`


def test_hours_of_this_machine_have_no_price_and_those_of_a_gpu_have(studies, of):
    trained = step("t", 3600.0, rows=1000, tokens=1000)
    here = Measured([record(studies, train=trained)])
    found = cost(of(records=here)[Stage.train], Rates(), here)
    assert found.hours.value > 0 and not found.gpu_hours.value and not found.money.value
    there = Measured([record(studies, "compute.device=cuda", train=trained)])
    found = cost(of("compute.device=cuda", records=there)[Stage.train], Rates(), there)
    assert found.gpu_hours.value > 0 and not found.hours.value
    assert found.money.value == pytest.approx(2.69 * found.gpu_hours.value)


def test_a_large_model_that_takes_what_there_is_was_made_on_a_gpu(studies, of):
    asked = ("world=paper", "compute=local", "engine=transformers")
    scored = step("e", 3600.0, problems=1, samples=1, tokens=1000.0)
    found = Measured([record(studies, *asked, evaluate=scored)])
    demand = of(*asked, "evaluation=micro", records=found)[Stage.evaluate]
    assert cost(demand, Rates(), found).gpu_hours.value > 0
    on_a_cpu = (*asked, "compute.device=cpu")
    found = Measured([record(studies, *on_a_cpu, evaluate=scored)])
    demand = of(*on_a_cpu, "evaluation=micro", records=found)[Stage.evaluate]
    assert cost(demand, Rates(), found).hours.value > 0


def test_what_exists_has_its_price_where_it_is_asked_for(studies, of):
    records = Measured([record(studies, train=step("t", 3600.0, rows=1000, tokens=1000))])
    demand = replace(of(records=records)[Stage.train], artifact=SimpleNamespace(exists=True))
    assert cost(demand, Rates(), records).hours == NOTHING
    assert cost(demand, Rates(), records, whole=True).hours.value > 0


def test_a_vendors_model_costs_no_hours_where_they_were_recorded(studies, of):
    records = Measured([record(studies, "world=paper", rate=step("r", 3600.0, problems=10))])
    demand = of("world=paper")[Stage.rate]
    assert records.seconds(demand.way, demand.work).value > 0
    found = cost(demand, Rates(), records)
    assert found == cost(demand, Rates(), NONE) and found.money.value > 0


def test_a_model_of_unknown_size_that_takes_what_there_is_was_made_on_a_gpu(studies, of):
    asked = ("student.model=somebody/else", "engine=transformers")
    scored = step("e", 3600.0, problems=1, samples=1, tokens=1000.0)
    found = Measured([record(studies, *asked, evaluate=scored)])
    price = cost(of(*asked, records=found)[Stage.evaluate], Rates(), found)
    assert price.gpu_hours.value > 0 and not price.hours.value


def test_activations_that_are_recomputed_cost_a_third_more_and_long_rows_more_each(of):
    def hours(*overrides):
        demand = of("world=paper", *overrides)[Stage.train]
        return cost(demand, Rates(), NONE).gpu_hours.value / demand.trained.value

    kept = hours("compute.gradient_checkpointing=false")
    assert hours() == pytest.approx(4 / 3 * kept)
    assert hours() > 1.001 * hours("training.max_tokens=100")


def test_a_sparse_model_that_nobody_measured_has_no_speed(monkeypatch):
    sparse = Size(30e9, None, True, "a card")
    sizes = {"somebody/sparse": sparse}
    monkeypatch.setattr("ablations.prices.costs.size", lambda name: sizes.get(name, size(name)))
    assert generation("somebody/sparse", Rates()).missing == (
        "generation of somebody/sparse on H100",
    )


def test_a_stage_is_shown_where_it_asks_something_or_takes_long_enough_to_wait_for(of):
    def shown(**parts):
        demand = replace(of()[Stage.problems], **parts.pop("demand", {}))
        return [stage.stage for stage in by_stage([Cost(demand, **parts)])]

    assert not shown() and not shown(hours=Estimate(0.05))
    asks = [{"requests": Estimate(1)}, {"trained": Estimate(1)}, {"requests": unknown("it")}]
    costs = [{"hours": Estimate(0.06)}, {"hours": unknown("it")}, {"gpu_hours": Estimate(0.01)}]
    for parts in (*({"demand": ask} for ask in asks), *costs):
        assert shown(**parts) == ["problems"]


def test_one_recorded_run_or_a_faster_engine_tells_what_a_model_here_takes(of):
    def wanted(engine):
        demand = of(f"engine={engine}")[Stage.evaluate]
        found = cost(demand, Rates(), NONE)
        return (found.gpu_hours.missing + found.hours.missing)[0]

    assert wanted("transformers").endswith("one recorded run of it, or engine=vllm")


def test_your_rate_comes_before_recorded_seconds(studies, of, own):
    trained = step("t", 1e9, rows=1000, tokens=1000)
    slow = Measured([record(studies, "world=paper", train=trained)])
    demand = of("world=paper", records=slow)[Stage.train]
    assert cost(demand, Rates(), slow).gpu_hours.value > 1e5
    rates = own("training_use,Qwen/Qwen2.5-32B-Instruct,0.4")
    assert cost(demand, rates, slow).gpu_hours.value < 1e5


def test_a_tiny_student_that_nobody_has_trained_has_no_price(of):
    found = cost(of()[Stage.train], Rates(), NONE)
    assert found.hours.missing == (
        "seconds of train of distill/micro/students/micro: one recorded run of it",
    )


def test_the_recorded_runs_of_the_repository_price_its_own_study(studies, tmp_path):
    cells = studies.cells("table2", [f"artifacts={tmp_path}", f"runs={tmp_path}/runs"])
    found = prices(plan(cells), Rates())
    requests, *_, gpu, hours, money = found.whole
    assert requests.value == 19 * 400
    assert not any(part.missing for part in found.whole)
    assert (gpu.value, money.value) == (0, 0)
    assert 0.5 < hours.value < 2


def test_a_record_that_cannot_be_read_is_no_reason_not_to_plan(tmp_path):
    broken = tmp_path / "runs" / "demo" / "0" / "run.json"
    broken.parent.mkdir(parents=True)
    broken.write_text("{")
    found = of_study(tmp_path / "runs", tmp_path)
    assert len(found.unread) == 1 and str(broken) in found.unread[0]


def test_a_model_writes_as_fast_as_it_was_measured_or_as_the_next_larger_one():
    rates = Rates()
    assert generation("Qwen/Qwen3-14B", rates) == rates.get("generation", "Qwen/Qwen3-14B", "H100")
    alike = generation("Qwen/Qwen2.5-14B", rates)
    assert (alike.value, alike.at_most) == (3173.92, False)
    smaller = generation("Qwen/Qwen2.5-0.5B-Instruct", rates)
    assert (smaller.value, smaller.at_most) == (5202.94, True)
    larger = generation("meta-llama/Llama-3.3-70B-Instruct", rates)
    ratio = size("Qwen/Qwen3-32B").parameters / size("meta-llama/Llama-3.3-70B-Instruct").parameters
    assert larger.value == pytest.approx(1131.55 * ratio)
    assert generation("deepseek-ai/DeepSeek-R1", rates).value == 24.4
    assert generation("somebody/else", rates).missing == ("the size of somebody/else",)


def test_another_gpu_writes_by_its_bandwidth():
    on = {gpu: generation("Qwen/Qwen3-14B", Rates(gpu=gpu)).value for gpu in ("H100", "L4")}
    assert on["L4"] / on["H100"] == pytest.approx(300 / 3350)


@pytest.mark.parametrize("row", ["generation,M,{gpu},5", "generation,M,,5"])
def test_your_speed_of_a_model_counts_on_the_gpu_that_you_rent(tmp_path, row):
    path = tmp_path / "own.csv"
    for gpu, model in (("H100", "Qwen/Qwen3-14B"), ("L4", "Qwen/Qwen3-14B"), ("L4", "some/body")):
        text = row.format(gpu=gpu).replace("M", model)
        path.write_text(f"quantity,what,on,value\n{text}\n")
        assert generation(model, Rates(path, gpu)).value == 5


@pytest.mark.parametrize("on", ["", "H100"])
def test_your_speed_of_a_model_comes_before_recorded_seconds(studies, of, tmp_path, on):
    asked = ("world=paper", "evaluation=micro")
    scored = step("e", 3600.0, problems=1, samples=1, tokens=1.0)
    slow = Measured([record(studies, *asked, evaluate=scored)])
    demand = of(*asked, records=slow)[Stage.evaluate]
    assert cost(demand, Rates(), slow).gpu_hours.value > demand.written.value / 2
    path = tmp_path / "own.csv"
    path.write_text(f"quantity,what,on,value\ngeneration,{demand.way.model},{on},10\n")
    hours = cost(demand, Rates(path), slow).gpu_hours.value
    assert hours == pytest.approx(demand.written.value / 10 / 3600)


def test_a_stage_that_is_not_known_here_has_no_price_but_hands_on_what_it_reads():
    made = SimpleNamespace(stage="mix_traces", key="k", exists=False)
    one = SimpleNamespace(asked=[Asked(made, {"parts": 3})])
    (demand,) = demands([one], Rates(), NONE)
    what = "what the stage mix_traces asks for"
    assert demand.requests == unknown(what)
    assert missing([cost(demand, Rates(), NONE)]) == [
        what,
        "seconds of mix_traces: one recorded run of it",
    ]


@pytest.mark.parametrize("study", ["table2_paper", "table3", "r1_distill", "figure5"])
def test_the_papers_studies_are_priced_whole(studies, unreachable, study):
    found = prices(plan(studies.cells(study)), Rates())
    assert not missing(found.costs)
    assert sources(found.costs)
    assert all(number.value > 0 for number in (found.whole[i] for i in (0, 1, 2, 3, 4, 6)))


def test_whoever_is_asked_about_every_problem_there_is_is_named(studies, unreachable):
    def warned(*overrides):
        return prices(plan([studies.one(overrides)]), Rates()).warnings

    (text,) = warned("world=paper", "dataset=numina_math")
    assert text.startswith("gpt-4o-mini and Qwen/QwQ-32B-Preview are asked about every problem")
    assert "(162,110 problems), for 4,618 traces: dataset.problems=N" in text
    assert "nobody knows how many" in warned("world=paper", "dataset=still_2")[0]
    assert not warned("world=paper")
    assert not warned("world=paper", "dataset=numina_math", "training=none")
    (text,) = warned("world=paper", "evaluation=best_of_128")
    assert "every problem of olympiadbench that there is 128 times (86,272 responses)" in text
    few = "evaluation.benchmarks.olympiadbench.samples=4"
    assert not warned("world=paper", "evaluation=best_of_128", few)


@pytest.mark.parametrize(("samples", "warned"), [(20, False), (21, True)])
def test_more_than_ten_thousand_responses_of_a_student_are_many(
    studies, unreachable, samples, warned
):
    words = ("world=paper", "evaluation=paper_math")
    cell = studies.one([*words, f"evaluation.benchmarks.math500.samples={samples}"])
    assert bool(prices(plan([cell]), Rates()).warnings) is warned  # of 500 problems


def test_a_student_that_answers_once_or_never_is_not_warned_of(studies, unreachable):
    general = studies.one(["world=paper", "evaluation=general"])  # 14,042 problems of MMLU
    trained = studies.one(["world=paper", "evaluation=best_of_128", "until=train"])
    assert not prices(plan([general, trained]), Rates()).warnings


def test_students_that_answer_too_much_are_counted(studies, unreachable):
    words = ("world=paper", "evaluation=best_of_128")

    def warned(count):
        cells = [studies.one([*words, f"training.seed={seed}"]) for seed in range(count)]
        (text,) = prices(plan(cells), Rates()).warnings
        (name,) = cells[0].config.evaluation.benchmarks
        assert f": evaluation.benchmarks.{name}.samples=N or evaluation.benchmarks.{name}." in text
        return text.partition(" asked")[0]

    assert [warned(count) for count in (1, 2)] == ["a student is", "each of 2 students is"]


def test_sizes_of_one_data_set_are_warned_of_together(studies, unreachable):
    (text,) = prices(plan(studies.cells("table1_paper")), Rates()).warnings
    assert "for 7,000 and 12,000 traces" in text


def test_what_a_mixture_trains_on_is_that_of_all_of_its_parts(studies, unreachable, own):
    rates = own("trace_tokens,scripted,100", "question_tokens,sign_puzzle,10")

    def tokens(*overrides):
        found = demands(plan([studies.one(overrides)]), rates, NONE)
        return [d.trained.value for d in found if d.stage == Stage.train][-1]

    alone = tokens("size.traces=100")
    assert alone > 0
    noisy = "mix.a=size.traces=50 dataset.seed=1"
    assert tokens("size.traces=100", noisy) == pytest.approx(1.5 * alone)
    both = ("size.traces=100", noisy, "mix.b=size.traces=100 dataset.seed=2")
    assert tokens(*both) == pytest.approx(2.5 * alone)


def test_every_stage_of_a_chain_is_followed(studies, unreachable):
    words = (
        "teacher=trained teacher.student='training=micro_lora' "
        "student.after='training=micro_lora training.seed=1' selection.problems_of='size=2k'"
    )
    overrides = split(words)
    found = demands(plan([studies.one(overrides)]), Rates(), NONE)
    assert "merge_adapter" in [d.stage for d in found]
    assert not [d for d in found if any("what the stage" in m for m in d.requests.missing)]
    asked = [d for d in found if d.stage == Stage.traces and d.requests.value]
    assert [d.way.model for d in asked] == [MICRO] and asked[0].requests.value == 2400
    assert sum(d.stage == Stage.train for d in found) == 3
