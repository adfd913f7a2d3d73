"""Adam against its paper's equations, and the clip that keeps members apart."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from nalu_seq.population.clipping import clip_each_member
from nalu_seq.training.optimizers import KERAS, Adam, adam, keras_optimizer


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


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_members_may_have_settings_of_their_own(schedule: str) -> None:
    settings = [(0.1, 0.9, 0.999, 1e-8), (0.01, 0.5, 0.9, 1e-3), (0.3, 0.0, 0.99, 0.1)]
    rng = np.random.default_rng(0)
    shapes = [(2, 3), (4,)]
    gradients = [[rng.normal(size=(3, *shape)) for shape in shapes] for _ in range(8)]
    rates, beta_1, beta_2, epsilon = (list(values) for values in zip(*settings, strict=True))
    together = adam(rates, schedule, beta_1, beta_2, epsilon, steps=10)
    stacked = [keras.Variable(np.ones((3, *shape), np.float32)) for shape in shapes]
    for step in gradients:
        together.apply([tf.constant(g, tf.float32) for g in step], stacked)
    for member, (rate, *others) in enumerate(settings):
        alone = adam(rate, schedule, *others, steps=10)
        own = [keras.Variable(np.ones(shape, np.float32)) for shape in shapes]
        for step in gradients:
            alone.apply([tf.constant(g[member], tf.float32) for g in step], own)
        for ours, lone in zip(stacked, own, strict=True):
            np.testing.assert_allclose(ours.value[member], lone.value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["learning_rate", "beta_1", "beta_2", "epsilon"])
def test_each_setting_may_be_the_members_own_by_itself(name: str) -> None:
    shared = {"learning_rate": 0.1, "beta_1": 0.9, "beta_2": 0.99, "epsilon": 1e-3}
    others = {**shared, name: shared[name] / 2}
    together = adam(**{**shared, name: [shared[name], others[name]]}, schedule="constant", steps=9)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(together))
    alone = [adam(**settings, schedule="constant", steps=9) for settings in (shared, others)]
    stacked, loaded, *own = (keras.Variable(np.ones((2, 1), np.float32)) for _ in range(4))
    for gradient in (1.0, -0.2, 0.5):
        for optimizer, w in zip([together, again, *alone], [stacked, loaded, *own], strict=True):
            optimizer.apply([tf.fill([2, 1], gradient)], [w])
    expected = [own[0].numpy()[0], own[1].numpy()[1]]
    np.testing.assert_allclose(stacked, expected, rtol=1e-6)
    np.testing.assert_array_equal(stacked, loaded)
    assert not np.allclose(expected[0], expected[1], rtol=1e-5)


def test_each_members_setting_is_checked() -> None:
    with pytest.raises(ValueError, match=r"optimizer\.beta_2 must be a number from 0 and below 1"):
        adam(0.1, "constant", 0.9, [0.9, 1.0], 1e-8, steps=10)


@pytest.mark.parametrize("name", KERAS)
def test_keras_own_keep_members_apart(name: str) -> None:
    rng = np.random.default_rng(0)
    start = rng.normal(size=(3, 2, 4)).astype(np.float32)
    gradients = rng.normal(size=(5, 3, 2, 4)).astype(np.float32)

    def trained(members: slice) -> np.ndarray:
        variable = keras.Variable(start[members])
        optimizer = keras_optimizer(name, 0.1, "cosine", steps=10)
        optimizer.build([variable])
        for gradient in gradients:
            optimizer.apply([tf.constant(gradient[members])], [variable])
        return variable.numpy()

    together = trained(slice(None))
    assert not np.allclose(together, start)
    for i in range(3):
        np.testing.assert_allclose(together[i], trained(slice(i, i + 1))[0], rtol=1e-5)


def test_no_optimizer_of_keras_is_forgotten() -> None:
    every = {
        name
        for name, kind in vars(keras.optimizers).items()
        if isinstance(kind, type) and issubclass(kind, keras.optimizers.Optimizer)
    }
    others = {"Optimizer", "LossScaleOptimizer", "MultiOptimizer", "ScheduleFreeAdamW"}
    whole = {"Adafactor", "Lamb", "Muon"}  # take norms or factors of a whole variable
    assert every - others - whole <= {*KERAS}
