"""Says in words where a study asks a model about every problem there is."""

from collections.abc import Iterator, Sequence

from ablations.prices.estimates import Estimate
from ablations.prices.rates import Rates
from ablations.prices.traces import problem_count
from ablations.studies.plan import Planned
from distill.config import Config
from distill.stages import Stage

MANY = 10_000
"""Responses of a student to the problems of one benchmark that are many."""


def warnings(planned: Sequence[Planned], rates: Rates) -> list[str]:
    """One text for each data set and benchmark of which everything is asked, and how to ask less.

    Of data sets those that a teacher or a rating model is asked about; of benchmarks those that a
    student is to give several responses to each problem of, and more than `MANY` in all.
    """
    configs = [one.cell.config for one in planned]
    return [*_asked_of_teachers(configs, rates), *_asked_of_students(configs, rates)]


def _asked_of_teachers(configs: Sequence[Config], rates: Rates) -> Iterator[str]:
    found: dict[str, list[int]] = {}
    for config in configs:
        dataset, rating, teacher = config.dataset, config.filter.rating, config.teacher
        if config.training.method == "none" or dataset.problems:
            continue
        models = [rating.model if rating else None, teacher.model]
        if asked := list(filter(None, models)):
            count = _told(problem_count(rates, dataset), "problems")
            who = f"{' and '.join(asked)} {'are' if len(asked) > 1 else 'is'} asked"
            text = f"{who} about every problem of {dataset.name} that there is ({count})"
            found.setdefault(text, []).append(config.size.traces)
    for text, sizes in found.items():
        wanted = " and ".join(f"{size:,}" for size in sorted(set(sizes)))
        yield f"{text}, for {wanted} traces: dataset.problems=N asks about N"


def _asked_of_students(configs: Sequence[Config], rates: Rates) -> Iterator[str]:
    found: dict[str, int] = {}
    for config in configs:
        asked = config.evaluation.benchmarks if config.until is Stage.evaluate else {}
        for name, benchmark in asked.items():
            responses = problem_count(rates, benchmark.dataset) * benchmark.samples
            several = benchmark.samples > 1 and not benchmark.dataset.problems
            if several and (responses.missing or responses.value > MANY):
                text = f"{name} that there is {benchmark.samples} times"
                text += f" ({_told(responses, 'responses')})"
                found[text] = found.get(text, 0) + 1
    for text, runs in found.items():
        field = f"evaluation.benchmarks.{text.partition(' ')[0]}"
        many = f"each of {runs} students is" if runs > 1 else "a student is"
        yield (
            f"{many} asked every problem of {text}: {field}.samples=N or "
            f"{field}.dataset.problems=N asks less"
        )


def _told(count: Estimate, of: str) -> str:
    return f"nobody knows how many {of}" if count.missing else f"{count.value:,.0f} {of}"
