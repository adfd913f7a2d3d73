import keras
import numpy as np
import pytest
import tensorflow as tf

from nalu_seq.config.schema import Ramp
from nalu_seq.models import build, encoders, heads
from nalu_seq.population.population import Population
from nalu_seq.tasks.single_module import SingleModule
from nalu_seq.training.noise import NOISE_CHANNEL, noise_columns, noise_from
from nalu_seq.units import NALU, NMU, SNMU
from tests.training.test_step import single_trainer


def product(x, w):
    return np.prod(x[..., None] * w + 1 - w, axis=1)


def test_a_model_says_how_much_noise_it_wants():
    x = keras.Input((3,))
    assert noise_columns(keras.Model(x, NMU(1)(x))) == 0
    assert noise_columns(keras.Model(x, SNMU(1)(SNMU(4)(x)))) == 3 + 4
    inside = NALU(2, tied=False, multiplier=SNMU(2))
    assert noise_columns(keras.Model(x, inside(x))) == 3


def test_a_cell_wants_noise_for_each_step():
    model = build(
        encoders.none, lambda unit, **how: heads.unit_cell(unit, initial_state=1.0, **how),
        lambda **how: SNMU(high=5.0, **how), input_size=3, output_size=1, length=4,
    )  # fmt: skip
    assert noise_columns(model) == 4 * (3 + 1)


def test_each_call_gets_columns_of_its_own():
    numbers = np.linspace(0, 1, 10, endpoint=False, dtype=np.float32).reshape(2, 5)
    x = np.array([[2.0, 3.0], [4.0, 5.0]], np.float32)
    first, second = SNMU(1, high=5.0), SNMU(1, high=3.0)
    plain = NMU(1)
    plain.build((None, 2))
    with noise_from([tf.constant(numbers)]):
        outputs = [first(x), second(x)]
    for unit, y, columns, width in (
        (first, outputs[0], [0, 1], 4),
        (second, outputs[1], [2, 3], 2),
    ):
        plain.w.assign(unit.w)
        noise = 1 + width * numbers[:, columns]
        np.testing.assert_allclose(y, plain(x * noise) / plain(noise), rtol=1e-6)


@pytest.mark.parametrize("compiled", [False, True])
def test_a_step_draws_each_members_noise_from_its_own_stream(compiled):
    trainer = single_trainer(lambda **how: SNMU(**how), "mul", {}, compiled=compiled, seeds=[3, 7])
    before = trainer.population.trainable_variables[0].value.numpy()
    draws = trainer.members.stream("train").at(0, 16)
    x, y = (a.numpy() for a in SingleModule("mul").train_batch(draws))
    noise = draws.uniform(0.0, 1.0, 2, channel=NOISE_CHANNEL).numpy()
    trainer.run(1)
    for i in range(2):
        n = 1 + noise[i] / x[i].std()
        prediction = product(x[i] * n, before[i]) / product(n, before[i])
        expected = np.mean((prediction - y[i]) ** 2)
        assert trainer.last_loss.numpy()[i] == pytest.approx(expected, rel=1e-4)
    assert not np.array_equal(noise[0], noise[1])


def test_measurements_are_without_noise():
    population = Population(lambda: keras.Sequential([keras.Input((2,)), SNMU(1)]), 2)
    x = np.full((2, 1, 2), 3.0, np.float32)
    w = population.trainable_variables[0].value.numpy()
    np.testing.assert_allclose(population(x), [product(x[i], w[i]) for i in range(2)], rtol=1e-6)


def test_r_z_of_a_unit_inside_another_trains():
    def unit(**how):
        return NALU(tied=False, multiplier={"class_name": "NMU", "config": {}}, **how)

    ends = []
    for penalty in ({}, {"r_z": Ramp(-1e3)}):
        trainer = single_trainer(unit, "mul", penalty, compiled=False, seeds=[0])
        trainer.run(1)
        ends.append(trainer.population.variables)
    plain, pulled = ends
    differ = [not np.array_equal(a.value, b.value) for a, b in zip(plain, pulled, strict=True)]
    assert differ == ["nmu" in variable.path for variable in plain]
