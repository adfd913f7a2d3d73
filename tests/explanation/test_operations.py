"""What a cell does at each symbol, read from its weights."""

import functools

import keras
import numpy as np
import pytest

from nalu_seq.explanation.operations import Operations, operating_cell, read_operations
from nalu_seq.explanation.rounding import Unreadable
from nalu_seq.models.carry_cell import CarryCell, carry_cell
from nalu_seq.models.heads import AffineCell
from nalu_seq.tasks.language import Language, number_words
from nalu_seq.units import NAC, Linear
from tests.explanation.test_explanation import explainer

WORDS = ("two", "thousand", "three", "and", "hundred")
# The last of each is an empty step's.
ENGLISH = Operations(
    WORDS,
    addends=((2,), (0,), (3,), (0,), (0,), (0,)),
    factors=((1,), (1000,), (1,), (1,), (100,), (1,)),
    carries=((0,), (1,), (0,), (0,), (0,), (0,)),
)
LINES = [
    "y = s + g",
    "s <- s + 1000 g, g <- 0 when the symbol is thousand",
    "g <- 100 g when the symbol is hundred",
    "g <- g + 2 when the symbol is two",
    "g <- g + 3 when the symbol is three",
    "nothing changes when the symbol is one of: and",
]


def indices(text: str) -> np.ndarray:
    return np.array([[WORDS.index(word) for word in text.split()]])


def trained_like(operations: Operations, noise: float = 0.01) -> CarryCell | AffineCell:
    """A cell without rounding whose weights are near those of some operations."""
    cell = operations.model().layers[-1].cell
    rng = np.random.default_rng(0)
    if isinstance(cell, CarryCell):
        cell.snap = None
        cell.carries.assign(np.clip(cell.carries, -2.0, 8.0))
    cell.factors.assign(cell.factors + noise * rng.uniform(-0.1, 0.1, cell.factors.shape))
    _, bias = cell.unit.weights
    bias.assign(bias + noise)
    return cell


def test_words_become_their_number_step_by_step() -> None:
    y, state = ENGLISH.run(indices("two hundred thousand three hundred and two"), ENGLISH.start(1))
    assert y[0, :, 0].tolist() == [2, 200, 200_000, 200_003, 200_300, 200_300, 200_302]
    y, _ = ENGLISH.run(np.array([[5, 4]]), state)  # an empty step, then "hundred"
    assert y[0, :, 0].tolist() == [200_302, 230_200]


def test_a_line_for_each_symbol_operators_first() -> None:
    assert ENGLISH.lines() == LINES and str(ENGLISH) == "; ".join(LINES)
    latex = ENGLISH.lines(latex=True)
    assert latex[1] == r"s \leftarrow s + 1000 g, g \leftarrow 0\text{ when the symbol is thousand}"
    assert latex[-1] == r"\text{nothing changes when the symbol is one of: and}"


def test_a_cell_without_a_sum_aside_and_with_two_outputs() -> None:
    operations = Operations(
        ("0", "1", "2"), addends=((1, -1), (0, 5), (0, 0), (0, 2)), factors=((1, 2), (0, 0)) * 2
    )
    assert operations.lines() == [
        "y0 <- y0 + 1, y1 <- 2 y1 - 1 when the symbol is 0",
        "y0 <- 0, y1 <- 5 when the symbol is 1",
        "y1 <- 2 y1 when the symbol is 2",
        "y0 <- 0, y1 <- 2 when the step is empty",
    ]
    y, _ = operations.run(np.array([[1, 0, 2, 0]]), operations.start(1))
    assert y[0].tolist() == [[0, 5], [1, 9], [1, 18], [2, 35]]


@pytest.mark.parametrize("carries", [ENGLISH.carries, None], ids=["carry_cell", "affine_cell"])
def test_a_keras_model_computes_the_same(carries) -> None:
    operations = Operations(WORDS, ENGLISH.addends, ENGLISH.factors, carries)
    symbols = np.random.default_rng(0).choice([0, 2, 3, 4, 5], (50, 5))
    symbols[:, 2] = 1  # thousand once, for numbers that float32 holds
    y, _ = operations.run(symbols, operations.start(50))
    model = operations.model()
    np.testing.assert_allclose(model(np.eye(6)[symbols][..., :5]), y, rtol=1e-4)
    assert operating_cell(model) is model.layers[-1].cell


