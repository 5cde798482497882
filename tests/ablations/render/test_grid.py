"""Tables as text."""

import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from ablations.__main__ import main
from ablations.commands.answers.table import tabulate
from ablations.papers.tables import PAPERS
from ablations.render import grid
from ablations.render.grid import Grid

AWKWARD = Grid(
    "a_b & 5 % [x]",
    ["row", "n×1, y [95 %]"],
    [["#1 {y}", "[-0.1, 0.2]†"], ["<b>", "~^\\$*"]],
)


class Cells(HTMLParser):
    """Texts of the cells, and tags left open."""

    def __init__(self):
        super().__init__()
        self.texts, self.open = [], []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.texts.append(data)


def compiler():
    """A LaTeX engine, if this machine has one."""
    return next(
        filter(None, map(shutil.which, ("pdflatex", "lualatex", "xelatex", "tectonic"))), None
    )


def test_html_holds_the_very_texts_and_closes_what_it_opens():
    parser = Cells()
    parser.feed(grid.html([AWKWARD], "5 < 6"))
    assert parser.texts == [*AWKWARD.header, *AWKWARD.rows[0], *AWKWARD.rows[1]]
    assert not parser.open


def test_markdown_keeps_every_text_in_its_cell_and_out_of_html():
    awkward = Grid("t", ["row", "why"], [["a|b", "<script>\nboom"], ["p", "<0.0001"]])
    lines = grid.markdown([awkward], "").splitlines()
    assert [re.split(r" *(?<!\\)\| *", line)[1:-1] for line in lines[4:6]] == [
        [r"a\|b", r"\<script> boom"],
        ["p", "<0.0001"],
    ]


def test_latex_leaves_no_sign_that_means_something_else():
    text = grid.latex([AWKWARD], "note_1")
    lines = text.splitlines()
    body = lines[lines.index(r"\toprule") + 1 : lines.index(r"\bottomrule")]
    for line in body:
        if line != r"\midrule":
            plain = re.sub(r"\\[&%$#_{}]", "", line.removesuffix(r" \\"))
            assert plain.count("&") == 1
            assert not re.search(r"[%#_~^]", plain.replace("{}", ""))
    assert r"\#1 \{y\}" in text and r"\textbackslash{}" in text and r"note\_1" in text
    assert "{[}$-$0.1, 0.2{]}" in text and "$<$b$>$" in text
    assert r"n$\times$1 \\ y \\ {[}95 \%{]}" in text


@pytest.mark.parametrize("name", PAPERS)
def test_every_latex_row_has_as_many_cells_as_columns(name):
    text = tabulate(name, "latex")
    tables = re.findall(r"\\begin\{tabular\}\{(\w+)\}\n(.*?)\\end\{tabular\}\}\n", text, re.DOTALL)
    assert len(tables) == text.count(r"\begin{table}")
    for columns, body in tables:
        rows = [line for line in body.splitlines() if line.endswith(r"\\")]
        assert rows
        assert all(len(re.findall(r"(?<!\\)&", row)) == len(columns) - 1 for row in rows)
    assert text.count(r"\begin{") == text.count(r"\end{")


@pytest.mark.skipif(compiler() is None, reason="no LaTeX on this machine")
def test_latex_compiles_and_every_table_fits_its_page(make_run, tmp_path):
    for at, damage in enumerate(("none", "delete_steps", "wrong_answers_matched")):
        make_run(["study=table2", f"corruption={damage}"], [True, at > 1] * 5, f"{at}a")
    folder = tmp_path / "runs" / "table2"
    texts = [tabulate(name, "latex") for name in PAPERS]
    texts += [tabulate("table2", "latex", folder=folder), grid.latex([AWKWARD], "n")]
    packages = r"\usepackage{booktabs}\usepackage{graphicx}"
    body = "\n\\clearpage\n".join(texts)
    page = rf"\documentclass{{article}}{packages}\begin{{document}}{body}\end{{document}}"
    (tmp_path / "page.tex").write_text(page, encoding="utf-8")
    engine = compiler()
    quiet = ["-interaction=nonstopmode", "-halt-on-error"]
    quiet = ["--print"] if engine.endswith("tectonic") else quiet
    done = subprocess.run(
        [engine, *quiet, "page.tex"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert not re.findall(r"Overfull|Missing character|Float too large", done.stdout)
    assert (tmp_path / "page.pdf").stat().st_size > 1000


@pytest.mark.parametrize("form", ["md", "latex", "html", "csv"])
def test_a_papers_table_is_printed_in_every_format_even_before_any_run(form, tmp_path, capsys):
    assert main(["table", "table2", f"runs={tmp_path}", "--format", form]) == 0
    printed = capsys.readouterr().out
    assert "steps shuffled" in printed and "not run" in printed


def test_recorded_runs_are_read_wherever_they_are_and_the_rest_is_missing(
    make_run, tmp_path, capsys
):
    make_run(["study=table2", "corruption=none", "training.batch=7"], [True, False], "a")
    make_run(["study=table2", "corruption=delete_steps", "training.batch=7"], [True, True], "b")
    assert main(["table", "table2", "--runs", f"{tmp_path}/runs/table2"]) == 0
    printed = capsys.readouterr().out
    accuracy, *_ = printed.split("**", 2)[2].split("**")
    assert accuracy.count("2×1×1") == 2 and accuracy.count("| not run") == 17


def test_the_arms_behind_a_papers_table_can_be_had_alone(make_run, tmp_path, capsys):
    make_run(["study=table2", "corruption=none"], [True, False], "a")
    arguments = ["table", "table2", "--runs", f"{tmp_path}/runs/table2", "--arms"]
    main(arguments)
    assert "published" not in capsys.readouterr().out
    main([*arguments, "--format", "csv"])
    assert capsys.readouterr().out.startswith("benchmark,student,")


def test_a_table_without_a_study_asks_for_one_before_it_takes_runs(tmp_path, capsys):
    assert main(["table", "r1_table6", "--runs", str(tmp_path)]) == 1
    assert "name one with --study: " in capsys.readouterr().err


def test_an_unknown_table_is_refused_with_the_choices(capsys):
    assert main(["table", "table9"]) == 1
    assert "unknown study 'table9'" in capsys.readouterr().err
