"""Random initial states for training sequences, such as long sequences would reach."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from nalu_seq.population.random import Draws
from nalu_seq.tasks.base import Batch

# Channels of random draws: tasks count theirs from 0, noise has 2^16, and state i has 2^17 + i.
STATE_CHANNEL = 2**17


class RandomStates:
    """Draws the state that each training sequence begins from, and moves its targets to match.

        total      y_0 ~ U[low, high], one for each output; the targets go on from it
        bounded    tanh(N(0, 1)), for a state behind a tanh
        positive   |deviation * N(0, 1)|, for a state behind a ReLU
        free       deviation * N(0, 1), for an LSTM's cell or a hidden sum

    A network that begins every sequence at zero learns to count within the few states that a short
    sequence reaches, and to copy its count from them. From random states it can only learn to keep
    the total in the head and to add to it.

    Args:
        kinds: the kind of each state of the model, as in `StatefulModel.kinds`.
        sizes: the size of each state.
        range: low and high end of the totals.
        deviation: the standard deviation of the encoder's unbounded states.
        combine: `SequenceTask.combine`, a function of a total and of targets that count from the
            beginning, which returns the targets that go on from the total.

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
        """Add random initial states to a batch, and move its targets to match.

        Args:
            batch: the examples, `x` of which is the input alone.
            draws: the draws of the training step.

        Returns:
            A batch with `x = [x, *states]`, each state `[M, B, size]`.
        """
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
    """Numbers of N(0, 1), made of uniform draws by the normal quantile function; at most 5.4.

    Args:
        draws: the draws of the training step.
        count: how many numbers each example has.
        channel: the channel that they are drawn from.

    Returns:
        float32 `[M, B, count]`.
    """
    # The ends, where the quantile is infinite, move inwards by one step of float32.
    largest = float(np.nextafter(np.float32(1), np.float32(0)))
    u = tf.clip_by_value(draws.uniform(-1.0, 1.0, count, channel=channel), -largest, largest)
    return np.float32(np.sqrt(2)) * tf.math.erfinv(u)
