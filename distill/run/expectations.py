"""Before anything runs, the arms that a study's expectations speak of are looked up in its runs."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from distill.config import Config
from distill.expectations import BASE, GROUPS, UNCORRUPTED, Term, parse
from distill.run.references import traces
from distill.stages import Stage
from distill.training.config import Method

VALUES: dict[str, Callable[[Config], str]] = {
    "training": lambda config: config.training.name,
    "method": lambda config: config.training.method.value,
    "size": lambda config: str(traces(config)),
    "student": lambda config: config.student.name,
    "teacher": lambda config: config.teacher.name,
}
"""One of `distill.expectations.FIELDS` -> its value in a run."""


def is_meant(term: Term, config: Config) -> bool:
    """Whether a run that is scored is of the arm, or of a group's arms, that a term names.

    A corruption goes by the name of its YAML. The lines of a group at all rates begin at
    uncorrupted traces, which are meant too.
    """
    if any(VALUES[name](config) != value for name, value in term.fields):
        return False
    name, corruption = _name(config), config.corruption
    at_rate = term.rate is None or abs(corruption.fraction - term.rate) < 1e-9
    if term.name in GROUPS and name != BASE:
        begins = term.rate is None and name == UNCORRUPTED
        return begins or (corruption.target == term.name and at_rate)
    return name == term.name and at_rate


def unmet(configs: Sequence[Config], own: Callable[[], Sequence[Config]]) -> list[str]:
    """Which expectations speak of arms that there are not, in a line each.

    Args:
        configs: the runs that are asked for.
        own: the runs that the study lists itself. The command line may ask for fewer of them, and
            the arms that it leaves out are not judged.
    """
    texts = dict.fromkeys(text for config in configs for text in config.study.expect)
    wrong = {text: why for text in texts if (why := _why(text, _scored(configs)))}
    if not wrong:
        return []
    listed = _scored(own())
    return [why for text in wrong if (why := _why(text, [*_scored(configs), *listed]))]


def _scored(configs: Iterable[Config]) -> list[Config]:
    return [config for config in configs if config.until is Stage.evaluate]


def _why(text: str, configs: Sequence[Config]) -> str:
    """What is wrong with the arms of an expectation; empty if each is one arm of these runs."""
    for term, _ in parse(text).terms:
        arms = [config for config in configs if is_meant(term, config)]
        damages = {repr(replace(config.corruption, seed=0)) for config in arms}
        if term.name in GROUPS:
            own = {_name(config) for config in arms}
            if term.rate is None and own and UNCORRUPTED not in own:
                return (
                    f"study.expect {text!r}: {term} is measured from uncorrupted traces, which no "
                    f"run has; add corruption=none to the study, or compare at a rate, such as "
                    f"{term.name}@0.67"
                )
            arms = [config for config in arms if _name(config) != UNCORRUPTED]
        elif len(damages) > 1:
            return (
                f"study.expect {text!r}: {term} must be one arm, but {len(damages)} corruptions of "
                "the study have this name and rate; give each a YAML of its own in conf/corruption"
            )
        if not arms:
            return (
                f"study.expect {text!r}: {term} must be an arm that the study runs and scores; "
                f"there are: {_choices(term, configs)}"
            )
    return ""


def _choices(term: Term, configs: Sequence[Config]) -> str:
    """The arms of these runs, and of each field that the term names its values."""
    arms: dict[str, None] = {}
    for config in configs:
        name = _name(config)
        rate = None if name in (BASE, UNCORRUPTED) else config.corruption.fraction
        arms[str(Term(name, rate))] = None
    told = ", ".join(arms) or "none"
    trained = [config for config in configs if _name(config) != BASE]
    for name, _ in term.fields:
        values = dict.fromkeys(VALUES[name](config) for config in trained)
        told += f"; {name}: {', '.join(values) or 'none'}"
    return told


def _name(config: Config) -> str:
    if config.training.method is Method.none:
        return BASE
    return UNCORRUPTED if config.corruption.kind == "none" else config.corruption.name
