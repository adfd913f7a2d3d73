#!/usr/bin/env python
"""Compare replayed runs of iNALU with the published ones, seed for seed:

    scripts/compare_rows.py results/NAME INTERPOLATION.csv EXTRAPOLATION.csv

Reads the summaries of runs with `task.replay=true` and the two files of an experiment in
github.com/daschloer/inalu (`experiment_runs/exp1/*_results_int.csv`, `*_results_ext.csv`). Writes
both beside each other to results/NAME/rows.csv, one member a row, and prints how many agree.
"""

import argparse
import ast
import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

UNITS = {"nalu": "nalu__paperm", "inalu_shared": "nalui1", "inalu": "nalui2"}
SPLITS = ("validation", "extrapolation")
LIMIT = 1e-5  # a run below it counts as solved, there as here
CLOSE = 0.001


class Outcome(NamedTuple):
    """The end of a run: its mean squared errors, and how often it was restarted."""

    validation: float
    extrapolation: float
    restarts: int


Key = tuple[str, str, str, int]  # unit, operation, case, seed


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("interpolation", type=Path)
    parser.add_argument("extrapolation", type=Path)
    arguments = parser.parse_args()
    published = published_rows(arguments.interpolation, arguments.extrapolation)
    pairs = [(key, ours, published[key]) for key, ours in replayed_rows(arguments.results)]
    if not pairs:
        raise SystemExit(f"{arguments.results} holds no run with task.replay=true")
    with (arguments.results / "rows.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        fields = [f"{name}_{whose}" for name in Outcome._fields for whose in ("ours", "theirs")]
        writer.writerow(["unit", "operation", "case", "seed", *fields])
        for key, ours, theirs in pairs:
            values = (v for both in zip(ours, theirs, strict=True) for v in both)
            writer.writerow([*key, *values])
    sys.stdout.write(summary([(ours, theirs) for _, ours, theirs in pairs]))


def replayed_rows(results: Path) -> Iterator[tuple[Key, Outcome]]:
    """Each member of the replayed runs in a folder."""
    for path in sorted(results.rglob("summary.json")):
        run: dict[str, Any] = json.loads(path.read_text())
        if str(run["config"].get("task.replay")) != "True":
            continue
        operation = run["config"]["task.operation"]
        for member in run["members"]:
            key = run["unit"], operation, member["case"], member["seed"]
            errors = (_number(member["mse"][split]) for split in SPLITS)
            yield key, Outcome(*errors, member["restarts"])


def published_rows(*paths: Path) -> dict[Key, Outcome]:
    """The published runs of an experiment."""
    names = {theirs: ours for ours, theirs in UNITS.items()}
    losses: dict[Key, list[float]] = {}
    restarts: dict[Key, int] = {}
    for path in paths:
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                if row["nalu"] not in names:  # NALU (v) is NALU (m) again where there is one output
                    continue
                case = f"{row['dist']} {_range(row['param'])}"
                key = names[row["nalu"]], row["op"], case, int(row["seed"])
                losses.setdefault(key, []).append(float(row["loss"]))
                restarts[key] = int(row["reinits"])
    return {key: Outcome(*both, restarts[key]) for key, both in losses.items()}


def summary(pairs: list[tuple[Outcome, Outcome]]) -> str:
    """How many runs agree, in lines of a list."""
    counts = sum(ours.restarts == theirs.restarts for ours, theirs in pairs)
    errors = [(getattr(a, split), getattr(b, split)) for a, b in pairs for split in SPLITS]
    verdicts = sum((ours < LIMIT) == (theirs < LIMIT) for ours, theirs in errors)
    large = [(ours, theirs) for ours, theirs in errors if theirs >= LIMIT]
    close = sum(abs(ours - theirs) <= CLOSE * theirs for ours, theirs in large)
    return (
        f"- number of restarts: {counts} of {len(pairs)} runs as published\n"
        f"- solved or not: {verdicts} of {len(errors)} as published\n"
        f"- errors of {LIMIT:g} and more: {close} of {len(large)} within {CLOSE:.1%}\n"
    )


def _range(text: str) -> str:
    value = ast.literal_eval(text)
    return f"({value[0]:g}, {value[1]:g})" if isinstance(value, tuple) else f"{value:g}"


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


if __name__ == "__main__":
    main()
