"""How many of each digit a sequence of pictures shows."""

from typing import Any

import tensorflow as tf

from nalu_seq.tasks.digit_sequences import DigitSequences


class MnistCount(DigitSequences):
    """How many pictures of each digit there were: ten running counts.

    All else is as for `DigitSequences`; a step names the digit whose count it adds most to. With
    `length=1` the counts are the label itself, and the model is a plain classifier: the ceiling.

    Example: pictures of `3 1 3` have the targets `[0 0 0 1 0 ...]`, `[0 1 0 1 0 ...]`,
    `[0 1 0 2 0 ...]`.

    Source: Trask et al. 2018 (arXiv 1808.00508), section 4.2.
    """

    output_size = 10
    combine = staticmethod(tf.add)
    initial_totals = 0.0, 10.0

    def target_state(self, members: int, examples: int) -> Any:
        """The counts so far, `[M, B, 10]`."""
        return tf.zeros([members, examples, self.output_size], tf.int32)

    def totals(self, labels: Any, before: Any) -> tuple[Any, Any]:
        """Counts `[M, B, T, 10]`.

        Args:
            labels: the digits, `[M, B, T]`.
            before: the counts before them, `[M, B, output_size]`.

        Returns:
            `[M, B, T, output_size]`, and the counts after them.
        """
        counts = before[:, :, None] + tf.cumsum(tf.one_hot(labels, 10, dtype=tf.int32), axis=2)
        return tf.cast(counts, tf.float32), counts[:, :, -1]
