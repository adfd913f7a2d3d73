"""Figures of a report and of an evaluation; needs matplotlib (the `plots` extra)."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nalu_seq.errors import BadInput
from nalu_seq.evaluation.intervals import Estimate
from nalu_seq.evaluation.survival import kaplan_meier
from nalu_seq.records.record import read_record
from nalu_seq.reports.estimates import solved_at_mean, sparsity_error, success_rate
from nalu_seq.reports.figure import (
    BEYOND,
    COLUMN,
    MARKERS,
    PAGE,
    color,
    error_axis,
    figure_class,
    grid,
    journal,
    label_ends,
    label_steps,
    legend,
    save,
    step_axes,
    steps_text,
    style,
)
from nalu_seq.reports.summaries import Member, Run, label_keys, labels, protocols, task_case
from nalu_seq.reports.tables import describe, number, steps
from nalu_seq.reports.words import is_error, metric_words, split_words

if TYPE_CHECKING:
    from nalu_seq.evaluation.extrapolation import Extrapolation

MANY = 4  # with so many members or more, the quartiles of a metric are shaded


class _Line(NamedTuple):
    """One model in a figure against a config key: its name, and its members at each value."""

    name: str
    points: dict[str, list[Member]]


@journal
def plot_course(extrapolation: "Extrapolation", path: Path) -> None:
    """Draw each member's error along the longest split, with the trained length marked.

    Args:
        extrapolation: the measured errors, whose `course.mae` is `[M, T]`.
        path: the file that is written.

    Raises:
        BadInput: matplotlib is missing, the task has no sequences, or the file can't be written.
    """
    Figure = figure_class("--plot")
    if extrapolation.course is None or extrapolation.trained_length is None:
        raise BadInput("--plot: this task has no sequences to draw an error along")
    figure = Figure(figsize=(COLUMN * 1.3, 3.0), layout="constrained")
    axes = figure.subplots()
    lengths = np.arange(1, extrapolation.course.mae.shape[1] + 1)
    # A logarithmic axis has no 0: errors below float32's resolution are drawn at its edge.
    errors = np.maximum(extrapolation.course.mae, 1e-7)
    axes.plot(lengths, errors.T, color=color(0), alpha=0.35, linewidth=0.6)
    axes.plot(lengths, np.median(errors, axis=0), color=color(0), linewidth=1.8, label="median")
    axes.axvline(
        extrapolation.trained_length, color="black", linestyle=":", label="trained up to here"
    )
    if extrapolation.counts:
        axes.axhline(0.5, color=color(1), linestyle="--", linewidth=0.8, label="half a count")
    axes.set(xscale="log", yscale="log", xlabel="sequence length", ylabel="mean absolute error")
    s = extrapolation.summary
    axes.set_title(f"{s['task']}: {s['encoder']}, {s['head']}, {s['unit']}; one line a seed")
    axes.legend()
    save(figure, path, "--plot")


def plot(groups: Sequence[Sequence[Run]], path: Path) -> None:
    """Draw what the runs measured: errors at points of a grid, solved shares, or errors by split.

    Args:
        groups: the runs of each protocol.
        path: the file that is written.

    Raises:
        BadInput: matplotlib is missing, the runs lack what the figure shows, or the file can't be
            written.
    """
    runs = [run for group in groups for run in group]
    if all(points_of(run) for run in runs):
        plot_points(runs, path)
    elif any(all(run.judged for run in group) for group in groups):
        plot_survival(groups, path)
    else:  # summaries of early versions have no members
        plot_splits(runs, path)


@journal
def plot_survival(groups: Sequence[Sequence[Run]], path: Path) -> None:
    """Draw what share of the members has solved the last split by each step, a panel a case.

    Args:
        groups: the runs of each protocol; groups without members are left out.
        path: the file that is written.

    Raises:
        BadInput: matplotlib is missing, no summary has members, or the file can't be written.
    """
    figure_class("--figure")
    judged_groups = [runs for runs in groups if all(run.judged for run in runs)]
    panels = [(runs, case) for runs in judged_groups for case in _cases(runs)]
    if not panels:
        raise BadInput("--figure: the summaries of these runs list no members")
    figure, axes = grid("--figure", len(panels), sharey=True, columns=2)
    styles: dict[str, dict[str, Any]] = {}
    ends: list[list[tuple[float, str, str]]] = []
    for (runs, case), panel in zip(panels, axes, strict=True):
        ends.append([])
        for name, run in zip(names(runs), runs, strict=True):
            if case in run.cases:
                own = styles.setdefault(name, style(len(styles)))
                last = _draw_curve(panel, run, case, own)
                ends[-1].append((last, name, own["color"]))
        of_task = [describe(runs, judged_groups)] if len(judged_groups) > 1 else []
        panel.set_title(": ".join([*of_task, *([] if case == "default" else [case])]))
        panel.set_ylim(-0.03, 1.03)
    runs = [run for group in judged_groups for run in group]
    at = [m["solved_at"][run.judged[-1]] for run in runs for m in run.members]
    step_axes(axes, min(filter(None, at), default=1), max(r.summary["steps"] for r in runs))
    figure.supylabel(f"share of seeds that solved {split_words(judged_groups[0][0].judged[-1])}")
    if len(judged_groups) == 1:
        figure.suptitle(describe(judged_groups[0], judged_groups))
    figure.draw_without_rendering()  # the layout sets the panels' sizes, which labels need
    for panel, lines in zip(axes, ends, strict=True):
        label_ends(panel, lines)
    save(figure, path, "--figure")


@journal
def plot_splits(runs: Sequence[Run], path: Path) -> None:
    """Draw the error on each split, median and range over the members; works for every run.

    Args:
        runs: the runs, a line each.
        path: the file that is written.

    Raises:
        BadInput: matplotlib is missing, no run measured an error, or the file can't be written.
    """
    figure_class("--figure")
    errors = [split_errors(run) for run in runs]
    metric = next((metric for of_run in errors for metric in of_run), None)
    if metric is None:
        raise BadInput("--figure: none of these runs has an error to show")
    splits = list(dict.fromkeys(s for of_run in errors for s in of_run.get(metric, {})))
    figure, (panel,) = grid("--figure", 1, sharey=False, height=2.6)
    floor = error_axis(
        panel, [v for of_run in errors for at in of_run.get(metric, {}).values() for v in at]
    )
    ends = []
    for i, (name, of_run) in enumerate(zip(names(runs), errors, strict=True)):
        at = [j for j, split in enumerate(splits) if split in of_run.get(metric, {})]
        if not at:
            continue
        low, median, high = np.maximum(
            np.array([of_run[metric][splits[j]] for j in at]).T, floor
        )  # [3, splits]
        x = np.array(at) + 0.5 * ((i + 0.5) / len(runs) - 0.5)
        panel.errorbar(
            x, median, [median - low, high - median], marker=MARKERS[i % len(MARKERS)],
            markersize=3.5, capsize=1.5, elinewidth=0.8, **style(i),
        )  # fmt: skip
        ends.append((float(median[-1]), name, color(i)))
    panel.set_xticks(range(len(splits)), map(split_words, splits))
    panel.set(xlabel="measured on", ylabel=f"{metric_words(metric)}\n(median and range of seeds)")
    panel.set_title(", ".join(dict.fromkeys(run.summary["task"] for run in runs)))
    if len(splits) > 5:
        panel.tick_params(axis="x", labelrotation=90)
    figure.draw_without_rendering()
    label_ends(panel, ends)
    save(figure, path, "--figure")


def split_errors(run: Run) -> dict[str, dict[str, tuple[float, float, float]]]:
    """The smallest, median and largest value of each error metric, by metric and split.

    Args:
        run: the run whose summary is read.

    Returns:
        `{metric: {split: (smallest, median, largest)}}` over the members, without the training
        split.
    """
    errors: dict[str, dict[str, tuple[float, float, float]]] = {}
    for row in run.summary["results"]:
        if is_error(row["metric"]) and row["split"] != "train" and row["median"] is not None:
            values = (row["min"], row["median"], row["max"])
            errors.setdefault(row["metric"], {}).setdefault(row["split"], values)
    return errors


@journal
def plot_metric(runs: Sequence[Run], metric: str, path: Path) -> None:
    """Draw a metric by step, a thin line a member and a thick one for the median of each run.

    The first split that has it stands beside the last, the hardest one. Errors have a logarithmic
    axis.

    Args:
        runs: the runs, a colour each.
        metric: the metric's name in `metrics.csv`.
        path: the file that is written.

    Raises:
        BadInput: matplotlib is missing, a run has no record or no such metric in it, or the file
            can't be written.
    """
    figure_class("--figure")
    records = []
    for run in runs:
        if not (run.place / "metrics.csv").exists():
            raise BadInput(f"--metric {metric}: {run.place} has only a summary, no metrics.csv")
        records.append(rows := read_record(run.place / "metrics.csv"))
        if metric not in (metrics_of_run := dict.fromkeys(row.metric for row in rows)):
            raise BadInput(
                f"--metric {metric}: {run.place} has no such metric; valid: "
                f"{', '.join(metrics_of_run)}"
            )
    splits = list(dict.fromkeys(r.split for rows in records for r in rows if r.metric == metric))
    shown_splits = list(dict.fromkeys((splits[0], splits[-1])))
    figure, axes = grid("--figure", len(shown_splits), sharey=True)
    floor = 0.0
    if is_error(metric):
        every = [r.value for rows in records for r in rows if r.metric == metric]
        floor = min(error_axis(panel, every) for panel in axes)
    ends: dict[str, list[tuple[float, str, str]]] = {split: [] for split in shown_splits}
    for i, (name, rows) in enumerate(zip(names(runs), records, strict=True)):
        for split, panel in zip(shown_splits, axes, strict=True):
            at, values = member_courses(rows, split, metric)
            if not len(at):
                continue
            values = np.maximum(values, floor) if is_error(metric) else values
            panel.plot(at, values.T, color=color(i), alpha=0.35, linewidth=0.6)
            median = np.nanmedian(values, axis=0)
            if len(values) >= MANY:
                low, high = np.nanquantile(values, [0.25, 0.75], axis=0)
                panel.fill_between(at, low, high, color=color(i), alpha=0.15, linewidth=0)
            panel.plot(at, median, linewidth=1.8, **style(i))
            ends[split].append((float(median[-1]), name, color(i)))
            panel.set_title(split_words(split))
            panel.xaxis.set_major_formatter(steps_text)
            panel.set_xlabel("training step")
    figure.supylabel(metric_words(metric))
    figure.draw_without_rendering()
    for split, panel in zip(shown_splits, axes, strict=True):
        label_ends(panel, ends[split])
    save(figure, path, "--figure")


def member_courses(rows: Iterable[Any], split: str, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """The values of a metric on a split over the training, for each member.

    Args:
        rows: rows of `metrics.csv`, as `read_record` returns them.
        split: the split that the metric was measured on.
        metric: the metric's name.

    Returns:
        The steps at which it was measured, `[n]`, and its values, `[M, n]`, NaN where a member has
        none.
    """
    courses: dict[tuple[str, int], dict[int, float]] = {}
    for row in rows:
        if (row.split, row.metric) == (split, metric):
            courses.setdefault((row.case, row.seed), {})[row.step] = row.value
    at = sorted({step for course in courses.values() for step in course})
    values = [[course.get(step, np.nan) for step in at] for course in courses.values()]
    return np.array(at), np.array(values)


@journal
def plot_points(runs: Sequence[Run], path: Path) -> None:
    """Draw the error at each point of a grid, median and quartiles over the members, a line a run.

    For tasks that measure at points (splits `at_<x>`), such as identity_autoencoder.

    Args:
        runs: runs whose judged splits are such points.
        path: the file that is written.

    Raises:
        BadInput: matplotlib is missing, or the file can't be written.
    """
    Figure = figure_class("--figure")
    figure = Figure(figsize=(PAGE * 0.8, 3.6), layout="constrained")
    axes = figure.subplots()
    lines = []
    for run in runs:
        points = sorted((float(split.partition("_")[2]), split) for split in points_of(run))
        errors = [[m[run.metric][split] for m in run.members] for _, split in points]
        # A member that diverged has no value: it counts as infinite, above all that have one.
        quartiles = [
            np.quantile([[np.inf if e is None else e for e in at] for at in errors], q, axis=1)
            for q in (0.25, 0.5, 0.75)
        ]
        lines.append(([at for at, _ in points], quartiles))
    floor = error_axis(axes, [q for _, quartiles in lines for q in quartiles])
    for i, (name, (x, quartiles)) in enumerate(zip(names(runs), lines, strict=True)):
        low, median, high = np.maximum(quartiles, floor)
        axes.plot(x, median, label=name, **style(i))
        axes.fill_between(x, low, high, color=color(i), alpha=0.12, linewidth=0)
    axes.set(
        xlabel="input", ylabel=f"{metric_words(runs[0].metric)}\n(median and quartiles of seeds)"
    )
    axes.set_title(describe(runs, [runs]))
    legend(figure, [axes])
    save(figure, path, "--figure")


def points_of(run: Run) -> list[str]:
    """The judged splits of a run that are points of a grid: `at_<x>`.

    Args:
        run: the run whose splits are looked at.
    """
    return [split for split in run.judged if split.startswith("at_")]


@journal
def plot_against(runs: Sequence[Run], key: str, path: Path) -> None:
    """Draw success, solved at and sparsity error against a key or `case`.

    Against numbers a line a model; against names, such as the ranges of a benchmark, a heat map
    with a row a model.

    Args:
        runs: runs that differ in the key.
        key: a dotted key of the config, or `case` for the cases of the task.
        path: the file that is written.

    Raises:
        BadInput: matplotlib is missing, no run has the key, it is the same in all runs, the runs
            follow several protocols besides, or the file can't be written.
    """
    figure_class("--figure")
    groups = [g for g in protocols(runs, apart=[key]) if all(run.judged for run in g)]
    if len(groups) != 1:
        problem = (
            "the summaries list no members"
            if not groups
            else f"these follow {len(groups)} protocols"
        )
        raise BadInput(
            f"--against {key}: needs runs of one protocol that differ in this key; {problem}"
        )
    lines = _lines(groups[0], key)
    values = _in_order(dict.fromkeys(value for line in lines for value in line.points))
    if len(values) < 2:
        raise BadInput(f"--against {key}: it does not differ between these runs")
    split = groups[0][0].judged[-1]
    numeric = _all_numbers(values)
    unit = "" if numeric else " (%)"
    measures: dict[str, _Measure] = {
        f"share of seeds that solved\n{split_words(split)}{unit}": success_rate,
        "solved at, mean\n(training step)": solved_at_mean,
    }
    if any("sparsity_error" in member for run in groups[0] for member in run.members):
        measures["distance of weights from\n-1, 0 and 1"] = sparsity_error
    height = 2.2 if numeric else 0.9 + 0.17 * len(lines)
    figure, axes = grid("--figure", len(measures), sharey=not numeric, height=height)
    estimates = {
        name: [_estimates(line, values, measure, split) for line in lines]
        for name, measure in measures.items()
    }
    for panel, (name, by_line) in zip(axes, estimates.items(), strict=True):
        panel.set_title(name)
        panel.set_xticks(range(len(values)), values)
        panel.set_xlabel("" if key == "case" else key)
        if max(map(len, values)) > 4:
            panel.tick_params(axis="x", labelrotation=90)
        if numeric:
            for i, points in enumerate(by_line):
                shift = min(0.7, 0.08 * len(lines)) * ((i + 0.5) / len(lines) - 0.5)
                _draw_points(panel, lines[i].name, points, i, shift)
        else:
            _heat_map(panel, by_line, len(values), measures[name])
            panel.set_yticks(range(len(lines)), [line.name for line in lines])
    if numeric:
        axes[0].set_ylim(-0.03, 1.03)
        axes[1].set_yscale("log")
        label_steps(axes[1].yaxis, (1, 2, 5))
        for panel in axes[2:]:
            panel.set_yscale("symlog", linthresh=1e-6)
            panel.set_ylim(0, 0.7)
        legend(figure, axes)
    figure.suptitle(describe(groups[0], groups))
    save(figure, path, "--figure")


_Measure = Callable[[Sequence[Member], str], Estimate | None]


def _heat_map(
    panel: Any, rows: Sequence[Mapping[int, Estimate]], columns: int, measure: _Measure
) -> None:
    """A cell for each model and value, its figure in it; empty where no seed solved it."""
    values = np.full((len(rows), columns), np.nan)
    for i, row in enumerate(rows):
        for j, estimate in row.items():
            values[i, j] = estimate.value
    is_share = measure is success_rate  # a share is better the larger, all else the smaller
    shades = values if is_share else -np.log10(np.maximum(values, 1e-8))
    finite = shades[np.isfinite(shades)]
    low, high = (0.0, 1.0) if is_share or not finite.size else (finite.min(), finite.max())
    high = max(high, low + 1e-9)  # a single value is drawn dark, and its figure white
    panel.imshow(shades, cmap="viridis", vmin=low, vmax=high, aspect="auto")
    panel.grid(False)
    panel.tick_params(length=0)
    for (i, j), value in np.ndenumerate(values):
        if np.isfinite(value):
            dark = shades[i, j] < low + 0.55 * (high - low)
            panel.text(
                j, i, _short(value, measure), ha="center", va="center",
                fontsize=5.5 if columns > 6 else 6.5, color="white" if dark else "black",
            )  # fmt: skip


def _short(value: float, measure: _Measure) -> str:
    """A figure that fits into a cell: per cent, `43k`, `2e-6`."""
    if measure is success_rate:
        return f"{100 * value:.0f}"
    if measure is solved_at_mean:
        return steps(float(f"{value:.2g}"))
    return "0" if value < 1e-15 else number(float(f"{value:.1g}"))


def _draw_curve(panel: Any, run: Run, case: str, own: dict[str, Any]) -> float:
    """Draw the curve of a case of a run in its own style; return the share at the last step."""
    split, end = run.judged[-1], run.summary["steps"]
    curve = kaplan_meier([m["solved_at"][split] for m in run.of_case(case)], end)
    # The curve begins at step 0 with share 0, and ends a little beyond the last step to show it.
    at = np.concatenate([[0], curve.steps, [BEYOND * end]])
    share, low, high = (
        np.concatenate([[0.0], values, values[-1:]])
        for values in (curve.solved, curve.low, curve.high)
    )
    panel.step(at, share, where="post", **own)
    panel.fill_between(at[1:], low[1:], high[1:], step="post", alpha=0.1, color=own["color"])
    return float(share[-1])


def _estimates(
    line: _Line,
    values: Sequence[str],
    measure: Callable[[Sequence[Member], str], Estimate | None],
    split: str,
) -> dict[int, Estimate]:
    """A line's estimate at the place of each value of the key that it has members for."""
    estimates = {
        i: measure(line.points[v], split) for i, v in enumerate(values) if v in line.points
    }
    return {i: estimate for i, estimate in estimates.items() if estimate is not None}


