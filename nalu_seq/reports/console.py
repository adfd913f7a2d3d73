"""What a person reads in a terminal: the header of a run, and its tables when it is done."""

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from nalu_seq.reports.summaries import describe_seeds
from nalu_seq.reports.words import METRICS, split_words

# 80 columns hold every table whole.
COMPACT: dict[str, Any] = {"box": SIMPLE_HEAD, "padding": (0, 1, 0, 0), "pad_edge": False}
MOST_METRICS = 2  # columns of metrics in a table
# Which metrics a table shows of a task that has many: the one that solves it, then these in order.
FIRST = {"relative_error": 0, "mae": 1, "digit_accuracy": 2, "exact": 3}
# These encoders feed the unit events of any size, so its weights need not be whole numbers.
ENCODERS = ("lstm", "gru", "rnn", "mlp", "convnet")
SHORT = {"mae": "mean abs. error", "mse": "mean sq. error", "exact": "share exact",
         "accuracy": "share right", "digit_accuracy": "digits read",
         "rounded_mae": "rounded error"}  # fmt: skip


def header(
    parts: str, seeds: list[int], members: int, steps: int, devices: Iterable[str], logs: Path
) -> list[str]:
    """The lines that a run begins with: what is trained, on what, and how to look at it.

    Args:
        parts: the run's task, encoder, head and unit.
        seeds: each seed once.
        members: how many networks there are.
        steps: where training ends.
        devices: TensorFlow's names of the devices that it trains on.
        logs: the directory that TensorBoard reads.
    """
    count = f"{members} networks" if members > 1 else "1 network"
    on = ", ".join(device.rpartition("device:")[2] for device in devices)
    return [
        f"{parts}: {count}, seeds {describe_seeds(seeds)}; {steps:,} steps on {on}",
        f"watch it: tensorboard --logdir {shlex.quote(str(logs))}",
    ]


def closing(summary: dict[str, Any], directory: Path) -> list[str]:
    """The lines below the table of a run: its loss, its time, and the next command.

    Args:
        summary: the run's summary, as `summary.json` holds it.
        directory: the run's directory, which the printed command names.
    """
    by_metric = {row["metric"]: row for row in summary["results"] if row["split"] == "train"}
    lines = []
    if (row := by_metric.get("loss")) and row["median"] is not None:
        lines.append(f"training loss {_spread(row)}")
    row = by_metric.get("sparsity_error")
    if row and row["median"] is not None and summary["encoder"] not in ENCODERS:
        lines.append(f"{METRICS['sparsity_error']}: {_spread(row)}")
    seconds = summary["wall_seconds"]
    if seconds is not None:
        lines.append(f"{summary['steps']:,} steps in {seconds:.0f} s")
    place = shlex.quote(str(directory))
    lines.append(f"one page of it: python -m nalu_seq.report {place} --format html > page.html")
    return lines


def results_table(summary: dict[str, Any]) -> Table:
    """The table at the end of a run: a row for each split, or for each case if there are several.

    Args:
        summary: the run's summary, as `summary.json` holds it.

    Returns:
        The table for a terminal: share of members that solved a split, the step, and their errors.
    """
    title = f"{summary['task']}: {summary['encoder']}, {summary['head']}, {summary['unit']}"
    table = Table(title=title, title_justify="left", **COMPACT)
    if len(summary["cases"]) > 1:
        return _cases_table(table, summary["results"])
    table.padding = (0, 0, 0, 0)  # the box's own blanks are between columns: two ranges need room
    results = [row for row in summary["results"] if row["split"] != "train"]
    splits = list(dict.fromkeys(row["split"] for row in results))
    metrics = [m for m in dict.fromkeys(r["metric"] for r in results) if m != "solved_at"]
    judged_metrics = {row["metric"] for row in results if row["success_rate"] is not None}
    shown_metrics = sorted(
        metrics, key=lambda m: (m not in judged_metrics, FIRST.get(m, len(FIRST)))
    )[:MOST_METRICS]
    at = {(row["split"], row["metric"]): row for row in results}
    table.add_column("", no_wrap=True)
    for name in ("solved", "at step", *(SHORT.get(m, m.replace("_", " ")) for m in shown_metrics)):
        table.add_column(name, justify="right", no_wrap=True)
    for split in splits:
        solved = next((r for m in judged_metrics if (r := at.get((split, m)))), None)
        when = at.get((split, "solved_at"), {"median": None})["median"]
        cells = [_rate(solved) if solved else "", "" if when is None else f"{when:,.0f}"]
        cells += [_lines(at[split, m]) if (split, m) in at else "" for m in shown_metrics]
        table.add_row(split_words(split), *cells)
    if rest := [m for m in metrics if m not in shown_metrics]:
        table.caption = Text(f"median [smallest, largest]; also measured: {', '.join(rest)}")
    else:
        table.caption = Text("median [smallest, largest]")
    table.caption_justify = "left"
    return table


def _cases_table(table: Table, results: list[dict[str, Any]]) -> Table:
    """A row for each case and judged split: error, share of members that solved it, and when."""
    judged_rows = [row for row in results if row["success_rate"] is not None]
    several = len({row["split"] for row in judged_rows}) > 1
    columns = ["case", *(["split"] if several else [])]
    for name in columns:
        table.add_column(name, no_wrap=True)
    metric = (
        f"{judged_rows[0]['split']} {judged_rows[0]['metric']}"
        if not several
        else judged_rows[0]["metric"]
    )
    for name in (metric, "smallest", "largest", "solved", "at step"):
        table.add_column(name, justify="right", no_wrap=name != metric)
    at = {
        (row["case"], row["split"]): row["median"]
        for row in results
        if row["metric"] == "solved_at"
    }
    for row in judged_rows:
        where = (row["case"], row["split"])
        values = (_number(row[k]) for k in ("median", "min", "max"))
        when = at.get(where)
        table.add_row(
            *where[: len(columns)], *values, _rate(row), "" if when is None else f"{when:,.0f}"
        )
    return table


def _rate(row: dict[str, Any]) -> str:
    if row["success_rate"] is None:
        return ""
    low, high = row["success_low"], row["success_high"]
    return f"{row['success_rate']:.0%} [{low:.0%}, {high:.0%}]"


def _lines(row: dict[str, Any]) -> str:
    """The median, and on a line below it the range of the members, where they differ."""
    if row["median"] is None or row["min"] == row["max"]:
        return _number(row["median"])
    return f"{_number(row['median'])}\n[{_end(row['min'])}, {_end(row['max'])}]"


def _spread(row: dict[str, Any]) -> str:
    return _lines(row).replace("\n", " ")


def drift_table(drift: list[dict[str, Any]]) -> Table:
    """A table of how each member's error grows along the longest split.

    Args:
        drift: a row for each member with its `case`, `seed`, `split`, `drift_per_step` (growth of
            the error a sequence step), `mae` at the end, and `first_wrong`, the sequence step at
            which rounding first fails, or None.
    """
    table = Table(title=f"along {split_words(drift[0]['split'])}", title_justify="left", **COMPACT)
    table.add_column("case", no_wrap=True)
    for name in ("seed", "error a step", "error at the end", "rounding fails at"):
        table.add_column(name, justify="right")
    for row in drift:
        wrong = row["first_wrong"]
        table.add_row(
            row["case"],
            str(row["seed"]),
            _number(row["drift_per_step"]),
            _number(row["mae"]),
            "-" if wrong is None else str(wrong),
        )
    return table


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _end(value: float | None) -> str:
    """An end of a range, short enough that two ranges fit side by side in 80 columns."""
    text = _number(value)
    return f"{value:.1e}" if "e" in text else text
