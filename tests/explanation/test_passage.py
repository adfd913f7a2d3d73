"""The time at which a drifting total leaves its bounds, beside drawn ones."""

import numpy as np
import pytest

from nalu_seq.explanation.passage import passage


@pytest.mark.parametrize(("drift", "deviation"), [(0.01, 0.02), (-0.005, 0.05), (0.0, 0.035)])
def test_as_often_as_walks_do(drift, deviation):
    steps, walks = 60, 4_000
    # Small steps, as a walk of large ones oversteps its bounds.
    fine = np.random.default_rng(0).normal(drift / 25, deviation / 5, (walks, 25 * steps))
    left = (np.abs(np.cumsum(fine, axis=1)) >= 0.5).any(axis=1).mean()
    mean, variance = np.array([drift * steps]), np.array([deviation**2 * steps])
    assert passage(mean, variance, 0.5)[0] == pytest.approx(left, abs=0.03)


def test_without_variance_the_drift_decides():
    mean = np.array([0.49, 0.5, -0.6])
    np.testing.assert_array_equal(passage(mean, np.zeros(3), 0.5), [0, 1, 1])


def test_it_is_a_probability_for_any_size():
    mean = np.array([0.0, 1e-9, 0.499999, 0.500001, 1e9, 1e9])
    for variance in (1e-30, 1e-12, 1e-3, 1.0, 1e12):
        probability = passage(mean, np.full(6, variance), 0.5)
        assert (np.isfinite(probability) & (probability >= 0) & (probability <= 1)).all()
