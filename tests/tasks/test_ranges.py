"""Ranges of inputs: what a config may say, and numbers that lie where it says."""

import re
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from nalu_seq.population.random import Stream
from nalu_seq.tasks.ranges import Ranges, parse_ranges, scale

UNION = ((-6.0, -2.0), (2.0, 6.0))


def test_cases_have_the_names_of_what_is_trained() -> None:
    cases = parse_ranges([[[-1.2, -1.1], [-6.1, -1.2]], [[-2, 2], [-6, -2], [2, 6]]])
    assert cases == {
        "U[-1.2,-1.1]": Ranges((-1.2, -1.1), ((-6.1, -1.2),)),
        "U[-2,2]": Ranges((-2.0, 2.0), UNION),
    }


def uniform(members: int, channel: int = 0) -> Any:
    draws = Stream([0] * members, ["any"] * members, "far").at(0, 4000)
    return draws.uniform(0.0, 1.0, 3, channel=channel)


def test_each_member_has_an_interval_of_its_own() -> None:
    x = scale(uniform(1), [((1.0, 2.0),), ((-20.0, -10.0),)]).numpy()
    assert x.shape == (2, 4000, 3) and x.dtype == np.float32
    assert 1 <= x[0].min() < 1.01 and 1.99 < x[0].max() <= 2
    assert -20 <= x[1].min() < -19.9 and -10.1 < x[1].max() <= -10
    # The same draw on another scale.
    np.testing.assert_allclose(x[1], -20 + 10 * (x[0] - 1), atol=1e-5)


def test_a_union_takes_each_interval_about_half_the_time_and_fills_both() -> None:
    x = scale(uniform(1), [UNION], uniform(1, channel=1)).numpy()
    assert ((abs(x) >= 2) & (abs(x) <= 6)).all()
    # Each input on its own: 4000 of a fair coin, within five standard deviations.
    np.testing.assert_allclose((x > 0).mean(axis=(0, 1)), 0.5, atol=5 * 0.5 / np.sqrt(4000))
    assert abs(np.corrcoef(x[0, :, 0] > 0, x[0, :, 1] > 0)[0, 1]) < 0.08
    for half in (x[x > 0], -x[x < 0]):
        np.testing.assert_allclose(
            np.quantile(half, [0, 0.25, 0.5, 0.75, 1]), [2, 3, 4, 5, 6], atol=0.1
        )


def test_a_member_with_one_interval_is_unmoved_by_another_with_two() -> None:
    alone = scale(uniform(1), [((2.0, 6.0),)])
    beside = scale(uniform(1), [((2.0, 6.0),), UNION], uniform(1, channel=1))
    np.testing.assert_array_equal(beside[0], alone[0])
    assert (beside[1].numpy() < 0).any()


def test_compiled_and_plain_scale_to_the_same_bits() -> None:
    def drawn() -> Any:
        return scale(uniform(1), [((0.1, 0.2),), UNION], uniform(1, channel=1))

    np.testing.assert_array_equal(tf.function(drawn, jit_compile=True)(), drawn())


@pytest.mark.parametrize(
    "ranges",
    [
        [],
        "all",
        [[1, 2], [2, 6]],
        [[[1, 2]]],
        [[[1, 2], [2, 6], [6, 7], [7, 8]]],
        [[[2, 1], [2, 6]]],
        [[[1, 1], [2, 6]]],
        [[[1, 2], [2, "6"]]],
        [[[1, 2], [2, float("inf")]]],
        [[[1, 2], [float("nan"), 6]]],
        [[[True, 2], [2, 6]]],
        [[[1, 2, 3], [2, 6]]],
        [None],
    ],
    ids=str,
)
def test_what_are_no_ranges_is_refused_in_one_line(ranges: Any) -> None:
    with pytest.raises(ValueError, match=r"^ranges must (be|hold) .*, not ") as error:
        parse_ranges(ranges)
    assert "\n" not in str(error.value)


def test_a_range_of_training_stands_once() -> None:
    twice = [[[1, 2], [2, 6]], [[1.0, 2.0], [20, 60]]]
    with pytest.raises(ValueError, match=re.escape("ranges names U[1,2] twice")):
        parse_ranges(twice)
