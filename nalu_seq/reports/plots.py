"""Pictures of what was measured; needs matplotlib (the `plots` extra)."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nalu_seq.errors import BadInput
from nalu_seq.evaluation.intervals import Estimate
from nalu_seq.evaluation.survival import kaplan_meier
from nalu_seq.records.record import read_record
from nalu_seq.reports.summaries import (
    Member,
    Run,
    label_keys,
    labels,
    protocols,
    solved_at_mean,
    sparsity_error,
    success_rate,
    task_case,
)
from nalu_seq.reports.tables import describe, is_benchmark, steps

if TYPE_CHECKING:
    from nalu_seq.evaluation.extrapolation import Extrapolation

PANEL = (3.6, 2.5)  # inches
WIDE = 100  # steps are drawn on a logarithmic axis where the last is this many times the first
BEYOND = 1.03
MARKERS = "osD^vP*X<>"
# Lines that lie on each other stay visible where their dashes differ.
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))


class _Line(NamedTuple):
    """A model's outcomes against a key: its members at each value."""

    name: str
    points: dict[str, list[Member]]


def plot_course(found: "Extrapolation", path: Path) -> None:
    """Draw each member's error along the longest split, with the trained length marked.

    Raises:
        BadInput: matplotlib is missing, the task has no sequences, or the file can't be written.
    """
    Figure = figure_class("--plot")
    if found.course is None or found.trained_length is None:
        raise BadInput("--plot: this task has no sequences to draw an error along")
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    lengths = np.arange(1, found.course.mae.shape[1] + 1)
    # A logarithmic axis has no 0: errors below float32's resolution are drawn at its edge.
    errors = np.maximum(found.course.mae, 1e-7)
    axes.plot(lengths, errors.T, color="tab:blue", alpha=0.35, linewidth=0.8)
    axes.plot(lengths, np.median(errors, axis=0), color="tab:blue", linewidth=2, label="median")
    axes.axvline(found.trained_length, color="black", linestyle=":", label="trained up to here")
    if found.counts:
        axes.axhline(0.5, color="tab:red", linestyle="--", linewidth=0.8, label="half a count")
    axes.set(xscale="log", yscale="log", xlabel="sequence length", ylabel="mean absolute error")
    s = found.summary
    axes.set_title(f"{s['task']}: {s['encoder']}, {s['head']}, {s['unit']}; one line a seed")
    axes.legend()
    save(figure, path, "--plot")


def plot_survival(groups: Sequence[Sequence[Run]], path: Path) -> None:
    """Draw what share of the members has solved the last split by each step, a panel a case.

    Raises:
        BadInput: matplotlib is missing, no run tells of its members, or the file can't be written.
    """
    Figure = figure_class("--figure")
    told = [runs for runs in groups if is_benchmark(runs)]
    panels = [(runs, case) for runs in told for case in _cases(runs)]
    if not panels:
        raise BadInput("--figure: none of these runs tells of its members and has cases")
    figure, axes = _grid(Figure, len(panels), sharey=True)
    styles: dict[str, dict[str, Any]] = {}
    for (runs, case), panel in zip(panels, axes, strict=True):
        for name, run in zip(_names(runs), runs, strict=True):
            if case in run.cases:
                style = styles.setdefault(name, _style(len(styles)))
                _draw_curve(panel, run, case, style, name)
        panel.set_title(f"{describe(runs, told)}: {case}" if len(told) > 1 else case, fontsize=9)
        panel.set_ylim(-0.03, 1.03)
    _step_axes(axes, told)
    figure.supylabel(f"share of members that solved {told[0][0].judged[-1]}")
    if len(told) == 1:
        figure.suptitle(describe(told[0], told))
    _legend(figure, axes)
    save(figure, path, "--figure")


