"""A population is its members: stacked, they are and train as each would alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from nalu_seq.config.schema import Train
from nalu_seq.data.digits import digits
from nalu_seq.models import build, encoders, heads
from nalu_seq.population.population import Population
from nalu_seq.population.random import Stream
from nalu_seq.population.stacked import check_builders, check_seeds
from nalu_seq.records.members import Members
from nalu_seq.tasks.base import Task
from nalu_seq.tasks.count import Count
from nalu_seq.tasks.mnist_count import MnistCount
from nalu_seq.tasks.product import Product
from nalu_seq.training.optimizers import Adam
from nalu_seq.training.trainer import Trainer
from nalu_seq.units import NALU, NAU

SEEDS = [0, 3, 4]


def small_lstm(*, unroll: bool, return_state: bool) -> keras.layers.Layer:
    return encoders.lstm(8, unroll=unroll, return_state=return_state)


def accumulate(unit: keras.layers.Layer, *, unroll: bool, return_state: bool) -> keras.layers.Layer:
    return heads.accumulate(unit, operation="sum", unroll=unroll, return_state=return_state)


def count_model(length: int | None = None) -> keras.Model:
    # With NALU, whose first gradients are huge, rounding alone is amplified past any tolerance.
    return build(small_lstm, accumulate, NAU, input_size=3, output_size=3, length=length)


def convnet(*, unroll: bool, return_state: bool) -> keras.layers.Layer:
    """An encoder with no mapped form: the population loops over its members."""
    return encoders.convnet(4, [2], 6, "softmax", "same", unroll=unroll, return_state=return_state)


def picture_model(length: int | None = None) -> keras.Model:
    return build(convnet, accumulate, NAU, input_size=(8, 8, 1), output_size=10, length=length)


def product_model(length: int | None = None) -> keras.Model:
    return build(
        encoders.none,
        heads.readout,
        NALU,
        input_size=2,
        output_size=1,
        sequence=False,
        length=length,
    )


def make_trainer(
    task: Task, model: keras.Model, population: Population, compiled: bool = False
) -> Trainer:
    return Trainer(
        population,
        task,
        Adam(1e-3, epsilon=1e-8),
        members=Members.of_seeds(population.seeds),
        model=model,
        train=Train(batch_size=16, clip_norm=0.5, compile="xla" if compiled else "graph"),
        penalty={},
    )


def train_alone(task: Task, model: keras.Model, seed: int, steps: int) -> list[float]:
    """One member as one would write it plainly: a model, a tape, an optimizer, a clip."""
    optimizer = Adam(1e-3, epsilon=1e-8)
    optimizer.build(model.trainable_variables)
    stream = Stream([seed], ["default"], "train")

    @tf.function
    def step(i: tf.Tensor) -> tf.Tensor:
        batch = task.train_batch(stream.at(i, 16))
        with tf.GradientTape() as tape:
            loss = task.loss(batch.y, model(batch.x[0], training=True)[None])[0]
        gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
        gradients, _ = tf.clip_by_global_norm(gradients, 0.5)
        optimizer.apply(gradients, model.trainable_variables)
        return loss

    return [float(step(tf.constant(i))) for i in range(steps)]


@pytest.mark.parametrize(
    ("task", "model", "compiled"),
    [
        (Count(alphabet=3, length=6), count_model, False),
        (Product(), product_model, False),
        (Product(), product_model, True),
        pytest.param(MnistCount(digits(8), length=3), picture_model, False, marks=pytest.mark.slow),
    ],
    ids=["lstm", "readout", "readout compiled", "convnet"],
)
def test_200_steps_stacked_equal_200_steps_alone(task, model, compiled) -> None:
    population = Population(model, SEEDS)
    alone = [population.member(i) for i in range(len(SEEDS))]
    trainer = make_trainer(task, model(task.length), population, compiled)
    stacked = []
    for _ in range(0, 200, 10):
        trainer.run(10)
        stacked.append(trainer.mean_loss())
    for i, seed in enumerate(SEEDS):
        losses = train_alone(task, alone[i], seed, 200)
        losses = np.mean(np.reshape(losses, [-1, 10]), axis=1)
        np.testing.assert_allclose([s[i] for s in stacked], losses, rtol=1e-4, atol=1e-6)
        for variable, plain in zip(population.variables, alone[i].variables, strict=True):
            np.testing.assert_allclose(variable.value[i], plain.value, rtol=1e-4, atol=1e-5)


def test_initial_values_depend_on_the_seed_alone() -> None:
    many, few = Population(count_model, 5), Population(count_model, [3, 1])
    for a, b in zip(many.variables, few.variables, strict=True):
        np.testing.assert_array_equal(a.value[3], b.value[0])
        np.testing.assert_array_equal(a.value[1], b.value[1])
    assert not np.allclose(many.variables[0].value[0], many.variables[0].value[1])


def test_a_repeated_seed_has_the_same_initial_values() -> None:
    population = Population(product_model, [5, 5])
    for variable in population.variables:
        np.testing.assert_array_equal(variable.value[0], variable.value[1])


def test_building_leaves_pythons_and_numpys_random_state_alone() -> None:
    import random

    random.seed(1)
    np.random.seed(1)
    expected = random.random(), np.random.rand()
    random.seed(1)
    np.random.seed(1)
    Population(product_model, 2)
    assert (random.random(), np.random.rand()) == expected


def test_a_member_comes_out_as_an_ordinary_model() -> None:
    population = Population(count_model, SEEDS)
    x = np.random.default_rng(0).normal(size=(3, 2, 5, 3)).astype("float32")
    together = population(tf.constant(x))
    for i in range(3):
        model = population.member(i)
        assert isinstance(model, keras.Model)
        np.testing.assert_allclose(model(x[i]), together[i], rtol=1e-5, atol=1e-6)


def test_constraints_hold_on_the_stack() -> None:
    def model(length: int | None = None) -> keras.Model:
        return build(encoders.none, heads.readout, NAU, input_size=2, output_size=1, sequence=False)

    population = Population(model, 2)
    (w,) = population.trainable_variables
    w.assign(tf.fill(w.shape, 0.999))
    make_trainer(Product(), model(), population).run(20)
    # Products of digits ask for weights far above 1.
    np.testing.assert_array_equal(w.value, np.ones(w.shape))


def test_a_layer_that_does_not_vectorise_is_named() -> None:
    def model() -> keras.Model:
        return keras.Sequential([keras.Input((6, 6, 1)), keras.layers.Conv2D(2, 3)])

    with pytest.raises(ValueError, match="Conv2D"):
        Population(model, 2)(tf.zeros([2, 1, 6, 6, 1]))


class OwnNoise(keras.layers.Layer):
    """Draws by the generator that Keras' layers share."""

    def call(self, x):
        return x + keras.random.normal(keras.ops.shape(x))


