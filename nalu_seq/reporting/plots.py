"""Pictures of what was measured; needs matplotlib (the `plots` extra)."""

from pathlib import Path

import numpy as np

from nalu_seq.config import BadInput
from nalu_seq.evaluation.extrapolation import Extrapolation


def plot_course(found: Extrapolation, path: Path) -> None:
    """Draw each member's error along the longest split, with the trained length marked.

    Raises:
        BadInput: matplotlib is missing, the task has no sequences, or the file can't be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise BadInput("--plot needs matplotlib: pip install 'nalu-seq[plots]'") from error
    if found.course is None or found.trained_length is None:
        raise BadInput("--plot: this task has no sequences to draw an error along")
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    steps = np.arange(1, found.course.mae.shape[1] + 1)
    # A logarithmic axis has no 0: errors below float32's resolution are drawn at its edge.
    errors = np.maximum(found.course.mae, 1e-7)
    axes.plot(steps, errors.T, color="tab:blue", alpha=0.35, linewidth=0.8)
    axes.plot(steps, np.median(errors, axis=0), color="tab:blue", linewidth=2, label="median")
    axes.axvline(found.trained_length, color="black", linestyle=":", label="trained up to here")
    if found.counts:
        axes.axhline(0.5, color="tab:red", linestyle="--", linewidth=0.8, label="half a count")
    axes.set(xscale="log", yscale="log", xlabel="sequence length", ylabel="mean absolute error")
    s = found.summary
    axes.set_title(f"{s['task']}: {s['encoder']}, {s['head']}, {s['unit']}; one line a seed")
    axes.legend()
    try:
        figure.savefig(path, dpi=150)
    except (OSError, ValueError) as error:
        raise BadInput(f"--plot {path}: {str(error).splitlines()[0]}") from error
