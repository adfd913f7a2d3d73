"""Random states for training sequences to begin from, as long sequences would reach them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from nalu_seq.population.random import Draws
from nalu_seq.tasks.base import Batch

# Tasks count their channels from 0 and noise has 2^16: state i has this one plus i.
STATE_CHANNEL = 2**17


class RandomStates:
    """Draws the state that each training sequence begins from, and moves its targets to match.

        total      y_0 ~ U[low, high], one for each output; the targets go on from it
        bounded    tanh(N(0, 1)): what a tanh lets through
        positive   |deviation * N(0, 1)|: what a ReLU lets through
        free       deviation * N(0, 1): an LSTM's cell, a hidden sum

    A network that begins every sequence at zero learns to count within the few states that a short
    sequence reaches, and to copy what it has counted. From states that it did not bring about
    itself it can only learn to keep the total in the head and to add to it.

    Args:
        kinds: what each state of the model is, as `StatefulModel.kinds` says.
        sizes: the size of each state.
        range: low and high end of the totals.
        deviation: of the encoder's unbounded states.
        combine: makes the targets that go on from a total, of the total and the targets from the
            beginning: `SequenceTask.combine`.

    Source: an idea of Buitrago & Gu 2025, "Understanding and Improving Length Generalization in
    Recurrent Models" (arXiv 2507.02782), who train language models from such states.
    """

    def __init__(
        self,
        kinds: Sequence[str],
        sizes: Sequence[int],
        range: Sequence[float],
        deviation: float,
        combine: Callable[[Any, Any], Any],
    ) -> None:
        self.kinds, self.sizes = tuple(kinds), tuple(sizes)
        self.low, self.high = range
        self.deviation = deviation
        self.combine = combine

    def begin(self, batch: Batch, draws: Draws) -> Batch:
        """The batch with `x = [x, *states]`, each state `[M, B, size]`, and the targets moved."""
        states, y = [], batch.y
        for i, (kind, size) in enumerate(zip(self.kinds, self.sizes, strict=True)):
            channel = STATE_CHANNEL + i
            if kind == "total":
                state = draws.uniform(self.low, self.high, size, channel=channel)
                y = self.combine(state[:, :, None], y)
            else:
                state = self._hidden(kind, standard_normal(draws, size, channel))
            states.append(state)
        return Batch([batch.x, *states], y)

    def _hidden(self, kind: str, normal: Any) -> Any:
        if kind == "bounded":
            return tf.tanh(normal)
        return self.deviation * (tf.abs(normal) if kind == "positive" else normal)


def standard_normal(draws: Draws, count: int, channel: int) -> Any:
    """N(0, 1), float32 `[M, B, count]`: the normal quantiles of uniform draws, at most 5.4."""
    # The ends, where the quantile is infinite, move inwards by one step of float32.
    largest = float(np.nextafter(np.float32(1), np.float32(0)))
    u = tf.clip_by_value(draws.uniform(-1.0, 1.0, count, channel=channel), -largest, largest)
    return np.float32(np.sqrt(2)) * tf.math.erfinv(u)
