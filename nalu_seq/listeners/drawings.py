"""Pictures of what members have learned, as matplotlib figures (the `plots` extra)."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from nalu_seq.population.population import Population
from nalu_seq.records.members import Members
from nalu_seq.tasks.base import Split
from nalu_seq.tasks.digit_sequences import DigitSequences

MEMBERS = 8  # matrices side by side
ANNOTATED = 60  # cells of a matrix that have their figures in them
POINTS = 2000
ROWS, COLUMNS = 4, 10  # of digits
INK, WRONG = "#0072B2", "#D55E00"


def matrices_figure(Figure: Any, title: str, values: np.ndarray, names: Sequence[str]) -> Any:
    """The same matrix of some members side by side, its figures in the cells where they fit.

    Args:
        Figure: matplotlib's class.
        title: what the matrix is.
        values: `[M, in, units]`, or `[M, units]` of a gate.
        names: what each member is called.
    """
    values = values.reshape(*values.shape[:2], -1)[:MEMBERS]
    count, rows, columns = values.shape
    size = (max(2.4, count * max(0.9, 0.22 * columns) + 0.9), max(1.6, 0.17 * rows + 0.8))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(1, count, sharey=True, squeeze=False)[0]
    for panel, matrix, name in zip(axes, values, names, strict=False):
        image = panel.imshow(matrix, cmap="RdBu", vmin=-1, vmax=1, aspect="auto")
        panel.set_title(name, fontsize=8)
        panel.set_xlabel("output", fontsize=7)
        panel.tick_params(labelsize=6)
        panel.set_xticks(range(columns))
        if rows * columns <= ANNOTATED:
            panel.set_yticks(range(rows))
            for (i, j), value in np.ndenumerate(matrix):
                color = "white" if abs(value) > 0.6 else "black"
                panel.text(j, i, f"{value:.2g}", ha="center", va="center", fontsize=6, color=color)
    axes[0].set_ylabel("input", fontsize=7)
    figure.colorbar(image, ax=axes, shrink=0.8).ax.tick_params(labelsize=6)
    figure.suptitle(title, fontsize=9)
    return figure


def predictions_figure(Figure: Any, title: str, y: np.ndarray, prediction: np.ndarray) -> Any:
    """Each prediction against its target, of all members; on the diagonal they agree.

    Args:
        Figure: matplotlib's class.
        title: where it was measured.
        y: targets, `[M, examples, outputs]`.
        prediction: the same of predictions.
    """
    figure = Figure(figsize=(4.2, 4.0), layout="constrained")
    axes = figure.subplots()
    every = max(1, y.size // POINTS)
    true, seen = (np.asarray(a, np.float64).ravel()[::every] for a in (y, prediction))
    known = np.isfinite(true) & np.isfinite(seen)
    axes.plot(true[known], seen[known], ".", markersize=3, alpha=0.5, color=INK)
    if known.any():
        ends = [true[known].min(), true[known].max()]
        axes.plot(ends, ends, color="black", linewidth=0.8, label="exact")
        axes.legend(fontsize=7)
    axes.set_xlabel("target", fontsize=8)
    axes.set_ylabel("prediction", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.grid(alpha=0.25)
    axes.set_title(title, fontsize=9)
    return figure


def spread_figure(Figure: Any, title: str, steps: Sequence[int], values: np.ndarray) -> Any:
    """A thin line a member over the steps, the median thick; logarithmic.

    Args:
        Figure: matplotlib's class.
        title: what and where.
        steps: `[n]`.
        values: `[n, M]`, none below 0.
    """
    figure = Figure(figsize=(5.2, 3.6), layout="constrained")
    axes = figure.subplots()
    positive = values[np.isfinite(values) & (values > 0)]
    shown = np.maximum(values, positive.min() if positive.size else 1.0)
    axes.plot(steps, shown, color=INK, alpha=0.4, linewidth=0.8)
    known = np.where(np.isfinite(shown), shown, np.inf)
    axes.plot(steps, np.median(known, axis=1), color=INK, linewidth=2, label="median")
    axes.set_yscale("log")
    axes.set_xlabel("training step", fontsize=8)
    axes.set_ylabel("error", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.grid(alpha=0.25)
    axes.legend(fontsize=7)
    axes.set_title(title, fontsize=9)
    return figure


def digits_figure(
    Figure: Any, task: DigitSequences, members: Members, population: Population, title: str
) -> Any:
    """Test pictures with the value that the first member reads in each, alone in a sequence.

    That is what its output becomes, for counts the largest one and its value. A wrong one is
    coloured, and followed by the truth.
    """
    count, examples = len(members), min(ROWS * COLUMNS, len(task.parts["test"].labels))
    draws = members.stream("pictures").at(0, examples)
    split, nothing = Split(examples, 1, part="test"), task.tally_start(count, examples)
    batch, _ = task.piece(split, draws, 0, 1, task.target_state(count, examples))
    changes = task.changes(population(batch.x), nothing.prediction)
    read = np.asarray(task.named(changes))[0, :, 0]
    true = np.asarray(task.named(task.changes(batch.y, nothing.y)))[0, :, 0]
    values = np.max(changes[0, :, 0], axis=-1)
    pictures = np.asarray(batch.x)[0, :, 0, :, :, 0]
    figure = Figure(figsize=(COLUMNS * 0.8, ROWS), layout="constrained")
    for i, axes in enumerate(figure.subplots(ROWS, COLUMNS).flat):
        axes.set_axis_off()
        if i >= examples:
            continue
        axes.imshow(pictures[i], cmap="gray_r")
        right = read[i] == true[i]
        text = f"{values[i]:.2f}" if task.output_size == 1 else f"{int(read[i])}: {values[i]:.2f}"
        axes.set_title(
            text if right else f"{text} ({int(true[i])})",
            fontsize=8,
            color="black" if right else WRONG,
        )
    figure.suptitle(
        f"{title}, seed {members.seeds[0]}: {np.sum(read == true)} of {examples} read right",
        fontsize=9,
    )
    return figure
