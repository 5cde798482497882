"""Every number of the README is computed: from the recorded runs, the configs or the program."""

import json
import math
import re
import struct
import tomllib
from datetime import date
from functools import cache
from math import ceil

import pandas as pd
import pytest

from ablations.__main__ import main
from ablations.findings import arms as findings
from ablations.findings import robust
from ablations.findings.sections import section_spread
from ablations.papers.study_figures import forest
from ablations.render.drawing import save
from ablations.results.runs import runs, samples
from ablations.statistics.intervals import difference
from ablations.statistics.significance import holm
from ablations.studies.cells import Studies
from distill.compute import ComputeConfig
from distill.data.config import SourceConfig
from distill.micro import sign_puzzle
from distill.micro.recipe import RECIPES
from distill.models.template import DATE
from distill.stages import Stage
from distill.store.identity import CHECKOUT

README = (CHECKOUT / "README.md").read_text()
RECORDED = CHECKOUT / "analysis" / "results"
WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
STEPS = ("delete_steps", "insert_steps", "shuffle_steps")

NAMES = ("Li et al. 2025", "95 % intervals")
"""Numbers that are no claim."""


def between(page, name):
    """The text between `<!-- name -->` and `<!-- /name -->`."""
    return page[page.index(f"<!-- {name} -->") : page.index(f"<!-- /{name} -->")]


SHORT = [line for line in between(README, "short").splitlines() if line.startswith("|")]
"""The table at the top, its header included."""


def test_the_pages_show_the_table_of_the_recorded_runs(capsys):
    main(["table", "table2", "--arms", "--runs", str(RECORDED / "table2")])
    printed = capsys.readouterr().out
    page = between((RECORDED / "README.md").read_text(), "table2")
    shown = [line for line in page.splitlines() if line.startswith("|")]
    assert len(shown) == 21
    assert "\n".join(shown) in printed
    assert page[page.index("n: problems") :].strip() in printed
    assert len(SHORT) == 8
    assert [line for line in shown if line in SHORT] == SHORT


@cache
def table():
    """Runs, sample rows, and the arms of all bases."""
    done, rows = runs(RECORDED / "table2"), samples(RECORDED / "table2")
    return done, rows, findings.frame(done, rows)


def recorded():
    """The same, with the numbers of the arms in per cent and points."""
    done, rows, arms = table()
    numbers = ["accuracy", "low", "high", "difference"]
    return done, rows, arms.assign(**100 * arms[numbers])


def shares(student, corruption, fraction):
    """Share of right samples by problem and training seed."""
    done, rows, _ = recorded()
    asked = {"student": student, "corruption": corruption, "fraction": fraction}
    chosen = done[(done[list(asked)] == pd.Series(asked)).all(axis=1) & done["method"].ne("none")]
    made = findings.arm_shares(chosen, rows)
    return made.rename(columns=chosen.set_index("cell")["training_seed"]).sort_index(axis=1)


def arm(student, corruption, fraction):
    """Its row of the table."""
    _, _, arms = recorded()
    asked = {"student": student, "corruption": corruption, "fraction": fraction}
    (row,) = arms[(arms[list(asked)] == pd.Series(asked)).all(axis=1)].to_dict("records")
    return row


def cost(*which):
    """Points below uncorrupted traces."""
    return -arm(*which)["difference"]


def at_two_thirds():
    done, rows, _ = recorded()
    mine = done[done["student"].eq("micro") & done["method"].ne("none")]
    spread = section_spread(mine, rows)

    def scored(corruption, fraction):
        like = mine["corruption"].eq(corruption) & mine["fraction"].eq(fraction)
        return findings.arm_shares(mine[like], rows)

    digits = scored("random_digits", 0.7)
    assert digits.shape == (400, 3)
    found = {name: difference(digits, scored(name, 0.67), spread) for name in STEPS}
    gaps = [100 * each.value for each in found.values()]
    p = dict(zip(found, holm([each.p for each in found.values()]), strict=True))
    assert [name for name in STEPS if p[name] < 0.05] == ["insert_steps", "shuffle_steps"]
    low, high = (100 * getattr(found["delete_steps"], end) for end in ("low", "high"))
    assert low < 0 < high
    least = ceil(1000 * max(p["shuffle_steps"], p["insert_steps"])) / 1000
    return (
        "At two thirds the paper's ordering is reproduced on `micro`: with 70 % of the digits "
        f"random, the student scores {min(gaps):.0f} to {max(gaps):.0f} points higher than with "
        "67 % of the steps deleted, inserted or shuffled (paired by problem, three training "
        f"seeds). After Holm's adjustment p ≤ {least} for shuffled and inserted steps; that "
        f"deleted ones cost more is open ({min(gaps):+.0f} [{low:+.0f}, {high:+.0f}])."
    )


