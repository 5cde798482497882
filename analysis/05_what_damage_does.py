# %% [markdown]
# # What does the damage do to the text?
#
# Every operator has a dose, a share of its own units: digits, sentences with keywords, steps. Two
# arms of equal dose may differ in length, in what is left of the steps, and in how much reflection
# is left in them. Whoever compares arms by dose should know by how much.
#
# The traces are those on which `python -m distill study=table2` trains, made here where they are
# not yet in `artifacts/`: a scripted teacher writes them in seconds, and nothing is trained.

# %%
from pathlib import Path

from IPython.display import SVG, Markdown, display

from ablations.findings.arms import table
from ablations.findings.damage import (
    MEASURES,
    damage,
    damage_figure,
    damage_grid,
    damage_sentence,
    store,
)
from ablations.render import grid
from ablations.render.drawing import save
from ablations.results.arms import KINDS
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
# Means a trace; in brackets, of the undamaged ones. A step left as it was has the same text as a
# step of the undamaged trace. Wrong answers are traces of other problems, so that nothing can be
# left.

# %%
cells = Studies().cells("table2")
arms = damage([cell.config for cell in cells], store(checkout))
Markdown(grid.markdown([damage_grid(arms, "Table 2, scripted teacher")], ""))

# %%
drawn = figures / "05_what_damage_does.svg"
save(damage_figure(arms), drawn)
display(SVG(drawn.read_text()))

# %% [markdown]
# ## Traces of a real model
#
# The same operators on far longer thoughts, those of DeepSeek-R1 on the problems of AIME, where
# they are beside the checkout. Whether they are right does not matter here; the arm of wrong
# answers, which would have to find others, is left out.

# %%
traces = (checkout.parent / "shared/data/traces/deepseek_r1_aime24.jsonl").resolve()
real = damage([], store(checkout))
if traces.is_file():
    overrides = [
        *("teacher=recorded", f"teacher.path='{traces}'", "selection=all"),
        "+teacher.columns={answer: gold_answer, thought: reasoning}",
        *("dataset=recorded", "dataset.problems=0", f"size.traces={sum(1 for _ in traces.open())}"),
    ]
    configs = [cell.config for cell in Studies().cells("table2", overrides)]
    configs = [config for config in configs if config.corruption.kind != "wrong_answers"]
    real = damage(configs, store(checkout))
    display(Markdown(grid.markdown([damage_grid(real, "Table 2, DeepSeek-R1 on AIME")], "")))
else:
    print(f"Skipped: there is no {traces.name} in ../shared/data/traces.")

# %% [markdown]
# ## Does what is left explain the scores?
#
# Rank correlations, over the damaged arms, of what is left of a trace with the accuracy of the
# students trained on it. Few arms, and operators that differ in more than one thing: a hint, no
# test.

# %%
study = study_folder(checkout, "table2")
scores = table(runs(study), samples(study, GRADED))
scores = scores[(scores["state"] == "done") & scores["kind"].isin(KINDS.values())]
both = scores[["student", "arm", "accuracy"]].merge(arms, on="arm")
by_student = both.groupby("student", sort=False)
ranks = by_student[["accuracy", *MEASURES]].corr("spearman").xs("accuracy", level=1)[[*MEASURES]]
ranks.rename(columns=MEASURES).style.format("{:+.2f}", na_rep="")

# %% [markdown]
# ## The answer

# %%
closest = ranks.abs().mean().idxmax()
for name, part in (("scripted teacher", arms), ("DeepSeek-R1", real)):
    if len(part):
        print(f"{name}: {damage_sentence(part)}")
print(
    f"The accuracy of students goes most with {MEASURES[closest]}: rank correlation "
    + ", ".join(f"{rank:+.2f} ({student})" for student, rank in ranks[closest].items())
    + f", over {by_student.size().min()} arms."
)
