# %% [markdown]
# # Is it the structure of a trace that teaches, or its content?
#
# Li et al. (arXiv:2502.07374) damage the traces that a student is fine-tuned on, and find that
# wrong answers, random digits and missing keywords cost little, but shuffled and deleted steps
# cost much. Here is the question in the embedded world: the same problems, the same recipe, other
# damage.
#
# The runs are those of `python -m distill study=table2` in this checkout, or else the recorded
# ones in `analysis/results/`. The environment variable `STUDY` names another study, such as
# `demo`.

# %%
import os
from pathlib import Path

from IPython.display import SVG, Markdown, display

from ablations.findings.arms import NOTE, SECTION, grids, table
from ablations.findings.slopes import (
    CONTRAST,
    sentence,
    slopes,
    slopes_grid,
    slopes_sentence,
    structure_minus_content,
)
from ablations.papers.study_figures import dose_response, forest
from ablations.render import grid
from ablations.render.drawing import save
from ablations.results.arms import KINDS
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
# The base has seen no trace; `correct` has seen them undamaged; every other arm has seen the same
# traces with the damage that it is named for. A difference is paired: both students answered the
# same problems.

# %%
arms = table(finished, answers)
Markdown(grid.markdown(grids(arms), NOTE))

# %% [markdown]
# ## What each arm changes
#
# A figure a student. Filled circles: the content was damaged. Open squares: the structure was.
# Crosses: published, of students and benchmarks far from ours.

# %%
sections = [part for _, part in arms.groupby(list(SECTION), sort=False, dropna=False)]
sections = [part for part in sections if (part["method"] != "none").any()]
names = ["_".join(str(part[name].iloc[0]) for name in NAMED) for part in sections]
for part, name in zip(sections, names, strict=True):
    drawn = figures / f"01_forest_{name}.svg"
    save(forest(part), drawn)
    display(SVG(drawn.read_text()))

# %% [markdown]
# ## What each dose costs

# %%
for part, name in zip(sections, names, strict=True):
    drawn = figures / f"01_dose_{name}.svg"
    save(dose_response(part), drawn)
    display(SVG(drawn.read_text()))

# %% [markdown]
# ## The slopes
#
# A line is fitted through each operator's doses and the arm on correct traces; the slope is what
# full damage costs along it. Every arm counts, whatever doses its operator was run at. Last, the
# mean slope of the operators on structure minus that of those on content.

# %%
lines = slopes(finished, answers)
by_student = [(", ".join(map(str, key)), part) for key, part in lines.groupby(NAMED, sort=False)]
Markdown(grid.markdown([slopes_grid(part, name) for name, part in by_student], ""))

# %% [markdown]
# ## At equal doses only
#
# Arms of one kind are averaged at each dose that both kinds have, then subtracted problem by
# problem. A dose is a share of an operator's own units, so equal doses are not equal amounts of
# text: see `05_what_damage_does.py`.

# %%
damaged = finished.assign(kind=finished["corruption"].map(KINDS)).dropna(subset="kind")
for key, part in damaged[damaged["method"] != "none"].groupby(NAMED, sort=False):
    doses = [set(kind["fraction"]) for _, kind in part.groupby("kind")]
    if len(doses) == len(set(KINDS.values())) and set.intersection(*doses):
        told = sentence(*structure_minus_content(part, answers))
        print(f"{', '.join(map(str, key))}: {told}")

# %% [markdown]
# ## The answer

# %%
found = lines[lines["operator"] == CONTRAST]
for name, part in by_student:
    print(f"{name}: {slopes_sentence(part)}")
print(
    f"Damage to the structure costs more than damage to the content for "
    f"{(found['high'] < 0).sum()} of {len(found)} students, and less for "
    f"{(found['low'] > 0).sum()}."
)