def at_one_third():
    content = [("random_digits", 0.2), ("remove_keywords", 1.0)]
    small = max(abs(cost("micro", *which)) for which in content)
    steps = [cost("micro", name, 0.33) for name in STEPS]
    return (
        "A fifth of the digits random, or all keywords removed, changes accuracy by less than "
        f"{ceil(small)} points; a third of the steps shuffled, deleted or inserted costs "
        f"{min(steps):.0f} to {max(steps):.0f} points."
    )


def at_full_corruption():
    digits, deleted = (
        arm("micro", name, 1.0)["accuracy"] for name in ("random_digits", "delete_steps")
    )
    return (
        f"At 100 % the ordering does not hold: random digits leave {digits:.1f} %, deleted steps "
        f"{deleted:.1f} %."
    )


def of_wrong_answers():
    costs = [cost(name, "wrong_answers", 1.0) for name in ("micro", "micro_seed1", "micro_clean")]
    return (
        f"Wrong answers cost {costs[0]:.0f} points on `micro`, and {costs[1]:.0f} and "
        f"{costs[2]:.0f} on the two control bases."
    )


def of_structure_and_content():
    done, rows, _ = recorded()
    found = robust.frame(done, rows)
    stable = {name: robust.is_stable(part) for name, part in found.groupby("student")}
    assert stable == {"micro": True, "micro_clean": False, "micro_seed1": False}
    assert (found["recipes"] == (found["student"] == "micro")).all()

    def points(student, measure, out, destroyed=False):
        asked = {"student": student, "measure": measure, "left_out": out}
        mine = found[(found[list(asked)] == pd.Series(asked)).all(axis=1)]
        (row,) = mine[mine["destroyed"].map(bool) == destroyed].to_dict("records")
        return 100 * row["value"], row["low"] > 0

    operators = {*found["left_out"]} - {""}
    assert len(operators) == 6
    slopes = [-points("micro", "slope", out)[0] for out in operators]
    clean, turned = points("micro_clean", "slope", "keywords removed")
    seed1, also = points("micro_seed1", "equal rates", "keywords removed")
    assert turned and also
    return (
        "Structure against content: an answer on `micro` alone. From no to full damage, damage to "
        f"the structure costs {-points('micro', 'slope', '')[0]:.0f} points more than damage to "
        f"the content; leaving out any operator it is {min(slopes):.0f} to {max(slopes):.0f}. "
        "Random digits 100 %, where no right answer is left to learn from, are apart; with them it "
        f"is {-points('micro', 'slope', '', destroyed=True)[0]:.0f}. On the controls, trained "
        "once, it depends on which damage is counted: without the removed keywords it turns "
        f"round, by {clean:.0f} points in the runs of `micro_clean`, and at equal corruption rates "
        f"by {seed1:.0f} in those of `micro_seed1`."
    )


def of_the_clean_base():
    digits = cost("micro_clean", "random_digits", 0.2)
    assert digits > max(cost("micro_clean", name, 0.33) for name in STEPS)
    return (
        "On the control that never saw noisy digits (`micro_clean`), a fifth of the digits random "
        f"costs {digits:.0f} points, more than a third of the steps corrupted in any way."
    )


def of_the_seeds():
    low, high = (arm("micro", "insert_steps", 0.33)[name] for name in ("low", "high"))
    return (
        "Training seeds scatter: the interval of *steps inserted 33 %* reaches from "
        f"{low:.1f} to {high:.1f}."
    )


