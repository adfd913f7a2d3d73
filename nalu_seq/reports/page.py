"""A report as one HTML page: tables, charts, commands, weights; it needs no other file."""

import html
import importlib.resources
import re
from collections.abc import Iterable, Mapping, Sequence
from math import inf, isfinite, nan
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nalu_seq.evaluation.survival import kaplan_meier
from nalu_seq.records.command import recorded_command, train_command
from nalu_seq.records.record import Row as Recorded
from nalu_seq.records.record import read_record
from nalu_seq.reports.charts import Axis, Dot, Line, dot_chart, heat_map, line_chart, log_axis
from nalu_seq.reports.plots import member_courses, names, split_errors
from nalu_seq.reports.summaries import Run, describe_seeds
from nalu_seq.reports.tables import Cell, Row, Table, describe, number
from nalu_seq.reports.words import is_error, metric_words, split_words

LONG = 30  # a table of more rows is folded
MOST_LINES = 120  # thin lines in a chart, one for each member
MOST_CHARTS = 12  # charts of solved members, one for each case
MOST_PICTURES = 6  # members whose weight matrices are drawn
_INTERVAL = re.compile(r"\[[^\]]*\],?|\d+/\d+ solved")
FIRST_ERRORS = ("relative_error", "mae", "mse")


class LearnedWeights(NamedTuple):
    """What a run's members have learned, as far as it can be read from their weights.

    Attributes:
        members: the name of each member: its seed, and its case where there are several.
        matrices: effective weights `[M, in, units]`, by the unit's and the matrix's name.
        formulas: a line for each formula or reason that there is none.
    """

    members: Sequence[str]
    matrices: Mapping[str, np.ndarray]
    formulas: Sequence[str] = ()


NOTHING: Mapping[Path, LearnedWeights] = {}


