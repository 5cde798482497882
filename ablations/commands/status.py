"""The command `status`."""

from typer import Exit

from ablations.commands.arguments import Overrides, Study, planned, show

EXAMPLES = ("demo", "table2 training.seed=0,1,2")


def command(study: Study, overrides: Overrides) -> None:
    """List the state and scores of a study's runs.

    The exit code is 0 only if all runs are done.
    """
    from ablations.commands.answers.status import status

    text, done = status(planned(study, overrides))
    show(text)
    if not done:
        raise Exit(1)
