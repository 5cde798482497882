"""The command `plan`."""

from ablations.commands.arguments import Overrides, Study, show

EXAMPLES = ("demo", "table2 training.seed=0,1,2", "table2 settle=5", "table2_paper")


def command(study: Study, overrides: Overrides) -> None:
    """List a study's runs and which artifacts are already cached."""
    from ablations.commands.answers.plan import plan_table
    from ablations.commands.answers.settle import print_settling
    from ablations.studies.cells import Studies
    from ablations.studies.plan import plan

    studies = Studies()
    cells = studies.cells(study, overrides)
    planned = plan(cells)
    show(plan_table(planned))
    print_settling(studies, cells, planned)
