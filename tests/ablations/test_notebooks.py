"""The notebooks in `analysis/` run as scripts. Run: pytest tests/ablations/test_notebooks.py."""

import ast
import os
import runpy
import shutil

import pytest

from distill.store import CHECKOUT

NOTEBOOKS = sorted((CHECKOUT / "analysis").glob("*.py"))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_narrates_and_calls_but_defines_nothing(notebook):
    tree = ast.parse(notebook.read_text())
    assert not [
        n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef | ast.Lambda)
    ]
    assert notebook.read_text().startswith("# %% [markdown]\n# # ")


def test_structure_vs_content_draws_its_figure_and_ends_with_an_answer(
    make_run, tmp_path, monkeypatch, capsys
):
    damage = ("random_digits", "remove_keywords", "shuffle_steps", "delete_steps")
    arms = ["training=none", "corruption=none"]
    arms += [f"corruption={name} corruption.fraction=0.67" for name in damage]
    for number, overrides in enumerate(arms):
        make_run(overrides.split(), [True] * (20 - 3 * number) + [False] * 3 * number, f"{number}")
    (tmp_path / "analysis").mkdir()
    notebook = shutil.copy(
        CHECKOUT / "analysis" / "01_structure_vs_content.py", tmp_path / "analysis"
    )
    monkeypatch.setitem(os.environ, "STUDY", "smoke")
    runpy.run_path(str(notebook))
    answer = capsys.readouterr().out.splitlines()[-1]
    assert "damage to the structure costs more" in answer
    assert "-30.0 points" in answer and "n = 20 problems" in answer
    figure = tmp_path / "analysis" / "figures" / "01_structure_vs_content.png"
    assert figure.read_bytes().startswith(b"\x89PNG")
