"""`make mutants` knows what there is, and its list of survivors is of today's lines."""

import pytest
import yaml

from distill.store.identity import CHECKOUT
from tests.mutants import LISTED, MODULES, change, named, never_mutated

ROWS = yaml.safe_load(LISTED.read_text(encoding="utf-8")) or []


@pytest.mark.parametrize("name", MODULES)
def test_every_module_has_its_files_and_its_tests(name):
    module = MODULES[name]
    assert all((CHECKOUT / path).exists() for path in (*module.paths, *module.tests))
    assert [named(asked) for asked in (name, *module.paths)] == [name] * (1 + len(module.paths))


def test_a_module_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(SystemExit, match="no module distill/stores; there are store, config"):
        named("distill/stores")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['file']}: {row['mutant']}")
def test_a_survivor_that_may_live_is_a_fault_of_a_line_that_is_there_and_says_why(row):
    assert row.keys() == {"file", "line", "mutant", "why"} and len(row["why"]) > 20
    assert row["line"] in " ".join((CHECKOUT / row["file"]).read_text().split())
    assert row["line"] != row["mutant"]


def test_a_survivor_is_known_by_its_file_and_its_lines_without_their_breaks():
    diff = [
        *(
            "--- mutation diff ---",
            "--- a/ablations/a.py",
            "+++ b/ablations/a.py",
            "@@ -1,3 +1,3 @@",
        ),
        *(" before", "-    x = (a +", "-         b)", "+    x = (a -", "+         b)", " after"),
    ]
    found = change("\n".join(diff))
    assert found == ("ablations/a.py", "x = (a + b)", "x = (a - b)")


def test_types_and_what_is_only_asserted_are_not_mutated():
    code = "def f(a: int | None = 1 + 1) -> int | str:\n    return zip(a, b, strict=True, n=2 + 2)"
    spans = never_mutated(code)
    assert sorted(code.splitlines()[a[0] - 1][a[1] : b[1]] for a, b in spans) == [
        "True",
        "int | None",
        "int | str",
    ]
