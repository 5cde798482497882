"""What the figures show."""

import numpy as np
import pandas as pd
import pytest

from ablations.findings.arms import frame
from ablations.papers.figures import best_of_n, data_size, students
from ablations.papers.study_figures import dose_response, forest
from ablations.reference import published
from ablations.render.drawing import save
from ablations.results.arms import ORDER
from ablations.results.runs import asked_runs

PER_CENT = 100


@pytest.fixture
def arms(studies):
    """The arms of Table 2 as if run, scores invented; the last not run."""
    made = frame(asked_runs(studies.cells("table2")), pd.DataFrame())
    rng = np.random.default_rng(0)
    made["accuracy"] = rng.uniform(0.2, 0.9, len(made))
    made = made.assign(
        state="done",
        problems=400,
        samples=1,
        runs=1,
        low=made["accuracy"] - 0.05,
        high=made["accuracy"] + 0.04,
        difference=made["accuracy"] - made["accuracy"][1],
    )
    made["difference_low"], made["difference_high"] = (
        made["difference"] - 0.06,
        made["difference"] + 0.06,
    )
    scores = ["accuracy", "low", "high", "difference", "difference_low", "difference_high"]
    made.loc[made.index[-1], scores] = np.nan
    made.loc[made.index[-1], "state"] = "not run"
    return made


def legend(figure):
    """Texts of the legend, sorted."""
    return sorted(text.get_text() for text in figure.legends[0].get_texts())


def points(axis):
    """(x, y) of all points with an interval."""
    lines = [container.lines[0] for container in axis.containers]
    return [
        (x, y) for line in lines for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    ]


def rows(axis):
    """Names of the rows from top to bottom."""
    return [label.get_text() for label in axis.get_yticklabels()][::-1]


def test_the_forest_has_the_tables_rows_in_its_order_and_says_what_was_not_run(arms):
    (axis,) = forest(arms).axes
    assert rows(axis) == arms.loc[arms["arm"] != "uncorrupted", "arm"].tolist()
    assert [text.get_text() for text in axis.texts] == ["not run"]
    effects = arms.loc[(arms["state"] == "done") & (arms["arm"] != "uncorrupted"), "difference"]
    assert sorted(x for x, _ in points(axis)) == pytest.approx(sorted(PER_CENT * effects))


def test_the_forest_has_the_published_change_in_the_row_of_its_arm(arms):
    (axis,) = forest(arms).axes
    (crosses,) = [line for line in axis.lines if line.get_label() == "published"]
    names = dict(enumerate(rows(axis)[::-1]))
    shown = {names[int(y)]: x for x, y in crosses.get_xydata() if y == y}
    assert shown["steps deleted 100 %"] == pytest.approx(49.475 - 66.3, abs=0.01)
    assert len(shown) == 18


def test_curves_begin_at_uncorrupted_traces_and_every_operator_looks_different(arms):
    figure = dose_response(arms)
    ours, theirs = figure.axes
    reference = PER_CENT * arms.loc[arms["arm"] == "uncorrupted", "accuracy"].item()
    starts = [container.lines[0].get_xydata()[0].tolist() for container in ours.containers]
    assert starts == [[0, pytest.approx(reference)]] * (len(ORDER) - 1)
    looks = {
        (line.get_marker(), line.get_linestyle(), line.get_fillstyle())
        for line in theirs.lines
        if line.get_marker() != "None"
    }
    assert len(looks) == len(ORDER) - 1 == len({marker for marker, _, _ in looks})


def test_published_curves_are_the_averages_of_table_2(arms):
    theirs = dose_response(arms).axes[1]
    numbers = published("table2").query("benchmark == 'average_recomputed'")
    (line,) = [line for line in theirs.lines if line.get_label().startswith("random digits")]
    digits = numbers[numbers["corruption"] == "random_digits"].sort_values("fraction")
    assert line.get_ydata()[1:].tolist() == pytest.approx((PER_CENT * digits["value"]).tolist())


