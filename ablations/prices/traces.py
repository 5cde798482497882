"""What the stages before training ask of models: about problems, for traces and about traces."""

from dataclasses import replace
from typing import Any

from ablations.prices.demand import Demand, Flow, Followed, Known, annotated, free
from ablations.prices.estimates import NOTHING, Estimate, unknown
from ablations.prices.rates import Rates
from ablations.prices.ways import Arm, base_of, teacher_of, way
from ablations.reference import problem_counts
from ablations.studies.plan import Asked
from distill.stages import Stage
from distill.store.identity import Artifact


def problems(known: Known, asked: Asked) -> Followed:
    """As many as the config says, or as there are in the data set."""
    dataset = asked.given["dataset"]
    name = dataset.name or dataset.kind
    items = problem_count(known.rates, dataset)
    question = known.rates.get("question_tokens", name)
    flow = Flow(items, question, of=name)
    return free(Stage.problems, asked, flow), flow


def problem_count(rates: Rates, dataset: Any) -> Estimate:
    """Problems of a `DatasetConfig`: as many as it says, else all of the data set."""
    name = dataset.name or dataset.kind
    if dataset.problems:
        return Estimate(dataset.problems)
    if count := problem_counts().get(name):
        return Estimate(count)
    found = rates.get("problems", name, dataset.subset or "")
    return replace(found, at_most=not found.missing and bool(dataset.where))


def rated(known: Known, asked: Asked) -> Followed:
    """A level for each problem."""
    flow = known.input(asked, "problems")
    return annotated(known, Stage.rate, asked, asked.given["rating"], flow, flow.tokens), flow


def filtered(known: Known, asked: Asked) -> Followed:
    """The share that a filter of this name is known to keep; else at most all."""
    flow, rules = known.input(asked, "problems"), asked.given["filter"]
    rate = known.rates.find("kept", rules.name)
    kept = rate.estimate if rate else Estimate(1.0, (f"kept by filter {rules.name}: all",), True)
    return free(Stage.filter, asked, flow), replace(flow, items=flow.items * kept)


def sampled(known: Known, asked: Asked) -> Followed:
    """Traces of every problem: by a program, from rows that exist, or by a model."""
    flow, teacher = known.input(asked, "problems"), asked.given["teacher"]
    items = flow.items * teacher.samples
    who = teacher_of(teacher)
    if isinstance(student := asked.given.get("student"), Artifact):
        who = (known.flows[student.key].arm or base_of(who)).student
    if teacher.kind == "scripted":
        tokens = unknown("traces of the scripted teacher")
    else:
        tokens = known.rates.get("trace_tokens", who)
    made = Flow(items, tokens, flow.tokens, of=who)
    if teacher.kind not in ("model", "trained"):
        return free(Stage.traces, asked, made), made
    engine = teacher.engine.kind if teacher.engine else None
    limit = teacher.sampling.max_new_tokens
    tokens = tokens.capped(limit, f"a trace of {who}: at most the {limit:,} tokens allowed")
    prompt = teacher.prompt
    fixed = known.text(prompt.system, prompt.user) if prompt else NOTHING
    demand = Demand(
        asked.artifact,
        Stage.traces,
        way(Stage.traces, who, engine, asked.given.get("compute")),
        items,
        requests=items,
        read=items * (flow.tokens + fixed),
        written=items * tokens,
        given=asked.given,
    )
    return demand, replace(made, tokens=tokens)


def converted(known: Known, asked: Asked) -> Followed:
    """Each trace once more, about as long as it was."""
    flow = known.input(asked, "traces")
    ask = asked.given["convert"]
    demand = annotated(
        known, Stage.convert, asked, ask, flow, flow.question + flow.tokens, writes=flow.tokens
    )
    return demand, flow


def verified(known: Known, asked: Asked) -> Followed:
    """A verdict of a judge for at most all traces, or a score for each; else none."""
    flow, verification = known.input(asked, "traces"), asked.given["verification"]
    if verification.judge:
        open_ones = replace(flow, items=replace(flow.items, at_most=True))
        texts = flow.question + flow.tokens
        return annotated(known, Stage.verify, asked, verification.judge, open_ones, texts), flow
    demand = free(Stage.verify, asked, flow)
    if verification.reward_model:
        read = flow.items * (flow.question + flow.tokens)
        named = way(Stage.verify, verification.reward_model, "", asked.given.get("compute"))
        demand = replace(demand, way=named, requests=flow.items, read=read)
    return demand, flow


def selected(known: Known, asked: Asked) -> Followed:
    """As many traces as are trained on."""
    flow = known.input(asked, "verified", "traces")
    taken = Estimate(asked.given["size"].traces)
    return free(Stage.select, asked, flow), replace(flow, items=taken)


def rewritten(known: Known, asked: Asked) -> Followed:
    """A thought each, rewritten and no longer than it was."""
    flow = known.input(asked, "traces")
    texts, writes = flow.question + flow.tokens, replace(flow.tokens, at_most=True)
    ask = asked.given["model"]
    return annotated(known, Stage.rewrite, asked, ask, flow, texts, writes=writes), flow


def segmented(known: Known, asked: Asked) -> Followed:
    """Numbers of sentences for each thought."""
    flow = known.input(asked, "traces")
    texts = flow.question + flow.tokens
    return annotated(known, Stage.segment, asked, asked.given["model"], flow, texts), flow


def corrupted(known: Known, asked: Asked) -> Followed:
    """The same traces; what is deleted makes them shorter, nobody knows how much."""
    flow, corruption = known.input(asked, "selected", "verified"), asked.given["corruption"]
    tokens = flow.tokens
    if corruption.kind in ("delete_steps", "remove_keywords") and not tokens.missing:
        tokens = replace(tokens, at_most=True)
    arm = Arm("", "", corruption.kind, corruption.fraction)
    return free(Stage.corrupt, asked, flow), replace(flow, tokens=tokens, arm=arm)
