"""What all figures share: journal sizes, colours, axes in words; needs the `plots` extra."""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np

from nalu_seq.errors import BadInput, install
from nalu_seq.reports.tables import steps

# Inches: one column and two of most journals (89 and 183 mm).
COLUMN, PAGE = 3.5, 7.2
PANEL_HEIGHT = 2.2
WIDE = 100  # steps are drawn on a logarithmic axis where the last is this many times the first
BEYOND = 1.03  # an axis of steps ends at this many times the last step, so that it shows
# Okabe and Ito's colours, which the colour-blind tell apart; not their yellow, faint on paper.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#555555")
MARKERS = "osD^vP*X<>"
# Lines that coincide stay visible because their dashes differ.
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
LINE = 8.5  # points between the labels of two curves
STYLE: dict[Any, Any] = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "figure.titlesize": 9,
    "figure.labelsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "lines.linewidth": 1.4,
    "pdf.fonttype": 42,  # text that an editor can change
}
P = ParamSpec("P")
R = TypeVar("R")


def journal(draw: Callable[P, R]) -> Callable[P, R]:
    """Draw a figure with a journal's font sizes, and without matplotlib's warnings; a decorator.

    Where matplotlib is missing, the function runs as it is and reports that itself.

    Args:
        draw: the function that draws a figure.
    """

    def drawn(*arguments: P.args, **keywords: P.kwargs) -> R:
        try:
            import matplotlib
        except ImportError:
            return draw(*arguments, **keywords)
        with matplotlib.rc_context(STYLE), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as one on names that leave no room for axes
            return draw(*arguments, **keywords)

    return drawn


