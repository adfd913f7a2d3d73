import keras
import pytest

from nalu_seq.experiment.memory import (
    PROGRAM,
    available,
    shapes_only,
    training_bytes,
    weight_bytes,
)
from nalu_seq.models.convnet import Convnet


def model() -> keras.Model:
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(5)])


def test_what_is_needed_grows_with_members_examples_and_weights():
    # 20 weights seven times; for each example 5 outputs three times and 3 inputs four times.
    assert training_bytes(model(), 1, 1) - PROGRAM == 4 * (7 * 20 + 3 * 5 + 4 * 3)
    assert training_bytes(model(), 7, 2) - PROGRAM == 4 * 7 * (7 * 20 + 2 * (3 * 5 + 4 * 3))


def test_a_cell_holds_more_than_it_gives():
    lstm = keras.Sequential([keras.Input((10, 1)), keras.layers.LSTM(4, return_sequences=True)])
    wide = keras.Sequential([keras.Input((10, 1)), keras.layers.Dense(4)])
    assert training_bytes(lstm, 1, 64) - PROGRAM > 5 * (training_bytes(wide, 1, 64) - PROGRAM)


def test_a_convnet_is_called_for_every_frame():
    def of_frames(count: int) -> int:
        x = keras.Input((count, 8, 8, 1))
        model = keras.Model(x, Convnet(3, filters=[4], kernel=3, hidden=5)(x))
        weights = 7 * sum(v.shape.num_elements() for v in (w.value for w in model.variables))
        return training_bytes(model, 1, 1) - PROGRAM - 4 * weights

    # For each: a convolution, its pool, what is flat, two dense layers; the output; the input.
    frame = 6 * 6 * 4 + 3 * 3 * 4 + 3 * 3 * 4 + 5 + 3
    assert of_frames(7) == 7 * of_frames(1) == 7 * 4 * (3 * (frame + 3) + 4 * 64)


def test_the_machine_says_what_is_available():
    assert available() is None or available() > 2**20


@pytest.mark.parametrize("units", [5, 10**9])
def test_a_model_of_shapes_alone_has_the_same_size_and_no_values(units):
    with shapes_only():
        shapes = keras.Sequential([keras.Input((3,)), keras.layers.Dense(units)])
    with keras.StatelessScope():  # when it ends, Keras makes the variables that still wait
        pass
    assert [v.shape for v in shapes.variables] == [(3, units), (units,)]
    assert all(v._value is None for v in shapes.variables)
    assert weight_bytes(shapes, 7) == 3 * 4 * 7 * 4 * units
    if units == 5:
        assert training_bytes(shapes, 7, 2) == training_bytes(model(), 7, 2)