def with_three_epochs():
    """The recorded side of what more epochs give; the other side is in no record."""
    inserted, shuffled = (
        (100 * shares("micro", name, 0.33).mean()).to_dict()
        for name in ("insert_steps", "shuffle_steps")
    )
    assert list(inserted) == list(shuffled) == [0, 1, 2]
    return (
        f"With 3 epochs, *steps inserted 33 %* scores {_listed(inserted)} at seeds 0, 1 and 2, and "
        f"*steps shuffled 33 %* {_listed(shuffled)}."
    )


def _listed(scores):
    *first, last = (f"{score:.1f}" for score in scores.values())
    return f"{', '.join(first)} and {last}"


def of_the_short_table():
    done, _, arms = recorded()
    mine = arms[arms["student"] == "micro"]
    seeds = done[done["student"].eq("micro") & done["method"].ne("none")]["training_seed"].nunique()
    (problems,) = mine["problems"].unique()
    short = len(SHORT) - 2
    return (
        f"{WORDS[short].capitalize()} of {len(mine)} arms on one base (`micro`), {WORDS[seeds]} "
        f"training seeds, {problems} test problems; all {len(mine)} arms and the legend."
    )


def hours():
    """That the runs on `micro` took, one after the other."""
    done, _, _ = table()
    mine = done[done["student"] == "micro"]
    return mine[[name for name in mine if name.startswith("seconds_")]].sum().sum() / 3600


def of_the_time():
    return (
        "The table at the top is from `python -m distill study=table2 training.seed=0,1,2`, "
        f"{hours():.1f} hours of one core."
    )


def test_the_page_of_the_recorded_runs_says_what_they_are():
    page = " ".join(between((RECORDED / "README.md").read_text(), "table2").split())
    done, _, arms = table()
    seeds = done[done["student"].eq("micro") & done["method"].ne("none")]["training_seed"].nunique()
    (problems,) = arms[arms["student"] == "micro"]["problems"].unique()
    assert f"({hours():.1f} hours of one core)" in page
    assert f"{WORDS[seeds]} training seeds, the {problems} test problems" in page


def of_too_few_epochs():
    with_3, with_6 = (epochs_of(study) for study in ("table2", "epochs"))
    for name in ("insert_steps", "shuffle_steps"):
        assert accuracy("epochs", name) > max(shares("micro", name, 0.33).mean()) + 0.2
    assert with_3 < with_6
    return f"{with_3} epochs are too few for what damage at 33 % really costs"


def with_more_epochs():
    same = table()[0]
    for _, run in runs(RECORDED / "epochs").iterrows():
        like = ["student", "corruption", "fraction", "training_seed", "units", "damaged", "rows"]
        assert (same[like] == run[like]).all(axis=1).any(), "the traces are those of table 2"
    scores = [f"{100 * accuracy('epochs', name):.1f}" for name in ("insert_steps", "shuffle_steps")]
    return (
        f"With {epochs_of('epochs')} epochs on the same traces, one run of each scored "
        f"{scores[0]} and {scores[1]} (`analysis/results/epochs`);"
    )


def epochs_of(study):
    (epochs,) = {
        json.loads(path.read_text())["config"]["training"]["epochs"]
        for path in (RECORDED / study).glob("*/run.json")
    }
    return f"{epochs:g}"


def accuracy(study, corruption):
    """Of the only run of an operator."""
    done = runs(RECORDED / study)
    (found,) = done[done["corruption"] == corruption]["accuracy"]
    return found


def of_the_stages():
    optional = [Stage.rate, Stage.filter, Stage.convert, Stage.rewrite, Stage.segment]
    others = [stage.value for stage in Stage if stage not in optional]
    names = [f"`{stage}`" for stage in optional]
    return (
        f"A run has {WORDS[len(others)]} stages: {', '.join(others)}. "
        f"{WORDS[len(names)].capitalize()} optional stages are added when configured: "
        f"{', '.join(names)}."
    )


def of_python():
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    return f"You need Python {project['requires-python'].removeprefix('>=')} or newer"


def of_rejected_rows():
    return f"more than {100 * SourceConfig().max_rejected:g} % of them fails the run"


def of_unusable_replies():
    return f"Above {100 * ComputeConfig().max_unusable:g} % the stage fails"


def of_decontamination():
    (cell,) = Studies().cells("single", ["filter=decontaminated"])
    return f"every problem that shares {WORDS[cell.config.filter.contamination]} consecutive words"


