"""What the making of an artifact asks of a model, and what the artifact hands to the next stage."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from ablations.prices.estimates import NOTHING, Estimate, unknown
from ablations.prices.measured import Measured
from ablations.prices.rates import Rates
from ablations.prices.ways import Arm, Way, way
from ablations.studies.plan import Asked
from distill.stages import Stage
from distill.store.identity import Artifact

READ = 200
"""Traces of an artifact whose lengths are looked at."""


@dataclass(frozen=True)
class Flow:
    """What an artifact hands on."""

    items: Estimate
    """Problems, or traces."""

    tokens: Estimate
    """Of a question, or of a trace without its question."""

    question: Estimate = NOTHING
    """Tokens of its question, of a trace."""

    of: str = ""
    """Name of the data set, or who wrote the traces; see `ways.teacher_of`."""

    arm: Arm | None = None
    """Of a student, and of corrupted traces without the student."""


@dataclass(frozen=True)
class Demand:
    """What the making of one artifact asks for."""

    artifact: Artifact
    stage: str
    """Its word, or for a stage that is not known here the name of its function."""

    way: Way
    work: Estimate
    """In the units of `Measured.seconds`."""

    requests: Estimate = NOTHING
    read: Estimate = NOTHING
    """Tokens of prompts."""

    written: Estimate = NOTHING
    """Tokens of replies."""

    trained: Estimate = NOTHING
    """Tokens trained on, counted in every epoch."""

    length: Estimate = NOTHING
    """Tokens of a row of training."""

    given: Mapping[str, Any] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        """Whether it exists, so that nothing is asked for."""
        return self.artifact.exists


Followed = tuple[Demand, Flow]


class Known:
    """What is known while a plan is followed: rates, records, and what artifacts hand on."""

    def __init__(self, rates: Rates, records: Measured) -> None:
        """Nothing is followed yet."""
        self.rates, self.records = rates, records
        self.flows: dict[str, Flow] = {}

    def input(self, asked: Asked, *names: str) -> Flow:
        """What the first of these arguments hands on."""
        for name in names:
            if isinstance(given := asked.given.get(name), Artifact):
                return self.flows[given.key]
        nothing = unknown(f"what {asked.artifact.stage} reads")
        return Flow(nothing, nothing)

    def text(self, *texts: str) -> Estimate:
        """Tokens of the texts of a prompt."""
        whole = "".join(texts)
        if not whole:
            return NOTHING
        return Estimate(len(whole)) / self.rates.get("characters", "prompt")

    def counted(self, artifact: Artifact, flow: Flow) -> Flow:
        """With the numbers that the artifact states, where it exists."""
        if not artifact.exists:
            return flow
        made = (f"{artifact.stage}: counted, it exists",)
        with suppress(OSError, ValueError):
            counts = artifact.summary()
            count = counts.get("traces", counts.get("problems"))
            if count is not None:
                flow = replace(flow, items=Estimate(count, made))
        if characters := _characters(artifact.path / "traces.jsonl"):
            rate = self.rates.get("characters", "thought")
            flow = replace(flow, tokens=Estimate(characters, made) / rate)
        return flow


def _characters(traces: Path) -> float | None:
    """Mean of thought and solution over the first traces of a file; None without traces."""
    with suppress(OSError, ValueError, KeyError, TypeError), traces.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in islice(file, READ)]
        lengths = [len(row["thought"]) + len(row["solution"]) for row in rows]
        return sum(lengths) / len(lengths) if lengths else None
    return None


def annotated(
    known: Known,
    stage: Stage,
    asked: Asked,
    ask: Any,
    flow: Flow,
    texts: Estimate,
    writes: Estimate | None = None,
) -> Demand:
    """A model that is asked once about each problem or trace.

    Args:
        known: rates and records.
        stage: its word.
        asked: the call.
        ask: which model, and how; an `AskConfig`.
        flow: about what.
        texts: tokens of what is put into the prompt.
        writes: tokens of a reply; None: nobody knows, at most the limit.
    """
    limit = ask.sampling.max_new_tokens
    reply = (writes or unknown("")).capped(
        limit, f"a reply of {ask.name}: at most {limit:,} tokens"
    )
    return Demand(
        asked.artifact,
        stage,
        way(stage, ask.model, ask.engine.kind, asked.given.get("compute")),
        flow.items,
        requests=flow.items,
        read=flow.items * (texts + known.text(ask.system, ask.user)),
        written=flow.items * reply,
        given=dict(asked.given) | {"ask": ask},
    )


def free(stage: str, asked: Asked, flow: Flow) -> Demand:
    """What asks no model: so many problems, or traces."""
    return Demand(asked.artifact, stage, way(stage, flow.of, "", None), flow.items)
