"""Certificates of networks of which it is known where they fail."""

import functools

import keras
import numpy as np
import pytest

from nalu_seq.explanation.certificate import WHOLE_NUMBERS, Certifier, check
from nalu_seq.explanation.rounding import Unreadable
from nalu_seq.models import build, build_stateful, encoders, heads
from nalu_seq.population.population import Population
from nalu_seq.records.members import Members
from nalu_seq.tasks.count import Count
from nalu_seq.tasks.product import Product
from nalu_seq.units import NAU

ALPHABET = 3
ACCUMULATE = functools.partial(heads.accumulate, operation="sum")
CELL = functools.partial(heads.unit_cell, initial_state=0.0)


def certifier(weights: list[np.ndarray], head, pattern=None) -> Certifier:
    """Of one member for each array of NAU's weights, on the symbols as they are."""
    task = Count(alphabet=ALPHABET, length=8, pattern=pattern)
    sizes = encoders.none, head, NAU, task.input_size, task.output_size
    population = Population(functools.partial(build, *sizes), len(weights))
    population.variables[0].assign(np.stack(weights))
    members = Members.of_seeds(range(len(weights)))
    return Certifier(population, task, members, build_stateful(*sizes))


def failing(step, sequences=1_000, steps=120) -> int:
    """The first step at which 5 % of drawn sequences are wrong, by numpy in float64."""
    rng = np.random.default_rng(0)
    y, true = np.zeros((2, sequences, ALPHABET))
    wrong = np.zeros(sequences, bool)
    for t in range(1, steps + 1):
        x = np.eye(ALPHABET)[rng.integers(0, ALPHABET, sequences)]
        y, true = step(x, y), true + x
        wrong |= (np.abs(y - true) >= 0.5).any(axis=1)
        if wrong.mean() >= 0.05:
            return t
    raise AssertionError("none has failed")


def test_a_running_sum_drifts_as_its_increments_say():
    off, exact, nan = np.eye(3) * 0.98, np.eye(3), np.full((3, 3), np.nan)
    first, second, third = certifier([off, exact, nan], ACCUMULATE).certify()
    assert first.drift[0] == pytest.approx(-0.02 / 3, rel=1e-3)
    assert first.drift[1] <= first.drift[0] <= first.drift[2]
    assert first.farthest == pytest.approx(0.02, abs=1e-4)
    assert first.sure in (24, 25) and first.complete and first.snapped is None
    assert first.length[0] == pytest.approx(failing(lambda x, y: y + 0.98 * x), rel=0.06)
    assert [i.counts for i in first.increments] == [(1, 0, 0), (0, 1, 0), (0, 0, 1)]
    np.testing.assert_allclose([i.mean for i in first.increments], off, atol=1e-4)
    # Nothing but float32 ends what is exact.
    assert second.length == (None, None, None)
    assert second.sure == WHOLE_NUMBERS and second.end == pytest.approx(3 * WHOLE_NUMBERS, rel=1e-3)
    assert third.length[0] == 0 and third.snapped == 0


def test_a_cell_drifts_by_its_own_total():
    weights = np.concatenate([np.eye(3), 0.999 * np.eye(3)])
    (found,) = certifier([weights], CELL).certify()
    assert found.length[0] == pytest.approx(failing(lambda x, y: 0.999 * y + x), rel=0.15)
    assert found.sure is None and not found.complete
    # Rounded, an increment is wrong once a thousandth of the total is a half, at counts of 500: the
    # level of 256 to 512 is the first that ends beyond.
    assert found.snapped == pytest.approx(3 * 256, abs=9)


def test_a_pattern_has_an_increment_for_each_of_its_words():
    (found,) = certifier([np.zeros((3, 1))], ACCUMULATE, pattern=[1, 0]).certify()
    increments = {i.word: i for i in found.increments}
    assert len(increments) == 9 and increments[1, 0].counts == (1,)
    assert increments[1, 0].mean == (0.0,) and increments[1, 0].farthest == 1
    assert increments[0, 1].farthest == 0
    assert found.length[0] < 9  # the first pattern is missed


def test_an_lstm_is_not_complete():
    task = Count(alphabet=ALPHABET, length=8)
    encoder = functools.partial(encoders.lstm, 4)
    sizes = encoder, ACCUMULATE, NAU, task.input_size, task.output_size
    population = Population(functools.partial(build, *sizes), 1)
    (found,) = Certifier(population, task, Members.of_seeds([0]), build_stateful(*sizes)).certify()
    assert not found.complete and found.length[0] < 20


def test_what_can_t_be_certified_says_why():
    task = Product()
    population = Population(lambda: keras.Sequential([keras.Input((2,)), NAU(1)]), 1)
    with pytest.raises(Unreadable, match="does not count symbols"):
        Certifier(population, task, Members.of_seeds([0]), None)
    with pytest.raises(Unreadable, match="keeps no total"):
        certifier([np.eye(3)], heads.readout)


def test_a_check_refutes_what_chance_does_not_explain():
    exact = np.ones(100)
    exact[60:] = 0.9
    fine = check(50, exact, 64)
    assert (fine.length, fine.refuted, fine.steps) == (61, False, 100)
    assert not check(None, exact, 64).refuted  # 6 of 64
    exact[40:] = 0.5
    assert check(50, exact, 64).refuted and check(None, exact, 64).refuted
    assert not check(30, exact, 64).refuted
