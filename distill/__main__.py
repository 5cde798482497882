"""The command `distill`, or `python -m distill`: makes one run, or a sweep of runs with `-m`."""

import os
import re
import shlex
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from warnings import catch_warnings, filterwarnings

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from distill.config import Config
from distill.run import sweep
from distill.run.cell import attempt, run_cell, say
from distill.run.compose import CONF, PAPERS, build
from distill.run.fields import describe, refuse_unknown, unknown_name
from distill.run.flags import arranged
from distill.run.inputs import unusable
from distill.run.mistakes import idle_corruption, one_line
from distill.run.overrides import long_form, parse, several
from distill.run.record import TOLD, Outcome, percent, reason, run_folder, run_label
from distill.run.tracking import no_key
from distill.stages import Stage
from distill.store.identity import version

TRACEBACKS = "HYDRA_FULL_ERROR"
"""Environment variable; at 1 mistakes in a request come with their traceback."""

HELP = """\
distill: generate reasoning traces, corrupt them, fine-tune a student on them, evaluate it.
One run: problems -> traces -> verified -> selected -> corrupted -> student -> scores.

Groups (group=option)
{groups}

Any field can be set: group.field=value. --help GROUP lists the fields of a group; --cfg job shows
the whole config.

Examples
  python -m distill corruption=shuffle_steps corruption.fraction=0.67
  python -m distill -m corruption=none,random_digits,shuffle_steps training.seed=0,1,2
  python -m distill study=demo

python -m ablations --help: plan, inspect and report studies.
Tab completion in bash: eval "$(distill -sc install=bash)\""""


def help_page() -> str:
    """What `--help` prints. Hydra's own page would copy its store of schemas for every group."""
    files = sorted(file for file in CONF.glob("*/*.yaml") if file.parent.name != PAPERS)
    groups = groupby(files, key=lambda file: file.parent.name)
    lines = [f"{group}: {', '.join(file.stem for file in options)}" for group, options in groups]
    return HELP.format(groups="\n".join(lines))


def group_page(group: str) -> str:
    """What `--help GROUP` prints: its fields with type, default, rule and meaning.

    Raises:
        ValueError: no config has a group of that name; names the nearest.
    """
    if problem := unknown_name(group):
        raise ValueError(problem)
    lines = []
    for field in describe(Config):
        if field.name.startswith(f"{group}."):
            default = f" = {field.default}" if field.default else ""
            rule = f", {field.rule}" if field.rule else ""
            lines.append(f"{field.name}: {field.type}{default}{rule}\n    {field.text}")
    return "\n".join(lines)


def _say_what_next(config: Config, outcome: Outcome, words: Sequence[str]) -> None:
    folder = run_folder(config, outcome.key)
    for name, score in outcome.scores.items():
        print(f"{name}: {percent(score)}, truncated {100 * score['truncated']:.1f} %")
    print(f"{outcome.state} in {outcome.seconds:.1f} s")
    print(f"record: {folder / 'run.json'}; artifacts: {config.artifacts}/<stage>/<key>/")
    if outcome.scores:
        print(f"next: python -m ablations table {config.study.name}")
    elif config.until is Stage.corrupt:
        print(f"next: python -m ablations show {shlex.join(words)}")


@hydra.main(version_base=None, config_path=str(CONF), config_name="config")
def main(composed: DictConfig) -> Outcome | None:
    """Hydra's entry: one run."""
    hydra_config = HydraConfig.get()
    sweeping = hydra_config.mode is RunMode.MULTIRUN
    words = sweep.as_written(hydra_config.overrides.task)
    label = run_label(words)
    try:
        config = build(composed)
        if problem := idle_corruption(words, config):
            raise ValueError(problem)
        if not sweeping:  # a sweep has asked of all its runs before the first one started
            if "hydra.mode=RUN" not in sys.argv:  # Hydra adds it to its own list in any case
                study = hydra_config.runtime.choices.get("study")
                sweep.refuse_grids_without_sweep(study, hydra_config.sweeper)
            if asked := [word for word in words if word.startswith("study.settle=")]:
                raise ValueError(
                    f"{asked[0].removeprefix('study.')} makes further seeds of a sweep, and this "
                    "is one run: name a study, or add -m"
                )
            if missing := no_key([config]) or unusable([config], say):
                sys.exit("\n  ".join([f"Nothing was run: {missing[0]}", *missing[1:]]))
    except (ValueError, OmegaConfBaseException) as error:
        sys.exit(f"Nothing was run: {one_line(error, words)}")
    if sweeping:
        return attempt(config, label)
    try:
        outcome = run_cell(config, label)
    except TOLD as error:
        sys.exit(f"failed: {reason(error)}")
    _say_what_next(config, outcome, words)
    return outcome


def cli() -> None:
    """Read the command line of `distill`, or of `python -m distill`, and do what it says."""
    try:
        sys.argv[1:] = long_form(sys.argv[1:])  # where Hydra reads them
        _cli(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read the output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _cli(words: list[str]) -> None:
    if "--version" in words:
        return print(f"distill {version('distill')}")
    overrides: list[str] = []
    try:
        if {"-h", "--help"} & {*words}:
            groups = [word for word in words if re.fullmatch(r"\w+", word)]
            return print(group_page(groups[0]) if groups else help_page())
        sys.argv[1:], asked = arranged(words)
        overrides = asked.overrides
        if not asked.shell_completion:  # whose overrides are `install=bash` and `query=bash`
            refuse_unknown(overrides)
        sweep.register()
        with _raising():
            main()
    except Exception as error:
        ours = isinstance(error, ValueError | OSError) or _raised_in_hydra(error)
        if not ours or isinstance(error, BrokenPipeError) or os.environ.get(TRACEBACKS) == "1":
            raise
        sys.exit(f"Nothing was run: {_in_one_line(error, overrides)}")


@contextmanager
def _raising() -> Iterator[None]:
    """Have Hydra raise its own errors; else it prints tracebacks of them."""
    before = os.environ.get(TRACEBACKS)
    os.environ[TRACEBACKS] = "1"
    try:
        with catch_warnings():
            filterwarnings("error", message="provider=hydra.searchpath")  # a folder is not there
            yield
    finally:
        os.environ.pop(TRACEBACKS)
        if before is not None:
            os.environ[TRACEBACKS] = before


def _raised_in_hydra(error: BaseException) -> bool:
    """Whether composing failed; some of Hydra's errors are of kinds that are not its own."""
    if isinstance(error, HydraException | OmegaConfBaseException):
        return True
    frames = [frame.f_globals["__name__"] for frame, _ in traceback.walk_tb(error.__traceback__)]
    return frames[-1].startswith(("hydra.", "omegaconf.", "antlr4."))


def _in_one_line(error: Exception, overrides: Sequence[str]) -> str:
    """What is wrong with a request that was never composed."""
    if isinstance(error, HydraException) and "Ambiguous value" in str(error):
        return several(next(str(o.input_line) for o in parse(overrides) if o.is_sweep_override()))
    text = one_line(error, overrides)
    names = [re.split("[=@]", word.lstrip("+~"))[0] for word in overrides]
    named = any(name in text for name in names)
    return text if named or not overrides else f"{' '.join(overrides)}: {text}"


if __name__ == "__main__":
    cli()
