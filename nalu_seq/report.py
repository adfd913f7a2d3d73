"""Runs side by side: `python -m nalu_seq.report RUN...`, runs or whole sweeps."""

import argparse
import sys
from pathlib import Path

from nalu_seq.checks import refuse


def main() -> None:
    """The command. Exit codes: 0 done, 2 bad input."""
    parser = argparse.ArgumentParser(prog="python -m nalu_seq.report", description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+", help="run directories or sweeps' folders")
    parser.add_argument("--format", choices=("text", "md"), default="text")
    arguments = parser.parse_args()
    from nalu_seq.reporting.tables import compare, find_runs, markdown

    runs = []
    for directory in arguments.runs:
        try:
            found, unfinished = find_runs(directory)
        except ValueError as error:
            refuse(error)
        runs += found
        for line in unfinished:
            print(f"nalu_seq: {line}", file=sys.stderr)
    if not runs:
        refuse("none of these is a finished run")
    rows = compare(runs)
    if arguments.format == "md":
        print(markdown(rows))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*rows[0])
    for row in rows[1:]:
        table.add_row(*row)
    Console().print(table)


if __name__ == "__main__":
    main()
