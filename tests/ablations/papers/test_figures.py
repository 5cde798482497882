"""What the figures show."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from ablations.findings.arms import frame
from ablations.papers.figures import CURVES, best_of_n, data_size, students
from ablations.papers.study_figures import dose_response, forest
from ablations.reference import published, title
from ablations.render.drawing import save
from ablations.results.arms import ORDER
from ablations.results.runs import asked_runs
from ablations.statistics.intervals import accuracy, by_seed

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


def arm(**told):
    """A finished arm of uncorrupted traces, of the columns that `data_size` and `students` read."""
    named = {"student": "qwen2_5_7b", "training": "sft", "benchmark": "amc23", "size": 1000}
    kind = {"arm": "x", "kind": "uncorrupted", "state": "done"}
    return named | kind | {"accuracy": 0.5, "low": 0.4, "high": 0.625} | told


def lines(axis, **look):
    """(colour, x, y) of the lines of this look that go all the way across, or down."""
    found = [one for one in axis.lines if all(getattr(one, f"get_{n}")() == v
                                              for n, v in look.items())]  # fmt: skip
    return [(one.get_color(), list(one.get_xdata()), list(one.get_ydata())) for one in found]


def test_the_untrained_student_is_a_dashed_line_in_the_colour_of_its_curves_alone():
    before = {"kind": "base", "training": "none", "size": np.nan}
    made = pd.DataFrame(
        [
            arm(size=4000, accuracy=0.75),
            arm(size=500),
            arm(benchmark="math500"),
            arm(student="qwen2_5_14b"),
            arm(**before, accuracy=0.25),
            arm(**before, benchmark="math500", accuracy=0.375),
            arm(**before, student="qwen2_5_14b", accuracy=0.125),
            arm(**before, student="qwen2_5_32b", accuracy=0.1),
            arm(kind="structure", accuracy=0.9),
            arm(state="not run", accuracy=0.8, size=3),
        ]
    )
    figure = data_size(made)
    (axis,) = figure.axes
    curves = {box.get_label(): box.lines[0] for box in axis.containers}
    assert {name: line.get_xydata().tolist() for name, line in curves.items()} == {
        "Qwen2.5-14B, sft, AMC23": [[1000, 50]],
        "Qwen2.5-7B, sft, AMC23": [[500, 50], [4000, 75]],
        "Qwen2.5-7B, sft, MATH500": [[1000, 50]],
    }
    assert [line.get_color() for line in curves.values()] == [colour for colour, _ in CURVES[:3]]
    dashed = {(colour, *set(y)) for colour, _, y in lines(axis, linestyle="--")}
    before_of = {"Qwen2.5-14B, sft, AMC23": 12.5, "Qwen2.5-7B, sft, AMC23": 25}
    before_of |= {"Qwen2.5-7B, sft, MATH500": 37.5}
    assert dashed == {(curves[name].get_color(), share) for name, share in before_of.items()}


def test_sizes_stand_on_a_scale_of_doublings_where_there_is_a_number_and_nowhere_else():
    (axis,) = data_size(pd.DataFrame([arm(size=1000), arm(size=4000)])).axes
    theirs = published("figure2")
    sizes = sorted({1000, 4000, *theirs.query("method != 'none'")["size"].astype(int)})
    assert list(axis.get_xticks()) == sizes and not list(axis.get_xticks(minor=True))
    assert [text.get_text() for text in axis.get_xticklabels()] == [f"{one:,}" for one in sizes]
    ((_, _, flat),) = lines(axis, color="k", marker="None")
    assert set(flat) == {PER_CENT * theirs.query("method == 'none'")["value"].item()}
    to_pixels = axis.transData.transform
    doubled, redoubled = (to_pixels((n, 0))[0] for n in (2000, 4000))
    assert redoubled - doubled == pytest.approx(doubled - to_pixels((1000, 0))[0])


@pytest.mark.parametrize("figure", [data_size, students])
def test_a_figure_without_any_uncorrupted_arm_names_the_arms_that_there_are(figure):
    others = [arm(kind="structure", arm="steps deleted"), arm(kind="base", arm="base")]
    with pytest.raises(ValueError, match="no uncorrupted arm was run; arms: steps deleted, base"):
        figure(pd.DataFrame(others))
    with pytest.raises(ValueError, match="no uncorrupted arm was run; arms: none"):
        figure(pd.DataFrame([arm()]).iloc[:0])


def test_before_training_is_open_and_of_the_same_student_and_benchmark_and_after_is_filled():
    before = {"kind": "base", "training": "none", "size": np.nan}
    made = pd.DataFrame(
        [
            arm(accuracy=0.75),
            arm(student="qwen2_5_14b", accuracy=0.625),
            arm(**before, accuracy=0.25),
            arm(**before, benchmark="math500", accuracy=0.375),
            arm(**before, student="qwen2_5_32b", accuracy=0.1),
        ]
    )
    figure = students(made)
    (axis,) = figure.axes
    names = dict(zip(axis.get_yticks(), rows(axis)[::-1], strict=True))
    bars = [
        (names[y], x, box.lines[0].get_fillstyle())
        for box in axis.containers
        for x, y in box.lines[0].get_xydata()
    ]
    seven = "Qwen2.5-7B, sft, 1,000, AMC23"
    fourteen = "Qwen2.5-14B, sft, 1,000, AMC23"
    assert sorted(bars) == [
        (fourteen, 62.5, "full"),
        (seven, 25, "none"),
        (seven, 75, "full"),
    ]
    assert rows(axis)[:2] == [fourteen, seven]
    whose = "ours", "published"
    assert legend(figure) == [f"{one}, {when} training" for one in whose
                              for when in ("after", "before")]  # fmt: skip


def test_published_students_have_their_bars_thin_before_and_bold_after_and_marked_if_inferred():
    (axis,) = students(pd.DataFrame([arm()])).axes
    names = dict(zip(axis.get_yticks(), rows(axis)[::-1], strict=True))
    shown = {
        (names[y], bool(line.get_markeredgewidth() > 2), round(float(x) / PER_CENT, 6))
        for line in axis.lines
        if line.get_marker() == "x"
        for x, y in line.get_xydata()
    }
    theirs = published("figure4")
    bars = zip(theirs["student"], theirs["method"] != "none", theirs["value"], strict=True)
    assert shown == {(title(student), after, value) for student, after, value in bars}
    inferred = theirs[~theirs["verified"]]
    marked = [(names[note.xy[1]], round(float(note.xy[0]) / PER_CENT, 6)) for note in axis.texts]
    assert sorted(marked) == sorted(
        zip(map(title, inferred["student"]), inferred["value"], strict=True)
    )
    low, high = axis.get_ylim()
    assert low < 0 and high > max(names)


def test_what_was_not_run_is_told_in_its_own_row_and_the_base_has_a_row_without_damage(arms):
    (axis,) = forest(arms).axes
    names = dict(enumerate(rows(axis)[::-1]))
    (told,) = axis.texts
    assert names[told.get_position()[1]] == arms.loc[arms["state"] != "done", "arm"].item()
    base = arms[arms["kind"] == "base"].iloc[0]
    (box,) = [box for box in axis.containers if box.get_label() == "before training"]
    ((x, y),) = box.lines[0].get_xydata()
    assert (names[y], x) == ("base", pytest.approx(PER_CENT * base["difference"]))
    ((_, zero, _),) = lines(axis, label="uncorrupted")
    assert zero == [0, 0]


def test_the_published_side_has_the_scores_of_uncorrupted_traces_and_of_the_base_as_lines(arms):
    ours, theirs = dose_response(arms).axes
    numbers = published("table2").query(
        "benchmark == 'average_recomputed' and corruption == 'none'"
    )
    for dash, kind, untrained in (("-", "uncorrupted", False), ("--", "base", True)):
        value = numbers[numbers["method"].eq("none") == untrained]["value"].item()
        flat = [set(y) for _, _, y in lines(theirs, linestyle=dash, marker="None")]
        assert flat == [{PER_CENT * value}]
        mine = arms.loc[arms["kind"] == kind, "accuracy"].item()
        flat = [set(y) for _, _, y in lines(ours, linestyle=dash, marker="None")]
        assert flat == [{PER_CENT * mine}]
    starts = [line.get_xydata()[0].tolist() for line in theirs.lines if line.get_marker() != "None"]
    reference = numbers[numbers["method"].ne("none")]["value"].item()
    assert starts == [[0, pytest.approx(PER_CENT * reference)]] * (len(ORDER) - 1)
    for line in theirs.lines:
        if line.get_marker() != "None":
            assert list(line.get_xdata()) == sorted(line.get_xdata())


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


def test_the_trained_student_of_best_of_n_is_one_of_uncorrupted_traces_with_its_interval():
    base = drawn(np.eye(4, dtype=bool), method="none")
    trained = drawn([[True], [True], [True], [False]], method="sft")
    damaged = (drawn([[False]] * 4, method=f"lora {name}").assign(corruption=name)
               for name in ("delete_steps", "shuffle_steps"))  # fmt: skip
    figure = best_of_n(pd.concat([base, trained, *damaged]))
    (axis,) = figure.axes
    ((_, _, flat),) = lines(axis, linestyle="--", label="trained, one sample")
    estimate = accuracy(by_seed(trained))
    assert set(flat) == {PER_CENT * estimate.value} == {75}
    (band,) = [patch for patch in axis.patches if not patch.get_label().startswith("published")]
    ends = band.get_y(), band.get_y() + band.get_height()
    assert ends == pytest.approx((PER_CENT * estimate.low, PER_CENT * estimate.high))
    assert list(axis.get_xticks()) == [1, 2, 4] and axis.get_title(loc="left").endswith(
        "n = 4 problems"
    )
    assert [text.get_text() for text in axis.get_xticklabels()] == ["1", "2", "4"]


@pytest.mark.parametrize("column", ["student", "benchmark"])
def test_best_of_n_is_of_one_student_on_one_benchmark(column):
    samples = pd.concat(drawn(np.ones((2, 2), dtype=bool), method=name) for name in ("none", "sft"))
    with pytest.raises(ValueError, match=r"one student on one benchmark; got(.|\n)*another"):
        best_of_n(pd.concat([samples, samples.assign(**{column: "another"})]))


def test_fewer_samples_of_one_problem_end_the_curve_of_best_of_n():
    base = drawn([[True, False, False, False], [False, True, True]], method="none")
    trained = drawn([[True], [True]], method="sft")
    (axis,) = best_of_n(pd.concat([base, trained])).axes
    chances = [(1 / 4 + 2 / 3) / 2, (1 / 2 + 1) / 2]
    assert points(axis) == [
        (n, pytest.approx(PER_CENT * chance)) for n, chance in zip((1, 2), chances, strict=True)
    ]


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


def test_a_figure_is_drawn_once_and_is_what_matplotlib_would_save(arms, tmp_path, monkeypatch):
    settings = {"svg.fonttype": "none", "svg.hashsalt": "distill"}
    with matplotlib.rc_context(settings):
        forest(arms).savefig(tmp_path / "theirs.svg", metadata={"Date": None})
    drawn, draw = [], Figure.draw
    monkeypatch.setattr(Figure, "draw", lambda *given: drawn.append(0) or draw(*given))
    save(forest(arms), tmp_path / "ours.svg")
    assert (tmp_path / "ours.svg").read_bytes() == (tmp_path / "theirs.svg").read_bytes()
    assert len(drawn) == 1
