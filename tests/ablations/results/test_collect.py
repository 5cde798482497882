"""Collected runs say what the runs said, without what they were made in."""

import shutil

import pandas as pd
import pytest

from ablations.results.collect import collect
from ablations.results.runs import runs, samples


@pytest.fixture
def study(make_run, tmp_path):
    make_run(["training=none"], [True, False, True])
    make_run(["corruption=none"], [True, True, False])
    return tmp_path / "runs" / "smoke"


def test_collected_runs_give_the_same_frames_where_their_artifacts_are_gone(study, tmp_path):
    before, rows = runs(study), samples(study)
    assert collect(study, tmp_path / "results") == 2
    shutil.rmtree(tmp_path / "artifacts")
    pd.testing.assert_frame_equal(runs(tmp_path / "results"), before)
    pd.testing.assert_frame_equal(samples(tmp_path / "results"), rows)


def test_texts_are_left_out(study, tmp_path):
    for path in (tmp_path / "artifacts").rglob("samples.parquet"):
        pd.read_parquet(path).assign(response="long", question="?").to_parquet(path)
    collect(study, tmp_path / "results")
    assert not {"response", "question"} & set(samples(tmp_path / "results"))


def test_collecting_again_changes_nothing(study, tmp_path):
    out = tmp_path / "results"
    collect(study, out)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    collect(study, out)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
