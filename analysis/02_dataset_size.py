# %% [markdown]
# # How many traces does a student need?
#
# Li et al. (arXiv:2502.07374, Figure 2) find that a few thousand long traces are enough, and that
# more add little. Here the embedded student is trained on training sets of growing size, each
# contained in the next.
#
# The runs are those of `python -m distill study=size` in this checkout, or else the recorded ones
# in `analysis/results/`, with whatever sizes are there.

# %%
from pathlib import Path

from IPython.display import SVG, Markdown, display

from ablations.findings import arms, sizes
from ablations.papers.figures import data_size
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
study = study_folder(checkout, "size")
finished, answers = runs(study), samples(study, GRADED)
trained = finished[(finished["method"] != "none") & (finished["corruption"] == "none")]
asked = {cell.config.size.traces for cell in Studies().cells("size")}
missing = ", ".join(f"{size:,}" for size in sorted(asked - set(trained["size"])))
print(f"{len(finished)} runs in {study.relative_to(checkout)}; sizes not run: {missing or 'none'}")

# %% [markdown]
# ## The scores

# %%
table = arms.frame(finished, answers)
Markdown(grid.markdown(arms.grids(table), arms.note(table)))

# %% [markdown]
# ## The figure
#
# Published points are averages of four benchmarks for a far larger student: compare the shape of
# the curves, not their height.

# %%
drawn = figures / "02_dataset_size.svg"
save(data_size(table), drawn)
display(SVG(drawn.read_text()))

# %% [markdown]
# ## What each step gains
#
# Both students of a step answered the same problems, so gains are paired. The first step is from
# the student before training.

# %%
found = sizes.findings(finished, answers)
Markdown(grid.markdown([series.grid for series in found], ""))

# %% [markdown]
# ## The answer

# %%
for series in found:
    print(f"{series.title}: {series.sentence}")
