"""How many runs it takes to settle a study, for a terminal."""

from collections.abc import Sequence

from ablations.findings.design import expected_runs
from ablations.studies.cells import Cell, Studies
from ablations.studies.plan import Planned
from distill.run.settle import FIRST, MOST, arms, print_needs, second_stage


def print_settling(studies: Studies, cells: Sequence[Cell], planned: Sequence[Planned]) -> None:
    """Print what each arm needs where the first stage is done, else what is expected of it.

    Args:
        studies: composes runs.
        cells: of a study with `study.settle`; those of the first stage are among them.
        planned: the same with their keys.
    """
    points = cells[0].config.study.settle
    if points is None:
        return
    found = arms([(list(cell.overrides), cell.config) for cell in cells], studies.config)
    missing = sum(one.state != "done" for one in planned)
    if not missing:
        print_needs(found, second_stage(found, points, studies.config), points)
        return
    print(
        f"settling to ±{points:g} points: {missing} runs of the first stage ({FIRST} of each arm, "
        "or as many as the study asks for) are missing; what each arm needs follows from them"
    )
    for name, runs in expected_runs(planned, points, MOST).items():
        many = f"more than {MOST}" if runs > MOST else f"about {runs}"
        print(f"  {name}: {many} of each arm, at the variance assumed")