@pytest.mark.parametrize("carries", [ENGLISH.carries, None], ids=["carry_cell", "affine_cell"])
def test_weights_near_whole_numbers_are_read(carries) -> None:
    operations = Operations(WORDS, ENGLISH.addends, ENGLISH.factors, carries)
    read, distances = read_operations(trained_like(operations), WORDS)
    assert read == operations
    assert set(distances) == {"addends", "factors"} | ({"carries"} if carries else set())
    assert 0.009 < distances["addends"] < 0.1 and 0.1 < distances["factors"] < 1
    if carries:
        sigmoid = 1 / (1 + np.exp(5.0))  # of -2 - 3; an empty step's is that of -3
        assert sigmoid < distances["carries"] == pytest.approx(1 / (1 + np.exp(3.0)))


def test_any_unit_may_add() -> None:
    cell = AffineCell(NAC(1))
    keras.layers.RNN(cell).build((None, None, 2))
    cell.unit.set_weights([np.array([[9.0], [-9.0]]), np.array([[9.0], [9.0]])])
    read, _ = read_operations(cell, ("up", "down"))
    assert read.lines() == [
        "y <- y - 1 when the symbol is down",
        "y <- y + 1 when the symbol is up",
    ]


@pytest.mark.parametrize("value", [np.nan, np.inf, 90.0])
def test_what_is_no_number_or_too_large_is_refused(value) -> None:
    cell = trained_like(ENGLISH)
    cell.factors.assign(np.full(cell.factors.shape, value))
    with pytest.raises(Unreadable, match="too large, or no number"):
        read_operations(cell, WORDS)


def test_only_a_loop_over_such_a_cell_has_operations() -> None:
    inputs = keras.Input((None, 5))
    hidden = keras.layers.Dense(5)(inputs)
    y = keras.layers.RNN(AffineCell(Linear(1)))(hidden)
    assert operating_cell(keras.Model(inputs, y)) is None
    assert operating_cell(keras.Model(inputs, keras.layers.LSTM(5)(inputs))) is None


@pytest.mark.parametrize("empty", ["before", "after"])
def test_members_are_read_and_checked_on_the_words_of_numbers(empty) -> None:
    task = Language(high=199, train=80, validation=40, test=60, empty=empty)
    linear = functools.partial(Linear, bias=False)
    explained = explainer(task, linear, seeds=3, head=carry_cell)
    addends = np.array(
        [[0 if w in ("and", "hundred") else value_of(w) for w in task.vocabulary]], float
    ).T
    hundred = np.array([[np.log(100.0) if w == "hundred" else 0.0 for w in task.vocabulary]]).T
    good = {"w": np.arcsinh(addends + 0.1), "factors": hundred + 0.001, "carries": addends * 0}
    wrong = {**good, "factors": hundred * 0}
    broken = {**good, "w": addends * np.nan}
    for variable in explained.population.variables:
        name = variable.name.rpartition("_")[2]
        variable.assign(np.stack([weights[name] for weights in (good, wrong, broken)]))
    right, refuted, nothing = explained.explain()
    assert "g <- 100 g when the symbol is hundred" in right.formula.lines()
    assert "g <- g + 13 when the symbol is thirteen" in right.formula.lines()
    assert right.formula.lines()[-1].endswith("one of: and, zero")
    assert {split: after for split, (_, after) in right.errors.items()} == dict.fromkeys(
        task.splits, 1.0
    )
    assert refuted.formula is None and refuted.reason == "rounded, it is wrong on validation"
    assert nothing.formula is None and nothing.reason.endswith("or no number")


def value_of(word: str) -> int:
    return next(n for n in range(100) if number_words(n) == [word])
