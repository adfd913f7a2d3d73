"""The carry cell: groups are multiplied by themselves, put aside, and summed."""

import keras
import numpy as np
import pytest

from nalu_seq.models.build import penalized_heads
from nalu_seq.models.carry_cell import CarryCell
from nalu_seq.tasks.language import number_words
from nalu_seq.units import NAU, Linear

VALUES = {"one": 1, "two": 2, "seven": 7, "ten": 10, "eleven": 11, "ninety": 90}
WORDS = [*VALUES, "and", "hundred", "thousand"]


def reader(snap: float | None = None, error: float = 0.0) -> keras.layers.RNN:
    """A cell with the weights that number words need, each relatively off by `error`."""
    layer = keras.layers.RNN(CarryCell(Linear(1, bias=False), snap))
    layer.build((None, None, len(WORDS)))
    column = np.zeros((len(WORDS), 1), np.float32)
    addends, factors, carries = column.copy(), column.copy(), column.copy()
    addends[: len(VALUES), 0] = np.arcsinh([v * (1 + error) for v in VALUES.values()])
    factors[WORDS.index("hundred")] = np.log(100 * (1 + error))
    factors[WORDS.index("thousand")] = np.log(1000 * (1 - error / 3))
    carries[:] = -20
    carries[WORDS.index("thousand")] = 20
    layer.cell.unit.w.assign(addends)
    layer.cell.factors.assign(factors)
    layer.cell.carries.assign(carries)
    return layer


def read(layer: keras.layers.RNN, number: int) -> float:
    places = [WORDS.index(word) for word in number_words(number)]
    return float(layer(np.eye(len(WORDS), dtype=np.float32)[places][None])[0, 0])


NUMBERS = [1, 97, 107, 700, 1001, 2011, 90_000, 100_000, 202_711, 791_792, 711_100]


@pytest.mark.parametrize("number", NUMBERS)
def test_each_group_is_multiplied_by_its_own_words(number: int) -> None:
    assert read(reader(), number) == pytest.approx(number, rel=1e-5)


@pytest.mark.parametrize("number", NUMBERS)
def test_rounded_weights_read_exactly(number: int) -> None:
    assert read(reader(snap=1.0, error=0.001), number) == number


def test_without_rounding_errors_of_weights_show() -> None:
    assert abs(read(reader(error=0.001), 791_792) - 791_792) > 100


def test_it_is_the_loop_that_its_equations_say() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(3, 5, 4)).astype(np.float32)
    layer = keras.layers.RNN(CarryCell(NAU(2)), return_sequences=True)
    layer.build(x.shape)
    factors, carries, w = random.normal(size=(3, 4, 2)).astype(np.float32)
    layer.cell.factors.assign(factors)
    layer.cell.carries.assign(carries)
    layer.cell.unit.w.assign(np.clip(w, -1, 1))
    g, s, expected = np.zeros((3, 2)), np.zeros((3, 2)), []
    for t in range(5):
        m = np.exp(x[:, t] @ factors) * g
        c = 1 / (1 + np.exp(3 - x[:, t] @ carries))
        s = s + c * m
        g = (1 - c) * m + np.sinh(x[:, t] @ np.clip(w, -1, 1))
        expected.append(s + g)
    np.testing.assert_allclose(layer(x), np.stack(expected, axis=1), rtol=1e-4, atol=1e-4)


def test_its_penalty_by_hand() -> None:
    layer = keras.layers.RNN(CarryCell(Linear(1, bias=False)))
    layer.build((None, None, 2))
    layer.cell.unit.w.assign([[2.0], [-0.5]])
    layer.cell.factors.assign([[-1.0], [0.25]])
    layer.cell.carries.assign([[3.0], [3.0]])  # sigmoid(0) = 0.5
    # (0.5 + 1) (1 + 2) + (0.5 + 0.25) (1 + 0.5)
    assert float(layer.cell.penalties()["roles"]) == pytest.approx(4.5 + 1.125)
    model = keras.Sequential([keras.Input((None, 2)), layer])
    assert penalized_heads(model) == [layer.cell]


def test_it_goes_on_where_it_was() -> None:
    x = np.random.default_rng(1).normal(size=(2, 6, 3)).astype(np.float32)
    layer = keras.layers.RNN(CarryCell(Linear(2)), return_sequences=True, return_state=True)
    whole, *_ = layer(x)
    first, *states = layer(x[:, :4])
    second, *_ = layer(x[:, 4:], initial_state=states)
    np.testing.assert_allclose(np.concatenate([first, second], axis=1), whole, rtol=1e-5)


def test_its_config_makes_it_again() -> None:
    cell = CarryCell(NAU(2), snap=0.5)
    again = CarryCell.from_config(cell.get_config())
    assert (again.snap, again.unit.units, type(again.unit)) == (0.5, 2, NAU)


@pytest.mark.parametrize("snap", [0, -1.0, "x", True])
def test_a_grid_must_be_positive(snap) -> None:
    with pytest.raises(ValueError, match="snap must be a positive number"):
        CarryCell(Linear(1), snap=snap)
