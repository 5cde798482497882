"""Rows are tokenised once, by the first process, into a file that all processes map into memory.

`<out>/rows/` is made at the beginning of every attempt and removed at the end. `rows.arrow`, or of
packed rows `packs.arrow`, has of each token its number and whether it is trained on, about 4 bytes
in all, and of mixtures its part; of each row its tokens before any damage. `counts.json` is written
last. No process holds a row longer than it takes to make a batch of it.
"""

from contextlib import closing
from pathlib import Path
from typing import Any

from distill.models import hub, network
from distill.store.artifacts import read_json, write_json
from distill.training import checkpoint, trainer
from distill.training.config import Batching, Job
from distill.training.mixture import PARTS
from distill.training.order import TrainingOrder
from distill.training.rows import IGNORED, TRAINED, Row
from distill.training.tokenize import build_parts

ROWS = "rows.arrow"
PACKS = "packs.arrow"
COUNTS = "counts.json"

UNDAMAGED = "undamaged"
"""Column: tokens of the selected trace in this position, before any corruption."""

AT_ONCE = 1 << 20
"""Tokens that are written together."""


def write_rows(job: Job) -> None:
    """Tokenise the traces of all parts into `job.rows`, and pack them, if they are to be.

    Raises:
        ValueError: see `build_rows`; rows are longer than the student has positions, or have tokens
            that it has no embedding for.
    """
    from datasets import Dataset, disable_progress_bars

    folder, training = checkpoint.emptied(job.rows), job.training
    tokenizer = hub.load_tokenizer(job.base)
    with closing(_Writer(folder / ROWS, len(job.parts) > 1)) as writer:
        counts = build_parts(tokenizer, job.parts, training.max_tokens, writer.write)
    _check_fit(job, tokenizer, counts.pop("longest"), counts.pop("highest"))
    if training.batching is Batching.packed:
        disable_progress_bars()
        dataset = Dataset.from_file(str(folder / ROWS)).remove_columns(UNDAMAGED)
        trainer.pack(dataset, training.max_tokens, folder / PACKS)
        (folder / ROWS).unlink()
    write_json(folder / COUNTS, counts)


def read_rows(job: Job) -> tuple[Any, TrainingOrder, dict[str, Any]]:
    """The data set that `write_rows` wrote, mapped; its order; and the counts."""
    from datasets import Dataset, disable_progress_bars

    disable_progress_bars()
    packed = job.training.batching is Batching.packed
    dataset = Dataset.from_file(str(job.rows / (PACKS if packed else ROWS)))
    counts, undamaged = read_json(job.rows / COUNTS), []
    if not packed:
        undamaged = dataset.data.column(UNDAMAGED).to_pylist()
        dataset = dataset.remove_columns(UNDAMAGED)
    order = trainer.make_order(dataset, undamaged, counts["rows"], job.training)
    return dataset, order, counts


def _check_fit(job: Job, tokenizer: Any, longest: int, highest: int) -> None:
    """Raise ValueError if rows have more tokens than the student has positions, or other tokens."""
    config, limit = network.load_config(job.base), job.training.max_tokens
    name, room = job.student.model, network.positions(config)
    if room is not None and longest > room:
        raise ValueError(
            f"rows of up to {longest:,} tokens are longer than the {room:,} positions that {name} "
            f"was made for: training.max_tokens={limit} must be at most {room} (longer traces are "
            "then dropped in all arms), or the config.json of a copy must state more "
            "(max_position_embeddings, or a scaling of its rotary embeddings)"
        )
    network.check_vocabulary(tokenizer, config, name, highest)


class _Writer:
    """Writes rows to an Arrow file as they come, `AT_ONCE` tokens at a time."""

    def __init__(self, file: Path, mixture: bool) -> None:
        """A new file; of a `mixture` it says which part a row is of."""
        import pyarrow as pa

        tokens = {"input_ids": pa.int32(), TRAINED: pa.bool_()}
        if mixture:
            tokens[PARTS] = pa.int16()
        self._types = {name: pa.list_(kind) for name, kind in tokens.items()}
        schema = pa.schema(self._types | {UNDAMAGED: pa.int32()})
        self._writer = pa.ipc.new_stream(str(file), schema)
        self._rows: list[dict[str, Any]] = []
        self._tokens = 0

    def write(self, row: Row) -> None:
        """Write a row, now or with the next ones."""
        import pyarrow as pa

        values = {
            "input_ids": row.input_ids,
            TRAINED: [label != IGNORED for label in row.labels],
            PARTS: [row.part] * len(row.input_ids),
        }
        arrays = {n: pa.array([values[n]], kind) for n, kind in self._types.items()}
        self._rows.append(arrays | {UNDAMAGED: pa.array([row.undamaged], pa.int32())})
        self._tokens += len(row.input_ids)
        if self._tokens >= AT_ONCE:
            self._flush()

    def close(self) -> None:
        """Write what is left."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        import pyarrow as pa

        if self._rows:
            columns = {n: pa.concat_arrays([row[n] for row in self._rows]) for n in self._rows[0]}
            self._writer.write_batch(pa.record_batch(columns))
        self._rows, self._tokens = [], 0
