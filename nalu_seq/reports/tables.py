"""The tables of a report: runs side by side, and a benchmark in the layout of the papers."""

import re
from collections.abc import Iterable, Mapping, Sequence
from math import isnan
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from nalu_seq.evaluation.intervals import Estimate
from nalu_seq.reports.estimates import solved_at, solved_at_mean, sparsity_error, success_rate
from nalu_seq.reports.summaries import (
    Member,
    Run,
    case_labels,
    case_settings,
    describe_seeds,
    label_keys,
    labels,
    setting_keys,
    task_case,
)

Fact = float | int | str | bool | None
_EXPONENT = re.compile(r"e\+?(-?)0*")
NOTHING: Mapping[str, Fact] = MappingProxyType({})
MATRIX_NOTE = "Members that solved it / members [95 % interval of their share in %, Wilson]."
LONG_NOTE = (
    "Solved at: the first measured step at which the last split was solved. Its mean is that of a "
    "Gamma distribution, that of the sparsity error of a Beta distribution, both over the members "
    "that solved it [95 % by likelihood; one: of one member]. {metric}: the members' medians. All "
    "but solved at are at each member's selected step."
)
ERRORS = ("relative_error", "mae")  # a table shows the first of these that a split has
PLAIN_NOTE = "Each cell: median over the seeds [smallest, largest], seeds that solved the split."


class Cell(NamedTuple):
    """One figure: `text` is what a person reads, `facts` the same as numbers by name."""

    text: str = ""
    facts: Mapping[str, Fact] = NOTHING


class Row(NamedTuple):
    """A row: the labels that name it, and its cells."""

    labels: list[str]
    cells: list[Cell]


class Table(NamedTuple):
    """A table; `labels` and `columns` together are its header, `notes` stand under it."""

    title: str
    labels: list[str]
    columns: list[str]
    rows: list[Row]
    notes: list[str]

    def texts(self) -> list[list[str]]:
        """The texts of all rows, the header first."""
        body = [[*row.labels, *(cell.text for cell in row.cells)] for row in self.rows]
        return [[*self.labels, *self.columns], *body]


def tables(groups: Sequence[Sequence[Run]]) -> list[Table]:
    """The tables of each protocol's runs.

    Args:
        groups: the runs of each protocol.

    Returns:
        For each protocol the tables of a benchmark, or one table with its runs side by side.
    """
    all_tables = []
    for runs in groups:
        title = describe(runs, groups)
        if is_benchmark(runs):
            all_tables += benchmark(runs, title)
        else:
            all_tables.append(compare(runs)._replace(title=title if len(groups) > 1 else ""))
    return all_tables


def is_benchmark(runs: Sequence[Run]) -> bool:
    """Whether runs have judged members and named cases, as the layout of the papers needs.

    Args:
        runs: the runs of one protocol.
    """
    return all(run.judged and run.cases != ["default"] for run in runs)


def describe(runs: Sequence[Run], groups: Sequence[Sequence[Run]]) -> str:
    """The name of a protocol: its task, and the settings that set it apart from the others.

    Args:
        runs: the runs of the protocol.
        groups: the runs of each protocol of the report.
    """
    first = runs[0]
    words = [first.summary["task"]]
    others = [group[0].config for group in groups]
    for key, value in first.config.items():
        alike = all(run.value(key) == value for run in runs)
        apart = any(config.get(key) != value for config in others)
        if key == "task.operation" and alike:
            words.append(str(value))
        elif key.startswith("task.") and alike and apart:
            words.append(f"{key}={value}")
    return ", ".join(words)


def compare(runs: Sequence[Run]) -> Table:
    """Runs side by side: parts and settings, then each split's error and successes.

    A split's cell is the median over members of its error, its smallest and largest value, and how
    many members have solved the split.

    Args:
        runs: the runs, a row each.
    """
    keys = label_keys(runs)
    splits = dict.fromkeys(r["split"] for run in runs for r in run.summary["results"])
    splits.pop("train", None)
    rows = []
    for run in runs:
        seconds = run.summary["wall_seconds"]
        cells = [
            *(_split_cell(run.summary, split) for split in splits),
            Cell(str(run.summary["steps"]), {"value": run.summary["steps"]}),
            Cell("" if seconds is None else f"{seconds:.0f}", {"value": seconds}),
        ]
        rows.append(Row([*labels(run, keys), describe_seeds(run.summary["seeds"])], cells))
    names = [*keys, "seeds"]
    if len({tuple(row.labels) for row in rows}) < len(rows):  # one command was run several times
        names = ["run", *names]
        places = [run.place.name for run in runs]
        rows = [
            Row([place, *row.labels], row.cells) for place, row in zip(places, rows, strict=True)
        ]
    columns = [*splits, "steps", "seconds"]
    results = [_shown_result(_of_split(run.summary, split)) for run in runs for split in splits]
    shown_metrics = {result["metric"] for result in results if result}
    note = f"Shown: {', '.join(sorted(shown_metrics))}. " if shown_metrics - {*ERRORS} else ""
    return drop_equal_labels(Table("", names, columns, rows, [note + PLAIN_NOTE]))