def plot_metric(runs: Sequence[Run], metric: str, path: Path) -> None:
    """Draw a metric by step, a thin line a member and a thick one for the median of each run.

    The first split that has it stands beside the last, the hardest one.

    Raises:
        BadInput: matplotlib is missing, a run has no record or no such metric in it, or the file
            can't be written.
    """
    Figure = figure_class("--figure")
    records = []
    for run in runs:
        if not (run.place / "metrics.csv").exists():
            raise BadInput(f"--metric {metric}: {run.place} has only a summary, no metrics.csv")
        records.append(rows := read_record(run.place / "metrics.csv"))
        if metric not in (known := dict.fromkeys(row.metric for row in rows)):
            raise BadInput(
                f"--metric {metric}: {run.place} has no such metric; valid: {', '.join(known)}"
            )
    splits = list(dict.fromkeys(r.split for rows in records for r in rows if r.metric == metric))
    shown = list(dict.fromkeys((splits[0], splits[-1])))
    figure, axes = _grid(Figure, len(shown), sharey=True)
    for i, (name, rows) in enumerate(zip(_names(runs), records, strict=True)):
        for split, panel in zip(shown, axes, strict=True):
            courses: dict[tuple[str, int], dict[int, float]] = {}
            for row in rows:
                if (row.split, row.metric) == (split, metric):
                    courses.setdefault((row.case, row.seed), {})[row.step] = row.value
            if not courses:
                continue
            at = list(next(iter(courses.values())))
            values = np.array([[course[step] for step in at] for course in courses.values()])
            panel.plot(at, values.T, color=f"C{i % 10}", alpha=0.4, linewidth=0.8)
            panel.plot(at, np.median(values, axis=0), label=name, linewidth=2, **_style(i))
            panel.set_title(split, fontsize=9)
            panel.xaxis.set_major_formatter(_steps_text)
            panel.set_xlabel("training step", fontsize=9)
    figure.supylabel(metric)
    _legend(figure, axes)
    save(figure, path, "--figure")


def plot_points(runs: Sequence[Run], path: Path) -> None:
    """Draw the error at each point of a grid, median and quartiles over the members, a line a run.

    For tasks that measure at points (splits `at_<x>`), such as identity_autoencoder.

    Raises:
        BadInput: matplotlib is missing, or the file can't be written.
    """
    Figure = figure_class("--figure")
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.subplots()
    for i, (name, run) in enumerate(zip(_names(runs), runs, strict=True)):
        points = sorted((float(split.partition("_")[2]), split) for split in points_of(run))
        errors = [[m[run.metric][split] for m in run.members] for _, split in points]
        # A member that diverged stands above all that have a value.
        low, median, high = (
            np.quantile([[np.inf if e is None else e for e in at] for at in errors], q, axis=1)
            for q in (0.25, 0.5, 0.75)
        )
        x = [at for at, _ in points]
        axes.plot(x, median, label=name, **_style(i))
        axes.fill_between(x, low, high, color=f"C{i % 10}", alpha=0.12, linewidth=0)
    axes.grid(alpha=0.25)
    axes.set(xlabel="input", ylabel=f"{runs[0].metric}: median, quartiles")
    axes.set_title(describe(runs, [runs]), fontsize=10)
    _legend(figure, [axes])
    save(figure, path, "--figure")


def points_of(run: Run) -> list[str]:
    """The splits that are points of a grid."""
    return [split for split in run.judged if split.startswith("at_")]


