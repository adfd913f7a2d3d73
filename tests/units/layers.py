"""What the tests of units share: every option of `conf/unit/`, built, and gradients.

All of it works on every backend that Keras has a gradient for: arrays go in, arrays come out.
"""

from collections.abc import Callable, Iterable
from typing import Any

import hydra.utils
import keras
import numpy as np
import pytest
from numpy.typing import ArrayLike

from nalu_seq import units
from nalu_seq.config.options import options, shipped_config

OPTIONS = options("unit")
IN, OUT = 3, 2
# Only with TensorFlow does Keras compute in float64: elsewhere its promotion ends at float32.
DOUBLE = keras.backend.backend() == "tensorflow"
PRECISE, RTOL = ("float64", 1e-12) if DOUBLE else ("float32", 1e-5)

each_option = pytest.mark.parametrize("option", OPTIONS)


def partial(option: str) -> Callable[..., units.Unit]:
    return hydra.utils.instantiate(shipped_config("unit", option), _convert_="all")


def built(option: str, **kwargs: Any) -> units.Unit:
    layer = partial(option)(units=OUT, **kwargs)
    layer.build((None, IN))
    return layer


def with_weights(layer: units.Unit, **weights: ArrayLike) -> units.Unit:
    """The layer on two inputs, with these weights in this order."""
    layer.build((None, 2))
    assert [v.name for v in layer.weights] == list(weights)
    layer.set_weights([np.asarray(value) for value in weights.values()])
    return layer


def inputs(*shape: int, dtype: str = "float32") -> np.ndarray:
    """Magnitudes in 0.5 .. 2 of either sign: away from what has a kink at 0."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0.5, 2, shape) * rng.choice([-1, 1], shape)
    return x.astype(dtype)


def array(tensor: Any) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


def total(y: Any) -> Any:
    """A sum in which each output counts differently, so that none can stand in for another."""
    return keras.ops.sum(y * keras.ops.cast(keras.ops.arange(1, y.shape[-1] + 1), y.dtype))


def with_gradients(
    call: Callable[[Any], Any], x: ArrayLike, variables: Iterable[keras.Variable]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """`call(x)`, and the gradients of its `total`: of x, then of each variable."""
    differentiate = {"tensorflow": _tensorflow, "torch": _torch, "jax": _jax}
    y, gradients = differentiate[keras.backend.backend()](
        call, keras.ops.convert_to_tensor(x), list(variables)
    )
    assert all(g is not None for g in gradients)
    return array(y), [array(g) for g in gradients]


def _tensorflow(call: Callable, x: Any, variables: list[keras.Variable]) -> tuple[Any, list[Any]]:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(x)
        y = call(x)
        value = total(y)
    return y, tape.gradient(value, [x, *(v.value for v in variables)])


def _torch(call: Callable, x: Any, variables: list[keras.Variable]) -> tuple[Any, list[Any]]:
    import torch

    y = call(x.requires_grad_())
    return y, torch.autograd.grad(total(y), [x, *(v.value for v in variables)])


def _jax(call: Callable, x: Any, variables: list[keras.Variable]) -> tuple[Any, list[Any]]:
    import jax

    def value(x: Any, values: list[Any]) -> tuple[Any, Any]:
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            y = call(x)
        return total(y), y

    values = [v.value for v in variables]
    (of_x, of_values), y = jax.grad(value, argnums=(0, 1), has_aux=True)(x, values)
    return y, [of_x, *of_values]
