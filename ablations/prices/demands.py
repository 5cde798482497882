"""Follows a plan from stage to stage, each artifact once, however many runs share it.

What one stage hands to the next (how many problems or traces, of how many tokens) is counted where
its artifact exists, else follows from the config, from recorded runs, and from published rates. A
number that nobody knows is held by its limit or stays unknown.
"""

from collections.abc import Callable, Iterable

from ablations.prices import students, traces
from ablations.prices.demand import Demand, Flow, Followed, Known
from ablations.prices.estimates import unknown
from ablations.prices.measured import Measured
from ablations.prices.rates import Rates
from ablations.prices.ways import way
from ablations.studies.plan import Asked, Planned
from distill.store.identity import Artifact

FOLLOWED: dict[str, Callable[[Known, Asked], Followed]] = {
    "load_problems": traces.problems,
    "rate_problems": traces.rated,
    "filter_problems": traces.filtered,
    "sample_traces": traces.sampled,
    "convert_traces": traces.converted,
    "verify_traces": traces.verified,
    "select_traces": traces.selected,
    "rewrite_traces": traces.rewritten,
    "segment_traces": traces.segmented,
    "corrupt_traces": traces.corrupted,
    "train_student": students.trained,
    "merge_adapter": students.merged,
    "evaluate_student": students.scored,
    "evaluate_with_harness": students.harnessed,
}
"""Name of a stage's function -> what it asks for and hands on."""


def demands(planned: Iterable[Planned], rates: Rates, records: Measured) -> list[Demand]:
    """One demand for each distinct artifact, in the order in which runs need them."""
    known, found = Known(rates, records), []
    for one in planned:
        for asked in one.asked:
            if asked.artifact.key not in known.flows:
                demand, flow = FOLLOWED.get(asked.artifact.stage, _unknown)(known, asked)
                known.flows[asked.artifact.key] = known.counted(asked.artifact, flow)
                found.append(demand)
    return found


def _unknown(known: Known, asked: Asked) -> Followed:
    """A stage that this module does not know hands on what it reads, and nobody knows its price."""
    reads = [value for value in asked.given.values() if isinstance(value, Artifact)]
    nothing = unknown(f"what the stage {asked.artifact.stage} asks for")
    flow = next((known.flows[one.key] for one in reads if one.key in known.flows), None)
    named = way(asked.artifact.stage, "", "", None)
    demand = Demand(asked.artifact, asked.artifact.stage, named, nothing, requests=nothing)
    return demand, flow or Flow(nothing, nothing)