def plot_against(runs: Sequence[Run], key: str, path: Path) -> None:
    """Draw success, solved at and sparsity error against a key or `case`, a line a model.

    Raises:
        BadInput: matplotlib is missing, no run tells of the key, the runs follow several protocols
            besides, or the file can't be written.
    """
    Figure = figure_class("--figure")
    groups = [group for group in protocols(runs, apart=[key]) if is_benchmark(group)]
    if len(groups) != 1:
        found = "none has members" if not groups else f"these follow {len(groups)} protocols"
        raise BadInput(f"--against {key}: needs runs of one protocol otherwise; {found}")
    lines = _lines(groups[0], key)
    values = _in_order(dict.fromkeys(value for line in lines for value in line.points))
    if len(values) < 2:
        raise BadInput(f"--against {key}: it does not differ between these runs")
    split = groups[0][0].judged[-1]
    measures: Mapping[str, Callable[[Sequence[Member], str], Estimate | None]] = {
        f"success rate, {split}": success_rate,
        "solved at (step)": solved_at_mean,
        "sparsity error": sparsity_error,
    }
    figure, axes = _grid(Figure, len(measures), sharey=False)
    for panel, (name, measure) in zip(axes, measures.items(), strict=True):
        for i, line in enumerate(lines):
            shift = min(0.7, 0.08 * len(lines)) * ((i + 0.5) / len(lines) - 0.5)
            points = _measured(line, values, measure, split)
            _draw_points(panel, line.name, points, i, shift, joined=_all_numbers(values))
        panel.set_title(name, fontsize=10)
        panel.set_xticks(range(len(values)), values)
        panel.set_xlabel(key)
        if max(map(len, values)) > 5:
            panel.tick_params(axis="x", labelrotation=90)
    axes[0].set_ylim(-0.03, 1.03)
    axes[1].set_yscale("log")
    _label_steps(axes[1].yaxis, (1, 2, 5))
    axes[2].set_yscale("symlog", linthresh=1e-6)
    axes[2].set_ylim(0, 0.7)
    figure.suptitle(describe(groups[0], groups))
    _legend(figure, axes)
    save(figure, path, "--figure")


def _draw_curve(panel: Any, run: Run, case: str, style: dict[str, Any], name: str) -> None:
    split, end = run.judged[-1], run.summary["steps"]
    curve = kaplan_meier([m["solved_at"][split] for m in run.of_case(case)], end)
    # From step 0, where the share is none, to a little beyond the end, to show the last step.
    at = np.concatenate([[0], curve.steps, [BEYOND * end]])
    share, low, high = (
        np.concatenate([[0.0], values, values[-1:]])
        for values in (curve.solved, curve.low, curve.high)
    )
    panel.step(at, share, where="post", label=name, linewidth=1.4, **style)
    panel.fill_between(at[1:], low[1:], high[1:], step="post", alpha=0.12, color=style["color"])


def _step_axes(axes: Sequence[Any], groups: Sequence[Sequence[Run]]) -> None:
    """Steps from 0 on; on a logarithmic axis where the first solutions would be lost in one."""
    runs = [run for group in groups for run in group]
    at = [m["solved_at"][run.judged[-1]] for run in runs for m in run.members]
    first, end = min(filter(None, at), default=1), max(run.summary["steps"] for run in runs)
    for panel in axes:
        if end > WIDE * first:
            panel.set_xscale("log")
            panel.set_xlim(first / 2, BEYOND * end)
            _label_steps(panel.xaxis, (1,))
        else:
            panel.set_xlim(0, BEYOND * end)
            panel.xaxis.set_major_formatter(_steps_text)
        panel.set_xlabel("training step", fontsize=9)
        panel.label_outer()


def _label_steps(axis: Any, digits: Sequence[int]) -> None:
    """A logarithmic axis of steps: `2k`, `5k`, `10k`."""
    from matplotlib.ticker import LogLocator, NullLocator

    axis.set_major_locator(LogLocator(subs=digits))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(_steps_text)


def _steps_text(value: float, _: int) -> str:
    return steps(value)


def _measured(
    line: _Line,
    values: Sequence[str],
    measure: Callable[[Sequence[Member], str], Estimate | None],
    split: str,
) -> dict[int, Estimate]:
    """A line's outcome at the place of each value, where there is one."""
    found = {i: measure(line.points[v], split) for i, v in enumerate(values) if v in line.points}
    return {i: estimate for i, estimate in found.items() if estimate is not None}


def _draw_points(
    panel: Any, name: str, found: Mapping[int, Estimate], index: int, shift: float, joined: bool
) -> None:
    if not found:
        return
    at = np.array(list(found)) + shift
    value, low, high = np.array(list(found.values())).T
    # One member alone has no interval.
    reach = np.nan_to_num([value - low, high - value]).clip(min=0)
    style = _style(index) if joined else {"color": f"C{index % 10}", "linestyle": "none"}
    panel.errorbar(
        at, value, reach, label=name, marker=MARKERS[index % len(MARKERS)], markersize=4,
        capsize=2, linewidth=1.2, elinewidth=0.9, **style,
    )  # fmt: skip