def _draw_points(
    panel: Any, name: str, estimates: Mapping[int, Estimate], index: int, shift: float
) -> None:
    if not estimates:
        return
    at = np.array(list(estimates)) + shift
    value, low, high = np.array(list(estimates.values())).T
    # One member alone has no interval.
    reach = np.nan_to_num([value - low, high - value]).clip(min=0)
    panel.errorbar(
        at, value, reach, label=name, marker=MARKERS[index % len(MARKERS)], markersize=3.5,
        capsize=1.5, elinewidth=0.8, **style(index),
    )  # fmt: skip


def _lines(runs: Sequence[Run], key: str) -> list[_Line]:
    """One line for each model: its members, by their value of the key."""
    keys = [k for k in label_keys(runs) if k != key]
    cases = {_case_without(case, key) for run in runs for case in run.cases}
    names_by_run = dict(zip(map(id, runs), names(runs, keys), strict=True))
    lines: dict[str, dict[str, list[Member]]] = {}
    for run in runs:
        for case in run.cases:
            value = task_case(case) if key == "case" else run.value(key, case)
            if value is None:
                raise BadInput(f"--against {key}: no run has such a key in its config")
            name = names_by_run[id(run)]
            if key != "case" and len(cases) > 1:
                name = f"{name} {_case_without(case, key)}"
            lines.setdefault(name, {}).setdefault(_value_text(value), []).extend(run.of_case(case))
    return [_Line(name, points) for name, points in lines.items()]


