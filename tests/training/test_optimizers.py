"""Adam against its paper's equations, and the clip that keeps members apart."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from nalu_seq.training.optimizers import Adam, adam, clip_each_member


def test_adam_follows_the_paper_to_the_letter() -> None:
    rng = np.random.default_rng(0)
    gradients = rng.normal(size=(5, 3)) * 1e-7  # small: here the place of epsilon shows
    w = keras.Variable(np.zeros(3, np.float32))
    optimizer = Adam(0.1, epsilon=1e-8)
    expected, m, v = np.zeros(3), np.zeros(3), np.zeros(3)
    for t, g in enumerate(gradients, start=1):
        optimizer.apply([tf.constant(g, tf.float32)], [w])
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g**2
        expected -= 0.1 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    np.testing.assert_allclose(w.numpy(), expected, rtol=1e-4)


def test_cosine_ends_at_zero() -> None:
    optimizer = adam(0.1, "cosine", 0.9, 0.999, 1e-8, steps=10)
    w = keras.Variable(np.zeros(1, np.float32))
    for _ in range(10):
        optimizer.apply([tf.ones(1)], [w])
    before = w.numpy().copy()
    optimizer.apply([tf.ones(1)], [w])
    np.testing.assert_array_equal(w.numpy(), before)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schedule": "linear"}, "constant or cosine"),
        ({"learning_rate": 0.0}, "above 0"),
        ({"beta_1": "x"}, "optimizer.beta_1 must be a number"),
    ],
)
def test_bad_arguments_are_named(changes: dict[str, object], message: str) -> None:
    good = {
        "learning_rate": 0.1, "schedule": "constant", "beta_1": 0.9, "beta_2": 0.999,
        "epsilon": 1e-8, "steps": 10,
    }  # fmt: skip
    with pytest.raises(ValueError, match=message):
        adam(**{**good, **changes})


def test_the_clip_is_each_members_own() -> None:
    a = tf.constant([[3.0, 0.0], [0.03, 0.0], [np.nan, 1.0]])
    b = tf.constant([[4.0], [0.04], [1.0]])
    clipped = clip_each_member([a, b], 1.0)
    # Member 0 has norm 5 over both tensors, member 1 stays, member 2's NaN stays its own.
    np.testing.assert_allclose(clipped[0][0], [0.6, 0.0], rtol=1e-6)
    np.testing.assert_allclose(clipped[1][0], [0.8], rtol=1e-6)
    np.testing.assert_array_equal(clipped[0][1], a[1])
    np.testing.assert_array_equal(clipped[1][1], b[1])
    assert np.isnan(clipped[1][2]).all()


def test_a_zero_gradient_stays_zero() -> None:
    np.testing.assert_array_equal(clip_each_member([tf.zeros([2, 3])], 0.1)[0], np.zeros([2, 3]))
