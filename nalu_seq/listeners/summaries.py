"""Scalars, histograms and pictures for the current writer, made without TensorFlow's operations.

`tf.summary.scalar` and `histogram` run operations one by one: of a short training they took a
twentieth.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.histogram import summary_v2 as histograms
from tensorboard.plugins.scalar import summary_v2 as scalars


def write(summary: Any) -> None:
    """Write a summary, a protocol buffer, at the writer's step."""
    tf.summary.experimental.write_raw_pb(summary.SerializeToString())


def write_scalars(values: Mapping[str, Any], description: str = "") -> None:
    """Write numbers by their tags, all at once."""
    whole = Summary()
    for tag, value in values.items():
        whole.MergeFrom(scalars.scalar_pb(tag, np.float32(value), description=description))
    write(whole)


def write_histogram(tag: str, values: Any) -> None:
    """Write how often values occur; those that are not finite are left out."""
    values = np.asarray(values, np.float64)
    write(histograms.histogram_pb(tag, values[np.isfinite(values)]))


def write_figure(tag: str, figure: Any) -> None:
    """Write a matplotlib figure as an image."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.set_dpi(110)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    tf.summary.image(tag, np.asarray(canvas.buffer_rgba())[None])


def write_text(tag: str, text: str) -> None:
    """Write a text that Markdown shows unchanged."""
    tf.summary.text(tag, "\n".join(f"    {line}" for line in text.splitlines()))
