"""NAU, the neural addition unit of Madsen & Johansen 2020."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from nalu_seq.units.base import Unit
from nalu_seq.units.facts import MADSEN, SIGNED, SUM_WEIGHTS, Effective, Facts, sums
from nalu_seq.units.weights import (
    Clip,
    Sparsity,
    copy_initializer,
    nau_uniform,
    not_negative,
    one_of,
    out_of_bounds,
    r_z,
    sparsity,
    weighted_sums,
)


@keras.saving.register_keras_serializable("nalu_seq")
class NAU(Unit):
    """Sums and differences of its inputs, with weights clamped to [-1, 1].

        y = x W,    W in [-1, 1]

    The clamp stands in the forward pass and, with `clip`, as a constraint after each
    update. No bias.

    Args:
        units: size of the output.
        w_initializer: initial `w`; by default `U(-r, r)` of `weights.nau_uniform`.
        clip: clamp the raw weights after each update; else the penalty `out_of_bounds` has to keep
            them near.
        sparsity: what Keras' own `fit` multiplies the penalty `sparsity` with and adds to the loss;
            it draws the weights to whole numbers. The trainer of this package has ramps instead.
        **kwargs: `name`, `dtype`, `trainable`.

    Input shape: `[batch, ..., in]`. Output shape: `[batch, ..., units]`.

    Penalties: `sparsity`, the mean of min(|W|, |1 - |W||); without `clip` also `out_of_bounds`, the
    mean distance of the raw weights from [-1, 1]. Of the input: `r_z`, with z the mean input the
    mean of (1 - |W|) z^2.

    Example:
        >>> y = NAU(2)(keras.ops.ones((8, 3)))
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
        self.clip = one_of("NAU: clip", clip, (True, False))
        self.sparsity = not_negative("NAU: sparsity", sparsity)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make `w`, `[in, units]`."""
        super().build(input_shape)
        initializer = self.w_initializer or nau_uniform(self.features, self.units)
        constraint = Clip(-1.0, 1.0) if self.clip else None
        regularizer = Sparsity(self.sparsity) if self.sparsity else None
        self.w = self.add_matrix("w", initializer, constraint, regularizer=regularizer)

    def matrices(self) -> dict[str, Any]:
        """The effective weights: `W`, clamped."""
        return {"W": ops.clip(self.w, -1.0, 1.0)}

    def call(self, x: Any) -> Any:
        """Apply the unit: `[..., in] -> [..., units]`."""
        return weighted_sums(x, self.matrices()["W"])

    def facts(self) -> Facts:
        """Published by Madsen & Johansen 2020; sums and differences."""
        return Facts(
            paper=MADSEN,
            solutions={o: {"W": w} for o, w in SUM_WEIGHTS.items()},
            favours={"W": SIGNED},
        )

    def formula(self, x: Sequence[Any], effective: Effective) -> list[Any] | None:
        """The outputs in symbols: `x W`."""
        return sums(x, effective["W"])

    def penalties(self) -> dict[str, Any]:
        """`sparsity`: R_sparse of the weights; `out_of_bounds`: R_oob, where nothing clips them."""
        scalars = {"sparsity": sparsity(self.w)}
        if not self.clip:
            scalars["out_of_bounds"] = out_of_bounds(self.w, -1.0, 1.0)
        return scalars

    def input_penalties(self, mean_input: Any) -> dict[str, Any]:
        """`r_z`: R_z of the weights."""
        return {"r_z": r_z(1 - ops.abs(self.matrices()["W"]), mean_input, neutral=0.0)}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "w_initializer": keras.initializers.serialize(self.w_initializer),
            "clip": self.clip,
            "sparsity": self.sparsity,
        }