def test_sizes_are_one_curve_a_training_beside_the_published_points(studies):
    made = frame(asked_runs(studies.cells("table1")), pd.DataFrame())
    made = made.assign(state="done", accuracy=0.5, low=0.4, high=0.6)
    figure = data_size(made)
    (axis,) = figure.axes
    assert sorted(x for x, _ in points(axis)) == [1000, 1000, 2000, 2000]
    assert {name for name in legend(figure) if "published" not in name} == {
        "micro, micro_sft, sign_puzzle",
        "micro, micro_lora, sign_puzzle",
    }
    (line,) = [line for line in axis.lines if line.get_label().startswith("published")]
    assert line.get_xydata().tolist() == [[16000, pytest.approx(69.4)]]


def test_students_have_a_row_each_before_and_after_and_inferred_bars_are_marked(arms):
    two = pd.concat([arms, arms.assign(student="micro_clean")])
    (axis,) = students(two).axes
    assert rows(axis)[:2] == ["micro, micro_sft, 1,000, sign_puzzle",
                              "micro_clean, micro_sft, 1,000, sign_puzzle"]  # fmt: skip
    assert {y for _, y in points(axis)} == {len(rows(axis)) - 1, len(rows(axis)) - 2}
    assert len(points(axis)) == 4
    assert len(axis.texts) == (~published("figure4")["verified"]).sum()


def drawn(right, **told):
    """Rows of one run: `right` is problems by samples of truth values."""
    return pd.DataFrame(
        [
            {"problem_id": f"p{i}", "sample": k, "correct": answer, "cell": told["method"]}
            for i, row in enumerate(right)
            for k, answer in enumerate(row)
        ]
    ).assign(student="micro", benchmark="sign_puzzle", corruption="none", **told)


def test_best_of_n_is_the_chance_of_one_right_among_n():
    right = np.zeros((10, 4), dtype=bool)
    right[:5, 0] = True
    trained = drawn(np.ones((10, 1), dtype=bool), method="sft")
    (axis,) = best_of_n(pd.concat([drawn(right, method="none"), trained])).axes
    assert points(axis) == [(1, 12.5), (2, 25.0), (4, 50.0)]
    (line,) = [line for line in axis.lines if line.get_label().startswith("trained")]
    assert set(line.get_ydata()) == {100.0}


def test_the_band_of_best_of_n_is_that_of_the_published_crossings():
    base, trained = (
        drawn(np.ones((4, k), dtype=bool), method=name) for k, name in ((2, "none"), (1, "sft"))
    )
    (axis,) = best_of_n(pd.concat([base, trained])).axes
    (band,) = [patch for patch in axis.patches if patch.get_label().startswith("published")]
    assert band.get_label() == "published crossings (OlympiadBench)"
    assert (band.get_x(), band.get_x() + band.get_width()) == (2, 16)


def test_best_of_n_needs_a_base_and_a_trained_student():
    with pytest.raises(ValueError, match="needs a base and a trained student"):
        best_of_n(drawn(np.ones((2, 2), dtype=bool), method="none"))


@pytest.mark.parametrize("figure", [forest, dose_response])
def test_a_figure_of_two_sections_is_refused(figure, arms):
    with pytest.raises(ValueError, match="one section"):
        figure(pd.concat([arms, arms.assign(student="micro_clean")]))


@pytest.mark.parametrize("suffix", [".svg", ".pdf"])
def test_vector_files_are_the_same_bytes_each_time_and_keep_their_text(suffix, arms, tmp_path):
    for name in ("a", "b"):
        save(forest(arms), tmp_path / f"{name}{suffix}")
    first, second = ((tmp_path / f"{name}{suffix}").read_bytes() for name in ("a", "b"))
    assert first == second
    if suffix == ".svg":
        assert b"steps deleted 67 %" in first and b"<image" not in first