def _case_without(case: str, key: str) -> str:
    """A case's name without its setting of the key."""
    return " ".join(word for word in case.split(" ") if not word.startswith(f"{key}="))


def _value_text(value: Any) -> str:
    """A value's text, the same for 10, 10.0 and "10"."""
    try:
        return f"{float(value):g}"
    except (TypeError, ValueError):
        return str(value)


def _in_order(values: Iterable[str]) -> list[str]:
    """The values sorted if all of them are numbers, else in their order."""
    ordered = list(values)
    return sorted(ordered, key=float) if _all_numbers(ordered) else ordered


def _all_numbers(values: Sequence[str]) -> bool:
    return all(re.fullmatch(r"[-+]?[\d.]+(e[-+]?\d+)?", value) for value in values)


def names(runs: Sequence[Run], keys: Sequence[str] | None = None) -> list[str]:
    """A short name for each run: its values of the keys in which the runs differ, else its unit.

    Args:
        runs: the runs that stand in one figure.
        keys: the keys whose values are compared; by default `label_keys` of the runs.
    """
    columns = [labels(run, keys if keys is not None else label_keys(runs)) for run in runs]
    differing_columns = [
        i for i, column in enumerate(zip(*columns, strict=True)) if len(set(column)) > 1
    ]
    return [" ".join(line[i] for i in differing_columns) or run.summary["unit"]
            for run, line in zip(runs, columns, strict=True)]  # fmt: skip


def _cases(runs: Sequence[Run]) -> list[str]:
    return list(dict.fromkeys(case for run in runs for case in run.cases))