def figure_class(option: str) -> Any:
    """Matplotlib's class `Figure`.

    Args:
        option: the command's option that asks for a figure, named in the error, such as `--plot`.

    Raises:
        BadInput: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise BadInput(f"{option} needs matplotlib: {install('plots')}") from error
    return Figure


def save(figure: Any, path: Path, option: str) -> None:
    """Write a figure to a file.

    Args:
        figure: a matplotlib figure.
        path: the file; its suffix chooses the format.
        option: the command's option that asks for the figure, named in the error.

    Raises:
        BadInput: the file can't be written, or matplotlib does not know the format.
    """
    try:
        figure.savefig(path, dpi=200)
    except (OSError, ValueError) as error:
        raise BadInput(f"{option} {path}: {str(error).splitlines()[0]}") from error


def grid(
    option: str,
    panels: int,
    sharey: bool,
    columns: int = 3,
    height: float = PANEL_HEIGHT,
    sharex: bool = True,
) -> tuple[Any, list[Any]]:
    """A figure with panels in rows, as wide as a page, or 1.3 columns for a single panel.

    Args:
        option: the command's option that asks for the figure, named in the error.
        panels: how many panels are drawn.
        sharey: whether the panels have one vertical axis in common.
        columns: how many panels stand side by side at most.
        height: the height of a panel, in inches.
        sharex: whether the panels have one horizontal axis in common.

    Returns:
        The figure and its panels, matplotlib axes, in reading order.

    Raises:
        BadInput: matplotlib is not installed.
    """
    columns = min(columns, panels)
    rows = -(-panels // columns)
    width = COLUMN * 1.3 if panels == 1 else PAGE
    figure = figure_class(option)(figsize=(width, height * rows + 0.4), layout="constrained")
    axes = figure.subplots(rows, columns, sharex=sharex, sharey=sharey, squeeze=False).ravel()
    for i, panel in enumerate(axes):
        panel.set_visible(i < panels)
        # A common axis has its numbers below the last panel of a column, beside the first of a row.
        panel.tick_params(
            labelbottom=not sharex or i + columns >= panels,
            labelleft=not sharey or not i % columns,
        )
    return figure, list(axes[:panels])


def style(index: int) -> dict[str, Any]:
    """The colour and the dashes of a line, as arguments of matplotlib's `plot`.

    Args:
        index: the line's place in the legend, from 0.
    """
    return {"color": color(index), "linestyle": DASHES[index // len(COLORS) % len(DASHES)]}


def color(index: int) -> str:
    """The colour of a line or a point.

    Args:
        index: the place in the legend, from 0.

    Returns:
        An RGB colour such as `#0072B2`; colours repeat where there are more lines than colours.
    """
    return COLORS[index % len(COLORS)]


def legend(figure: Any, axes: Sequence[Any]) -> None:
    """Draw one legend for all panels below them; a name that several panels have stands there once.

    Args:
        figure: the matplotlib figure.
        axes: its panels.
    """
    handles: dict[str, Any] = {}
    for panel in axes:
        for handle, name in zip(*panel.get_legend_handles_labels(), strict=True):
            handles.setdefault(name, handle)
    columns = min(5, len(handles))
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=columns)


def label_ends(panel: Any, ends: Sequence[tuple[float, str, str]]) -> None:
    """Write each line's name beside its end, moved apart where ends are too near.

    Args:
        panel: the matplotlib axes, whose limits are final.
        ends: each line's last value, its name and its colour.
    """
    inches = panel.figure.get_size_inches()[1] * panel.get_position().height
    gap = LINE / 72 / inches
    to_axes = (panel.transData + panel.transAxes.inverted()).transform
    left = panel.get_xlim()[0]
    at = [float(np.clip(to_axes((left, value))[1], 0, 1)) for value, *_ in ends]
    for place, i in zip(spread(at, gap), np.argsort(at, kind="stable"), strict=True):
        _, name, colour = ends[i]
        panel.annotate(
            name,
            (1.0, at[i]),
            (1.05, place),
            xycoords="axes fraction",
            textcoords="axes fraction",
            va="center",
            fontsize=7,
            color=colour,
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "linewidth": 0.6,
                "relpos": (0, 0.5),
                "shrinkA": 1,
                "shrinkB": 0,
            },
        )


def spread(places: Sequence[float], gap: float) -> list[float]:
    """Move labels apart: the places in ascending order, neighbours at least a gap apart.

    The places stay within 0 .. 1 where there is room for all of them.

    Args:
        places: where the labels would stand, as a share of the axis' length.
        gap: the smallest distance between two labels, in the same unit.

    Returns:
        The new places, sorted.
    """
    positions: list[float] = []
    for place in sorted(places):
        positions.append(max(place, positions[-1] + gap) if positions else place)
    top = max(1.0, 0.5 + gap * len(positions) / 2)
    for i in reversed(range(len(positions))):
        positions[i] = min(positions[i], top)
        top = positions[i] - gap
    return positions


def step_axes(axes: Sequence[Any], first: float, end: float) -> None:
    """Set up the horizontal axes as training steps.

    The axes start at 0; where the last step is more than 100 times the first, they are logarithmic,
    because the first solutions would coincide with the edge of a linear one.

    Args:
        axes: the panels, matplotlib axes.
        first: the first step that is drawn.
        end: the last step of training.
    """
    for panel in axes:
        if end > WIDE * first:
            panel.set_xscale("log")
            panel.set_xlim(first / 2, BEYOND * end)
            label_steps(panel.xaxis, (1,))
        else:
            panel.set_xlim(0, BEYOND * end)
            panel.xaxis.set_major_formatter(steps_text)
        if panel.xaxis.get_tick_params()["labelbottom"]:
            panel.set_xlabel("training step")


def label_steps(axis: Any, digits: Sequence[int]) -> None:
    """Label a logarithmic axis of steps as `2k`, `5k`, `10k`.

    Args:
        axis: a matplotlib axis, such as `panel.xaxis`.
        digits: which multiples of a power of ten have a label, such as (1, 2, 5).
    """
    from matplotlib.ticker import LogLocator, NullLocator

    axis.set_major_locator(LogLocator(subs=digits))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(steps_text)


def steps_text(value: float, _: int) -> str:
    """The label of a tick on an axis of steps, as matplotlib's formatters are called.

    Args:
        value: the tick's number of steps.
        _: the tick's index, which the label does not depend on.
    """
    return steps(value)


def error_axis(axis_of: Any, values: Any) -> float:
    """Make the vertical axis of a panel logarithmic.

    Args:
        axis_of: the panel, matplotlib axes.
        values: all errors that are drawn in it, of any shape.

    Returns:
        The smallest positive error, at which errors of 0 are drawn; 1e-7 if no error is positive.
    """
    values = np.asarray(values, np.float64)
    positive = values[np.isfinite(values) & (values > 0)]
    axis_of.set_yscale("log")
    return float(positive.min()) if positive.size else 1e-7
