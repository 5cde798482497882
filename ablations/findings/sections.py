"""What sections say together: sizes of the training set, and methods of training."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from ablations.findings.methods import ALIKE, lora_minus_sft, methods_grid, methods_sentence
from ablations.findings.sizes import SERIES, gains, gains_grid, gains_sentence, slowing, whole_gain
from ablations.render.grid import Grid
from ablations.results.arms import ARM


@dataclass(frozen=True)
class Finding:
    """The answer that some sections give to a question of theirs."""

    title: str
    """What the sections share."""

    said: str
    grid: Grid

    rows: pd.DataFrame
    """What the grid shows, see `ablations.findings.sizes.gains` and
    `ablations.findings.methods.lora_minus_sft`."""


def sizes(runs: pd.DataFrame, samples: pd.DataFrame) -> list[Finding]:
    """What more correct traces buy, wherever students differ in nothing but their number.

    Args:
        runs: see `ablations.results.runs.runs`.
        samples: of these runs.

    Raises:
        ValueError: students of one size were trained by several settings, see `unmixed_sizes`.
    """
    frames = [make(runs, samples) for make in (gains, whole_gain, slowing)]
    found = []
    for key, steps in frames[0].groupby(list(SERIES), sort=False):
        if (steps["from"] > 0).any():
            own = [frame[_is(frame, SERIES, key)] for frame in frames]
            title = _title(steps, "benchmark", "student", "training")
            found.append(Finding(title, gains_sentence(*own), gains_grid(steps, title), steps))
    return found


def methods(runs: pd.DataFrame, samples: pd.DataFrame) -> list[Finding]:
    """LoRA against full fine-tuning, wherever the same arms were trained by both.

    Arguments are those of `sizes`.

    Raises:
        ValueError: one arm was trained by several settings of one method, see `unmixed_methods`.
    """
    found = []
    for _, part in lora_minus_sft(runs, samples).groupby(list(ALIKE), sort=False):
        title = _title(part, "benchmark", "student", "size")
        found.append(Finding(title, methods_sentence(part), methods_grid(part, title), part))
    return found


def unmixed_sizes(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs that `sizes` can set against each other."""
    return _unmixed(runs, SERIES, ("size",))


def unmixed_methods(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs that `methods` can set against each other."""
    return _unmixed(runs, ALIKE, ("method", *ARM))


def _unmixed(runs: pd.DataFrame, alike: Sequence[str], parts: Sequence[str]) -> pd.DataFrame:
    """Runs that are alike, where all of a part of them were trained by one setting.

    A study may vary anything: of two learning rates neither is the size's or the method's own.
    """
    settings = runs.groupby([*alike, *parts], dropna=False)["training_setting"].transform("nunique")
    most = settings.groupby([runs[name] for name in alike], dropna=False).transform("max")
    return runs[most <= 1]


def _is(frame: pd.DataFrame, names: tuple[str, ...], values: tuple[object, ...]) -> pd.Series:
    return (frame[list(names)] == list(values)).all(axis=1)


def _title(rows: pd.DataFrame, *names: str) -> str:
    return ", ".join(f"{name} {rows[name].iloc[0]}" for name in names)
