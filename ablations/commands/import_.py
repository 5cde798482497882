"""The command `import`."""

from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Option

from ablations.commands.arguments import Overrides, path

EXAMPLES = (
    "out.jsonl --run qwq --benchmark aime24 --columns question=problem,answer=gold,response=text",
    "all.jsonl --run @run --benchmark @benchmark --prompt sky_t1 "
    "--columns question=question,answer=gold,response=thought+solution,verdict=correct",
    "samples_gsm8k.jsonl --run qwen --benchmark gsm8k --format lm_eval",
)


COLUMNS = """FIELD=COLUMN,...: question, answer, response, verdict, tokens, truncated;
a.b looks inside, a|b takes the first that exists, a+b joins"""

Name = Annotated[str, Option(help="a name, or @COLUMN that holds it")]


def command(
    file: Annotated[
        Path,
        Argument(
            parser=path,
            help="JSON lines, a JSON array, CSV, TSV or Parquet; or a folder",
            metavar="FILE",
        ),
    ],
    overrides: Overrides,
    run: Name,
    benchmark: Name,
    columns: Annotated[str | None, Option(help=COLUMNS)] = None,
    format: Annotated[
        Literal["json_lines", "lm_eval", "lighteval"], Option(help="what wrote the file")
    ] = "json_lines",
    kind: Annotated[str, Option(help="of the problems")] = "math",
    prompt: Annotated[str, Option(help="in conf/prompt/: where thoughts end")] = "plain",
    study: Annotated[str, Option(help="to file the runs under")] = "imported",
    runs: Annotated[Path, Option(parser=path, help="folder of all runs")] = Path("runs"),
) -> None:
    """Import model outputs from elsewhere and re-grade them."""
    from ablations.imports.runs import Request, import_file, text

    request = Request(
        file=file,
        run=run,
        benchmark=benchmark,
        columns=dict(_pair(text) for text in columns.split(",")) if columns else {},
        form=format,
        kind=kind,
        prompt=prompt,
        study=study,
        runs=runs,
        overrides=overrides,
    )
    print(text(import_file(request)), end="")
    print(f"\nrecords: {runs / study}/*/run.json, with the responses next to them")


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    if not (name.strip() and value.strip()):
        raise ValueError(f"--columns takes FIELD=COLUMN pairs separated by commas, got {text!r}")
    return name.strip(), value.strip()