def page(
    groups: Sequence[Sequence[Run]],
    tables: Sequence[Table],
    learned: Mapping[Path, LearnedWeights] = NOTHING,
) -> str:
    """The whole page: results, charts, weights, members and settings.

    Args:
        groups: the runs of each protocol.
        tables: the tables of the report on these runs.
        learned: weights and formulas of the runs' members, by the run's directory.

    Returns:
        The HTML of the page, with its style and its script.
    """
    runs = [run for group in groups for run in group]
    tasks = ", ".join(dict.fromkeys(run.summary["task"] for run in runs))
    sections = [
        f"<header><h1>{_escape(tasks)}</h1>{_facts(runs)}</header>",
        _config_section(runs),
        _section("Results", "".join(map(html_table, tables))),
        _section("Charts", "".join(_charts(group, groups) for group in groups)),
        _section("Weights and formulas", _weights(runs, learned)),
        _section("Members", _members(runs)),
        _section("Settings", _settings(runs)),
    ]
    read = importlib.resources.files("nalu_seq.reports").joinpath
    style, script = (read(f"page.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:,">'
        f"<title>nalu_seq: {_escape(tasks)}</title><style>\n{style}</style></head>\n<body>\n"
        + "\n".join(filter(None, sections))
        + f'\n<div id="tip" role="status"></div><script>\n{script}</script></body></html>'
    )


def html_table(table: Table) -> str:
    """An HTML table; a click on a header sorts it, and a long one is folded.

    Args:
        table: the table with its title and its notes.
    """
    notes = "".join(f'<p class="quiet">{_escape(note)}</p>' for note in table.notes)
    if not table.rows:
        return f"<h3>{_escape(table.title)}</h3>{notes}"
    labels = len(table.labels)
    kind = ["" if i < labels else ' class="figure"' for i in range(labels + len(table.columns))]
    header = "".join(
        f'<th scope="col"{kind[i]}><button>{_escape(name)}</button></th>'
        for i, name in enumerate([*table.labels, *table.columns])
    )
    body = "".join(_row(row) for row in table.rows)
    caption = f"<caption>{_escape(table.title)}</caption>" if table.title else ""
    shown = (
        f'<div class="wide"><table>{caption}'
        f"<thead><tr>{header}</tr></thead><tbody>{body}</tbody></table></div>{notes}"
    )
    if len(table.rows) <= LONG:
        return shown
    heading = f"{table.title or 'Table'}: {len(table.rows)} rows"
    return f"<details><summary>{_escape(heading)}</summary>{shown}</details>"


def _row(row: Row) -> str:
    cells = [f"<td{_sorted_by(_as_number(label))}>{_escape(label)}</td>" for label in row.labels]
    for cell in row.cells:
        value = cell.facts.get("value")
        shade = (
            f' style="--share:{value:.3f}"' if "solved" in cell.facts and _is_share(value) else ""
        )
        kind = "figure share" if shade else "figure"
        text = _escape(_keep_intervals_together(cell.text))
        cells.append(f'<td class="{kind}"{_sorted_by(value)}{shade}>{text}</td>')
    return f"<tr>{''.join(cells)}</tr>"


def _keep_intervals_together(text: str) -> str:
    """The text with unbreakable blanks inside each interval."""
    return _INTERVAL.sub(lambda match: match[0].replace(" ", "\u00a0"), text)


def _sorted_by(value: Any) -> str:
    is_number = isinstance(value, int | float) and isfinite(value)
    return f' data-v="{value!r}"' if is_number else ""


def _is_share(value: Any) -> bool:
    return isinstance(value, float) and 0 <= value <= 1


def _as_number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return nan


def _facts(runs: Sequence[Run]) -> str:
    """The boxes at the top: how many runs and networks, how many solved it, steps and time."""
    seeds = sum(max(len(run.members), len(run.summary["seeds"])) for run in runs)
    facts = [(str(len(runs)), "run" if len(runs) == 1 else "runs")]
    facts.append((str(seeds), "networks trained"))
    judged_runs = [run for run in runs if run.judged]
    if judged_runs:
        split = judged_runs[0].judged[-1]
        members = [m for run in judged_runs if split in run.judged for m in run.members]
        solved = sum(m["solved"][split] for m in members)
        facts.append((f"{solved} of {len(members)}", f"solved {split_words(split)}"))
    steps = [run.summary["steps"] for run in runs]
    shown = f"{min(steps):,}" if min(steps) == max(steps) else f"{min(steps):,} to {max(steps):,}"
    facts.append((shown, "training steps each"))
    seconds = [run.summary["wall_seconds"] for run in runs]
    if all(value is not None for value in seconds):
        facts.append((_duration(sum(seconds)), "on " + _devices(runs)))
    boxes = "".join(f"<div><b>{_escape(b)}</b><span>{_escape(s)}</span></div>" for b, s in facts)
    return f'<div class="facts">{boxes}</div>'


def _devices(runs: Sequence[Run]) -> str:
    device_names = {", ".join(map(str, run.summary.get("devices") or ["unknown"])) for run in runs}
    return "; ".join(sorted(device_names)).replace("/device:", "")


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _config_section(runs: Sequence[Run]) -> str:
    """The parts of each run, and the command that repeats it."""
    blocks = []
    for run in runs:
        s = run.summary
        description = (
            f"{s['task']}: encoder {s['encoder']}, head {s['head']}, unit {s['unit']}; "
            f"seeds {describe_seeds(s['seeds'])}; {s['steps']:,} steps"
        )
        blocks.append(f"<p>{_escape(description)}</p>{_command(run)}")
    shown = "".join(blocks[:3])
    if len(blocks) > 3:
        more = "".join(blocks[3:])
        shown += f"<details><summary>{len(blocks) - 3} more</summary>{more}</details>"
    return _section("What was asked", shown)


def _command(run: Run) -> str:
    command = recorded_command(run.place)
    if command is None and run.overrides:
        command = train_command([f"{key}={value}" for key, value in run.overrides.items()])
    if command is None:
        return '<p class="quiet">Its command was not recorded.</p>'
    commit = run.summary.get("git_commit")
    at = f' <span class="quiet">at commit {_escape(str(commit)[:12])}</span>' if commit else ""
    return f"<pre><code>{_escape(command)}</code></pre>{at}"


def _charts(runs: Sequence[Run], groups: Sequence[Sequence[Run]]) -> str:
    charts = [*_solved_charts(runs), *_split_charts(runs), *_course_charts(runs)]
    if not charts:
        return ""
    heading = f"<h3>{_escape(describe(runs, groups))}</h3>" if len(groups) > 1 else ""
    return f'{heading}<div class="charts">{"".join(charts)}</div>'


def _solved_charts(runs: Sequence[Run]) -> Iterable[str]:
    """What share of each run's members has solved the last split by each step, a chart a case."""
    if not all(run.judged for run in runs):
        return
    split, end = runs[0].judged[-1], max(run.summary["steps"] for run in runs)
    at = [m["solved_at"][run.judged[-1]] for run in runs for m in run.members]
    first = min(filter(None, at), default=1)
    wide = end > 100 * first
    x = Axis("training step", first / 2 if wide else 0, end, log=wide, steps=True)
    y = Axis("share of seeds that solved it", 0.0, 1.0)
    cases = dict.fromkeys(case for run in runs for case in run.cases)
    for case in list(cases)[:MOST_CHARTS]:
        lines = []
        for name, run in zip(names(runs), runs, strict=True):
            if case not in run.cases:
                continue
            own = [m["solved_at"][run.judged[-1]] for m in run.of_case(case)]
            curve = kaplan_meier(own, run.summary["steps"])
            lines.append(
                Line(
                    name,
                    [x.low, *curve.steps, run.summary["steps"]],
                    [0.0, *curve.solved, curve.solved[-1]],
                    [nan, *curve.low, curve.low[-1]],
                    [nan, *curve.high, curve.high[-1]],
                    stairs=True,
                )
            )
        of_case = "" if case == "default" else f", {case}"
        yield line_chart(f"Solved {split_words(split)}{of_case}", x, y, lines)


def _split_charts(runs: Sequence[Run]) -> Iterable[str]:
    """The error of each run on each split: the median and the range of its members."""
    errors = [split_errors(run) for run in runs]
    metric = next((m for m in FIRST_ERRORS if any(m in of_run for of_run in errors)), None)
    if metric is None or any(len(run.summary.get("cases") or []) > 1 for run in runs):
        return
    splits = list(dict.fromkeys(s for of_run in errors for s in of_run.get(metric, {})))
    rows = {
        name: {
            split_words(split): Dot(median, low, high)
            for split, (low, median, high) in of_run.get(metric, {}).items()
        }
        for name, of_run in zip(names(runs), errors, strict=True)
    }
    if len(splits) > 6:  # a grid of points has more splits than fit as words under an axis
        return
    values = [v for dots in rows.values() for dot in dots.values() for v in dot]
    yield dot_chart(
        "Error where it was measured: median and range of seeds",
        "measured on",
        [split_words(split) for split in splits],
        log_axis(metric_words(metric), values),
        rows,
    )


def _course_charts(runs: Sequence[Run]) -> Iterable[str]:
    """Charts of an error and the loss by training step: median and quartiles over the members."""
    records: list[list[Recorded]] = []
    for run in runs:
        path = run.place / "metrics.csv"
        records.append(read_record(path) if path.is_file() else [])
    metrics = dict.fromkeys(row.metric for rows in records for row in rows)
    shown = [m for m in FIRST_ERRORS if m in metrics][:1] or [*metrics][:1]
    for metric in [*shown, *(["loss"] if "loss" in metrics else [])]:
        of_metric = [r.split for rows in records for r in rows if r.metric == metric]
        splits = list(dict.fromkeys(of_metric))
        for split in dict.fromkeys([splits[-1], splits[0]]):
            yield _course_chart(runs, records, split, metric)


def _course_chart(
    runs: Sequence[Run], records: Sequence[Sequence[Recorded]], split: str, metric: str
) -> str:
    lines = []
    room = MOST_LINES // max(1, len(runs))
    every: list[float] = []
    for name, run, rows in zip(names(runs), runs, records, strict=True):
        at, values = member_courses(rows, split, metric)
        if not len(at):
            continue
        # A member that diverged has no value: it counts as infinite, above all that have one.
        is_number = np.where(np.isfinite(values), values, inf)
        low, median, high = np.quantile(is_number, [0.25, 0.5, 0.75], axis=0, method="nearest")
        members = [(f"seed {m[1]}", v) for m, v in zip(_members_with(rows, split, metric), values,
                                                      strict=True)]  # fmt: skip
        every += [float(v) for v in values.ravel()]
        lines_of_members = members if len(members) <= room else []
        lines.append(Line(name, at.tolist(), median.tolist(), low, high, lines_of_members))
        del run
    end = max(line.x[-1] for line in lines)
    x = Axis("training step", 0, end, steps=True)
    words = metric_words(metric)
    if is_error(metric):
        y = log_axis(words, every)
    else:
        finite = [v for v in every if isfinite(v)] or [0.0]
        y = Axis(words, min(0.0, *finite), max(1.0, *finite))
    where = "" if split == "train" else f", {split_words(split)}"
    return line_chart(f"{words[0].upper()}{words[1:]}{where}", x, y, lines)


def _members_with(rows: Iterable[Recorded], split: str, metric: str) -> list[tuple[str, int]]:
    members = ((r.case, r.seed) for r in rows if (r.split, r.metric) == (split, metric))
    return list(dict.fromkeys(members))


def _weights(runs: Sequence[Run], learned: Mapping[Path, LearnedWeights]) -> str:
    parts = []
    for name, run in zip(names(runs), runs, strict=True):
        own = learned.get(run.place)
        if own is None:
            continue
        heading = f"<h3>{_escape(name)}</h3>" if len(runs) > 1 else ""
        code = "".join(f"<pre><code>{_escape(line)}</code></pre>" for line in own.formulas)
        maps = [
            _matrix(f"{matrix}, {member}", values[i])
            for matrix, values in own.matrices.items()
            for i, member in enumerate(own.members[:MOST_PICTURES])
        ]
        rest = len(own.members) - MOST_PICTURES
        note = f'<p class="quiet">And {rest} more seeds, not shown.</p>' if rest > 0 else ""
        large = any(np.atleast_2d(v[0]).shape[-1] > 4 for v in own.matrices.values())
        kind = "charts matrices large" if large else "charts matrices"
        pictures = f'<div class="{kind}">{"".join(maps)}</div>{note}' if maps else ""
        parts.append(f"{heading}{code}{pictures}")
    if not any(parts):
        return ""
    key = "Effective weights, as the unit applies them: blue positive, orange negative, full at 1."
    return f'<p class="quiet">{key}</p>' + "".join(parts)


def _matrix(title: str, values: np.ndarray) -> str:
    values = values.reshape(len(values), -1)  # a gate is a vector
    rows, columns = (list(map(str, range(n))) for n in values.shape)
    return heat_map(title, rows, columns, values.tolist(), "input", "output")


def _members(runs: Sequence[Run]) -> str:
    """Which members diverged, and a table with a row for each member."""
    parts = []
    for name, run in zip(names(runs), runs, strict=True):
        of_run = f"{name}: " if len(runs) > 1 else ""
        for divergence in run.summary.get("diverged") or []:
            case = "" if divergence["case"] == "default" else f", {divergence['case']}"
            sentence = (
                f"{of_run}seed {divergence['seed']}{case} diverged at step {divergence['step']:,}."
            )
            parts.append(f"<p>{_escape(sentence)}</p>")
    if not parts and all("diverged" in run.summary for run in runs):
        parts.append("<p>None diverged.</p>")
    for name, run in zip(names(runs), runs, strict=True):
        if run.judged:
            heading = f"{name}: each of {len(run.members)} members" if len(runs) > 1 else (
                f"Each of {len(run.members)} members"
            )  # fmt: skip
            table = html_table(_member_table(run))
            parts.append(f"<details><summary>{_escape(heading)}</summary>{table}</details>")
    return "".join(parts)


def _member_table(run: Run) -> Table:
    splits = list(run.members[0][run.metric])
    rows = []
    for m in run.members:
        values = [m[run.metric][split] for split in splits]
        cells = [Cell("-" if v is None else number(v), {"value": v}) for v in values]
        for split in run.judged:
            at = m["solved_at"][split]
            text = ("yes" if m["solved"][split] else "no") + ("" if at is None else f", at {at:,}")
            cells.append(Cell(text, {"value": inf if at is None else at}))
        rows.append(Row([m["case"], str(m["seed"])], cells))
    columns = [f"{metric_words(run.metric)}, {split_words(split)}" for split in splits]
    columns += [f"solved {split_words(split)}" for split in run.judged]
    return Table("", ["case", "seed"], columns, rows, [])


def _settings(runs: Sequence[Run]) -> str:
    """The whole config of each run, and what it ran on."""
    parts = []
    for name, run in zip(names(runs), runs, strict=True):
        s = run.summary
        lines = [f"{key} = {value}" for key, value in run.config.items()]
        lines += [f"{key} {value}" for key, value in (s.get("versions") or {}).items()]
        if lines:
            text = _escape("\n".join(lines))
            parts.append(f"<details><summary>{_escape(name)}</summary><pre>{text}</pre></details>")
    return "".join(parts)


def _section(title: str, body: str) -> str:
    return f"<section><h2>{title}</h2>{body}</section>" if body else ""


def _escape(text: str) -> str:
    return html.escape(text)
