"""An operator of a user is whole in tables and figures, without the user's code."""

import json
from pathlib import Path

import pytest

from ablations.findings import arms, robust, slopes
from ablations.findings.curves import operator_curves
from ablations.papers.study_figures import dose_response, forest
from ablations.render import grid
from ablations.results.arms import ARM, kind, shown
from ablations.results.runs import runs, samples

OWN = {
    "kind": "reverse_steps",
    "name": "reverse_steps",
    "_target_": "a_package_that_is_not_here.ops.reverse_steps",
    "title": "steps reversed",
    "target": "structure",
    "colour": "#123456",
    "source": "ab12cd34ab12cd34",
    "steps": "blank_line",
}


def right(count):
    return [i < count for i in range(20)]


@pytest.fixture
def found(make_run, tmp_path):
    """What was run: uncorrupted, digits, and a user's operator at two rates and in two versions."""
    make_run(["corruption=none"], right(20), "0")
    make_run(["corruption=random_digits", "corruption.fraction=0.5"], right(18), "1")
    users = ((0.5, 12, {}), (1.0, 4, {}), (1.0, 3, {"source": "ffffcd34ab12cd34"}))
    for number, (fraction, count, more) in enumerate(users, 2):
        path = make_run(
            ["corruption=shuffle_steps", f"corruption.fraction={fraction}"],
            right(count),
            f"{number}",
        )
        change(path, lambda config, more=more: config["corruption"].update(OWN | more))
    return tmp_path / "runs"


def change(path: Path, how) -> None:
    record = json.loads(path.read_text())
    how(record["config"])
    path.write_text(json.dumps(record))


@pytest.fixture
def table(found):
    return arms.frame(runs(found), samples(found))


def test_it_is_a_row_of_its_own_kind_after_those_of_the_papers(table):
    rows = table.set_index("arm")
    assert table["arm"].tolist() == [
        "uncorrupted",
        "random digits 50 %",
        "steps reversed 50 %, blank_line, code ab12",
        "steps reversed 100 %, blank_line, code ab12",
        "steps reversed 100 %, blank_line, code ffff",
    ]
    assert rows["kind"].tolist() == ["uncorrupted", "content", *["structure"] * 3]
    assert (rows["runs"] == 1).all()
    assert "steps reversed 50 %" in grid.markdown(arms.grids(table), arms.note(table))


def test_it_has_slopes_and_enters_the_contrast_with_content(found):
    lines = slopes.frame(runs(found), samples(found)).set_index("operator")
    mine = lines.loc["steps reversed, blank_line, code ab12"]
    assert (mine["kind"], mine["doses"]) == ("structure", [0.5, 1.0])
    contrasts = robust.frame(runs(found), samples(found)).set_index(["measure", "left_out"])
    assert contrasts.loc[("slope", ""), "structure"] == ["steps reversed"]
    rates = contrasts.loc[("equal rates", "")]
    assert rates["doses"] == [0.5] and rates["value"] == pytest.approx(-0.3)


def test_an_operator_of_another_kind_has_a_slope_and_no_part_in_the_contrast(found):
    for path in found.rglob("run.json"):
        change(
            path,
            lambda c: (
                c["corruption"]["kind"] == "reverse_steps"
                and c["corruption"].update(target="other")
            ),
        )
    lines = slopes.frame(runs(found), samples(found))
    assert lines["kind"].tolist() == ["content", "other", "other"]
    assert robust.frame(runs(found), samples(found)).empty
    made = arms.frame(runs(found), samples(found))
    assert made["kind"].tolist()[2:] == ["other"] * 3
    assert "other corrupted" in legend(forest(made))


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_it_is_in_the_forest_plot_and_in_the_curves_with_its_colour_and_name(table):
    (axis,) = forest(table).axes
    values = [x for container in axis.containers for x in container.lines[0].get_xdata()]
    assert len(values) == 4
    figure = dose_response(table)
    assert "steps reversed, blank_line, code ab12 (structure)" in legend(figure)
    ours = [container.lines[0] for container in figure.axes[0].containers]
    mine = [line for line in ours if line.get_color() == "#123456"]
    assert sorted(len(line.get_xdata()) for line in mine) == [2, 3]
    assert all(line.get_linestyle() == "--" for line in mine)


def test_operators_without_a_colour_get_ones_that_no_other_has(table):
    table.loc[table["corruption"] == "reverse_steps", "colour"] = ""
    table.loc[table["variant"].str.endswith("ffff"), "corruption"] = "another"
    looks = [curve.look for curve in operator_curves(table)]
    assert len(looks) == 8
    assert len({look["marker"] for look in looks}) == 8
    assert looks[-1]["color"] != looks[-2]["color"]
    assert not {look["color"] for look in looks[-2:]} & {look["color"] for look in looks[:-2]}


def test_records_and_published_rows_without_a_declaration_have_the_projects_own():
    run = {"corruption": "delete_steps", "title": "", "target": None, "method": "sft"}
    assert (shown(run).title, shown(run).colour, kind(run)) == (
        "steps deleted", "#e69f00", "structure",
    )  # fmt: skip
    unknown = {"corruption": "gone", "title": float("nan"), "method": "sft"}
    assert (shown(unknown).title, kind(unknown)) == ("gone", "other")


def test_hardly_damaged_arms_are_marked_and_explained(found):
    told = runs(found)
    assert arms.MARK not in grid.markdown(*text(told, found))
    for share, marked in ((0.24, True), (0.26, False), (0.0, True), (None, True)):
        told["damaged_share"] = share
        told.loc[told["fraction"] == 1.0, "damaged_share"] = 1.0
        shown_text = grid.markdown(*text(told, found))
        rows = [line for line in shown_text.splitlines() if line.startswith("| random digits")]
        assert (arms.MARK in rows[0]) == marked
        assert (arms.MARKED in " ".join(shown_text.split())) == marked
        assert arms.MARK not in next(
            line for line in shown_text.splitlines() if line.startswith("| uncorrupted")
        )


def text(told, found):
    made = arms.frame(told, samples(found))
    return arms.grids(made), arms.note(made)


def test_the_code_of_an_operator_is_part_of_what_an_arm_is():
    assert "source" in ARM
