"""Pictures of what members have learned, as matplotlib figures (the `plots` extra)."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from nalu_seq.population.population import Population
from nalu_seq.records.members import Members
from nalu_seq.tasks.base import Split
from nalu_seq.tasks.digit_sequences import DigitSequences

MEMBERS = 8  # members whose matrices are drawn, side by side
GATED = 20  # members whose gates are drawn
ANNOTATED = 60  # a matrix of at most so many cells has figures in its cells
POINTS = 2000  # predictions that are drawn against their targets
ROWS, COLUMNS = 4, 10  # of the digits' pictures
INK, WRONG = "#0072B2", "#D55E00"


def matrices_figure(
    Figure: Any, title: str, values: np.ndarray, names: Sequence[str], rows_are: str = "input"
) -> Any:
    """The same matrix of some members side by side, its figures in the cells where they fit.

    Args:
        Figure: matplotlib's class of that name.
        title: the heading, such as the name of the matrix.
        values: `[M, in, units]`, or `[M, units]` for a vector.
        names: the name of each member.
        rows_are: what a row stands for.
    """
    values = values.reshape(*values.shape[:2], -1)[:MEMBERS]
    count, rows, columns = values.shape
    # One image, with an empty column between members: separate axes are slow to draw.
    gaps = np.full((count, rows, 1), np.nan)
    strip = np.concatenate([*np.concatenate([values, gaps], axis=2)], axis=1)[:, :-1]
    size = max(2.0, 0.3 * strip.shape[1] if rows * columns <= ANNOTATED else 0.1 * strip.shape[1])
    figure, axes = _axes(Figure, size, max(0.8, 0.15 * rows), title, bar=True)
    image = axes.imshow(strip, cmap="RdBu", vmin=-1, vmax=1, aspect="auto")
    if rows * columns <= ANNOTATED:
        axes.set_yticks(range(rows))
        _figures_in_cells(axes, strip, [abs(value) > 0.6 for value in strip.ravel()])
    centres = [i * (columns + 1) + (columns - 1) / 2 for i in range(count)]
    axes.set_xticks(centres, names[:count])
    axes.set_xlabel(f"outputs 0 to {columns - 1} of each" if columns > 1 else "one output each")
    axes.set_ylabel(rows_are)
    _colorbar(figure, image)
    return figure


def gates_figure(Figure: Any, title: str, values: np.ndarray, names: Sequence[str]) -> Any:
    """Gates as a row a member: 1 is open for the sum, 0 for the product.

    Args:
        Figure: matplotlib's class of that name.
        title: the heading, such as the name of the gate.
        values: the gates, `[M, units]`, from 0 to 1.
        names: the name of each member.
    """
    values = values[:GATED]
    rows, columns = values.shape
    title = f"{title}: 1 adds, 0 multiplies"
    figure, axes = _axes(Figure, max(2.4, 0.4 * columns), max(0.5, 0.2 * rows), title, bar=True)
    image = axes.imshow(values, cmap="cividis", vmin=0, vmax=1, aspect="auto")
    _figures_in_cells(axes, values, [value < 0.5 for value in values.ravel()])
    axes.set_yticks(range(rows), names[:rows])
    axes.set_xticks(range(columns))
    axes.set_xlabel("output")
    _colorbar(figure, image)
    return figure


def predictions_figure(Figure: Any, title: str, y: np.ndarray, prediction: np.ndarray) -> Any:
    """Each prediction against its target, of all members; on the diagonal they agree.

    Args:
        Figure: matplotlib's class of that name.
        title: the heading, such as the name of the split.
        y: targets, `[M, examples, outputs]`.
        prediction: predictions, `[M, examples, outputs]`.
    """
    figure, axes = _axes(Figure, 3.4, 3.2, title)
    every = max(1, y.size // POINTS)
    true, estimates = (np.asarray(a, np.float64).ravel()[::every] for a in (y, prediction))
    finite = np.isfinite(true) & np.isfinite(estimates)
    axes.plot(true[finite], estimates[finite], ".", markersize=3, alpha=0.5, color=INK)
    if finite.any():
        ends = [true[finite].min(), true[finite].max()]
        axes.plot(ends, ends, color="black", linewidth=0.8, label="exact")
        axes.legend(fontsize=7)
    axes.set_xlabel("target")
    axes.set_ylabel("prediction")
    axes.grid(alpha=0.25)
    return figure


def spread_figure(Figure: Any, title: str, steps: Sequence[int], values: np.ndarray) -> Any:
    """A thin line for each member over the training steps, a thick one for the median; logarithmic.

    Args:
        Figure: matplotlib's class of that name.
        title: the heading, such as the metric and the split.
        steps: the training steps at which the error was measured, `[n]`.
        values: the errors, `[n, M]`, none below 0.
    """
    figure, axes = _axes(Figure, 4.4, 2.9, title)
    positive = values[np.isfinite(values) & (values > 0)]
    positive_values = np.maximum(values, positive.min() if positive.size else 1.0)
    axes.plot(steps, positive_values, color=INK, alpha=0.4, linewidth=0.8)
    finite = np.where(np.isfinite(positive_values), positive_values, np.inf)
    axes.plot(steps, np.median(finite, axis=1), color=INK, linewidth=2, label="median")
    axes.set_yscale("log")
    axes.set_xlabel("training step")
    axes.set_ylabel("error")
    axes.grid(alpha=0.25)
    axes.legend(fontsize=7)
    return figure


def _axes(
    Figure: Any, width: float, height: float, title: str, bar: bool = False
) -> tuple[Any, Any]:
    """A figure around axes of a size in inches; matplotlib's own layouts draw everything twice."""
    left, right, bottom, top = 0.75, 0.75 if bar else 0.15, 0.5, 0.35
    whole = left + width + right, bottom + height + top
    figure = Figure(figsize=whole)
    axes = figure.add_axes(
        (left / whole[0], bottom / whole[1], width / whole[0], height / whole[1])
    )
    axes.tick_params(labelsize=6)
    axes.xaxis.label.set_size(7)
    axes.yaxis.label.set_size(7)
    figure.suptitle(title, fontsize=9, y=1 - 0.08 / whole[1])
    return figure, axes