def benchmark(runs: Sequence[Run], title: str) -> list[Table]:
    """The tables of a benchmark: solved members by case, and a row for each case as in the papers.

    Args:
        runs: the runs of one protocol, with judged members.
        title: the heading of the tables.

    Returns:
        A matrix of cases for each judged split if there are several cases, then the table of all
        cases.
    """
    cases = list(dict.fromkeys(case for run in runs for case in run.cases))
    splits = list(dict.fromkeys(split for run in runs for split in run.judged))
    out = [_matrix(runs, cases, split, title) for split in splits if len(cases) > 1]
    return [*out, _long(runs, splits, title, bool(out))]


def drop_equal_labels(table: Table) -> Table:
    """A table without the labels that are the same in every row.

    Args:
        table: the table; one with a single row stays as it is.
    """
    if len(table.rows) < 2:
        return table
    values = [{row.labels[i] for row in table.rows} for i in range(len(table.labels))]
    label_places = [i for i, distinct in enumerate(values) if len(distinct) > 1]
    rows = [Row([row.labels[i] for i in label_places], row.cells) for row in table.rows]
    return table._replace(labels=[table.labels[i] for i in label_places], rows=rows)


def rate_cell(rate: Estimate | None, n: int) -> Cell:
    """A cell such as `23/25 [75, 98]`: members that solved it, all members, the interval in %.

    Args:
        rate: the share of members that solved it, 0 to 1; None makes an empty cell.
        n: the number of members.
    """
    if rate is None:
        return Cell()
    solved = round(rate.value * n)
    text = f"{solved}/{n} [{rate.low:.0%}, {rate.high:.0%}]".replace("%", "")
    return Cell(text, {**estimate_facts(rate), "solved": solved, "n": n})


def steps_cell(estimate: Estimate | None) -> Cell:
    """A cell such as `6.1k [5.9k, 6.4k]`.

    Args:
        estimate: training steps with their interval; None makes the cell `-`.
    """
    return _estimate_cell(estimate, steps)


def sparsity_cell(estimate: Estimate | None) -> Cell:
    """A cell such as `0.23 [0.22, 0.23]`; the smallest value of the Beta statistic, 1e-16, is 0.

    Args:
        estimate: the sparsity error with its interval; None makes the cell `-`.
    """
    return _estimate_cell(estimate, lambda x: number(x) if x > 1e-16 else "0")


def estimate_facts(estimate: Estimate) -> dict[str, Fact]:
    """An estimate as numbers by name, for a `Cell`.

    Args:
        estimate: a value and the limits of its interval.

    Returns:
        `value`, `low` and `high`; None for a number that is NaN.
    """
    limits = (None if isnan(x) else x for x in estimate)
    return dict(zip(("value", "low", "high"), limits, strict=True))


def steps(value: float) -> str:
    """A number of steps in three digits: `950`, `6.1k`, `1.52M`.

    Args:
        value: the number of steps.
    """
    for size, suffix in ((1e6, "M"), (1e3, "k")):
        if value >= 0.9995 * size:
            return f"{value / size:.3g}{suffix}" if value < 999.5 * size else f"{value:.3g}"
    return f"{value:.3g}"


def number(value: float) -> str:
    """A number in two digits: `0.23`, `4.2e-7`.

    Args:
        value: any number.
    """
    return _EXPONENT.sub("e\\1", f"{value:.2g}")


def _matrix(runs: Sequence[Run], cases: Sequence[str], split: str, title: str) -> Table:
    keys = label_keys(runs)
    rows = []
    for run in runs:
        groups = [run.of_case(case) for case in cases]
        cells = [_success(group, split) for group in [*groups, run.members]]
        rows.append(Row(labels(run, keys), cells))
    columns, by = [*cases, "all"], ""
    settings = setting_keys(cases)
    if len(settings) == 1 and len(set(map(task_case, cases))) == 1:
        columns = [*(case_settings(case)[settings[0]] for case in cases), "all"]
        by = f" by {settings[0]}"
    matrix = Table(f"{title}: {split} solved{by}", keys, columns, rows, [MATRIX_NOTE])
    return _label_by_unit(drop_equal_labels(matrix), keys, rows)


