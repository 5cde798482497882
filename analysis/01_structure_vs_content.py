# %% [markdown]
# # Is it the structure of a trace that teaches, or its content?
#
# Li et al. (arXiv:2502.07374) damage the traces that a student is fine-tuned on, and find that
# wrong answers, random digits and missing keywords cost little, but shuffled and deleted steps
# cost much. Here the question is asked of the embedded task: the same problems and the same recipe
# in every arm, with different damage.
#
# The runs are those of `python -m distill study=table2` in this checkout, or else the recorded
# ones in `analysis/results/`. The environment variable `STUDY` names another study, such as
# `demo`.

# %%
import os
from pathlib import Path

from IPython.display import SVG, Markdown, display

from ablations.findings import arms, robust, slopes
from ablations.findings.sections import SECTION
from ablations.papers.study_figures import dose_response, forest
from ablations.render import grid
from ablations.render.drawing import save
from ablations.results.records import study_folder
from ablations.results.responses import GRADED
from ablations.results.runs import runs, samples

here = Path(__file__) if "__file__" in globals() else Path("here").absolute()
checkout = here.resolve().parents[1]
figures = checkout / "analysis" / "figures"
figures.mkdir(exist_ok=True)
study = study_folder(checkout, os.environ.get("STUDY", "table2"))
finished, answers = runs(study), samples(study, GRADED)
NAMED = ["student", "training", "size", "benchmark"]
print(f"{len(finished)} runs in {study.relative_to(checkout)}")

# %% [markdown]
# ## The arms
#
# The base was trained on no trace; `uncorrupted` on the traces as they are; every other arm on the
# same traces with the damage that it is named for. Differences are paired: both students answered
# the same problems.

# %%
table = arms.frame(finished, answers)
Markdown(grid.markdown(arms.grids(table), arms.note(table)))

# %% [markdown]
# ## What each arm changes
#
# One figure per student. Filled circles: the content was damaged. Open squares: the structure was.
# Crosses: published, for students and benchmarks far from ours.

# %%
sections = [part for _, part in table.groupby(list(SECTION), sort=False, dropna=False)]
sections = [part for part in sections if (part["method"] != "none").any()]
names = ["_".join(str(part[name].iloc[0]) for name in NAMED) for part in sections]
for part, name in zip(sections, names, strict=True):
    drawn = figures / f"01_forest_{name}.svg"
    save(forest(part), drawn)
    display(SVG(drawn.read_text()))

# %% [markdown]
# ## What each corruption rate costs

# %%
for part, name in zip(sections, names, strict=True):
    drawn = figures / f"01_dose_{name}.svg"
    save(dose_response(part), drawn)
    display(SVG(drawn.read_text()))

# %% [markdown]
# ## The slopes
#
# A line is fitted through the uncorrupted arm and the arms of each operator; its slope is what full
# damage costs. Every arm counts, whatever corruption rates its operator was run at.

# %%
lines = slopes.frame(finished, answers)
by_student = [(", ".join(map(str, key)), part) for key, part in lines.groupby(NAMED, sort=False)]
Markdown(grid.markdown([slopes.grid(part, name) for name, part in by_student], ""))

# %% [markdown]
# ## Structure minus content, and how much it depends on the operators
#
# The mean slope of the operators on structure minus that of the operators on content: of all of
# them, and leaving out each in turn, with all of its variants. A corruption rate is a share of an
# operator's own units, so equal rates are not equal amounts of text (`05_what_damage_does.py`).
# Hence the same at the corruption rates that both kinds have, and along the share of the text that
# was changed, where the runs recorded it. An arm in which no right answer is left to learn from
# is apart; the second column counts it, too.

# %%
contrasts = robust.frame(finished, answers)
compared = [(", ".join(map(str, k)), part) for k, part in contrasts.groupby(NAMED, sort=False)]
Markdown(grid.markdown([robust.grid(part, name) for name, part in compared], ""))

# %%
for name, part in compared:
    print(f"{name}: {' '.join(robust.sentences(part, arms.MARGIN))}")

# %% [markdown]
# ## The answer

# %%
for name, part in compared:
    print(f"{name}: {robust.sentence(part, arms.MARGIN)}")
stable = [part for _, part in compared if robust.is_stable(part)]
print(
    f"The answer is the same whichever damage is counted for {len(stable)} of {len(compared)} "
    f"students; damage to the structure costs more for "
    f"{sum(bool((part['high'] < 0).all()) for part in stable)} of these."
)
