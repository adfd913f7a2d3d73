"""What a person sees: a progress bar while a run trains, tables when it is done."""

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

# 80 columns hold every table whole.
COMPACT: dict[str, Any] = {"box": SIMPLE_HEAD, "padding": (0, 1, 0, 0), "pad_edge": False}


def results_table(summary: dict[str, Any]) -> Table:
    """The closing table: split x metric, over the members; with several cases, what is judged."""
    title = f"{summary['task']}: {summary['encoder']}, {summary['head']}, {summary['unit']}"
    table = Table(title=title, **COMPACT)
    if len(summary["cases"]) > 1:
        return _cases_table(table, summary["results"])
    for name in ("split", "metric"):
        table.add_column(name)
    for name in ("median", "min", "max", "solved"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in summary["results"]:
        values = (_number(row[k]) for k in ("median", "min", "max"))
        table.add_row(row["split"], row["metric"], *values, _rate(row))
    return table


def _cases_table(table: Table, results: list[dict[str, Any]]) -> Table:
    """A row for each case and judged split: its error, who solved it, and when."""
    judged = [row for row in results if row["success_rate"] is not None]
    several = len({row["split"] for row in judged}) > 1
    columns = ["case", *(["split"] if several else [])]
    for name in columns:
        table.add_column(name, overflow="fold")
    metric = f"{judged[0]['split']} {judged[0]['metric']}" if not several else judged[0]["metric"]
    for name in (metric, "min", "max", "solved", "solved at"):
        table.add_column(name, justify="right", no_wrap=name != metric)
    at = {
        (row["case"], row["split"]): row["median"]
        for row in results
        if row["metric"] == "solved_at"
    }
    for row in judged:
        where = (row["case"], row["split"])
        values = (_number(row[k]) for k in ("median", "min", "max"))
        table.add_row(*where[: len(columns)], *values, _rate(row), _number(at.get(where)))
    return table


def _rate(row: dict[str, Any]) -> str:
    if row["success_rate"] is None:
        return ""
    low, high = row["success_low"], row["success_high"]
    return f"{row['success_rate']:.0%} [{low:.0%}, {high:.0%}]"


def drift_table(drift: list[dict[str, Any]]) -> Table:
    """How each member's error grows along the longest split."""
    table = Table(title=f"along {drift[0]['split']}", **COMPACT)
    table.add_column("case")
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
