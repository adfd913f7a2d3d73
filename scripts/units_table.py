#!/usr/bin/env python
"""Print the table of units in docs/results.md: `.venv/bin/python scripts/units_table.py`."""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[1]))

from nalu_seq.config.options import options
from tests.units.exact import OPERATIONS, unsolved, verdict

HEADINGS = {"a * b": "a × b", "a - b": "a − b", "a^2": "a²", "sqrt a": "√a"}
MARKS = {"-": "–"}


def row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def table() -> str:
    headings = [HEADINGS.get(o, o) for o in OPERATIONS]
    lines = [
        row(["`unit=`", "class", *headings, "parameters", "paper"]),
        row(["---"] * (len(headings) + 4)),
    ]
    for option in options("unit"):
        unit = unsolved(option)
        paper = unit.facts().paper
        verdicts = [verdict(option, operation) for operation in OPERATIONS]
        lines.append(
            row(
                [
                    f"`{option}`",
                    f"`{type(unit).__name__}`",
                    *(MARKS.get(v, v) for v in verdicts),
                    str(unit.count_params()),
                    f"[{paper.authors}](https://arxiv.org/abs/{paper.arxiv})" if paper else "",
                ]
            )
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print("<!-- units -->", table(), "<!-- /units -->", sep="\n")
