"""What training and evaluation ask: tokens trained on, and tokens of responses."""

from dataclasses import replace
from functools import cache
from typing import Any

from ablations.prices.demand import Demand, Flow, Followed, Known, free
from ablations.prices.estimates import NOTHING, Estimate, unknown
from ablations.prices.rates import Rates
from ablations.prices.ways import Arm, base_of, way
from ablations.reference import problem_counts, published
from ablations.studies.plan import Asked
from distill.stages import Stage
from distill.store.identity import Artifact

TABLES = ("table4", "table5", "table6", "table7")
"""Published tables with the lengths of responses."""


def trained(known: Known, asked: Asked) -> Followed:
    """Every row in every epoch: as long as recorded, else the trace with its prompt."""
    flow, given = known.input(asked, "corrupted", "selected"), asked.given
    training, student = given["training"], given["student"].model
    damage = flow.arm or Arm("", "", "none", 0.0)
    arm = damage._replace(student=student, method=training.method.value)
    parts = [(given["prompt"], flow)]
    parts += [(prompt, known.flows[made.key]) for prompt, _, made, _ in given.get("mix", ())]
    lengths = [_row(known, training, arm, *part) for part in parts]
    rows = zip(parts, lengths, strict=True)
    first, *others = (part.items * long * training.epochs for (_, part), long in rows)
    trained = sum(others, start=first)
    named = way(Stage.train, student, training.method.value, given.get("compute"))
    demand = Demand(
        *(asked.artifact, Stage.train, named, trained),
        trained=trained,
        length=lengths[0],
        given=given,
    )
    return demand, Flow(NOTHING, NOTHING, arm=arm)


def merged(known: Known, asked: Asked) -> Followed:
    """Asks nothing of a model; what it hands on is the same student."""
    flow = known.input(asked, "trained")
    return free(asked.artifact.stage, asked, replace(flow, items=NOTHING)), flow


def _row(known: Known, training: Any, arm: Arm, prompt: Any, flow: Flow) -> Estimate:
    """Tokens of a row of training: as recorded, else the trace with its prompt."""
    own = (flow.arm or arm)._replace(student=arm.student, method=arm.method)
    stated = known.rates.own("trace_tokens", flow.of)
    length = None if stated else known.records.row_tokens(own, flow.of)
    if length is None:
        length = (stated or flow.tokens) + flow.question + known.text(prompt.system)
        why = f"a row of training: at most training.max_tokens={training.max_tokens:,}"
        length = length.capped(training.max_tokens, why)
    return length


def scored(known: Known, asked: Asked) -> Followed:
    """Responses to each problem."""
    flow, given = known.input(asked, "problems"), asked.given
    return _answers(known, asked, flow.of, flow.items * given["samples"], flow.tokens)


def harnessed(known: Known, asked: Asked) -> Followed:
    """A response to each question of a task of lm-evaluation-harness."""
    task = asked.given["task"]
    counts = problem_counts()
    count = counts.get(task) or counts.get(task.rpartition("_")[0])
    items = Estimate(count) if count else unknown(f"problems of the harness task {task}")
    return _answers(known, asked, task, items, known.rates.get("question_tokens", task))


def _answers(
    known: Known, asked: Asked, benchmark: str, items: Estimate, question: Estimate
) -> Followed:
    given, student = asked.given, asked.given["student"].model
    trained = given.get("trained")
    trained = trained or given.get("begun")
    arm = known.flows[trained.key].arm if isinstance(trained, Artifact) else None
    arm = arm or base_of(student)
    limit = given["sampling"].max_new_tokens
    length = (
        known.rates.own("response_tokens", benchmark)
        or known.records.response_tokens(arm, benchmark)
        or _published_length(known.rates, arm, benchmark)
    )
    length = length.capped(limit, f"a response to {benchmark}: at most {limit:,} tokens, the limit")
    prompt = given["prompt"]
    written = items * length
    demand = Demand(
        asked.artifact,
        Stage.evaluate,
        way(Stage.evaluate, student, given["engine"].kind, given.get("compute")),
        written,
        requests=items,
        read=items * (question + known.text(prompt.system, prompt.user)),
        written=written,
        given=given,
    )
    return demand, Flow(items, length, of=benchmark, arm=arm)


def _published_length(rates: Rates, arm: Arm, benchmark: str) -> Estimate:
    """Tokens of a response: published of this arm, of one like it, or of any trained student."""
    rows = _lengths()
    like = [
        (arm.corruption, arm.fraction, arm.method != "none"),
        ("none", 0.0, arm.method != "none"),
    ]
    for key in like:
        if value := rows.get((benchmark, *key)):
            source = "arXiv:2502.07374, Tables 4 to 7, of Qwen2.5-32B-Instruct and QwQ's traces"
            return Estimate(value, (f"tokens of responses: {source}",))
    if arm.method == "none":
        return unknown(f"tokens of a response of the base to {benchmark}")
    return rates.get("response_tokens", benchmark)


@cache
def _lengths() -> dict[tuple[str, str, float, bool], float]:
    """(benchmark, corruption, fraction, trained) -> mean tokens of a response."""
    found: dict[tuple[str, str, float, bool], float] = {}
    for table in TABLES:
        rows = published(table)
        rows = rows[rows["metric"].eq("tokens") & ~rows["teacher"].eq("numina_cot")]
        for row in rows.to_dict("records"):
            trained = row["method"] != "none"
            key = row["benchmark"], row["corruption"], float(row["fraction"]), trained
            found.setdefault(key, float(row["value"]))
    return found
