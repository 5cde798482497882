"""Copies the records and sample rows of a study's runs to a folder for version control."""

import shutil
from pathlib import Path

from ablations.results.records import launched_in, records
from ablations.results.responses import responses
from distill.run.record import RUN
from distill.run.rows import collected

LEFT_OUT = ("question", "response")
"""Columns of texts, which no table, figure or test reads."""


def collect(folder: Path, out: Path) -> int:
    """Copy finished runs to `out/<run>/run.json`, their rows to `out/<run>/<benchmark>.parquet`.

    Args:
        folder: of a study's runs, such as `runs/table2`.
        out: created if it does not exist; its other runs stay, and the same run is overwritten. It
            may be `folder` itself, whose runs then get the rows that they have not, where
            their artifacts are there.

    Returns:
        How many finished runs there are.

    Raises:
        FileNotFoundError: `folder` does not exist.
        ValueError: a record is broken, or its rows are missing or not those that it was scored on.
    """
    from pyarrow import parquet

    count = 0
    for path, record in records(folder):
        target = out / path.parent.name
        count += 1
        same = target.exists() and target.samefile(path.parent)
        target.mkdir(parents=True, exist_ok=True)
        for benchmark in record["scores"]:
            there = launched_in(path, record) / record["scores"][benchmark]["path"]
            if same and (collected(target, benchmark).is_file() or not there.is_dir()):
                continue
            rows = responses(path, record, benchmark, None)
            kept = rows.drop_columns([name for name in LEFT_OUT if name in rows.column_names])
            new = collected(target, f".{benchmark}.new")
            parquet.write_table(kept, new, compression="zstd")
            new.replace(collected(target, benchmark))
        if not same:
            shutil.copyfile(path, target / RUN)
    return count
