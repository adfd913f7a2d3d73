"""Runs side by side: one row a run, one column a split."""

import json
from pathlib import Path
from typing import Any, NamedTuple

GROUPS = ("encoder", "head", "unit")
NEEDED = {"status", "task", *GROUPS, "seeds", "steps", "wall_seconds", "results"}


class Run(NamedTuple):
    """A finished run as its summary tells it.

    Attributes:
        summary: its summary.json.
        overrides: what a sweep set for it, by key; empty for a single run.
    """

    summary: dict[str, Any]
    overrides: dict[str, str]


def find_runs(directory: Path) -> tuple[list[Run], list[str]]:
    """The finished runs in a run's directory or a sweep's folder, and a line for each that is not.

    Raises:
        ValueError: the directory is neither.
    """
    sweep = directory / "sweep.json"
    if sweep.is_file():
        jobs = json.loads(sweep.read_text())
        places = [(directory / job, dict(o.partition("=")[::2] for o in jobs[job])) for job in jobs]
    elif (directory / "metrics.csv").is_file() or (directory / "summary.json").is_file():
        places = [(directory, {})]
    else:
        raise ValueError(f"{directory} is neither a run nor a sweep")
    runs, unfinished = [], []
    for place, overrides in places:
        try:
            summary = json.loads((place / "summary.json").read_text())
        except (OSError, ValueError):
            unfinished.append(f"{place}: left out, it has no summary")
            continue
        if not isinstance(summary, dict) or not summary.keys() >= NEEDED:
            unfinished.append(f"{place}: left out, its summary.json is none of ours")
        elif summary["status"] == "done":
            runs.append(Run(summary, overrides))
        else:
            unfinished.append(f"{place}: left out, it is {summary['status']}")
    return runs, unfinished


def compare(runs: list[Run]) -> list[list[str]]:
    """A table, header first: a run's parts and settings, then each split's error and successes.

    A split's cell is the median over members of its error, its smallest and largest value, and how
    many members have solved the split.
    """
    settings = list(
        dict.fromkeys(key for run in runs for key in run.overrides if key not in (*GROUPS, "task"))
    )
    splits = list(dict.fromkeys(r["split"] for run in runs for r in run.summary["results"]))
    splits = [split for split in splits if split != "train"]
    rows = [["task", *GROUPS, *settings, "seeds", *splits, "steps", "seconds"]]
    for summary, overrides in runs:
        rows.append(
            [
                *(summary[key] for key in ("task", *GROUPS)),
                *(overrides.get(key, "") for key in settings),
                describe_seeds(summary["seeds"]),
                *(_cell(summary, split) for split in splits),
                str(summary["steps"]),
                "" if summary["wall_seconds"] is None else f"{summary['wall_seconds']:.0f}",
            ]
        )
    # A column that says the same in every row is said in none.
    described = range(1 + len(GROUPS) + len(settings) + 1)
    same = [c for c in described if len(rows) > 2 and len({row[c] for row in rows[1:]}) == 1]
    return [[cell for c, cell in enumerate(row) if c not in same] for row in rows]


def describe_seeds(seeds: list[int]) -> str:
    """`0 to 9`, or all of them if they are not consecutive."""
    consecutive = seeds == list(range(seeds[0], seeds[0] + len(seeds)))
    return f"{seeds[0]} to {seeds[-1]}" if consecutive else ", ".join(map(str, seeds))


def markdown(rows: list[list[str]]) -> str:
    """The table in Markdown."""
    header, *body = rows
    lines = [header, ["---"] * len(header), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(summary: dict[str, Any], split: str) -> str:
    found = {r["metric"]: r for r in summary["results"] if r["split"] == split}
    error = found.get("relative_error") or found.get("mae")
    judged = next((r for r in found.values() if r["success_rate"] is not None), None)
    if error is None or judged is None:
        return ""
    solved = f"{round(judged['success_rate'] * judged['n'])}/{judged['n']} solved"
    if error["median"] is None:
        return solved
    return f"{error['median']:.2g} [{error['min']:.2g}, {error['max']:.2g}], {solved}"
