"""The command `wandb-sweep`."""

from ablations.commands.arguments import Out, Overrides, Study, write

EXAMPLES = ("table2 --out sweep.yaml",)


def command(study: Study, overrides: Overrides, out: Out = None) -> None:
    """Print a study as YAML for `wandb sweep`, to be run by `wandb agent`."""
    from ablations.report.wandb import sweep

    write(sweep(study, overrides), out)