def _lines(runs: Sequence[Run], key: str) -> list[_Line]:
    """Members by model, and by the value of the key."""
    keys = [k for k in label_keys(runs) if k != key]
    cases = {_apart(case, key) for run in runs for case in run.cases}
    names = dict(zip(map(id, runs), _names(runs, keys), strict=True))
    lines: dict[str, dict[str, list[Member]]] = {}
    for run in runs:
        for case in run.cases:
            value = task_case(case) if key == "case" else run.value(key, case)
            if value is None:
                raise BadInput(f"--against {key}: no run tells of such a key")
            name = names[id(run)]
            if key != "case" and len(cases) > 1:
                name = f"{name} {_apart(case, key)}"
            lines.setdefault(name, {}).setdefault(_told(value), []).extend(run.of_case(case))
    return [_Line(name, points) for name, points in lines.items()]


def _apart(case: str, key: str) -> str:
    """A case's name without what it says of the key."""
    return " ".join(word for word in case.split(" ") if not word.startswith(f"{key}="))


def _told(value: Any) -> str:
    """A value's text, the same for 10, 10.0 and "10"."""
    try:
        return f"{float(value):g}"
    except (TypeError, ValueError):
        return str(value)


def _in_order(values: Iterable[str]) -> list[str]:
    """Numbers by size, names as they come."""
    found = list(values)
    return sorted(found, key=float) if _all_numbers(found) else found


def _all_numbers(values: Sequence[str]) -> bool:
    return all(re.fullmatch(r"[-+]?[\d.]+(e[-+]?\d+)?", value) for value in values)


def _names(runs: Sequence[Run], keys: Sequence[str] | None = None) -> list[str]:
    """What sets each run apart, or its unit where nothing does."""
    found = [labels(run, keys if keys is not None else label_keys(runs)) for run in runs]
    differing = [i for i, column in enumerate(zip(*found, strict=True)) if len(set(column)) > 1]
    return [" ".join(line[i] for i in differing) or run.summary["unit"]
            for run, line in zip(runs, found, strict=True)]  # fmt: skip


def _cases(runs: Sequence[Run]) -> list[str]:
    return list(dict.fromkeys(case for run in runs for case in run.cases))


def _style(index: int) -> dict[str, Any]:
    return {"color": f"C{index % 10}", "linestyle": DASHES[index % len(DASHES)]}


def _grid(Figure: Any, panels: int, sharey: bool) -> tuple[Any, list[Any]]:
    columns = min(3, panels)
    rows = -(-panels // columns)
    width, height = max(PANEL[0] * columns, 5.0), PANEL[1] * rows + 1.2
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(rows, columns, sharex=True, sharey=sharey, squeeze=False).ravel()
    for unused in axes[panels:]:
        unused.set_visible(False)
    for panel in axes:
        panel.grid(alpha=0.25)
        panel.tick_params(labelsize=8)
    return figure, list(axes[:panels])


def _legend(figure: Any, axes: Sequence[Any]) -> None:
    """One legend for all panels, below them."""
    found: dict[str, Any] = {}
    for panel in axes:
        for handle, name in zip(*panel.get_legend_handles_labels(), strict=True):
            found.setdefault(name, handle)
    columns = min(6, len(found))
    figure.legend(
        found.values(), found.keys(), loc="outside lower center", ncols=columns, fontsize=9
    )


def figure_class(option: str) -> Any:
    """The figure of matplotlib, or what the option needs in one line."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise BadInput(f"{option} needs matplotlib: pip install 'nalu-seq[plots]'") from error
    return Figure


def save(figure: Any, path: Path, option: str) -> None:
    """Write a figure, or say in one line why that can't be."""
    try:
        figure.savefig(path, dpi=150)
    except (OSError, ValueError) as error:
        raise BadInput(f"{option} {path}: {str(error).splitlines()[0]}") from error
