"""The program `python -m ablations COMMAND`: plans, inspects and reports studies; never trains."""

import sys
from collections.abc import Sequence

from ablations.commands import app
from ablations.commands.arguments import told


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: the words of the command line; None: those of this process.

    Returns:
        The exit code. 1: the request is wrong, or some runs of a study are not done; 2: the command
        line cannot be parsed.
    """
    try:
        app(arguments)
    except SystemExit as ended:
        return int(ended.code or 0)
    except Exception as error:
        hydra = type(error).__module__.startswith(("hydra.", "omegaconf."))
        if not (hydra or isinstance(error, ValueError | OSError | RuntimeError)):
            raise  # an error of the program, not of the request
        print(f"ablations: {told(error)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
