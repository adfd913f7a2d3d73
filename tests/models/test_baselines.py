"""Recurrent baselines and the accumulation already solved."""

import doctest
from typing import Any

import keras
import numpy as np
import pytest

from nalu_seq.models import baselines, build, build_stateful, encoders
from nalu_seq.models.baselines import Recurrent
from nalu_seq.units import NAU
from tests.units.layers import array


def sequences() -> Any:
    x = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")
    return keras.ops.convert_to_tensor(x)


def solved(operation: str):
    def head(unit, *, unroll, return_state):
        return baselines.solved(unit, operation=operation, unroll=unroll, return_state=return_state)

    return head


@pytest.mark.parametrize(
    ("operation", "accumulated"), [("sum", np.cumsum), ("product", np.cumprod)]
)
def test_a_solved_head_accumulates_the_encoders_outputs(operation, accumulated) -> None:
    x = sequences()
    model = build(encoders.none, solved(operation), NAU, input_size=3, output_size=3)
    assert not model.variables
    np.testing.assert_allclose(array(model(x)), accumulated(array(x), axis=1), rtol=1e-5)
    stream, (start,), _ = build_stateful(
        encoders.none, solved(operation), NAU, input_size=3, output_size=3
    )
    first, state = stream([x[:, :2], keras.ops.repeat(start, 2, axis=0)])
    second, _ = stream([x[:, 2:], state])
    parts = np.concatenate([array(first), array(second)], axis=1)
    np.testing.assert_allclose(parts, array(model(x)), rtol=1e-5)


def test_a_solved_head_needs_as_many_features_as_targets() -> None:
    with pytest.raises(ValueError, match=r"must be 2 of them, not 3: encoder\.outputs=2"):
        build(encoders.none, solved("sum"), NAU, input_size=3, output_size=2)


def test_a_baseline_is_a_recurrent_layer_and_a_linear_one() -> None:
    model = build(
        encoders.none,
        lambda unit, **how: baselines.lstm(unit, hidden=4, **how),
        NAU,
        input_size=3,
        output_size=2,
    )
    assert [tuple(v.shape) for v in model.trainable_variables] == [
        (3, 16),
        (4, 16),
        (16,),
        (4, 2),
        (2,),
    ]
    x = sequences()
    (head,) = (layer for layer in model.layers if isinstance(layer, Recurrent))
    kernel, bias = head.dense.get_weights()
    h = array(head.recurrent(x)[0])
    np.testing.assert_allclose(array(model(x)), h @ kernel + bias, rtol=1e-4, atol=1e-5)


def test_docstring_s_example_runs() -> None:
    (test,) = doctest.DocTestFinder(recurse=False).find(
        Recurrent, globs={"Recurrent": Recurrent, "keras": keras}
    )
    assert test.examples and doctest.DocTestRunner().run(test).failed == 0
