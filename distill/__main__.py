"""The command `distill`, or `python -m distill`: makes one run, or a sweep of runs with `-m`."""

import re
import shlex
import sys
import time
from itertools import groupby
from pathlib import Path

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from distill import pipeline
from distill.config import Config
from distill.run import sweep
from distill.run.compose import CONF, build
from distill.run.fields import describe, refuse_unknown, unknown_name
from distill.run.record import (
    Outcome,
    failed_at,
    percent,
    read_finished,
    reason,
    run_folder,
    scores,
    write_failure,
    write_record,
)
from distill.run.tracking import track
from distill.stages import Stage
from distill.store.artifacts import Store
from distill.store.identity import run_key, version

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
    files = sorted(CONF.glob("*/*.yaml"))
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


def run_cell(config: Config, label: str) -> Outcome:
    """Make one run, or say that it is there already.

    A run that fails leaves `failed.json` in its folder and raises.
    """
    begun = time.perf_counter()
    store = Store(Path(config.artifacts), say=lambda line: print(f"  {line}", flush=True))
    planned = pipeline.run(config, store.artifact)
    key = run_key(planned)
    folder = run_folder(config, key)
    print(f"run {key[:16]}  {label or '(defaults)'}  -> {folder}", flush=True)
    record = read_finished(folder, planned)
    state = "done before" if record else "done"
    if record:
        pipeline.run(config, store.used)
    else:
        try:
            with track(config, key, label, folder) as tracker:
                made = pipeline.run(config, store.produce, tracker.log)
                record = write_record(folder, config, label, made)
                tracker.finish(record)
        except Exception as error:
            write_failure(folder, label, error)
            raise
    return Outcome(label, key, state, scores(record), time.perf_counter() - begun)


def _say_what_next(config: Config, outcome: Outcome) -> None:
    folder = run_folder(config, outcome.key)
    for name, score in outcome.scores.items():
        print(f"{name}: {percent(score)}, truncated {100 * score['truncated']:.1f} %")
    print(f"{outcome.state} in {outcome.seconds:.1f} s")
    print(f"record: {folder / 'run.json'}; artifacts: {config.artifacts}/<stage>/<key>/")
    if outcome.scores:
        print(f"next: python -m ablations table {config.study.name}")
    elif config.until is Stage.corrupt:
        print(f"next: python -m ablations show {shlex.join(HydraConfig.get().overrides.task)}")


@hydra.main(version_base=None, config_path=str(CONF), config_name="config")
def main(composed: DictConfig) -> Outcome | None:
    """Hydra's entry: one run."""
    hydra_config = HydraConfig.get()
    sweeping = hydra_config.mode is RunMode.MULTIRUN
    label = " ".join(o for o in hydra_config.overrides.task if not o.startswith("study="))
    begun = time.perf_counter()
    try:
        config = build(composed)
    except ValueError as error:  # in a sweep every run was built before the first one started
        sys.exit(f"Nothing was run: {error}")
    try:
        outcome = run_cell(config, label)
    except Exception as error:
        if not sweeping and isinstance(error, ValueError | OSError):
            sys.exit(f"failed: {reason(error)}")
        if not sweeping:
            raise
        print(f"failed: {reason(error)}", file=sys.stderr, flush=True)
        spent = time.perf_counter() - begun
        return Outcome(label, "", "failed", {}, spent, reason(error), failed_at(error))
    if not sweeping:
        _say_what_next(config, outcome)
    return outcome


def cli() -> None:
    """Read the command line of `distill`, or of `python -m distill`, and do what it says."""
    words = sys.argv[1:]
    if "--version" in words:
        return print(f"distill {version('distill')}")
    try:
        if {"-h", "--help"} & {*words}:
            groups = [word for word in words if re.fullmatch(r"\w+", word)]
            return print(group_page(groups[0]) if groups else help_page())
        asked, _ = get_args_parser().parse_known_args(words)
        if not asked.shell_completion:  # whose overrides are `install=bash` and `query=bash`
            refuse_unknown(asked.overrides)
    except ValueError as error:
        sys.exit(f"Nothing was run: {error}")
    sweep.register()
    main()


if __name__ == "__main__":
    cli()
