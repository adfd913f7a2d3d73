"""iNALU's data: fixed sets, their distributions, their order, which inputs count."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from nalu_seq.population.random import Draws, Stream
from nalu_seq.tasks.inalu_simple import InaluSimple

SEVEN = [
    ["normal", [-3, 3], [8, 10]],
    ["uniform", [-5, 5], [-10, -5]],
    ["exponential", 0.8, 0.5],
]
NAMES = ["normal (-3, 3)", "uniform (-5, 5)", "exponential 0.8"]


def draws(step: int, batch: int, split: str = "train", cases: list[str] = NAMES) -> Draws:
    return Stream(range(len(cases)), cases, split).at(step, batch)


def test_cases_are_named_as_published() -> None:
    assert list(InaluSimple(distributions=SEVEN).cases) == NAMES


def test_each_member_draws_from_its_own_distribution() -> None:
    x = InaluSimple(distributions=SEVEN, examples=20_000).train_batch(draws(0, 20_000)).x.numpy()
    normal, uniform, exponential = x.reshape(3, -1)
    assert normal.min() >= -3 and normal.max() <= 3
    # A normal cut at three deviations has 0.9733 of its variance left.
    assert normal.mean() == pytest.approx(0, abs=0.02)
    assert normal.var() == pytest.approx(0.9733, rel=0.02)
    assert -5 <= uniform.min() < -4.9 and 4.9 < uniform.max() <= 5
    assert exponential.min() >= 0
    assert exponential.mean() == pytest.approx(0.8, rel=0.02)
    assert exponential.std() == pytest.approx(0.8, rel=0.03)


def test_the_extrapolation_is_drawn_elsewhere() -> None:
    task = InaluSimple(distributions=SEVEN, examples=5000)
    x = task.split_batch("extrapolation", draws(0, 5000, "extrapolation")).x.numpy()
    assert x[0].min() >= 8 and x[0].max() <= 10
    assert x[1].min() >= -10 and x[1].max() <= -5
    assert x[2].mean() == pytest.approx(0.5, rel=0.05)


def test_an_epoch_goes_through_the_set_in_order() -> None:
    task = InaluSimple(distributions=SEVEN, examples=40)
    epoch = [task.train_batch(draws(step, 10)).x for step in range(4)]
    np.testing.assert_array_equal(tf.concat(epoch, axis=1), task.train_batch(draws(0, 40)).x)
    np.testing.assert_array_equal(task.train_batch(draws(5, 10)).x, epoch[1])


def test_irrelevant_inputs_stand_behind_the_two_that_count() -> None:
    task = InaluSimple("mul", irrelevant=8)
    batch = task.train_batch(draws(0, 8, cases=NAMES[:1]))
    assert (task.input_size, batch.x.shape[-1]) == (10, 10)
    np.testing.assert_array_equal(batch.y[..., 0], batch.x[..., 0] * batch.x[..., 1])


@pytest.mark.parametrize("irrelevant", [-1, 1.5, True])
def test_odd_numbers_of_irrelevant_inputs_are_refused(irrelevant: Any) -> None:
    with pytest.raises(ValueError, match="irrelevant must be 0 or a positive integer"):
        InaluSimple(irrelevant=irrelevant)


@pytest.mark.parametrize("operation", ["add", "sub", "mul", "div"])
def test_targets(operation: str) -> None:
    batch = InaluSimple(operation).train_batch(draws(0, 8, cases=NAMES[:1]))
    a, b = np.moveaxis(batch.x.numpy(), -1, 0)
    by_hand = {"add": a + b, "sub": a - b, "mul": a * b, "div": a / b}
    np.testing.assert_allclose(batch.y[..., 0], by_hand[operation], rtol=1e-6)


def test_many_inputs_are_assigned_once_for_each_seed() -> None:
    task = InaluSimple("add", inputs=100)
    members = ["normal (-3, 3)"] * 40
    ones = tf.ones([40, 1, 100])
    a, b = task._sums(ones, Stream(range(40), members, "train").at(0, 1))
    again = task._sums(ones, Stream(range(40), members, "validation").at(9, 1))
    np.testing.assert_array_equal(a, again[0])
    np.testing.assert_array_equal(b, again[1])
    # 1/2 to a, 1/4 to b, 1/4 to neither.
    assert np.mean(a) == pytest.approx(50, abs=2.5) and np.mean(b) == pytest.approx(25, abs=2.5)


def test_both_splits_are_judged_at_1e_5() -> None:
    criterion = InaluSimple().criterion
    for split in ("validation", "extrapolation"):
        solved = criterion.solved([9e-6, 1e-5, np.nan], split, ["x"] * 3)
        assert solved is not None and solved.tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"operation": "square"}, "operation must be one of add, sub, mul, div"),
        ({"inputs": 1}, "inputs must be at least 2"),
        ({"examples": 0}, "examples must be a positive integer"),
        ({"distributions": [["cauchy", [0, 1], [1, 2]]]}, "with a shape of normal, uniform"),
        ({"distributions": [["normal", [1, 0], [1, 2]]]}, r"a range must be \[low, high\]"),
        ({"distributions": [["exponential", -1, 2]]}, "the scale of an exponential"),
        ({"distributions": [SEVEN[0], SEVEN[0]]}, r"normal \(-3, 3\) twice"),
        ({"distributions": 3}, "distributions must be a list"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        InaluSimple(**arguments)
