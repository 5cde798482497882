"""Composes the report of a study part by part, for the page and the W&B report alike."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from ablations.findings import arms, design, expectations, methods, robust, sizes, slopes
from ablations.findings.sections import Finding
from ablations.findings.study import Section, Study
from ablations.papers import deviations
from ablations.papers.comparison import SeveralArmsError
from ablations.papers.figures import best_of_n, data_size, students
from ablations.papers.grids import paper_grids
from ablations.papers.study_figures import dose_response, forest
from ablations.papers.tables import PAPERS, paper_title, tables_of
from ablations.report import sentences
from ablations.report.blocks import (
    Block,
    Box,
    Bullets,
    Commands,
    Folded,
    Legend,
    Panels,
    Part,
    Passage,
    Picture,
    Tables,
    Text,
)
from ablations.report.examples import examples
from ablations.report.provenance import (
    command,
    commands,
    configs,
    costs,
    failures,
    references,
    versions,
)
from ablations.results.arms import TARGETS
from ablations.studies.plan import plan

SAMPLES = "Best of several samples of the base"
SIZES = "Accuracy by number of training traces, ours and published"
SLOPES = "Slopes: accuracy by corruption rate, least squares through uncorrupted traces"
STUDENTS = "Accuracy before and after training by student, ours and published"

NOTHING = "No run of this study is recorded yet. Below are its plan and what it could detect."


def parts(study: Study) -> list[Part]:
    """The parts in order; a study without runs has its plan instead of results."""
    return list(each_part(study))


def each_part(study: Study) -> Iterator[Part]:
    """The parts in order, each as soon as it is made."""
    by_size = sizes.findings(sizes.comparable(study.runs), study.samples)
    by_method = methods.findings(methods.comparable(study.runs), study.samples)
    said = [sentences.answers(section) for section in study.scored]
    scored = zip(study.scored, said, strict=True)
    together, published = _across(study, by_size, by_method), _published(study)
    configs = [deviations.as_json(cell.config) for cell in study.cells]
    yield _answer(study, [*by_size, *by_method], said)
    if not study.expectations.empty:
        yield _expectations(study)
    if together.passages:
        yield together
    for place, (one, texts) in enumerate(scored, 1):
        yield _section(one, texts, f"s{place}")
    if published.passages:
        yield published
    if deviations.is_close(configs[0]):
        yield _deviations(configs)
    for made in (_power, _traces, _spent, _reproduce, _missing):
        yield made(study)


def _answer(study: Study, together: Sequence[Finding], said: list[list[str]]) -> Part:
    """The results over several sections, then those of each section on corruption or arms."""
    boxes = [Box([Text(one.title, "soft"), Text(one.sentence, "said")]) for one in together]
    for section, texts in zip(study.scored, said, strict=True):
        if texts or not together:
            title = [Text(section.title, "soft")] if len(said) > 1 else []
            claims = [Text(text, "" if place else "said") for place, text in enumerate(texts)]
            boxes.append(Box([*title, *claims, Text(sentences.effects(section))]))
    asked, run = len(study.arms), int((study.arms["state"] == "done").sum())
    failed = ", some failed" if failures(study.folder) else ""
    count = f"{len(study.found)} runs recorded{failed}; {run} of {asked} arms run in all sections."
    blocks: list[Block] = [*(boxes or [Box([Text(NOTHING, "said")])])]
    blocks.append(Text(count, "soft", ("missing", "What is missing")))
    return Part("The answer", "answer", [Passage("", blocks)], "Answer")


def _expectations(study: Study) -> Part:
    """What the study expected of its arms, and what became of it."""
    judged = study.expectations
    tables = Tables(expectations.grids(judged), expectations.NOTE)
    passage = Passage("", [Text(expectations.sentence(judged)), tables])
    return Part("Expectations", "expectations", [passage], "Expectations")


def _section(section: Section, said: Sequence[str], name: str) -> Part:
    effects = sentences.effects(section)
    passages: list[Passage] = []
    if section.done["difference"].notna().any():
        shows = f"Accuracy minus that of uncorrupted traces by arm, {section.title}. {effects} "
        shows += "The numbers are in the table of this section."
        picture = Picture(partial(forest, section.arms), f"{name}-forest", shows)
        passages.append(Passage("Effects by arm", [picture], Panels.accuracy_by_corruption))
    if section.done["kind"].isin(TARGETS).any():
        shows = f"Accuracy by corruption rate, {section.title}; ours left, published right. "
        shows += f"{' '.join(said[:1])} The numbers are in the tables of this section."
        drawn = Picture(partial(dose_response, section.arms), f"{name}-dose", shows)
        blocks: list[Block] = [drawn]
        if not section.slopes.empty:
            blocks.append(Tables([slopes.grid(section.slopes, SLOPES)]))
        if not section.robust.empty:
            blocks.append(Tables([robust.grid(section.robust)]))
        passages.append(Passage("Dose-response", blocks, Panels.accuracy_by_rate))
    if {"base", "uncorrupted"} <= {*section.done.loc[section.done["samples"] > 1, "kind"]}:
        shows = f"{SAMPLES}, and one of the student trained on uncorrupted traces, {section.title}."
        drawn = Picture(partial(best_of_n, section.rows), f"{name}-samples", shows)
        passages.append(Passage(SAMPLES, [drawn]))
    responses = Tables([sentences.responses(section)])
    title = "Truncation, tokens and keywords"
    passages.append(Passage("Scores", [Tables(arms.grids(section.arms), arms.note(section.arms))]))
    passages.append(Passage(title, [responses], Panels.responses_by_corruption))
    return Part(section.title, name, passages, section.title, section.runs)


def _across(study: Study, by_size: Sequence[Finding], by_method: Sequence[Finding]) -> Part:
    """Figures and tables over several sections, where they differ in size, student or method."""
    passages = []
    if by_size:
        picture = Picture(partial(data_size, study.arms), "data-size", SIZES)
        tables = Tables([one.grid for one in by_size])
        passages.append(Passage(SIZES, [picture, tables], Panels.accuracy_by_size))
    trained = study.arms[(study.arms["kind"] == "uncorrupted") & (study.arms["state"] == "done")]
    if trained["student"].nunique() > 1:
        picture = Picture(partial(students, study.arms), "students", STUDENTS)
        passages.append(Passage(STUDENTS, [picture], Panels.accuracy_by_student))
    if by_method:
        blocks: list[Block] = []
        for place, one in enumerate(by_method, 1):
            shows = f"Accuracy of both methods by arm, {one.title}. {one.sentence}"
            blocks.append(Picture(partial(methods.figure, one.rows), f"methods{place}", shows))
            blocks.append(Tables([one.grid]))
        passages.append(Passage("LoRA and full fine-tuning, arm by arm", blocks))
    undamaged = (study.runs["corruption"] == "none") & (study.runs["method"] != "none")
    title = "Across sections"
    return Part(title, "across", passages, title, study.runs[undamaged])


def _published(study: Study) -> Part:
    """The papers' tables with this study's arms, ours next to the published numbers."""
    passages = []
    for name in tables_of(study.asked.study):
        paper, _ = PAPERS[name]
        title = paper_title(name)
        try:
            block: Block = Tables(*paper_grids(paper(study.arms), title))
        except SeveralArmsError:  # the study was run with axes that the paper does not have
            block = Text("Not shown: several arms of this study match one cell of the table.")
        passages.append(Passage(title, [block]))
    return Part("Ours, published, difference", "published", passages, "Published numbers")


def _deviations(configs: Sequence[Mapping[str, Any]]) -> Part:
    """Where the runs differ from the paper whose setup they have, and why."""
    made = deviations.grid(configs, deviations.nearest(configs[0]))
    title = "Deviations from the paper"
    return Part(title, "deviations", [Passage("", [Tables([made], wordy=True)])], title)


def _power(study: Study) -> Part:
    """Detectable effects at the measured variance, or at an assumed one if there are no runs."""
    measured = [grid for one in study.scored if (grid := design.measured_grid(one))]
    found = measured or [design.grid(design.frame(plan(study.cells)))]
    blocks: list[Block] = [Tables([grid]) for grid in found if grid.rows]
    if not blocks:
        blocks.append(
            Text("No section of the study has an arm to compare with uncorrupted traces.")
        )
    blocks.append(Text(design.NOTE, "note"))
    return Part("Power: what the design could detect", "power", [Passage("", blocks)], "Power")


def _traces(study: Study) -> Part:
    shown, note = examples(study.cells, study.found)
    passages = [Passage("", [Text(note), *([Legend()] if shown else [])])]
    passages += [Passage(arm, [damage]) for arm, damage in shown.items()]
    return Part("Traces before and after corruption", "traces", passages, "Traces")


def _spent(study: Study) -> Part:
    blocks: list[Block] = [Text("No runs yet.")]
    if study.found:
        note = "Tokens: of training, over all epochs, prompts included; and of evaluated responses."
        if references(study.records):
            note += " What the runs cost that these refer to is not counted."
        blocks = [Tables([costs(study.records)]), Text(note, "note")]
    passage = Passage("", blocks, Panels.training_loss)
    return Part("Wall time and tokens", "spent", [passage], "Cost")


def _reproduce(study: Study) -> Part:
    """Commands, versions and configs of the runs, or the plan."""
    text = Text("This report and its tables, from the same runs:")
    passages = [Passage("", [text, Commands(commands(study.asked))])]
    if study.found:
        shared, each = configs(study.records)
        usual = f"Config of all {len(study.found)} runs, except for the fields below"
        own = "Fields in which each run differs, and the command that makes it"
        folded = [Folded(usual, Commands(shared)), Folded(own, Tables([each], wordy=True))]
        passages.append(Passage("Versions", [Bullets(versions(study.records))]))
        passages.append(Passage("Runs and their configs", folded, Panels.configs))
        if others := references(study.records):
            passages.append(Passage("", [Tables([others], wordy=True)]))
    else:
        runs = [command(study.asked.study, cell.label) for cell in study.cells]
        passages.append(Passage("Plan", [Text(f"{len(runs)} runs:"), Commands(runs)]))
    return Part("Reproduce", "reproduce", passages, "Reproduce")


def _missing(study: Study) -> Part:
    """Failed, unscored and missing runs; the missing arms of a section on one line."""
    failed = failures(study.folder)
    unscored = [record["label"] for record in study.records if not record["scores"]]
    lines = [
        f"{section.title}: {', '.join(missing)}"
        for section in study.sections
        if len(missing := section.arms.loc[section.arms["state"] != "done", "arm"])
    ]
    blocks: list[Block] = [Tables([failed], wordy=True)] if failed else []
    blocks = blocks or [Text("No failed run is recorded.")]
    blocks += [Text(f"Not scored: {label}") for label in unscored]
    if lines:
        blocks += [Text("Arms of the study that were not run:"), Bullets(lines)]
    else:
        blocks.append(Text("Every arm of the study was run."))
    title = "Failed and missing"
    return Part(title, "missing", [Passage("", blocks)], title)
