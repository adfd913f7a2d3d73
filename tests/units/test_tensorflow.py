"""What TensorFlow alone does with units: graphs, XLA, and a map over members."""

from typing import Any

import keras
import numpy as np
import pytest

from nalu_seq import units
from nalu_seq.models.heads import UnitCell
from nalu_seq.units.base import mean_inputs
from tests.units.layers import IN, built, each_option, inputs, total

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="TensorFlow is not Keras' backend here"
)


def output_and_gradients(layer: keras.Layer, x: Any) -> tuple[Any, list[Any]]:
    sources = [x, *(v.value for v in layer.trainable_variables)]
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x)
        value = total(y)
    return y, tape.gradient(value, sources)


@each_option
def test_compiled_equals_plain(option):
    layer, x = built(option), tf.constant(inputs(4, IN))
    compiled = tf.function(lambda x: output_and_gradients(layer, x), jit_compile=True)
    tf.nest.map_structure(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
        compiled(x),
        output_and_gradients(layer, x),
    )


@each_option
@pytest.mark.parametrize("shape", [(5, IN), (5, 4, IN)])
def test_mapped_over_members_equals_one_at_a_time(option, shape):
    layers = [built(option) for _ in range(4)]
    weights = [[v.value for v in layer.trainable_variables] for layer in layers]
    stacked = [tf.stack(values) for values in zip(*weights, strict=True)]
    x = tf.constant(inputs(4, *shape))

    def one_member(args: tuple[list[Any], Any]) -> tuple[Any, Any]:
        values, x = args
        with tf.GradientTape() as tape:
            tape.watch([x, *values])
            others = layers[0].non_trainable_variables
            y, _ = layers[0].stateless_call(values, others, x)
            value = total(y)
        return y, tape.gradient(value, [x, *values])

    y, gradients = tf.vectorized_map(one_member, (stacked, x), fallback_to_while_loop=False)
    assert len({np.asarray(member).tobytes() for member in y}) == 4
    for m, layer in enumerate(layers):
        tf.nest.map_structure(
            lambda a, b, m=m: np.testing.assert_allclose(a[m], b, rtol=1e-4, atol=1e-5),
            (y, gradients),
            output_and_gradients(layer, x[m]),
        )


# Observed inputs


def recurrent(unit: units.Unit, unroll: bool) -> keras.Model:
    x = keras.Input((3, 1))
    return keras.Model(x, keras.layers.RNN(UnitCell(unit, 1.0), unroll=unroll)(x))


@pytest.mark.parametrize("compiled", [False, True])
def test_r_z_of_each_member_in_a_mapped_graph(compiled):
    unit = units.NMU(1)
    model = recurrent(unit, unroll=True)

    def one_member(args: tuple[Any, Any]) -> Any:
        w, x = args
        with keras.StatelessScope(state_mapping=[(unit.w, w)]):
            with mean_inputs() as seen:
                model(x)
            return seen[unit], unit.input_penalties(seen[unit])["r_z"]

    @tf.function(jit_compile=compiled)
    def all_members(w: Any, x: Any) -> Any:
        return tf.vectorized_map(one_member, (w, x), fallback_to_while_loop=False)

    w = tf.constant([[[0.5], [0.5]], [[1.0], [0.0]]])
    x = tf.constant([[[[2.0], [4.0], [1.0]], [[4.0], [0.0], [3.0]]]] * 2)
    mean, r_z = all_members(w, x)
    # As in test_input_penalties.py; the second member's states are 1 and then its inputs.
    np.testing.assert_allclose(mean, [[14 / 6, 10 / 6], [14 / 6, 12 / 6]], rtol=1e-6)
    np.testing.assert_allclose(r_z, [5 / 9, 0.5], rtol=1e-6)


def test_the_block_may_stand_in_a_traced_function():
    unit = units.NAU(1, w_initializer="zeros")

    @tf.function
    def penalty(x: Any) -> Any:
        with mean_inputs() as seen:
            unit(x)
        return unit.input_penalties(seen[unit])["r_z"]

    assert float(penalty(tf.constant([[2.0], [4.0]]))) == 9


def test_a_rolled_loop_s_inputs_are_refused():
    unit = units.NMU(1)
    model = recurrent(unit, unroll=False)

    @tf.function
    def penalty(x: Any) -> Any:
        with mean_inputs() as seen:
            model(x)
        return unit.input_penalties(seen[unit])["r_z"]

    with pytest.raises(ValueError, match="cannot be accessed"):
        penalty(tf.ones((2, 3, 1)))
