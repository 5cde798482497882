"""Records and the folders that hold them."""

import pytest

from ablations.results.records import study_folder


def put(folder):
    (folder / "0123").mkdir(parents=True)
    (folder / "0123" / "run.json").write_text("{}")
    return folder


def test_runs_made_here_come_before_recorded_ones_and_empty_folders_do_not_count(tmp_path):
    recorded = put(tmp_path / "analysis" / "results" / "table2")
    (tmp_path / "runs" / "table2").mkdir(parents=True)
    assert study_folder(tmp_path, "table2") == recorded
    made = put(tmp_path / "runs" / "table2")
    assert study_folder(tmp_path, "table2") == made


def test_a_study_without_runs_says_which_command_makes_them(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"make them with: python -m distill study=size$"):
        study_folder(tmp_path, "size")
