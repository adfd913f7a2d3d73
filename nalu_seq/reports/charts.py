"""Charts as SVG for the page; `page.js` reads them out on hover, `page.css` colours them."""

import html
import json
from collections.abc import Mapping, Sequence
from math import ceil, floor, isfinite, log10
from typing import NamedTuple

from nalu_seq.reports.tables import number, steps

WIDTH, HEIGHT = 360, 230
LEFT, RIGHT, TOP, BOTTOM = 50, 16, 8, 36
COLORS = 7
DASHES = ("", "6 3", "2 2", "8 2 2 2")
MOST_POINTS = 150  # drawn of one line: on 300 pixels nobody could tell more apart
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
CELLS_WITH_FIGURES = 120  # a matrix of more cells shows colours alone
TOP_OF_CELLS = 28  # where the cells of a matrix begin, below the labels of its columns


class Axis(NamedTuple):
    """An axis of a chart: the range of its values and what they mean.

    Attributes:
        label: the axis' name in words, with the unit.
        low: the smallest value that is shown.
        high: the largest value that is shown.
        log: whether the axis is logarithmic, each decade as long as the next.
        steps: whether values are numbers of steps, written as `2k`.
    """

    label: str
    low: float
    high: float
    log: bool = False
    steps: bool = False

    def place(self, value: float) -> float:
        """Where a value is, 0 at the low end and 1 at the high one.

        Args:
            value: a value in the axis' own unit.

        Returns:
            The value's place along the axis, from 0 at `low` to 1 at `high`; values beyond are put
            at the ends.
        """
        if self.log:
            value, low, high = (log10(max(v, self.low)) for v in (value, self.low, self.high))
        else:
            low, high = self.low, self.high
        return min(max((value - low) / (high - low), 0.0), 1.0) if high > low else 0.5

    def ticks(self) -> list[float]:
        """About five round values between the two ends of the axis."""
        if self.log:
            first, last = ceil(log10(self.low) - 1e-9), floor(log10(self.high) + 1e-9)
            every = max(1, ceil((last - first) / 5))
            return [10.0**k for k in range(first, last + 1, every)]
        rough = (self.high - self.low) / 5 or 1.0
        size = 10.0 ** floor(log10(rough))
        step = next(m * size for m in (1, 2, 5, 10) if m * size >= rough * 0.999)
        first = ceil(self.low / step - 1e-9)
        return [k * step for k in range(first, floor(self.high / step + 1e-9) + 1)]

    def tick_text(self, value: float) -> str:
        """A tick's label.

        Args:
            value: one of `ticks`.

        Returns:
            The label of the tick: `2k` for steps, a power of ten on a logarithmic axis, else the
            number.
        """
        if self.steps:
            return steps(value)
        if self.log:
            return "10" + str(round(log10(value))).translate(SUPERSCRIPTS)
        return f"{value:.6g}"


def log_axis(label: str, values: Sequence[float], steps: bool = False) -> Axis:
    """A logarithmic axis over the whole decades around all positive values.

    Args:
        label: the axis' name in words, with the unit.
        values: what is drawn along the axis; values that are not positive or not finite are left
            out.
        steps: whether the values are numbers of steps, written as `2k`.

    Returns:
        The axis, at least one decade long.
    """
    positive = [v for v in values if isfinite(v) and v > 0] or [1.0]
    low, high = (log10(v) for v in (min(positive), max(positive)))
    low, high = max(floor(low), -300), min(ceil(high), 300)  # a float holds little more
    return Axis(label, 10.0**low, 10.0 ** max(high, low + 1), True, steps)


