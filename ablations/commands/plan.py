"""The command `plan`."""

from ablations.commands.arguments import Overrides, Study, planned, show

EXAMPLES = ("demo", "table2 training.seed=0,1,2", "table2_paper")


def command(study: Study, overrides: Overrides) -> None:
    """List a study's runs and which artifacts are already cached."""
    from ablations.commands.answers.plan import plan_table

    show(plan_table(planned(study, overrides)))
