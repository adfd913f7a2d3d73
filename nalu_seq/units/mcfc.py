"""MCFC, the mass-conserving fully connected layer of Hoedt et al. 2021."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from nalu_seq.units.base import Unit
from nalu_seq.units.facts import (
    ONES,
    SATURATED,
    UNSIGNED,
    Effective,
    Facts,
    Paper,
    saturating_weights,
    sums,
)
from nalu_seq.units.weights import copy_initializer, weighted_sums


@keras.saving.register_keras_serializable("nalu_seq")
class MCFC(Unit):
    """Sums of its inputs, each of which is shared out over the outputs, behind an output gate.

        y = sigmoid(w_o + b_o) * (x R),    R = softmax(r) over the outputs

    Each input is counted once at most over all outputs. With one output R = 1, and y is the gated
    sum of all inputs. A sum is exact only if the gate saturates (w_o + b_o > 17 in float32), and an
    output can leave an input out only by leaving it to another output.

    Args:
        units: size of the output.
        r_initializer: initial `r`, `[in, units]`; the identity if it is square, else orthogonal.
        w_o_initializer: initial `w_o`, `[1, units]`; orthogonal by default.
        b_o_initializer: initial `b_o`, `[units]`; 0 by default.
        **kwargs: `name`, `dtype`, `trainable`.

    Input shape: `[batch, ..., in]`. Output shape: `[batch, ..., units]`.

    Penalties: `mcfc`, `-(mean r^2 + mean w_o^2 + mean b_o^2)`, which saturates softmax and gate: it
    is negative and has no lower bound.

    Example:
        >>> y = MCFC(2)(keras.ops.ones((8, 3)))
        >>> tuple(y.shape)
        (8, 2)

    Raises:
        ValueError: `units` is no positive integer, or the input has no known feature size.

    Source: Hoedt et al. 2021 (arXiv 2101.05186); penalty and initial values as in the Primer
    (arXiv 2101.09530), their code.
    """

    penalty_names: tuple[str, ...] = ("mcfc",)

    def __init__(
        self,
        units: int,
        r_initializer: Any = None,
        w_o_initializer: Any = "orthogonal",
        b_o_initializer: Any = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(units, **kwargs)
        self.r_initializer = copy_initializer(r_initializer)
        self.w_o_initializer = copy_initializer(w_o_initializer)
        self.b_o_initializer = copy_initializer(b_o_initializer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make `r`, `[in, units]`, `w_o`, `[1, units]`, and `b_o`, `[units]`."""
        super().build(input_shape)
        initializer = "identity" if self.features == self.units else "orthogonal"
        self.r = self.add_matrix("r", self.r_initializer or initializer)
        self.w_o = self.add_weight(
            name="w_o", shape=(1, self.units), initializer=self.w_o_initializer
        )
        self.b_o = self.add_weight(
            name="b_o", shape=(self.units,), initializer=self.b_o_initializer
        )

    def call(self, x: Any) -> Any:
        """Apply the unit: `[..., in] -> [..., units]`."""
        x = ops.cast(x, self.compute_dtype)
        return ops.cast(self.gated_sums(x), self.compute_dtype)

    def gated_sums(self, x: Any) -> Any:
        """The gated sums of the inputs, in the dtype of x.

        Args:
            x: the inputs `[..., in]`.

        Returns:
            `[..., units]`.
        """
        gate = ops.sigmoid(ops.cast(self.w_o[0] + self.b_o, x.dtype))
        return gate * weighted_sums(x, ops.cast(self.matrices()["R"], x.dtype))

    def matrices(self) -> dict[str, Any]:
        """The effective weights: `R`, whose rows sum to 1."""
        # Not ops.softmax, which warns if there is only one output.
        powers = ops.exp(self.r - ops.stop_gradient(ops.max(self.r, axis=-1, keepdims=True)))
        return {"R": powers / ops.sum(powers, axis=-1, keepdims=True)}

    def facts(self) -> Facts:
        """Published by Hoedt et al. 2021; the sum of all inputs."""
        return Facts(
            paper=Paper("Hoedt et al. 2021", "2101.05186"),
            solutions={"a + b": {"R": ONES, "gate": [1.0]}},
            favours={"R": UNSIGNED, "gate": UNSIGNED},
        )

    def effective(self, x: Any) -> dict[str, Any]:
        """`matrices()`, and `gate`, sigmoid(w_o + b_o), `[units]`."""
        del x
        return {**self.matrices(), "gate": ops.sigmoid(self.w_o[0] + self.b_o)}

    def raw_weights(self, effective: Effective, x: Any) -> list[Any]:
        """A saturated softmax and gate."""
        del x
        w_o = saturating_weights(effective["gate"])
        return [SATURATED * np.asarray(effective["R"]), w_o[None], np.zeros_like(w_o)]

    def formula(self, x: Sequence[Any], effective: Effective) -> list[Any] | None:
        """The sums whose gates are open, `x R`."""
        return sums(x, effective["R"] * effective["gate"])

    def penalties(self) -> dict[str, Any]:
        """`mcfc`: minus the mean squares of the weights."""
        return {"mcfc": -sum(ops.mean(ops.square(v)) for v in (self.r, self.w_o, self.b_o))}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "r_initializer": keras.initializers.serialize(self.r_initializer),
            "w_o_initializer": keras.initializers.serialize(self.w_o_initializer),
            "b_o_initializer": keras.initializers.serialize(self.b_o_initializer),
        }