class Line(NamedTuple):
    """The curves of one run: a thick line, a band around it, thin lines for its members.

    Attributes:
        name: the run's name in the legend.
        x: where each point is on the horizontal axis, `[n]`.
        y: the values of the thick line, `[n]`, NaN where there is none.
        low: the band's lower edge, `[n]`; no band is drawn if it is empty.
        high: the band's upper edge, `[n]`.
        members: each member's name and values, `[n]`.
        stairs: whether a value holds until the next point, as in a step function.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    members: Sequence[tuple[str, Sequence[float]]] = ()
    stairs: bool = False


class Dot(NamedTuple):
    """A value, drawn as a dot, and the range around it, drawn as a vertical line."""

    value: float
    low: float
    high: float


def line_chart(title: str, x: Axis, y: Axis, lines: Sequence[Line]) -> str:
    """A chart of curves over a numeric axis.

    Args:
        title: the heading above the chart.
        x: the horizontal axis.
        y: the vertical axis.
        lines: the curves, one entry a run.

    Returns:
        An HTML figure with the SVG and its legend.
    """
    elements = []
    for i, line in enumerate(lines):
        if len(line.low):
            elements.append(_band(x, y, line, i))
        for name, values in line.members:
            elements.append(
                _polyline(x, y, line.x, values, f"{line.name} {name}", i, "member", False)
            )
        elements.append(_polyline(x, y, line.x, line.y, line.name, i, "line", line.stairs))
    return _figure(title, _axes(x, y) + "".join(elements), [line.name for line in lines], x, y)


def dot_chart(
    title: str, x_label: str, places: Sequence[str], y: Axis, rows: Mapping[str, Mapping[str, Dot]]
) -> str:
    """A chart that shows at each place a dot with its range for each name.

    Args:
        title: the heading above the chart.
        x_label: the words under the horizontal axis.
        places: the words along the horizontal axis, such as splits.
        y: the vertical axis.
        rows: for each name of the legend, its dot at each place that it has a value for.

    Returns:
        An HTML figure with the SVG and its legend.
    """
    elements = [_y_axis(y)]
    width = (WIDTH - LEFT - RIGHT) / len(places)
    for j, place in enumerate(places):
        center = LEFT + width * (j + 0.5)
        elements.append(_text(center, HEIGHT - BOTTOM + 13, place, "middle"))
        for i, (name, dots) in enumerate(rows.items()):
            if place not in dots:
                continue
            dot = dots[place]
            at = center + width * 0.7 * ((i + 0.5) / len(rows) - 0.5)
            top, middle, bottom = (_y_pixel(y, v) for v in (dot.high, dot.value, dot.low))
            tip = f"{name}, {place}: median {number(dot.value)}"
            tip += f", from {number(dot.low)} to {number(dot.high)}"
            elements.append(
                f'<g class="dot c{i % COLORS}" data-tip="{html.escape(tip)}">'
                f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{top:.1f}" y2="{bottom:.1f}"/>'
                f"{_mark(i, at, middle)}</g>"
            )
    elements.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 5, x_label, "middle", "label"))
    return _figure(title, "".join(elements), list(rows), None, y, marks=True)


def heat_map(
    title: str,
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[float]],
    row_label: str,
    column_label: str,
) -> str:
    """A matrix of weights in colours: full at -1 and 1, none at 0; small ones show figures too.

    Args:
        title: the heading above the matrix.
        rows: the name of each row, `[n]`.
        columns: the name of each column, `[m]`.
        values: the weights, `[n, m]`.
        row_label: what the rows are, such as `input`.
        column_label: what the columns are, such as `output`.

    Returns:
        An HTML figure with the SVG.
    """
    wide = max(len(text) for text in [*rows, ""]) * 5.5 + 10
    cell_width = min(44.0, (WIDTH - wide - RIGHT) / max(len(columns), 1))
    cell_height = min(22.0, max(4.0, 400 / max(len(rows), 1)))
    height = TOP_OF_CELLS + 8 + cell_height * len(rows)
    few = len(rows) * len(columns) <= CELLS_WITH_FIGURES and cell_width > 24 and cell_height > 10
    elements = []
    for i, row in enumerate(values):
        if cell_height > 9:
            elements.append(
                _text(wide - 4, TOP_OF_CELLS + 4 + cell_height * (i + 0.5), rows[i], "end")
            )
        for j, value in enumerate(row):
            x, y = wide + cell_width * j, TOP_OF_CELLS + cell_height * i
            size = min(abs(value), 1.0) if isfinite(value) else 0.0
            side = "positive" if value > 0 else "negative"
            tip = f"{row_label} {rows[i]}, {column_label} {columns[j]}: {value:.4g}"
            elements.append(
                f'<rect class="cell {side}" x="{x:.1f}" y="{y:.1f}" width="{cell_width:.1f}" '
                f'height="{cell_height:.1f}" fill-opacity="{size:.2f}" '
                f'data-tip="{html.escape(tip)}"/>'
            )
            if few:
                strong = "strong" if size > 0.6 else ""
                text = f"{value:.2f}".rstrip("0").rstrip(".")
                text = "0" if text == "-0" else text
                elements.append(
                    _text(x + cell_width / 2, y + cell_height / 2 + 3.5, text, "middle", strong)
                )
    if cell_width > 9:
        for j, name in enumerate(columns):
            elements.append(_text(wide + cell_width * (j + 0.5), TOP_OF_CELLS - 4, name, "middle"))
    elements.append(_text(2, 8, f"↓ {row_label}  → {column_label}", "start", "label"))
    width = max(wide + cell_width * len(columns) + 4, 92.0)
    return _figure(title, "".join(elements), [], None, None, (width, height))


def _figure(
    title: str,
    elements: str,
    names: Sequence[str],
    x: Axis | None,
    y: Axis | None,
    size: tuple[float, float] = (WIDTH, HEIGHT),
    marks: bool = False,
) -> str:
    """An SVG with its heading above and the legend below."""
    entries = [
        f'<span class="entry c{i % COLORS}" data-name="{html.escape(name)}">{_key(i, marks)}'
        f"{html.escape(name)}</span>"
        for i, name in enumerate(names)
        if len(names) > 1
    ]
    legend = f'<div class="legend">{"".join(entries)}</div>' if entries else ""
    description = "; ".join([title, *([f"{y.label} by {x.label}"] if x and y else []), *names])
    # A figure is not drawn much larger than its layout, so a matrix of two weights stays small.
    most = "" if size[0] == WIDTH else f' style="max-width: {1.2 * size[0]:.0f}px"'
    of_x, of_y = (html.escape(axis.label) if axis else "" for axis in (x, y))
    return (
        f'<figure class="chart"><figcaption>{html.escape(title)}</figcaption>'
        f'<svg viewBox="0 0 {size[0]:.0f} {size[1]:.0f}"{most} role="img" '
        f'aria-label="{html.escape(description)}" data-x="{of_x}" data-y="{of_y}">{elements}</svg>'
        f"{legend}</figure>"
    )


def _axes(x: Axis, y: Axis) -> str:
    elements = [_y_axis(y)]
    for value in x.ticks():
        at = _x_pixel(x, value)
        elements.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" '
                     f'y2="{HEIGHT - BOTTOM}"/>')  # fmt: skip
        elements.append(_text(at, HEIGHT - BOTTOM + 13, x.tick_text(value), "middle"))
    elements.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 5, x.label, "middle", "label"))
    return "".join(elements)


def _y_axis(y: Axis) -> str:
    elements = []
    for value in y.ticks():
        at = _y_pixel(y, value)
        elements.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" '
                     f'y2="{at:.1f}"/>')  # fmt: skip
        elements.append(_text(LEFT - 4, at + 3.5, y.tick_text(value), "end"))
    middle = (TOP + HEIGHT - BOTTOM) / 2
    elements.append(
        f'<text class="label" text-anchor="middle" transform="translate(10 {middle}) rotate(-90)">'
        f"{html.escape(y.label)}</text>"
    )
    return "".join(elements)


def _polyline(
    x: Axis,
    y: Axis,
    at: Sequence[float],
    values: Sequence[float],
    name: str,
    index: int,
    kind: str,
    stairs: bool,
) -> str:
    finite_points = [(a, v) for a, v in zip(at, values, strict=True) if isfinite(v)]
    finite_points = _thin(finite_points)
    places = [(_x_pixel(x, a), _y_pixel(y, v)) for a, v in finite_points]
    points = list(places)
    if stairs:
        points = [p for i, (a, v) in enumerate(places)
                  for p in ([(a, places[i - 1][1])] if i else []) + [(a, v)]]  # fmt: skip
    tips = [[round(a, 1), round(v, 1), steps(k[0]) if x.steps else number(k[0]), number(k[1])]
            for (a, v), k in zip(places, finite_points, strict=True)]  # fmt: skip
    return (
        f'<polyline class="{kind} c{index % COLORS}" points="{_points(points)}" '
        f'stroke-dasharray="{DASHES[index // COLORS % len(DASHES)]}" '
        f'data-name="{html.escape(name)}" data-tips="{html.escape(json.dumps(tips))}"/>'
    )


def _band(x: Axis, y: Axis, line: Line, index: int) -> str:
    low, high = (
        _thin([(a, v) for a, v in zip(line.x, edge, strict=True) if isfinite(v)])
        for edge in (line.low, line.high)
    )
    points = [*high, *reversed(low)]
    if line.stairs:
        points = [*_step_points(high), *reversed(_step_points(low))]
    places = [(_x_pixel(x, a), _y_pixel(y, v)) for a, v in points]
    return f'<polygon class="band c{index % COLORS}" points="{_points(places)}"/>'


def _step_points(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    return [p for i, (a, v) in enumerate(points)
            for p in ([(a, points[i - 1][1])] if i else []) + [(a, v)]]  # fmt: skip


def _thin(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Every k-th point, so that at most MOST_POINTS are left, and the last one."""
    every = ceil(len(points) / MOST_POINTS) or 1
    return points[::every] + (points[-1:] if (len(points) - 1) % every else [])


