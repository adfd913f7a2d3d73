"""What all figures share: journal sizes, colours, axes in words; needs the `plots` extra."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np

from nalu_seq.errors import BadInput
from nalu_seq.reports.tables import steps

# Inches: one column and two of most journals (89 and 183 mm).
COLUMN, PAGE = 3.5, 7.2
PANEL_HEIGHT = 2.2
WIDE = 100  # steps are drawn on a logarithmic axis where the last is this many times the first
BEYOND = 1.03
# Okabe and Ito's colours, which the colour-blind tell apart; not their yellow, faint on paper.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#555555")
MARKERS = "osD^vP*X<>"
# Lines that lie on each other stay visible where their dashes differ.
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
    """A figure in a journal's sizes of type; without matplotlib the figure itself says so."""

    def drawn(*arguments: P.args, **named: P.kwargs) -> R:
        try:
            import matplotlib
        except ImportError:
            return draw(*arguments, **named)
        with matplotlib.rc_context(STYLE):
            return draw(*arguments, **named)

    return drawn


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
        figure.savefig(path, dpi=200)
    except (OSError, ValueError) as error:
        raise BadInput(f"{option} {path}: {str(error).splitlines()[0]}") from error


def grid(
    option: str, panels: int, sharey: bool, columns: int = 3, height: float = PANEL_HEIGHT
) -> tuple[Any, list[Any]]:
    """A figure one column wide for one panel, else as wide as a page; and its panels."""
    columns = min(columns, panels)
    rows = -(-panels // columns)
    width = COLUMN * 1.3 if panels == 1 else PAGE
    figure = figure_class(option)(figsize=(width, height * rows + 0.4), layout="constrained")
    axes = figure.subplots(rows, columns, sharex=True, sharey=sharey, squeeze=False).ravel()
    for i, panel in enumerate(axes):
        panel.set_visible(i < panels)
        # Numbers stand below the last panel of each column, and beside the first of each row.
        panel.tick_params(
            labelbottom=i + columns >= panels, labelleft=not sharey or not i % columns
        )
    return figure, list(axes[:panels])


def style(index: int) -> dict[str, Any]:
    """The colour and the dashes of a line."""
    return {"color": color(index), "linestyle": DASHES[index // len(COLORS) % len(DASHES)]}


def color(index: int) -> str:
    """The colour of a line or a point."""
    return COLORS[index % len(COLORS)]


def legend(figure: Any, axes: Sequence[Any]) -> None:
    """One legend for all panels, below them."""
    handles: dict[str, Any] = {}
    for panel in axes:
        for handle, name in zip(*panel.get_legend_handles_labels(), strict=True):
            handles.setdefault(name, handle)
    columns = min(5, len(handles))
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=columns)


def label_ends(panel: Any, ends: Sequence[tuple[float, str, str]]) -> None:
    """Write each line's name beside its end, moved apart where ends are too near.

    Args:
        panel: the axes, their limits set.
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
    """Places in their order, at least a gap apart, and as near to 0 .. 1 as there is room."""
    moved: list[float] = []
    for place in sorted(places):
        moved.append(max(place, moved[-1] + gap) if moved else place)
    top = max(1.0, 0.5 + gap * len(moved) / 2)
    for i in reversed(range(len(moved))):
        moved[i] = min(moved[i], top)
        top = moved[i] - gap
    return moved


def step_axes(axes: Sequence[Any], first: float, end: float) -> None:
    """Steps from 0 on; on a logarithmic axis where the first solutions would be lost in one."""
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
    """A logarithmic axis of steps: `2k`, `5k`, `10k`."""
    from matplotlib.ticker import LogLocator, NullLocator

    axis.set_major_locator(LogLocator(subs=digits))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(steps_text)


def steps_text(value: float, _: int) -> str:
    """A tick of an axis of steps."""
    return steps(value)


def error_axis(axis_of: Any, values: Any) -> float:
    """Make an axis logarithmic; the smallest value that it shows, where errors of 0 are drawn."""
    values = np.asarray(values, np.float64)
    positive = values[np.isfinite(values) & (values > 0)]
    axis_of.set_yscale("log")
    return float(positive.min()) if positive.size else 1e-7