def _colorbar(figure: Any, image: Any) -> None:
    width, height = figure.get_size_inches()
    place = 1 - 0.6 / width, 0.5 / height, 0.12 / width, 1 - 0.85 / height
    figure.colorbar(image, cax=figure.add_axes(place)).ax.tick_params(labelsize=6)


def _figures_in_cells(axes: Any, values: np.ndarray, white: Sequence[bool]) -> None:
    for ((i, j), value), light in zip(np.ndenumerate(values), white, strict=True):
        if np.isfinite(value):
            color = "white" if light else "black"
            axes.text(j, i, f"{value:.2g}", ha="center", va="center", fontsize=6, color=color)


def digits_figure(
    Figure: Any, task: DigitSequences, members: Members, population: Population, title: str
) -> Any:
    """Test pictures, each with the value that the first member reads in it.

    Each picture is a sequence of its own. A model with one output reads the change of that output;
    a model with a count for each digit reads the digit whose count changes most, and how much. A
    wrong reading is coloured, and followed by the truth.

    Args:
        Figure: matplotlib's class of that name.
        task: the task, whose test pictures are shown.
        members: the seed and the case of each member.
        population: the members' networks.
        title: the heading, before the seed and the number of digits that are read right.
    """
    count, examples = len(members), min(ROWS * COLUMNS, len(task.parts["test"].labels))
    draws = members.stream("pictures").at(0, examples)
    split, nothing = Split(examples, 1, part="test"), task.tally_start(count, examples)
    batch, _ = task.piece(split, draws, 0, 1, task.target_state(count, examples))
    changes = task.changes(population(batch.x), nothing.prediction)
    digits_read = np.asarray(task.digit_of(changes))[0, :, 0]
    true = np.asarray(task.digit_of(task.changes(batch.y, nothing.y)))[0, :, 0]
    values = np.max(changes[0, :, 0], axis=-1)
    pictures = np.asarray(batch.x)[0, :, 0, :, :, 0]
    figure = Figure(figsize=(COLUMNS * 0.8, ROWS), layout="constrained")
    for i, axes in enumerate(figure.subplots(ROWS, COLUMNS).flat):
        axes.set_axis_off()
        if i >= examples:
            continue
        axes.imshow(pictures[i], cmap="gray_r")
        right = digits_read[i] == true[i]
        text = (
            f"{values[i]:.2f}"
            if task.output_size == 1
            else f"{int(digits_read[i])}: {values[i]:.2f}"
        )
        axes.set_title(
            text if right else f"{text} ({int(true[i])})",
            fontsize=8,
            color="black" if right else WRONG,
        )
    figure.suptitle(
        f"{title}, seed {members.seeds[0]}: {np.sum(digits_read == true)} of {examples} read right",
        fontsize=9,
    )
    return figure
