"""Rates that were published, from `ablations/reference/rates.csv`, or are a user's own.

A row has a `quantity` of `QUANTITIES`; `what` it is the rate of, such as a model or a GPU, `*` for
all that are not named; what it was measured `on`, where that matters; its `value`; and its
`source` and `date`. `python -m ablations plan STUDY --rates FILE` reads rows of the user's own in
the same columns, of which `quantity`, `what` and `value` must be there; they come before recorded
runs and before published rates.
"""

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ablations.prices.estimates import Estimate, unknown
from ablations.reference import FOLDER

PUBLISHED = FOLDER / "rates.csv"

QUANTITIES = {
    "gpu_price": "dollars for an hour of a GPU",
    "peak": "most TFLOP/s of a GPU",
    "bandwidth": "GB/s of a GPU's memory",
    "training_use": "share of a GPU's peak that training reaches",
    "generation": "tokens that a GPU writes in a second with this model",
    "read_price": "dollars for a million tokens that a vendor's model reads",
    "write_price": "dollars for a million tokens that a vendor's model writes",
    "problems": "problems of a data set that has no number of them in its config",
    "kept": "share of problems that a filter keeps",
    "trace_tokens": "tokens of a trace of a teacher, or of a data set of traces",
    "response_tokens": "tokens of a trained student's response to a benchmark",
    "question_tokens": "tokens of a question",
    "characters": "characters of a token in thoughts, or in prompts",
}
"""Quantity -> what its value is."""

BRIEF = ("question_tokens", "characters")
"""Quantities that decide no price, whose published sources are not told one by one."""

BRIEFLY = "lengths of questions and prompts: ablations/reference/rates.csv"

ANY = "*"
"""Stands for whatever has no row of its own."""

COLUMNS = ("quantity", "what", "on", "value", "source", "date", "verified")


@dataclass(frozen=True)
class Rate:
    """One row."""

    quantity: str
    what: str
    on: str
    value: float
    source: str
    own: bool = False
    """Whether the user gave it."""

    @property
    def estimate(self) -> Estimate:
        """Its value, with its source."""
        if self.quantity in BRIEF and not self.own:
            return Estimate(self.value, (BRIEFLY,))
        on = f" on {self.on}" if self.on else ""
        of = "" if self.what == ANY else f" of {self.what}"
        return Estimate(
            self.value, (f"{self.quantity}{of}{on}: {self.value:,.12g}, {self.source}",)
        )


class Rates:
    """The published rates with a user's own before them, and the GPU that is rented."""

    def __init__(self, own: Path | None = None, gpu: str = "H100") -> None:
        """Reads the published rows, and those of the file `own`.

        Raises:
            ValueError: a row of the file cannot be used, or no rate has such a GPU; names the
                choices.
        """
        self._rates = {**read(PUBLISHED), **(read(own, own=True) if own else {})}
        self.gpu = gpu
        if gpu not in self.named("gpu_price"):
            raise ValueError(
                f"no price of an hour of a GPU {gpu!r}; known: "
                f"{', '.join(self.named('gpu_price'))}. Give it with --rates FILE: "
                f"gpu_price,{gpu},DOLLARS"
            )

    def named(self, quantity: str) -> list[str]:
        """What has a rate of this quantity, in the order of the rows."""
        return list(dict.fromkeys(what for kind, what, _ in self._rates if kind == quantity))

    def find(self, quantity: str, what: str, on: str = "") -> Rate | None:
        """The row of exactly this."""
        return self._rates.get((quantity, what, on))

    def own(self, quantity: str, what: str, on: str = "") -> Estimate | None:
        """The user's rate of exactly this, or wherever it is; it comes before what was recorded."""
        rows = (self.find(quantity, what, place) for place in (on, ""))
        return next((row.estimate for row in rows if row and row.own), None)

    def get(self, quantity: str, what: str, on: str = "") -> Estimate:
        """A rate, of `what` or of all that are not named; unknown if there is none."""
        if mine := self.own(quantity, what, on):
            return mine
        places = ((name, place) for name in (what, ANY) for place in (on, ""))
        found = next(filter(None, (self.find(quantity, *place) for place in places)), None)
        return found.estimate if found else unknown(f"{quantity} of {what}{on and ' on ' + on}")


def read(path: Path, own: bool = False) -> Mapping[tuple[str, str, str], Rate]:
    """The rows of a file of rates, by quantity, `what` and `on`.

    Args:
        path: CSV with the columns `COLUMNS`, of which the last three may be absent.
        own: whether it is the user's, whose rows need no source.

    Raises:
        ValueError: the file cannot be read, or a row cannot be used; names the file and the line.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()  # spreadsheets write a mark
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    rows = csv.DictReader(lines)
    columns = rows.fieldnames or ()
    absent = [name for name in ("quantity", "what", "value") if name not in columns]
    if absent or set(columns) - set(COLUMNS) or len(set(columns)) < len(columns):
        raise ValueError(
            f"{path}: the columns of rates are {', '.join(COLUMNS)}, the first two and value must "
            f"be there, each once; got {', '.join(columns) or 'an empty file'}"
        )
    found = {}
    for row in rows:
        here = f"{path}, line {rows.line_num}"
        if None in row:
            raise ValueError(f"{here}: more values than columns; one with a comma is quoted")
        rate = _rate({name: (text or "").strip() for name, text in row.items()}, own)
        if isinstance(rate, str):
            raise ValueError(f"{here}: {rate}")
        if (this := (rate.quantity, rate.what, rate.on)) in found:
            named = " ".join(filter(None, this))
            raise ValueError(f"{here}: a second value of {named}; keep one")
        found[this] = rate
    return found


def _rate(row: Mapping[str, str], own: bool) -> Rate | str:
    """The rate of a row, or why there is none."""
    quantity, what = row["quantity"], row["what"]
    if quantity not in QUANTITIES:
        return f"unknown quantity {quantity!r}; known: {', '.join(QUANTITIES)}"
    try:
        value = float(row["value"])
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0 and what):
        return (
            f"{quantity} of {what or '?'} is {QUANTITIES[quantity]}: it needs a `what` and a "
            f"number >= 0, got {row['value']!r}"
        )
    source = row.get("source") or ("your rate" if own else "")
    dated = ", ".join(filter(None, [source, row.get("date")]))
    unsure = ", not verified" if row.get("verified") == "no" else ""
    return Rate(quantity, what, row.get("on", ""), value, dated + unsure, own)
