# %% [markdown]
# # What does the damage do to the text?
#
# The corruption rate of an operator is a share of its own units: digits, sentences with keywords,
# steps. Two arms of equal rate may differ in how much of the text is changed, in length, in how
# many steps are unchanged, and in how much reflection is left. This notebook measures by how much.
#
# The traces are those on which `python -m distill study=table2` trains, generated here where they
# are not yet in `artifacts/`: a scripted teacher writes them in seconds, and nothing is trained.

# %%
from pathlib import Path

from IPython.display import SVG, Markdown, display

from ablations.findings import arms, damage
from ablations.findings.damage import MEASURES
from ablations.render import grid
from ablations.render.drawing import save
from ablations.results.records import study_folder
from ablations.results.responses import GRADED
from ablations.results.runs import runs, samples
from ablations.studies.cells import Studies

here = Path(__file__) if "__file__" in globals() else Path("here").absolute()
checkout = here.resolve().parents[1]
figures = checkout / "analysis" / "figures"
figures.mkdir(exist_ok=True)

# %% [markdown]
# ## The scripted teacher's traces
#
# Units damaged are those whose text is another afterwards. Text changed is the share of a trace's
# words that was deleted or inserted; a word that was replaced is both. Then means per trace; in
# brackets, as per cent of the uncorrupted ones. An unchanged step has the same
# text as a step of the uncorrupted trace. Wrong answers are traces of other problems, so that no
# step can be unchanged.

# %%
cells = Studies().cells("table2")
scripted = damage.frame([cell.config for cell in cells], damage.artifacts(checkout))
Markdown(grid.markdown([damage.grid(scripted, "Table 2, scripted teacher")], ""))

# %%
drawn = figures / "05_what_damage_does.svg"
save(damage.figure(scripted), drawn)
display(SVG(drawn.read_text()))

# %% [markdown]
# ## Traces of a real model
#
# The same operators on far longer thoughts, those of DeepSeek-R1 on the problems of AIME, where
# they are next to the checkout. Whether they are right does not matter here; the arm of wrong
# answers, which would have to find others, is omitted.

# %%
traces = (checkout.parent / "shared/data/traces/deepseek_r1_aime24.jsonl").resolve()
real = damage.frame([], damage.artifacts(checkout))
if traces.is_file():
    overrides = [
        *("teacher=recorded", f"teacher.path='{traces}'", "selection=all"),
        "+teacher.columns={answer: gold_answer, thought: reasoning}",
        *("dataset=recorded", "dataset.problems=0", f"size.traces={sum(1 for _ in traces.open())}"),
    ]
    configs = [cell.config for cell in Studies().cells("table2", overrides)]
    configs = [config for config in configs if config.corruption.kind != "wrong_answers"]
    real = damage.frame(configs, damage.artifacts(checkout))
    display(Markdown(grid.markdown([damage.grid(real, "Table 2, DeepSeek-R1 on AIME")], "")))
else:
    print(f"Skipped: there is no {traces.name} in ../shared/data/traces.")

# %% [markdown]
# ## Does what is left explain the scores?
#
# Rank correlations, over the damaged arms, of each measure with the accuracy of the students
# trained on the traces. The arms are few, and operators differ in more than one thing: this is a
# hint, not a test.

# %%
study = study_folder(checkout, "table2")
scores = arms.frame(runs(study), samples(study, GRADED))
scores = scores[(scores["state"] == "done") & ~scores["kind"].isin(("base", "uncorrupted"))]
both = scores[["student", "arm", "accuracy"]].merge(scripted, on="arm")
by_student = both.groupby("student", sort=False)
ranks = by_student[["accuracy", *MEASURES]].corr("spearman").xs("accuracy", level=1)[[*MEASURES]]
ranks.rename(columns=MEASURES).style.format("{:+.2f}", na_rep="")

# %% [markdown]
# ## The answer

# %%
closest = ranks.abs().mean().idxmax()
for name, part in (("scripted teacher", scripted), ("DeepSeek-R1", real)):
    if len(part):
        print(f"{name}: {damage.sentence(part)}")
print(
    f"The accuracy of students correlates most with {MEASURES[closest]}: rank correlation "
    + ", ".join(f"{rank:+.2f} ({student})" for student, rank in ranks[closest].items())
    + f", over {by_student.size().min()} arms."
)
