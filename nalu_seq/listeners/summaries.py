"""Scalars, histograms and pictures for the current writer, made without TensorFlow's operations.

`tf.summary.scalar` and `tf.summary.histogram` run TensorFlow operations one by one, which took a
twentieth of a short training's time.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.histogram import summary_v2 as histograms
from tensorboard.plugins.scalar import summary_v2 as scalars


def write(summary: Any) -> None:
    """Write a summary at the writer's current step.

    Args:
        summary: a protocol buffer of TensorBoard, such as `Summary`.
    """
    tf.summary.experimental.write_raw_pb(summary.SerializeToString())


def write_scalars(values: Mapping[str, Any], description: str = "") -> None:
    """Write numbers by their tags, all in one record.

    Args:
        values: the number of each tag.
        description: a text that TensorBoard shows beside each of them.
    """
    whole = Summary()
    for tag, value in values.items():
        whole.MergeFrom(scalars.scalar_pb(tag, np.float32(value), description=description))
    write(whole)


def write_histogram(tag: str, values: Any) -> None:
    """Write a histogram of values; those that are not finite are left out.

    Args:
        tag: the histogram's tag.
        values: numbers of any shape.
    """
    values = np.asarray(values, np.float64)
    write(histograms.histogram_pb(tag, values[np.isfinite(values)]))


def write_figure(tag: str, figure: Any) -> None:
    """Write a matplotlib figure as an image.

    Args:
        tag: the image's tag.
        figure: the matplotlib figure.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.set_dpi(110)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    tf.summary.image(tag, np.asarray(canvas.buffer_rgba())[None])


def write_text(tag: str, text: str) -> None:
    """Write a text as a Markdown code block, so that TensorBoard shows it unchanged.

    Args:
        tag: the text's tag.
        text: the text, of any number of lines.
    """
    tf.summary.text(tag, "\n".join(f"    {line}" for line in text.splitlines()))