def _long(runs: Sequence[Run], splits: Sequence[str], title: str, short: bool) -> Table:
    """A row for each case; `short` leaves out the intervals of rates, which a matrix shows."""
    keys = label_keys(runs)
    settings = setting_keys(case for run in runs for case in run.cases)
    rows = [
        Row(
            [*labels(run, keys), str(run.summary["steps"]), *case_labels(case, settings)],
            _outcomes(run.of_case(case), splits, run, short),
        )
        for run in runs
        for case in run.cases
    ]
    metrics = "/".join(dict.fromkeys(run.metric for run in runs))
    several = len(splits) > 1
    columns = [
        *(f"solved {split}" if several else "solved" for split in splits),
        "solved at: median",
        "solved at: mean",
        "sparsity error",
        f"{metrics}: {' → '.join(_ends(runs[0]))}",
    ]
    notes = [*([] if short else [MATRIX_NOTE]), LONG_NOTE.format(metric=metrics)]
    table = Table(title, [*keys, "steps", "case", *settings], columns, rows, notes)
    return _label_by_unit(drop_equal_labels(table), keys, rows)


def _label_by_unit(table: Table, keys: Sequence[str], rows: Sequence[Row]) -> Table:
    """The table; if no label sets its rows apart, their unit is the only label."""
    if table.labels and len(rows) > 1:
        return table
    unit = keys.index("unit")
    return table._replace(labels=["unit"], rows=[Row([r.labels[unit]], r.cells) for r in rows])


def _outcomes(
    members: Sequence[Member], splits: Iterable[str], run: Run, short: bool
) -> list[Cell]:
    last = run.judged[-1]
    at = solved_at(members, last)
    median = float(np.median(at)) if at else None
    solved = [_success(members, split) for split in splits]
    return [
        *(cell._replace(text=cell.text.partition(" ")[0]) if short else cell for cell in solved),
        Cell("-" if median is None else steps(median), {"value": median}),
        steps_cell(solved_at_mean(members, last)),
        sparsity_cell(sparsity_error(members, last)),
        _medians(members, run),
    ]


def _ends(run: Run) -> tuple[str, str]:
    """The names of the first split, the interpolation, and the last, the extrapolation."""
    splits = list(run.members[0][run.metric])
    return splits[0], splits[-1]


def _success(members: Sequence[Member], split: str) -> Cell:
    judged_members = [m for m in members if split in m["solved"]]
    return rate_cell(
        success_rate(judged_members, split) if judged_members else None, len(judged_members)
    )


def _medians(members: Sequence[Member], run: Run) -> Cell:
    """A cell with the median over members on the first split and on the last."""
    medians = {split: _median([m[run.metric][split] for m in members]) for split in _ends(run)}
    text = " → ".join(number(value) for value in medians.values())
    return Cell(text, {k: value if np.isfinite(value) else None for k, value in medians.items()})


def _median(values: Sequence[float | None]) -> float:
    # A member that diverged has no value: it counts as infinite, above all that have one.
    return float(np.median([np.inf if value is None else value for value in values]))


def _estimate_cell(estimate: Estimate | None, show: Any) -> Cell:
    if estimate is None:
        return Cell("-")
    if isnan(estimate.low):
        return Cell(f"{show(estimate.value)} [one]", estimate_facts(estimate))
    low, high = max(estimate.low, 0.0), estimate.high
    return Cell(f"{show(estimate.value)} [{show(low)}, {show(high)}]", estimate_facts(estimate))


def _of_split(summary: dict[str, Any], split: str) -> dict[str, Any]:
    """The results of a split in a summary, by metric."""
    return {r["metric"]: r for r in summary["results"] if r["split"] == split}


def _judged_result(of_split: Mapping[str, Any]) -> Any:
    """The result of a split that its members are judged by; None if they are not judged."""
    return next((r for r in of_split.values() if r["success_rate"] is not None), None)


def _shown_result(of_split: Mapping[str, Any]) -> Any:
    """The result of a split that a table shows: an error where there is one."""
    first = next((r for r in of_split.values() if r["metric"] != "solved_at"), None)
    errors = (of_split[name] for name in ERRORS if name in of_split)
    return next(errors, None) or _judged_result(of_split) or first


def _split_cell(summary: dict[str, Any], split: str) -> Cell:
    of_split = _of_split(summary, split)
    shown_result, judged_result = _shown_result(of_split), _judged_result(of_split)
    if shown_result is None:
        return Cell()
    facts: dict[str, Fact] = {
        "value": shown_result["median"],
        "low": shown_result["min"],
        "high": shown_result["max"],
    }
    texts = []
    if shown_result["median"] is not None:
        texts.append(
            f"{shown_result['median']:.2g} [{shown_result['min']:.2g}, {shown_result['max']:.2g}]"
        )
    if judged_result is not None:
        solved, n = round(judged_result["success_rate"] * judged_result["n"]), judged_result["n"]
        texts.append(f"{solved}/{n} solved")
        facts |= {"solved": solved, "n": n}
    return Cell(", ".join(texts), facts)
