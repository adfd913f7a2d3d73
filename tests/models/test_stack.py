"""Units on top of each other, and numbers that go around a recurrent layer."""

import functools

import keras
import numpy as np
import pytest

from nalu_seq import units
from nalu_seq.models import build, build_stateful, encoders, units_of
from nalu_seq.models.heads import Accumulate, UnitCell, snap_to_grid
from nalu_seq.models.routed import Routed
from nalu_seq.models.stack import Stack, accumulate_stack
from tests.units.layers import array, with_gradients

BATCH, LENGTH, SYMBOLS = 4, 6, 3


def inputs(seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).uniform(-2, 2, (BATCH, LENGTH, SYMBOLS + 1))
    return x.astype("float32")


def ledger_head(unit, **how):
    return accumulate_stack(unit, under=units.NMU, under_units=2, operation="sum", **how)


def routed(reads: str = "symbols"):
    return functools.partial(encoders.routed, "lstm", 3, 2, reads)


def test_a_stack_is_its_units_one_after_another() -> None:
    stack = Stack([units.NMU(2), units.NAU(1)])
    y = array(stack(inputs()))
    np.testing.assert_array_equal(y, array(stack.stacked[1](stack.stacked[0](inputs()))))
    assert y.shape == (BATCH, LENGTH, 1) == tuple(stack.compute_output_shape(inputs().shape))
    again = Stack.from_config(stack.get_config())
    assert [type(unit) for unit in again.stacked] == [units.NMU, units.NAU]


def test_the_penalties_of_all_units_in_a_stack_are_seen() -> None:
    model = build(routed(), ledger_head, units.NAU, SYMBOLS + 1, 1)
    assert [type(unit) for unit in units_of(model)] == [units.NMU, units.NAU]


def test_a_number_goes_around_the_recurrent_layer_as_it_is() -> None:
    layer = routed()(unroll=False, return_state=False)
    small, large = inputs(), inputs()
    large[..., -1] *= 1000
    y, wide = array(layer(small)), array(layer(large))
    np.testing.assert_array_equal(y[..., -1], small[..., -1])
    np.testing.assert_array_equal(wide[..., -1], large[..., -1])
    np.testing.assert_array_equal(wide[..., :-1], y[..., :-1])  # it reads the symbols alone
    reads_all = routed("all")(unroll=False, return_state=False)
    assert (array(reads_all(small))[..., :-1] != array(reads_all(large))[..., :-1]).any()


@pytest.mark.parametrize("reads", ["symbols", "all"])
def test_a_routed_model_has_three_equal_forms_and_a_file(reads: str, tmp_path) -> None:
    parts = routed(reads), ledger_head, units.NAU, SYMBOLS + 1, 1
    rolled, unrolled = build(*parts), build(*parts, length=LENGTH)
    stream = build_stateful(*parts)
    assert stream.kinds == ["bounded", "free", "total"]
    for model in (unrolled, stream.model):
        model.set_weights(rolled.get_weights())
    x, y = inputs(), array(rolled(inputs()))
    np.testing.assert_allclose(array(unrolled(x)), y, rtol=1e-4, atol=1e-5)
    states = [keras.ops.repeat(state, BATCH, axis=0) for state in stream.initial_states]
    pieces = []
    for piece in (x[:, :2], x[:, 2:]):
        part, *states = stream.model([keras.ops.convert_to_tensor(piece), *states])
        pieces.append(array(part))
    np.testing.assert_allclose(np.concatenate(pieces, axis=1), y, rtol=1e-4, atol=1e-5)
    rolled.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(array(loaded(x)), y, rtol=1e-4, atol=1e-5)


