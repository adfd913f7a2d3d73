"""The base of tasks that are judged by the share of right steps in their sequences."""

from abc import abstractmethod
from typing import Any

import tensorflow as tf

from nalu_seq.tasks.base import Criterion, SequenceTask


class StepAccuracy(SequenceTask):
    """A sequence task that counts right answers over all steps, not at the last alone.

    `accuracy` is the share of the measured steps that are answered right, `cross_entropy` is in
    bits a step. A member has solved a split when its accuracy is 1.
    """

    criterion = Criterion("accuracy", 1.0, above=True)

    @abstractmethod
    def judge_steps(self, y: Any, prediction: Any) -> tuple[Any, Any, Any]:
        """How each step of a piece is answered.

        Args:
            y: targets of a piece, `[M, B, T, output_size]`.
            prediction: the model's outputs, of the same shape.

        Returns:
            How often a step counts, 0 if it is not measured; 1 or 0 for whether it is right; and
            its cross-entropy in bits; of one shape, `[M, B, T, ...]`.
        """

    def metrics(self, y: Any, prediction: Any) -> dict[str, Any]:
        """None at the last step: what counts are all steps."""
        del y, prediction
        return {}

    def tally_start(self, members: int, examples: int) -> Any:
        """Measured steps so far, right ones, and their cross-entropy in bits, `[M]` each."""
        del examples
        return tuple(tf.zeros([members]) for _ in range(3))

    def tally(self, y: Any, prediction: Any, before: Any) -> Any:
        """Add a piece's steps to those before it."""
        measured, right, bits = self.judge_steps(y, prediction)
        new = (measured, measured * right, measured * bits)
        axes = list(range(1, len(measured.shape)))
        return tuple(a + tf.reduce_sum(b, axis=axes) for a, b in zip(before, new, strict=True))

    def tally_metrics(self, tally: Any) -> dict[str, Any]:
        """`accuracy` and `cross_entropy`, both NaN for a member that has diverged."""
        steps, right, bits = tally
        accuracy = tf.where(tf.math.is_nan(bits), bits, right / steps)
        return {"accuracy": accuracy, "cross_entropy": bits / steps}