def of_the_node():
    (cell,) = Studies().cells("single", ["world=paper", "compute=node_8gpu"])
    return (
        "`python -m distill world=paper compute=node_8gpu` trains in "
        f"{WORDS[cell.config.compute.processes]} processes"
    )


def of_the_embedded_world():
    (puzzle,) = sign_puzzle.problems("train", 1, 0)
    numbers = len(puzzle.numbers)
    return (
        f"a puzzle with {WORDS[numbers]} numbers, a teacher that is a program, students with "
        f"{parameters('micro') / 1e6:.1f} million parameters"
    )


def parameters(student):
    """Weights of a base, by the header of its file."""
    with (CHECKOUT / "distill/micro/students" / student / "model.safetensors").open("rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    return sum(math.prod(of["shape"]) for name, of in header.items() if name != "__metadata__")


def of_the_controls():
    base, *controls = RECIPES
    assert base == "micro" and len(controls) == 2
    first, second = (RECIPES[name] for name in controls)
    assert first.seed != RECIPES[base].seed and second.noise == 0 < RECIPES[base].noise
    return (
        f"{WORDS[len(controls)].capitalize()} control students check the ordering: "
        f"`{controls[0]}` (another seed) and `{controls[1]}` (no digit noise in pretraining)."
    )


def of_all_bases():
    done, _, _ = recorded()
    assert set(done["student"]) == set(RECIPES)
    return f"has the results of all {WORDS[len(RECIPES)]} bases"


def of_the_date():
    return f"gets {date.fromisoformat(DATE).strftime('%d %B %Y')}."


def of_one_seed():
    """What an interval covers with one seed and with several is tested in `test_intervals`."""
    return "With one training seed an interval covers problems only, and a difference is said"


CLAIMS = [
    *(of_the_short_table, of_the_time, of_too_few_epochs, with_three_epochs, with_more_epochs),
    *(at_two_thirds, at_one_third, at_full_corruption, of_wrong_answers, of_the_clean_base),
    *(
        of_structure_and_content,
        of_the_seeds,
        of_the_stages,
        of_python,
        of_rejected_rows,
        of_unusable_replies,
    ),
    *(of_decontamination, of_the_node, of_the_embedded_world, of_the_controls, of_all_bases),
    *(of_one_seed, of_the_date),
]


def prose():
    """The sentences of the README on one line: no blocks, tables, targets of links or comments."""
    text = re.sub(r"^(```.*?^```|\|.*?$|#.*?$)", "", README, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"<!--.*?-->|\*\*", "", text)
    return " ".join(re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text).split())


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.__name__)
def test_what_the_readme_says_in_numbers_is_computed(claim):
    assert claim() in prose()


def test_no_number_of_the_readme_is_typed():
    left = prose()
    for said in [*(claim() for claim in CLAIMS), *NAMES]:
        assert said in left, "claims do not overlap"
        left = left.replace(said, "")
    left = re.sub(r"`[^`]*`", "", left)
    counted = f"{'|'.join(WORDS[2:])}|thirds?|fifth|quarter|dozen|hundred|thousand|million"
    number = re.compile(rf"(?<![\w.-])\d[\d.,]*|\b(?:{counted})\b", re.IGNORECASE)
    found = [left[max(0, one.start() - 60) : one.end() + 40] for one in number.finditer(left)]
    assert not found, "a function in CLAIMS computes each sentence with a number"


def test_the_commands_say_how_many_runs_they_make():
    for study, said in (("demo", r"# a (\w+)-run study"),):
        (word,) = re.findall(said, README)
        assert WORDS.index(word) == len(Studies().cells(study, []))


def test_the_figure_of_the_readme_is_that_of_the_recorded_runs(tmp_path, accept):
    """`--accept` draws it anew."""
    (shown,) = re.findall(r"^!\[[^\]]*\]\(([^)]*\.svg)\)", README, re.MULTILINE)
    _, _, arms = table()
    save(forest(arms[arms["student"] == "micro"]), tmp_path / "forest.svg")
    drawn = (tmp_path / "forest.svg").read_bytes()
    if accept:
        (CHECKOUT / shown).write_bytes(drawn)
    assert (CHECKOUT / shown).read_bytes() == drawn
