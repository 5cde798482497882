# %% [markdown]
# # Is it the structure of a trace that teaches, or its content?
#
# Li et al. (arXiv:2502.07374) damage the traces that a student is fine-tuned on, and find that
# wrong answers, random digits and missing keywords cost little, but shuffled and deleted steps
# cost much. Here is the question in the embedded world: the same problems, the same recipe, the
# same dose, other damage.
#
# `python -m distill study=demo` makes the runs that this reads. `STUDY` names another study.

# %%
import os
from pathlib import Path

from ablations.claims import sentence, structure_minus_content
from ablations.figures import structure_vs_content
from ablations.markdown import markdown
from ablations.runs import runs, samples
from ablations.tables import table

checkout = Path(__file__).parents[1] if "__file__" in globals() else Path("..")
study = checkout / "runs" / os.environ.get("STUDY", "demo")

# %% [markdown]
# ## The arms
#
# The base has seen no trace; `correct` has seen them undamaged; every other arm has seen the same
# traces with the damage that it is named for. A difference is paired: both students answered the
# same problems.

# %%
finished, answers = runs(study), samples(study)
arms = table(finished, answers)
print(markdown(arms))

# %% [markdown]
# ## The figure
#
# Lines with bands: the student before training, and after correct traces. Filled circles: the
# content was damaged. Open squares: the structure was.

# %%
figure = structure_vs_content(arms)
folder = checkout / "analysis" / "figures"
folder.mkdir(exist_ok=True)
figure.savefig(folder / "01_structure_vs_content.png", dpi=150)
figure

# %% [markdown]
# ## The answer
#
# Arms of one kind are averaged at each dose that both kinds have, then subtracted problem by
# problem. The interval is over problems; one base student and one training seed are behind it, so
# it does not say how the answer would move with others.

# %%
difference, doses = structure_minus_content(finished, answers)
print(sentence(difference, doses))
