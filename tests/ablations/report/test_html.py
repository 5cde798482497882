"""The page of a study."""

import json
import re
from collections import Counter
from html import unescape
from html.parser import HTMLParser

import pytest

from ablations.__main__ import main
from ablations.findings import arms as findings
from ablations.findings import design, robust
from ablations.report.blocks import Folded, Part, Passage
from ablations.report.html import Request, report
from ablations.report.markdown import markdown
from ablations.report.parts import SAMPLES
from ablations.report.provenance import configs, costs
from ablations.results.runs import runs, samples
from ablations.show.html import marked
from ablations.show.marks import Piece
from distill.run.record import FAILED
from tests.ablations.conftest import write_run

ARMS = {
    "training=none": [False, True, False, False],
    "corruption=none": [True, True, True, False],
    "corruption=random_digits corruption.fraction=0.67": [True, True, False, False],
    "corruption=shuffle_steps corruption.fraction=0.67": [False, True, False, False],
}
METHODS = ("micro_sft", "micro_lora")
GRIDS = "corruption=none,random_digits,shuffle_steps corruption.fraction=0.67"


class Page(HTMLParser):
    """Ids, targets of links, and elements of a page."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.elements = [], [], Counter()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements[tag] += 1
        for name, value in attributes:
            if name == "id":
                self.ids.append(value)
            if name in ("href", "src", "xlink:href"):
                self.links.append(value)
            self.links += re.findall(r"url\(([^)]*)\)", value or "")


@pytest.fixture
def ask(make_run, tmp_path):
    """Arms, by overrides -> a request for the page of runs made of them."""

    def ask(arms=ARMS, overrides=GRIDS, samples=1):
        for place, (label, right) in enumerate(arms.items()):
            make_run(label.split(), right, f"{place}a", samples)
        places = [f"runs={tmp_path}/runs", f"artifacts={tmp_path}/artifacts"]
        folder = tmp_path / "runs" / "smoke" if arms else None
        return Request("smoke", [*overrides.split(), *places], folder)

    return ask


@pytest.fixture(scope="module")
def pages():
    return []


@pytest.fixture
def page(ask, pages, tmp_path):
    """The page of `ARMS`, made once; the folder it was made in is called TMP."""
    if not pages:
        pages.append(report(ask()).replace(str(tmp_path), "TMP"))
    return pages[0]


def words(page):
    """What is read: no elements, one blank between words."""
    text = re.sub(r"<style.*?</style>", "", page, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())


def test_the_answer_is_the_claim_of_the_runs_with_its_interval(ask):
    asked = ask()
    page, folder = report(asked), asked.folder
    claim = robust.sentence(robust.frame(runs(folder), samples(folder)), findings.MARGIN)
    assert "95 % interval" in claim
    assert claim in words(page.partition("<h2>")[0])


def test_a_block_that_the_page_or_the_text_cannot_show_is_an_error(monkeypatch, ask):
    asked = ask(arms={})
    monkeypatch.setattr(
        "ablations.report.html.each_part",
        lambda _: [Part("t", "t", [Passage("", [Folded("more", object())])])],
    )
    with pytest.raises(TypeError, match="does not render blocks of kind object"):
        report(asked)
    with pytest.raises(AssertionError, match="object"):
        markdown([object()])


def test_every_demand_of_the_page_has_its_section(page):
    text = words(page)
    for title in (
        "Effects by arm",
        "Dose-response",
        "Scores",
        "Truncation, tokens and keywords",
        "Power",
        "Traces before and after corruption",
        "Wall time and tokens",
        "Versions",
        "Runs and their configs",
        "Failed and missing",
    ):
        assert title in text
    assert Page(page).elements["svg"] == 2


def test_it_needs_no_network_and_no_script(page):
    found = Page(page)
    assert not found.elements["script"] and not found.elements["iframe"]
    assert all(link.startswith(("#", "data:")) for link in found.links)
    assert "@import" not in page


def test_links_resolve_and_ids_of_inlined_figures_do_not_clash(page):
    found = Page(page)
    assert [name for name, count in Counter(found.ids).items() if count > 1] == []
    assert {link[1:] for link in found.links if link.startswith("#")} <= set(found.ids)


def test_figures_have_a_text_alternative(page):
    assert len(re.findall(r'<svg[^>]* role="img" aria-label="[^"]{40,}"', page)) == 2


def test_the_same_runs_give_the_same_bytes(ask, tmp_path):
    asked = ask()
    first = report(asked)
    assert report(asked) == first


def test_a_study_without_runs_says_so_and_has_its_plan_and_power(ask):
    text = words(report(ask(arms={})))
    assert "No run of this study is recorded yet" in text
    assert "python -m distill study=smoke hydra.mode=RUN corruption=shuffle_steps" in text
    assert "At the variance assumed" in text


def test_a_study_of_a_papers_setup_lists_how_it_differs_and_another_does_not(page):
    text = words(report(Request("table4")))
    (listed,) = re.findall(r"Differences from Li et al. 2025.*? Power: what the design", text)
    assert "traces that are longer cut drop cut traces teach" in listed
    assert "Deviations from the paper" not in words(page)


def test_what_is_not_run_and_what_failed_is_named(ask, tmp_path):
    arms = {label: ARMS[label] for label in list(ARMS)[:3]}
    asked = ask(arms)
    folder = tmp_path / "runs" / "smoke" / "f"
    folder.mkdir()
    (folder / FAILED).write_text(json.dumps({"label": "corruption=x", "why": "<script>boom"}))
    page = report(asked)
    missing = words(page.partition('<section id="missing">')[2])
    assert missing.count("steps shuffled 67 %") == 1 and "random digits 67 %" not in missing
    assert "corruption=x <script>boom" in missing
    assert "<script" not in page
    assert "no corruption rate was run for both" in words(page)


def test_a_study_that_was_run_whole_misses_nothing(page):
    assert "Every arm of the study was run." in words(page)
    assert "No failed run is recorded." in words(page)


def test_each_run_has_its_command_and_its_config_whole(ask, tmp_path):
    ask()
    records = [json.loads(p.read_text()) for p in sorted(tmp_path.glob("runs/smoke/*/run.json"))]
    shared, grid = configs(records)
    assert len(grid.rows) == len(ARMS)
    assert [row[0].partition(",")[0] for row in grid.rows] == [
        *("base", "uncorrupted"),
        *("random digits 67 %", "steps shuffled 67 %"),
    ]
    for record in records:
        ((_, _, _, own),) = [row for row in grid.rows if row[2].endswith(record["label"])]
        lines = [*shared, *filter(None, own.split("; "))]
        told = dict(line.split(": ", 1) for line in lines)
        assert told["corruption.kind"] == json.dumps(record["config"]["corruption"]["kind"])
        assert told["training.method"] == json.dumps(record["config"]["training"]["method"])
        assert told["training.learning_rate"] == str(record["config"]["training"]["learning_rate"])


def test_runs_whose_damage_asked_a_model_are_named_by_it(make_run):
    asked = ["corruption=delete_steps_model", "corruption.fraction=0.67"]
    paths = [make_run([*asked, f"corruption.ask.model={name}"], [True], name) for name in "ab"]
    _, grid = configs([json.loads(path.read_text()) for path in paths])
    names = [row[0].split(", ")[-3] for row in grid.rows]
    assert [name.partition(" (")[0] for name in names] == ["a", "b"]


def test_an_artifact_that_runs_share_costs_once():
    def stage(key):
        return {"key": key, "seconds": 60.0, "summary": {"tokens": 100}, "versions": {}}

    runs = [{"stages": {"traces": stage("a"), "train": stage(key)}, "scores": {}} for key in "bc"]
    assert [(row[0], row[1], row[2], row[4]) for row in costs(runs).rows] == [
        ("traces", "1", "0:01:00", "100"),
        ("train", "2", "0:02:00", "200"),
        ("all", "3", "0:03:00", "300"),
    ]


def test_a_response_that_was_refused_costs_no_tokens():
    def run(key, **summary):
        counts = {"problems": 10, "samples": 2} | summary
        score = {"key": key, "seconds": 60.0, "summary": counts, "versions": {}}
        return {"stages": {}, "scores": {"aime24": score}}

    some, all_ = run("a", tokens=100.0, refused=0.5), run("b", tokens=None, refused=1.0)
    assert costs([some, all_]).rows[0][4] == "1,000"


def test_imported_responses_took_no_time(make_run):
    record = json.loads(make_run([], [True]).read_text())
    for score in record["scores"].values():
        score["seconds"] = None
    told = {row[0]: row[2] for row in costs([record]).rows}
    assert told["evaluate"] == "0:00:00"


def test_one_problem_has_a_page_that_claims_nothing(ask):
    text = words(report(ask({label: right[:1] for label, right in ARMS.items()})))
    assert "3 arms were trained once: their differences are of these runs alone, untested." in text
    assert "> 100" in text


def test_marks_keep_the_text_and_what_is_cut_is_counted():
    pieces = [Piece("a < b\n"), Piece("gone", "removed"), Piece("new", "inserted")]
    html = marked(pieces)
    assert unescape(re.sub(r"</?(del|ins)>", "", html)) == "a < b\ngonenew"
    assert "<del>gone</del><ins>new</ins>" in html
    cut = marked(pieces, longest=8)
    assert "<del>go</del>" in cut and "new" not in cut and "5 more characters not shown." in cut


def test_best_of_n_is_drawn_where_the_base_was_sampled_more_than_once(ask):
    told = report(ask(samples=4))
    assert told.count(f"<h3>{SAMPLES}</h3>") == 1
    assert "base, best of N" in told


def test_a_student_that_is_named_otherwise_before_training_is_the_same(ask):
    renamed = {f"{label} student.name=raw": ARMS[label] for label in list(ARMS)[:1]}
    told = report(ask(renamed | {label: ARMS[label] for label in list(ARMS)[1:]}, samples=4))
    assert "base, best of N" in told


def test_best_of_one_is_not_drawn(page):
    assert SAMPLES not in page


def answer(page):
    return words(page[: page.index("What is missing")])


def test_a_study_of_sizes_answers_with_what_more_traces_buy(ask):
    sizes = {f"corruption=none size.traces={n}": [True] * k for n, k in ((64, 2), (128, 4))}
    sizes = {label: [*right, *[False] * (4 - len(right))] for label, right in sizes.items()}
    page = report(ask(sizes, "corruption=none size.traces=64,128"))
    assert "the gain from 64 to 128 traces is +50.0 points of accuracy" in answer(page)
    assert "Structure" not in answer(page)
    assert "<h3>Accuracy by number of training traces, ours and published</h3>" in page


def test_a_study_of_methods_answers_with_lora_against_full_fine_tuning(ask):
    both = {f"corruption=none training={name}": ARMS["corruption=none"] for name in METHODS}
    page = report(ask(both, f"corruption=none training={','.join(METHODS)}"))
    once = "In these runs, each trained once, on uncorrupted traces LoRA cannot be told apart from"
    assert once in answer(page)
    assert "<h3>LoRA and full fine-tuning, arm by arm</h3>" in page


def test_a_study_of_another_setting_has_its_sections_and_no_answer_by_size_or_method(ask):
    rates = {f"corruption=none training.epochs={n}": ARMS["corruption=none"] for n in (1, 2)}
    rates["corruption=none training=micro_lora"] = ARMS["corruption=none"]
    page = report(ask(rates, "corruption=none"))
    assert "the gain from" not in page and "LoRA minus full" not in page
    assert page.count("<h3>Scores</h3>") == 3


def test_a_study_with_an_axis_that_its_paper_has_not_says_so_in_place_of_the_table(
    studies, tmp_path
):
    for place, right in enumerate([[True, False], [True, True]]):
        cell = studies.one(["study=table2", "corruption=none", f"training.epochs={place + 1}"])
        write_run(tmp_path, cell, right, f"{place}a")
    asked = Request("table2", [f"artifacts={tmp_path}"], tmp_path / "runs" / "table2")
    part = words(report(asked).partition('<section id="published">')[2].partition("<h3>")[2])
    assert "several arms of this study match one cell of the table" in part


def test_a_study_of_damage_answers_along_the_lines_and_at_equal_doses(page):
    told = answer(page)
    assert "from no to full damage" in told and "At equal corruption rates (67" in told


def test_three_different_traces_are_shown_with_their_damage(ask):
    wanted = f"{GRIDS.replace('none', 'none,delete_steps')}"
    page = report(ask(overrides=wanted))
    part = page.partition('<section id="traces">')[2].partition("</section>")[0]
    ids = re.findall(r"trace (\w{8,}): ", part)
    assert len(ids) == len(set(ids)) == 3
    assert "<del>" in part and "<ins>" in part and "<mark>" in part
    assert "Generated again for this report by the scripted teacher." in part


def test_the_commands_write_their_pages(ask, tmp_path, capsys):
    asked = ask()
    out = tmp_path / "page.html"
    folder = ["--runs", str(asked.folder), "--out", str(out)]
    assert main(["report", "smoke", *asked.overrides, *folder]) == 0
    assert out.read_text().startswith("<!doctype html>")
    trace = tmp_path / "trace.html"
    corpus = [text for text in asked.overrides if not text.startswith("corruption")]
    corpus += ["size.traces=5", "dataset.problems=20"]
    assert main(["show", "corruption=delete_steps", *corpus, "--html", str(trace)]) == 0
    assert "<del>" in trace.read_text() and "Question." in trace.read_text()
    assert main(["report", "smoke", "--runs", "no/such"]) == 1
    assert "no folder no/such" in capsys.readouterr().err


def test_power_uses_the_variance_of_the_runs_once_there_are_any(page):
    assert "at the variance measured" in words(page)
    assert design.NOTE[:40] in words(page)
