# %% [markdown]
# # Does an adapter learn what full fine-tuning learns?
#
# Li et al. (arXiv:2502.07374, Table 1) find that LoRA reaches the scores of full fine-tuning, and
# conclude that the structure of long traces is learned with few parameters. Here both methods train
# the embedded student on the same traces, uncorrupted and damaged.
#
# The runs are those of `python -m distill study=sft_vs_lora` in this checkout, or else the
# recorded ones in `analysis/results/`.

# %%
from pathlib import Path

from IPython.display import SVG, Markdown, display

from ablations.findings import arms, methods
from ablations.findings.sections import in_sections
from ablations.papers.comparison import AVERAGED
from ablations.reference import published
from ablations.render import grid
from ablations.render.drawing import save
from ablations.results.records import study_folder
from ablations.results.responses import GRADED
from ablations.results.runs import asked_runs, runs, samples
from ablations.studies.cells import Studies

here = Path(__file__) if "__file__" in globals() else Path("here").absolute()
checkout = here.resolve().parents[1]
figures = checkout / "analysis" / "figures"
figures.mkdir(exist_ok=True)
study = study_folder(checkout, "sft_vs_lora")
finished, answers = runs(study), samples(study, GRADED)
print(f"{len(finished)} runs in {study.relative_to(checkout)}")

# %% [markdown]
# ## The scores
#
# Arms that the study asks for and that were not run are marked.

# %%
asked = in_sections(asked_runs(Studies().cells("sft_vs_lora")), finished)
table = arms.frame(finished, answers, asked)
Markdown(grid.markdown(arms.grids(table), arms.note(table)))

# %% [markdown]
# ## Arm by arm
#
# Differences are paired by problem. `extra damage` is the change due to damage with LoRA minus the
# change with full fine-tuning: below zero, damage costs LoRA more.

# %%
found = methods.findings(finished, answers)
Markdown(grid.markdown([student.grid for student in found], ""))

# %%
for place, student in enumerate(found, 1):
    drawn = figures / f"03_sft_vs_lora_{place}.svg"
    save(methods.figure(student.rows), drawn)
    display(SVG(drawn.read_text()))

# %% [markdown]
# ## What was published

# %%
theirs = published("table1")
theirs = theirs[theirs["benchmark"].isin(AVERAGED) & theirs["method"].isin(("sft", "lora"))]
scores = theirs.pivot_table(index=["size", "benchmark"], columns="method", values="value")
scores = 100 * scores.assign(difference=scores["lora"] - scores["sft"])
average = scores["difference"].groupby("size").mean()
scores.style.format("{:.1f}")

# %% [markdown]
# ## The answer

# %%
published_gaps = ", ".join(f"{gap:+.1f} at {size:,.0f} traces" for size, gap in average.items())
print(f"Published, points, average of four, one run a method: LoRA minus full {published_gaps}.")
for student in found:
    print(f"{student.title}: {student.sentence}")
if not found:
    print("No arm was trained by both methods: python -m distill study=sft_vs_lora makes them.")
