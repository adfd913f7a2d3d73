"""The sum of the digits that a sequence of pictures shows."""

from typing import Any

import tensorflow as tf

from nalu_seq.tasks.digit_sequences import DigitSequences


class MnistSum(DigitSequences):
    """The running sum of the digits in the pictures.

    All else is as for `DigitSequences`; a step names the integer that is nearest to its increment.
    With `length=1` the sum is the label itself, and the model learns from labels.

    Example: pictures of `3 1 3` have the targets `3`, `4`, `7`.

    Source: Trask et al. 2018 (arXiv 1808.00508), section 4.2; Madsen & Johansen 2020 (arXiv
    2001.05016), section 4.2.
    """

    output_size = 1
    combine = staticmethod(tf.add)
    initial_totals = 0.0, 90.0
    accuracy = 0.95

    def target_state(self, members: int, examples: int) -> Any:
        """The sum so far, `[M, B, 1]`."""
        return tf.zeros([members, examples, 1], tf.int32)

    def totals(self, labels: Any, before: Any) -> tuple[Any, Any]:
        """The running sums of digits, and the last one.

        Args:
            labels: the digits, `[M, B, T]`.
            before: the sum before them, `[M, B, 1]`.

        Returns:
            `[M, B, T, 1]`, and `[M, B, 1]`.
        """
        sums = before[:, :, None] + tf.cumsum(labels, axis=2)[..., None]
        return tf.cast(sums, tf.float32), sums[:, :, -1]
