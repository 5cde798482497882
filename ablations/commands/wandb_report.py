"""The command `wandb-report`."""

from typing import Annotated

from typer import Option

from ablations.commands.arguments import Overrides, Recorded, Study, wide_frames

EXAMPLES = ("demo --dry-run", "table2 --entity my-team --project distill")


def command(
    study: Study,
    overrides: Overrides,
    runs: Recorded = None,
    entity: Annotated[str | None, Option(help="W&B user or team; default: tracking.entity")] = None,
    project: Annotated[str | None, Option(help="default: tracking.project")] = None,
    dry_run: Annotated[
        bool, Option("--dry-run", help="print the report as JSON; needs no login")
    ] = False,
) -> None:
    """Publish a study as a W&B report."""
    from ablations.report.wandb import Request, report, save, spec

    with wide_frames():
        made = report(Request(study, overrides, runs), entity, project)
    if dry_run:
        print(spec(made))
        return
    try:
        print(save(made))
    except Exception as error:  # wandb raises bare ones where there is no login
        raise ValueError(f"W&B: {error}. Log in (wandb login), or add --dry-run") from error