@pytest.mark.parametrize(
    "layer",
    [
        lambda: keras.layers.Dropout(0.5),
        lambda: keras.layers.GaussianNoise(0.5),
        lambda: keras.layers.LSTM(3, recurrent_dropout=0.5),
        OwnNoise,
    ],
    ids=["dropout", "noise", "recurrent", "own"],
)
def test_members_draw_what_their_seeds_would_alone(layer) -> None:
    def model() -> keras.Model:
        return keras.Sequential([keras.Input((4, 3)), layer()])

    population = Population(model, [3, 4])
    x = np.ones([2, 5, 4, 3], np.float32)
    draws = [population(x, training=True).numpy() for _ in range(2)]
    for index, seed in enumerate([3, 4]):
        keras.utils.set_random_seed(seed)
        alone = model()
        for draw in draws:
            np.testing.assert_allclose(alone(x[index], training=True), draw[index], rtol=1e-5)


def test_tensorflows_own_draws_are_refused() -> None:
    def model() -> keras.Model:
        noisy = keras.layers.Lambda(lambda x: x + tf.random.normal(tf.shape(x)), name="noisy")
        return keras.Sequential([keras.Input((3,)), noisy])

    with pytest.raises(ValueError, match=r"noisy.*keras.random"):
        Population(model, 2)(np.ones([2, 5, 3], np.float32), training=True)


def test_batch_normalisation_keeps_each_members_own_statistics() -> None:
    def model() -> keras.Model:
        return keras.Sequential([keras.Input((2,)), keras.layers.BatchNormalization(momentum=0.5)])

    population = Population(model, 2)
    x = tf.constant([[[1.0, 2.0]] * 4, [[10.0, 20.0]] * 4])
    population(x, training=True)
    plain = [population.member(i) for i in range(2)]
    for i in range(2):
        np.testing.assert_allclose(plain[i].layers[0].moving_mean, x[i, 0] / 2)
    before = [v.numpy().copy() for v in population.non_trainable_variables]
    population(x, training=False)
    for v, b in zip(population.non_trainable_variables, before, strict=True):
        np.testing.assert_array_equal(v, b)


def test_a_diverged_member_is_recorded_and_harms_no_other() -> None:
    task = Product()
    healthy = Population(product_model, SEEDS)
    hurt = Population(product_model, SEEDS)
    w = hurt.trainable_variables[0]
    w.assign(tf.tensor_scatter_nd_update(w.value, [[1, 0, 0]], [np.nan]))
    trainers = [make_trainer(task, product_model(), p) for p in (healthy, hurt)]
    for trainer in trainers:
        trainer.run(30)
    assert trainers[0].diverged_at.numpy().tolist() == [0, 0, 0]
    assert trainers[1].diverged_at.numpy().tolist() == [0, 1, 0]
    for a, b in zip(healthy.variables, hurt.variables, strict=True):
        np.testing.assert_array_equal(a.value[0], b.value[0])
        np.testing.assert_array_equal(a.value[2], b.value[2])


@pytest.mark.parametrize("build", [None, keras.Sequential(), [count_model, 3]])
def test_what_builds_no_model_is_refused(build):
    with pytest.raises(ValueError, match=r"build_model must be a function that returns a fresh"):
        check_builders(build, 2)


def test_a_list_of_functions_has_one_for_each_member():
    assert check_builders([count_model, convnet], 2) == [count_model, convnet]
    with pytest.raises(ValueError, match="build_model has 1 functions for 2 members"):
        check_builders([count_model], 2)


@pytest.mark.parametrize(
    "seeds", [0, -1, [], "ten", [1, "2"], [1.5], True, [-1], [2**32], None, np.ones(2)]
)
def test_seeds_that_are_none_are_refused(seeds: object) -> None:
    with pytest.raises(ValueError, match="seed"):
        check_seeds(seeds)


@pytest.mark.parametrize("seeds", [3, np.int64(3), range(3), np.arange(3), [0, np.int32(1), 2]])
def test_seeds_are_whole_numbers_of_any_kind(seeds: object) -> None:
    assert check_seeds(seeds) == [0, 1, 2]
