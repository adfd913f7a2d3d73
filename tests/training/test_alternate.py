"""How iNALU trains: gates and weights in turn, R as an update of its own, two optimizers."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from nalu_seq.config.schema import Alternate, Ramp, Train
from nalu_seq.population.population import Population
from nalu_seq.records.members import Members
from nalu_seq.tasks.inalu_simple import InaluSimple
from nalu_seq.training.optimizers import Adam, RMSProp, rmsprop
from nalu_seq.training.trainer import Trainer
from nalu_seq.units import INALU

CASE = "normal (-3, 3)"


def build_model() -> keras.Model:
    return keras.Sequential([keras.Input((2,)), INALU(1, name="unit")])


def trainer(
    compiled: bool = False, optimizer: keras.optimizers.Optimizer | None = None, **changes: Any
) -> Trainer:
    population = Population(build_model, seeds=3)
    arguments: dict[str, Any] = {
        "members": Members.of_seeds(range(3), [CASE]),
        "model": population.model,
        "train": Train(batch_size=16, clip_value=0.1, compile="xla" if compiled else "graph"),
        "penalty": {},
        "alternate": Alternate(period=10, gates=2),
    }
    task = InaluSimple("mul", examples=160)
    return Trainer(population, task, optimizer or RMSProp(0.01), **{**arguments, **changes})


def values(trained: Trainer) -> dict[str, np.ndarray]:
    return {v.name.partition("unit_")[2]: v.numpy() for v in trained.population.trainable_variables}


def test_rmsprop_is_tensorflow_1_s() -> None:
    variable = keras.Variable([1.0, -2.0])
    ours = RMSProp(0.1)
    ours.build([variable])
    theirs = tf.Variable([1.0, -2.0])
    reference = tf.compat.v1.train.RMSPropOptimizer(0.1)
    for gradient in ([0.5, -0.01], [0.2, 3.0], [-1.0, 0.0]):
        ours.apply([tf.constant(gradient)], [variable])
        reference.apply_gradients([(tf.constant(gradient), theirs)])
        np.testing.assert_allclose(variable.numpy(), theirs.numpy(), rtol=1e-6)


def test_rmsprop_names_bad_numbers() -> None:
    with pytest.raises(ValueError, match=r"optimizer\.decay must be a number"):
        rmsprop(0.01, 1.5, 1e-10, steps=1)
    config = RMSProp(0.1, decay=0.8).get_config()
    assert RMSProp.from_config(config).decay == 0.8


@pytest.mark.parametrize("optimizer", [Adam, RMSProp])
@pytest.mark.parametrize("compiled", [False, True])
def test_weights_have_eight_steps_and_gates_two(
    compiled: bool, optimizer: type[keras.optimizers.Optimizer]
) -> None:
    trained = trainer(compiled, optimizer(0.01))
    moved = []
    for _ in range(10):
        before = values(trained)
        trained.run(1)
        after = values(trained)
        moved.append({name for name in before if np.any(before[name] != after[name])})
    gates = {"g"}
    assert all(names and not names & gates for names in moved[:8])
    assert all(names == gates for names in moved[8:])


def test_adam_leaves_masked_entries_and_their_moments() -> None:
    """A masked Adam step is a plain one where the mask is true, and none elsewhere."""
    masked, plain = keras.Variable([1.0, -2.0, 3.0]), keras.Variable([1.0, -2.0, 3.0])
    ours, reference = Adam(0.1), Adam(0.1)
    ours.build([masked])
    reference.build([plain])
    mask = np.array([True, False, True])
    for gradient in ([0.5, 0.1, -1.0], [-0.2, 0.3, 2.0]):
        ours.masks = {0: mask}
        ours.apply([tf.constant(gradient)], [masked])
        reference.apply([tf.constant(gradient)], [plain])
        np.testing.assert_array_equal(masked.numpy(), np.where(mask, plain, [1.0, -2.0, 3.0]))
    # The entry that was left out has no moments: its first own step has the length of the rate.
    before = masked.numpy()[1]
    ours.iterations.assign(0)
    ours.masks = {}
    ours.apply([tf.constant([0.0, 0.7, 0.0])], [masked])
    assert masked.numpy()[1] - before == pytest.approx(-0.1, rel=1e-5)


def test_the_penalty_is_an_update_of_its_own_where_it_applies() -> None:
    """The gates have no turn at step 0: what moves them there is R."""
    free, bound = trainer(), trainer(penalty={"inalu": Ramp(weight=1.0, loss_below=1e9)})
    none = trainer(penalty={"inalu": Ramp(weight=1.0, loss_below=-1.0)})
    for trained in (free, bound, none):
        trained.run(1)
    free_g, bound_g, none_g = (values(t)["g"] for t in (free, bound, none))
    np.testing.assert_array_equal(free_g, none_g)
    # A first step from mean squares of 1, of a gradient of 1 / 20 toward larger magnitudes.
    step = 0.01 * 0.05 / np.sqrt(0.9 + 0.1 * 0.05**2)
    np.testing.assert_allclose(bound_g - free_g, np.sign(free_g) * step, rtol=1e-3)


def test_members_do_not_depend_on_company() -> None:
    penalty = {"inalu": Ramp(weight=1.0, loss_below=1.0)}
    together = trainer(penalty=penalty)
    together.run(30)
    alone = Trainer(
        Population(build_model, seeds=[1]),
        InaluSimple("mul", examples=160),
        RMSProp(0.01),
        members=Members.of_seeds([1], [CASE]),
        model=build_model(),
        train=Train(batch_size=16, clip_value=0.1),
        penalty=penalty,
        alternate=Alternate(period=10, gates=2),
    )
    alone.run(30)
    for name, value in values(alone).items():
        np.testing.assert_allclose(values(together)[name][1], value[0], rtol=1e-4, atol=1e-6)
