"""The published runs' random numbers, held to a plain walk through NumPy's global generator."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import truncnorm

from nalu_seq.models import build, encoders, heads
from nalu_seq.population.random import Draws, Stream
from nalu_seq.tasks.inalu_replay import SETS, Replay
from nalu_seq.tasks.inalu_simple import InaluSimple
from nalu_seq.units import INALU, NAU

EXAMPLES = 50
DISTRIBUTIONS: list[Any] = [
    ["normal", [-2, 4], [8, 10]],
    ["uniform", [-5, 5], [-10, -5]],
    ["exponential", 0.8, 0.5],
]
NAMES = ["normal (-2, 4)", "uniform (-5, 5)", "exponential 0.8"]


def model(unit: Any = INALU) -> keras.Model:
    return build(encoders.none, heads.readout, unit, input_size=2, output_size=1, sequence=False)


def drawn(shape: str, where: Any) -> np.ndarray:
    """The next set of NumPy's global generator."""
    size = EXAMPLES * 2
    if shape == "normal":
        mean, deviation = (where[0] + where[1]) / 2, (where[1] - where[0]) / 6
        ends = [(end - mean) / deviation for end in where]
        numbers = truncnorm.rvs(*ends, mean, deviation, size=size)
    elif shape == "uniform":
        numbers = np.random.uniform(*where, size=size)
    else:
        numbers = np.random.exponential(where, size=size)
    np.random.shuffle(numbers)
    return numbers.reshape(EXAMPLES, 2)


@pytest.fixture
def seeded() -> Any:
    """Seed NumPy's global generator by 103, and restore it after the test."""
    before = np.random.get_state()
    np.random.seed(103)
    yield
    np.random.set_state(before)


def draws(name: str, step: int = 0, batch: int = EXAMPLES, case: int = 0) -> Draws:
    return Stream([7, 103], [NAMES[0], NAMES[case]], name).at(step, batch)


@pytest.mark.parametrize("case", range(3), ids=NAMES)
def test_the_sets_and_the_weights_are_drawn_one_after_the_other(seeded: None, case: int) -> None:
    del seeded
    shape, train, test = DISTRIBUTIONS[case]
    sets = [drawn(shape, where) for where in (train, train, test)]
    initial = [np.random.normal(mean, 0.1, [2, 1]) for mean in (1, -1, 1, -1)]
    initial.append(np.random.normal(0, 0.1, [1]))
    restarts = [[np.random.uniform(-2, 2, w.shape) for w in initial] for _ in range(2)]
    replay, variables = Replay(EXAMPLES, 2), model().trainable_variables
    ranges = dict(zip(SETS, (train, train, test), strict=True))
    for name, expected in zip(SETS, sets, strict=True):
        x = replay.inputs_of(103, shape, ranges, name)
        np.testing.assert_allclose(x, expected, rtol=1e-13, atol=1e-13)
        np.testing.assert_array_equal(x.astype(np.float32), expected.astype(np.float32))
    for got, weights in zip(replay.initial(103, variables), initial, strict=True):
        np.testing.assert_array_equal(got, weights.astype(np.float32))
    for count, expected in enumerate(restarts, start=1):
        for got, weights in zip(
            replay.restarted(103, variables, count, 2.0), expected, strict=True
        ):
            np.testing.assert_array_equal(got, weights)


def test_a_task_goes_through_the_published_sets_in_order(seeded: None) -> None:
    del seeded
    task = InaluSimple("div", examples=EXAMPLES, distributions=DISTRIBUTIONS, replay=True)
    x = [drawn("exponential", scale).astype(np.float32) for scale in (0.8, 0.8, 0.5)]
    batch = task.train_batch(draws("train", step=3, batch=20, case=2))
    places = [*range(10, 30)]  # 60 to 80 of 50
    np.testing.assert_array_equal(batch.x[1], x[0][places])
    for name, expected in zip(SETS[1:], x[1:], strict=True):
        part = draws(name, case=2)
        batch = task.split_batch(name, part.at(0, tf.range(5, 9)))
        np.testing.assert_array_equal(batch.x[1], expected[5:9])


def test_targets_are_rounded_once(seeded: None) -> None:
    del seeded
    task = InaluSimple("div", examples=EXAMPLES, distributions=DISTRIBUTIONS, replay=True)
    x = drawn("exponential", 0.8)
    batch = task.train_batch(draws("train", case=2))
    np.testing.assert_array_equal(batch.y[1, :, 0], (x[:, 0] / x[:, 1]).astype(np.float32))


