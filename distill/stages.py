"""The stages of a run, in order."""

from enum import StrEnum


class Stage(StrEnum):
    """The stages of a run, in order; five of them only where they are asked for.

    Those are `rate`, `filter`, `convert`, and what a corruption asks a model, `rewrite` or
    `segment`.
    """

    problems = "problems"
    rate = "rate"
    filter = "filter"
    traces = "traces"
    convert = "convert"
    verify = "verify"
    select = "select"
    rewrite = "rewrite"
    segment = "segment"
    corrupt = "corrupt"
    train = "train"
    evaluate = "evaluate"