def _points(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{a:.1f},{v:.1f}" for a, v in places)


def _x_pixel(x: Axis, value: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * x.place(value)


def _y_pixel(y: Axis, value: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * y.place(value)


def _text(x: float, y: float, text: str, anchor: str, kind: str = "") -> str:
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
        f"{html.escape(text)}</text>"
    )


def _key(index: int, marks: bool) -> str:
    """The sample in the legend: the mark of a dot chart, or the dashes of a line."""
    elements = (
        _mark(index, 10, 5)
        if marks
        else f'<line x1="0" x2="20" y1="5" y2="5" '
        f'stroke-dasharray="{DASHES[index // COLORS % len(DASHES)]}"/>'
    )
    return f'<svg class="key" viewBox="0 0 20 10" width="20" height="10">{elements}</svg>'


def _mark(index: int, x: float, y: float) -> str:
    """A circle, square, diamond or triangle, so that runs differ in more than their colour."""
    match index % 4:
        case 0:
            return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.4"/>'
        case 1:
            return f'<rect x="{x - 3:.1f}" y="{y - 3:.1f}" width="6" height="6"/>'
        case 2:
            corners = [(x, y - 4.2), (x + 4.2, y), (x, y + 4.2), (x - 4.2, y)]
        case _:
            corners = [(x, y - 4), (x + 4, y + 3.2), (x - 4, y + 3.2)]
    return f'<polygon points="{_points(corners)}"/>'
