"""The product of the digits that a sequence of pictures shows."""

from typing import Any

import tensorflow as tf

from nalu_seq.data.images import Data
from nalu_seq.tasks.digit_sequences import DigitSequences


class MnistProduct(DigitSequences):
    """The running product of the digits 1 to 9 in the pictures.

    All else is as for `DigitSequences`; a step names the integer nearest to what it multiplies by.
    A model's state has to start from 1: `head=product_cell`.

    Example: pictures of `3 1 3` have the targets `3`, `3`, `9`.

    Raises:
        ValueError: as for `DigitSequences`, or the digits hold 0, which leaves nothing to learn
            after it.

    Source: Madsen & Johansen 2020 (arXiv 2001.05016), section 4.2.
    """

    output_size = 1
    combine = staticmethod(tf.multiply)
    initial_totals = 1.0, 10.0
    product = True
    accuracy = 0.95

    def __init__(self, data: Data, digits: list[int] | None = None, **kwargs: Any) -> None:
        digits = list(range(1, 10)) if digits is None else digits
        super().__init__(data, digits, **kwargs)
        if 0 in self.digits:
            raise ValueError("digits must be from 1 to 9 for a product: after a 0 all is 0")

    def target_state(self, members: int, examples: int) -> Any:
        """The product so far, `[M, B, 1]`, in float64: 9^20 is beyond what integers hold."""
        return tf.ones([members, examples, 1], tf.float64)

    def totals(self, labels: Any, before: Any) -> tuple[Any, Any]:
        """Products `[M, B, T, 1]`.

        Args:
            labels: the digits, `[M, B, T]`.
            before: the product before them, `[M, B, 1]`.

        Returns:
            `[M, B, T, 1]`, and `[M, B, 1]`.
        """
        factors = tf.cast(labels, tf.float64)[..., None]
        products = before[:, :, None] * tf.math.cumprod(factors, axis=2)
        return tf.cast(products, tf.float32), products[:, :, -1]