def test_without_symbols_the_recurrent_layer_knows_the_step_alone() -> None:
    lstm = keras.layers.LSTM(2, return_sequences=True, return_state=True)
    layer = Routed(lstm, outputs=1, numbers=4)
    y = array(layer(inputs()))
    np.testing.assert_array_equal(y[..., 1:], inputs())
    np.testing.assert_array_equal(y[..., :1], array(layer(inputs(seed=1)))[..., :1])
    expected = layer.dense(lstm(np.ones((BATCH, LENGTH, 1), "float32"))[0])
    np.testing.assert_array_equal(y[..., :1], array(expected))


def test_bad_routes_are_refused() -> None:
    lstm = keras.layers.LSTM(2, return_sequences=True, return_state=True)
    with pytest.raises(ValueError, match="reads must be symbols or all, not 'none'"):
        Routed(lstm, outputs=1, numbers=1, reads="none")
    with pytest.raises(ValueError, match="this task has none"):
        routed()(numbers=0, unroll=False, return_state=False)


# Rounding what is accumulated


def test_the_factor_of_a_number_can_be_rounded() -> None:
    """Factors are 0.997, -0.5 and 0.2 of the number, which is the last input."""
    sums = [units.NAU(1, w_initializer="ones")]
    product = units.NMU(1, w_initializer="ones")
    plain, halves = Stack([product, *sums]), Stack([product, *sums], snap_factor=0.5)
    x = np.float32([[0.997, 100], [-0.5, -3], [0.2, 7], [0.2, 0]])
    np.testing.assert_allclose(array(plain(x))[:, 0], [99.7, 1.5, 1.4, 0], rtol=1e-6)
    np.testing.assert_array_equal(array(halves(x))[:, 0], [100, 1.5, 0, 0])
    again = Stack.from_config(halves.get_config())
    assert again.snap_factor == 0.5
    _, gradients = with_gradients(halves, keras.ops.convert_to_tensor(x), [])
    assert np.isfinite(array(gradients[0])).all()
    head = accumulate_stack(
        units.NAU(1), under=units.NMU, under_units=2, operation="sum", snap_factor=1,
        unroll=False, return_state=False,
    )  # fmt: skip
    assert head.unit.snap_factor == 1


def test_what_is_snapped_is_exact_and_passes_its_gradient() -> None:
    x = keras.ops.convert_to_tensor([0.4, 0.6, -1.3, 1000.2, 2.0**23 + 0.25], "float32")
    np.testing.assert_array_equal(array(snap_to_grid(x, 1.0)), [0, 1, -1, 1000, 2**23])
    np.testing.assert_array_equal(array(snap_to_grid(x[:3], 0.25)), [0.5, 0.5, -1.25])
    _, (gradient,) = with_gradients(lambda x: snap_to_grid(x, 1.0), x, [])
    np.testing.assert_array_equal(gradient, [1, 2, 3, 4, 5])  # of sum(i * y[i])


def test_snapped_heads_count_without_an_error_that_grows() -> None:
    steps = 1000
    x = np.full((1, steps, 1), 1.01, "float32")
    total = Accumulate(units.NAU(1, w_initializer="ones"), snap=1.0)
    np.testing.assert_array_equal(array(total(x))[0, :, 0], np.arange(1, steps + 1))
    cell = UnitCell(units.NAU(1, w_initializer="ones"), snap=1.0)
    y = keras.layers.RNN(cell, return_sequences=True)(x)
    np.testing.assert_array_equal(array(y)[0, :, 0], np.arange(1, steps + 1))
    plain = array(Accumulate(units.NAU(1, w_initializer="ones"))(x))
    assert plain[0, -1, 0] == pytest.approx(1010, abs=0.01)


@pytest.mark.parametrize("snap", [0, -1.0, True, "one", float("inf")])
def test_a_grid_that_is_none_is_refused(snap) -> None:
    for make in (Accumulate, UnitCell):
        with pytest.raises(ValueError, match="snap must be a positive number or null"):
            make(units.NAU(1), snap=snap)
    with pytest.raises(ValueError, match="snap_factor must be a positive number or null"):
        Stack([units.NAU(1)], snap_factor=snap)
