"""The runs that a study's runs refer to, for a terminal: a tree of the chains, and what waits."""

from collections import Counter
from collections.abc import Mapping, Sequence

from rich.text import Text
from rich.tree import Tree

from ablations.studies.chain import WITHIN, Referred, missing, own_words
from ablations.studies.plan import Planned, short, unresolved
from distill.run.record import short_labels, words_of

TITLE = "Runs that refer to others, and below each what is made first"


def chains(planned: Sequence[Planned]) -> list[Tree]:
    """A tree of the runs that refer to others; none if no run does.

    A link has its place, its words without those that all links share, and the stage and key of the
    artifact that it stands for. References of its own are links below it. One that was drawn is
    named again with its key, and not drawn again.
    """
    found = [one.referred for one in planned]
    texts = {link.text: link.words for own in found for one in own for link in one.links()}
    if not texts:
        return []
    shared, words = short_labels(list(texts.values()))
    tree = Tree(Text(f"{TITLE}; all below with {shared}" if shared else TITLE, "bold"))
    named = dict(zip(texts, words, strict=True))
    names = short_labels([own_words(words_of(one.cell.label)) for one in planned])[1]
    used = Counter(key for one in planned for key in {artifact.key for artifact in one.artifacts})
    drawn: set[str] = set()
    for one, own, name in zip(planned, found, names, strict=True):
        if own:
            _draw(tree.add(Text(f"{name}  {short(one.key)}")), own, named, used, drawn)
    return [tree]


def waits(planned: Planned) -> str:
    """What must be made before a run, as `waits for train of student.after (9b1e0c4a7d21)`."""
    found = [
        f"{link.last.stage.value} of {link.place} ({short(link.last.artifact.key)})"
        for link in missing(planned.referred)
    ]
    return f"waits for {', '.join(dict.fromkeys(found))}" if found else ""


def _draw(
    branch: Tree,
    links: Sequence[Referred],
    named: Mapping[str, str],
    used: Mapping[str, int],
    drawn: set[str],
) -> None:
    for link in links:
        artifact = link.last.artifact
        again = artifact.key in drawn
        drawn.add(artifact.key)
        sign, colour = _state(link, again)
        shared = f", shared by {used[artifact.key]} runs" if used[artifact.key] > 1 else ""
        step = f"{link.last.stage.value} {short(artifact.key)}"
        place = link.place.rpartition(WITHIN)[2]
        said = Text(f"{place}  {named[link.text]}  {step}  ")
        below = branch.add(said.append(f"{sign}{'' if again else shared}", colour))
        if not again:
            _draw(below, link.needs, named, used, drawn)


def _state(link: Referred, again: bool) -> tuple[str, str]:
    if again:
        return "= shared, see above", "cyan"
    if link.last.artifact.exists:
        return "✓ exists", "green"
    return (
        ("? unresolved", "magenta") if unresolved(link.last.artifact) else ("• to make", "yellow")
    )
