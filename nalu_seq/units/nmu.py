"""NMU, the neural multiplication unit of Madsen & Johansen 2020."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from nalu_seq.units.base import Unit
from nalu_seq.units.facts import MADSEN, PRODUCT_WEIGHTS, UNSIGNED, Effective, Facts, products
from nalu_seq.units.weights import (
    Clip,
    Sparsity,
    copy_initializer,
    not_negative,
    one_of,
    out_of_bounds,
    r_z,
    sparsity,
)


def gated_product(x: Any, w: Any) -> Any:
    """`prod_i (w_i x_i + 1 - w_i)`: an input counts where its weight is 1, and is 1 where it is 0.

    Args:
        x: inputs `[..., in]`.
        w: weights `[in, units]`, from 0 to 1.
    """
    w = ops.transpose(w)
    return product(ops.expand_dims(x, -2) * w + (1 - w))


def product(z: Any) -> Any:
    """The product over the last axis, by halving it again and again.

    Forward and backward take about a quarter of the time of `ops.prod` (docs/performance.md). The
    result is as exact where factors are 0: the gradient multiplies and never divides.

    Args:
        z: factors `[..., n]`.

    Returns:
        `[...]`.
    """
    odd = []
    while (n := z.shape[-1]) > 1:
        first, second, *last = ops.split(z, [n // 2, n - n % 2][: 1 + n % 2], axis=-1)
        odd += last
        z = first * second
    for last in odd:
        z = z * last
    return ops.squeeze(z, axis=-1)


@keras.saving.register_keras_serializable("nalu_seq")
class NMU(Unit):
    """Products of its inputs, signs included, with weights clamped to [0, 1].

        y = prod_i (W_i x_i + 1 - W_i),    W in [0, 1]

    The clamp stands in the forward pass and, with `clip`, as a constraint after each
    update. The product overflows to inf where the true one does.

    Args:
        units: size of the output.
        w_initializer: initial `w`; `U(0.25, 0.75)` by default.
        clip: whether to clamp the raw weights after each update; if not, the penalty
            `out_of_bounds` has to keep them near [0, 1].
        sparsity: the weight of the penalty `sparsity` in the loss of Keras' own `fit`, which draws
            the weights to whole numbers. The trainer of this package has ramps instead.
        **kwargs: `name`, `dtype`, `trainable`.

    Input shape: `[batch, ..., in]`. Output shape: `[batch, ..., units]`.

    Penalties: `sparsity`, the mean of min(W, 1 - W); without `clip` also `out_of_bounds`, the
    mean distance of the raw weights from [0, 1]. Of the input: `r_z`, with z the mean input the
    mean of (1 - W) (1 - z)^2.

    Example:
        >>> y = NMU(2)(keras.ops.ones((8, 3)))
        >>> tuple(y.shape)
        (8, 2)

    Raises:
        ValueError: `units` is no positive integer, `clip` is no boolean, `sparsity` is negative,
            or the input has no known feature size.

    Source: Madsen & Johansen 2020 (arXiv 2001.05016), section 2.
    """

    penalty_names = ("sparsity", "out_of_bounds", "r_z")

    def __init__(
        self,
        units: int,
        w_initializer: Any = None,
        clip: bool = True,
        sparsity: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, **kwargs)
        self.w_initializer = copy_initializer(w_initializer)
        self.clip = one_of("NMU: clip", clip, (True, False))
        self.sparsity = not_negative("NMU: sparsity", sparsity)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make `w`, `[in, units]`."""
        super().build(input_shape)
        initializer = self.w_initializer or keras.initializers.RandomUniform(0.25, 0.75)
        constraint = Clip(0.0, 1.0) if self.clip else None
        regularizer = Sparsity(self.sparsity, signed=False) if self.sparsity else None
        self.w = self.add_matrix("w", initializer, constraint, regularizer=regularizer)

    def matrices(self) -> dict[str, Any]:
        """The effective weights: `W`, clamped."""
        return {"W": ops.clip(self.w, 0.0, 1.0)}

    def call(self, x: Any) -> Any:
        """Apply the unit: `[..., in] -> [..., units]`."""
        return gated_product(ops.cast(x, self.compute_dtype), self.matrices()["W"])

    def facts(self) -> Facts:
        """Published by Madsen & Johansen 2020; products."""
        return Facts(
            paper=MADSEN,
            solutions={o: {"W": w} for o, w in PRODUCT_WEIGHTS.items()},
            overflows=("product",),
            favours={"W": UNSIGNED},
        )

    def formula(self, x: Sequence[Any], effective: Effective) -> list[Any] | None:
        """The outputs in symbols: `prod_i x_i^W_i`, for weights of 0 and 1."""
        return products(x, effective["W"])

    def penalties(self) -> dict[str, Any]:
        """`sparsity`: R_sparse of the weights; `out_of_bounds`: R_oob, where nothing clips them."""
        scalars = {"sparsity": sparsity(self.w, signed=False)}
        if not self.clip:
            scalars["out_of_bounds"] = out_of_bounds(self.w, 0.0, 1.0)
        return scalars

    def input_penalties(self, mean_input: Any) -> dict[str, Any]:
        """`r_z`: R_z of the weights."""
        return {"r_z": r_z(1 - self.matrices()["W"], mean_input, neutral=1.0)}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "w_initializer": keras.initializers.serialize(self.w_initializer),
            "clip": self.clip,
            "sparsity": self.sparsity,
        }
