# %% [markdown]
# # Which of the published differences could have been shown at all?
#
# Table 2 of Li et al. (arXiv:2502.07374) compares damaged arms with uncorrupted traces by one
# greedy answer per problem from one training run each. This notebook asks what such a design can
# show, and analyses the outputs in the authors' repository (NovaSky-AI/SkyThought, branch
# `corrupt`) again: with intervals, paired tests, and the share of truncated responses.
#
# The first part needs only the published numbers. The second is skipped, with a message, where the
# outputs are not in `../shared/data` next to the checkout.

# %%
from dataclasses import replace
from pathlib import Path

import pandas as pd
from IPython.display import SVG, Markdown, display

from ablations.findings import pairs, truncation
from ablations.imports.runs import Request, import_file, text
from ablations.papers import detectability
from ablations.papers.comparison import AVERAGE
from ablations.reference import title
from ablations.render import grid
from ablations.render.drawing import save
from ablations.results.runs import samples
from ablations.statistics.power import Assumptions, Design, power

here = Path(__file__) if "__file__" in globals() else Path("here").absolute()
checkout = here.resolve().parents[1]
figures = checkout / "analysis" / "figures"
figures.mkdir(exist_ok=True)

# %% [markdown]
# ## The headline
#
# Students trained on wrong answers are reported to lose little. How likely would a real difference
# of that size have been found?

# %%
changes = detectability.frame()
average = changes["benchmark"] == AVERAGE
headline = changes[average & changes["row"].str.startswith("wrong answers")].iloc[0]
single = changes[~average & (changes["row"] == headline["row"])]
by_benchmark = ", ".join(
    f"{title(row['benchmark'])} {100 * row['change']:+.1f} (power {row['power']:.0%})"
    for _, row in single.iterrows()
)
print(
    f"Wrong answers change the average by {100 * headline['change']:+.1f} points. Differences "
    f"below {100 * headline['detectable']:.1f} points would often be missed between these runs, "
    f"and below {100 * headline['detectable_recipes']:.1f} between the recipes. By benchmark: "
    f"{by_benchmark}."
)
smallest = single.loc[single["problems"].idxmin()]
fixed = replace(Assumptions(), seed_sd=0)
chance = power(headline["change"], Design(smallest["problems"]), fixed)
print(
    f"{title(smallest['benchmark'])} alone, n = {smallest['problems']} problems, finds a "
    f"difference of {abs(100 * headline['change']):.1f} points with power {chance:.2f}."
)

# %% [markdown]
# ## Every arm
#
# Detectable: the smallest true difference that is found in most studies of this design, between
# these runs with their seeds, and between the recipes, whose other seeds vary as
# `ablations.statistics.power.Assumptions` says. Least p: of the exact paired test if the answers
# fell as favourably to the difference as the two scores allow; raw outputs can only raise it.

# %%
tables = changes.groupby("benchmark", sort=False)
Markdown(grid.markdown([detectability.grid(part, title(name)) for name, part in tables], ""))

# %%
drawn = figures / "04_published_changes.svg"
save(detectability.figure(changes[average]), drawn)
display(SVG(drawn.read_text()))

# %% [markdown]
# ## The authors' outputs, graded again

# %%
outputs = checkout.parent / "shared" / "data" / "traces" / "skythought_ablation_outputs.jsonl"
columns = {
    "question": "question",
    "answer": "gold_answer",
    "response": "pre+reasoning+mid+solution+post",
    "verdict": "correct",
    "truncated": "truncated",
}
imported = Request(
    outputs,
    run="@run",
    benchmark="@benchmark",
    columns=columns,
    prompt="sky_t1",
    study="skythought",
    runs=checkout / "build" / "imported",
)
answers = None
if outputs.is_file():
    verdicts = import_file(imported)
    answers = pd.concat([samples(Path(folder)) for folder in verdicts["folder"].unique()])
    display(Markdown(text(verdicts)))
else:
    print(f"Skipped: there is no {outputs.name} in ../shared/data/traces.")

# %% [markdown]
# ## Arms against each other
#
# All arms answered the same problems, so each pair has an exact paired test.

# %%
if answers is not None:
    by_pair, cut = pairs.frame(answers), truncation.frame(answers)
    display(Markdown(grid.markdown([pairs.grid(by_pair, "Pairs of arms")], "")))

# %% [markdown]
# ## What truncation does
#
# A response that reaches the token limit has no answer and counts as wrong. Greedy decoding of
# long thoughts can loop, and arms differ in how often it does: then a score compares how often
# responses end, not how well they reason.

# %%
if answers is not None:
    display(Markdown(grid.markdown([truncation.grid(cut, "Truncated responses")], "")))

# %% [markdown]
# ## The answer

# %%
print(detectability.sentence(changes))
if answers is not None:
    print(f"In the authors' own outputs: {pairs.sentence(by_pair)} {truncation.sentence(cut)}")