def test_irrelevant_inputs_are_drawn_with_the_others() -> None:
    task = InaluSimple("add", irrelevant=8, examples=EXAMPLES, replay=True)
    stream = Stream([103], ["normal (-3, 3)"], "train")
    batch = task.train_batch(stream.at(0, EXAMPLES))
    ranges = dict.fromkeys(SETS, (-3, 3))
    x = Replay(EXAMPLES, 10).inputs_of(103, "normal", ranges, "train")
    np.testing.assert_array_equal(batch.x[0], x.astype(np.float32))


def published_run(steps: int, batch: int) -> tuple[list[float], int]:
    """A run by the published script's rules, with shared weights, on a - b: errors, restarts."""
    train, validation, test = (drawn("uniform", r) for r in ((-5, 5), (-5, 5), (-10, -5)))
    values = [np.random.normal(mean, 0.1, size) for mean, size in ((1, 2), (-1, 2), (0, 1))]
    variables = [tf.Variable(value, dtype=tf.float32) for value in values]
    optimizer = tf.compat.v1.train.AdamOptimizer(0.001)

    def error(x: np.ndarray) -> Any:
        w_hat, m_hat, g = variables
        w, x32 = tf.tanh(w_hat) * tf.sigmoid(m_hat), tf.constant(x, tf.float32)
        logs = tf.math.log(tf.maximum(tf.abs(x32), 1e-7))
        m = tf.exp(tf.minimum(tf.reduce_sum(logs * w, axis=1), 20.0))
        s = tf.reduce_prod(tf.sign(x32) * tf.abs(w) + 1 - tf.abs(w), axis=1)
        gate = tf.sigmoid(g)
        y = gate * tf.reduce_sum(x32 * w, axis=1) + (1 - gate) * m * tf.clip_by_value(s, -1, 1)
        return tf.reduce_mean(tf.square(y - tf.constant(x[:, 0] - x[:, 1], tf.float32)))

    losses: list[float] = []
    restarts = 0
    for step in range(steps):
        place = step * batch % EXAMPLES
        with tf.GradientTape() as tape:
            loss = error(train[place : place + batch])
        turn = variables[:2] if step % 10 < 8 else variables[2:]
        gradients = [tf.clip_by_value(g, -0.1, 0.1) for g in tape.gradient(loss, turn)]
        optimizer.apply_gradients(zip(gradients, turn, strict=True))
        losses.append(float(loss))
        older, newer = losses[: len(losses) // 2], losses[len(losses) // 2 :]
        looks = step >= 10 and step % 10 < 2 and len(losses) > 9
        if looks and np.mean(older) <= np.mean(newer) + np.std(newer) and np.mean(newer) > 1:
            for variable in variables:
                variable.assign(np.random.uniform(-2, 2, variable.shape))
            losses, restarts = [], restarts + 1
    return [float(error(validation)), float(error(test))], restarts


def test_a_replayed_run_is_the_published_one(seeded: None, main: Any, tmp_path: Path) -> None:
    del seeded
    code, out, err = main(
        "task=inalu_simple", "protocol=inalu", "unit=inalu_shared", "task.operation=sub",
        "task.replay=true", f"task.examples={EXAMPLES}", "seeds=[103,104]", f"output={tmp_path}",
        "task.distributions=[[uniform,[-5,5],[-10,-5]]]", "train.compile=graph",
        "train.steps=28", "train.batch_size=10", "train.eval_every=28",
        "restart.history=9", "restart.every=10", "restart.window=2",
    )  # fmt: skip
    assert code == 0, err
    run = Path(out.splitlines()[-1].removeprefix("run: "))
    member = json.loads((run / "summary.json").read_text())["members"][0]
    errors, restarts = published_run(steps=28, batch=10)
    assert restarts > 1 and member["restarts"] == restarts
    assert list(member["mse"].values()) == pytest.approx(errors, rel=1e-5)


def test_a_model_with_other_variables_has_no_published_weights() -> None:
    with pytest.raises(ValueError, match="w_hat, m_hat and g of NALU and iNALU"):
        Replay(EXAMPLES, 2).initial(0, model(NAU).trainable_variables)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"replay": 1}, "replay must be true or false"),
        ({"replay": True, "inputs": 100}, "replay is of experiments 1 and 2, with inputs=2"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        InaluSimple(**arguments)
