"""Training sequences begin from random states: inputs stay, targets go on from the totals."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from nalu_seq.config.schema import Train
from nalu_seq.models import build_stateful, encoders, heads
from nalu_seq.models.build import StatefulModel
from nalu_seq.population.population import Population
from nalu_seq.population.random import Draws, Stream
from nalu_seq.records.members import Members
from nalu_seq.tasks.base import Batch
from nalu_seq.tasks.count import Count
from nalu_seq.training.initial_states import RandomStates, standard_normal
from nalu_seq.training.optimizers import Adam
from nalu_seq.training.trainer import Trainer
from nalu_seq.units import NAU

MEMBERS, EXAMPLES, LENGTH = 2, 8, 3
TASK = Count(alphabet=2, length=LENGTH)


def draws(step: int = 0, examples: int = EXAMPLES) -> Draws:
    return Stream(range(MEMBERS), ["default"] * MEMBERS, "train").at(step, examples)


def states(*kinds: str, combine=tf.add) -> RandomStates:
    return RandomStates(kinds, [2] * len(kinds), (-4.0, 5.0), 3.0, combine)


def test_normals_have_the_moments_of_normals_and_no_infinite_ends() -> None:
    z = standard_normal(draws(examples=500), 200, channel=7).numpy()
    assert z.shape == (MEMBERS, 500, 200)
    moments = [(z**n).mean() for n in (1, 2, 3, 4)]
    np.testing.assert_allclose(moments, [0, 1, 0, 3], atol=0.05)
    ends = tf.constant([0, 2**32 - 1], tf.uint32)  # the generator's lowest and highest word

    class Ends(Draws):
        def uniform(self, low, high, count, start=0, channel=0):
            u = tf.cast(tf.bitwise.right_shift(ends, tf.constant(8, tf.uint32)), tf.float32)
            return low + (high - low) * u * 2.0**-24

    extremes = standard_normal(Ends(draws().stream, 0, 1, tf.range(1)), 2, channel=7).numpy()
    assert np.isfinite(extremes).all() and extremes[0] < -5 and extremes[1] > 5


@pytest.mark.parametrize("combine", [tf.add, tf.multiply])
def test_the_inputs_stay_and_the_targets_go_on_from_the_totals(combine) -> None:
    plain = TASK.train_batch(draws())
    (x, total), y = states("total", combine=combine).begin(plain, draws())
    np.testing.assert_array_equal(x, plain.x)
    np.testing.assert_array_equal(y, combine(total[:, :, None], plain.y))
    assert total.shape == (MEMBERS, EXAMPLES, 2)
    assert -4 <= total.numpy().min() < 0 and 2 < total.numpy().max() < 5


def test_each_kind_of_state_is_within_its_bounds() -> None:
    many = draws(examples=2000)
    nothing = Batch(tf.zeros([MEMBERS, 2000, 1, 1]), tf.zeros([MEMBERS, 2000, 1, 2]))
    batch = states("bounded", "free", "positive").begin(nothing, many)
    np.testing.assert_array_equal(batch.y, nothing.y)
    bounded, free, positive = (state.numpy() for state in batch.x[1:])
    assert 0.9 < np.abs(bounded).max() <= 1
    assert abs(free.std() - 3) < 0.1 and abs(free.mean()) < 0.1
    assert positive.min() >= 0 and abs((positive**2).mean() ** 0.5 - 3) < 0.1
    assert abs(np.corrcoef(free.ravel(), np.arctanh(bounded * 0.9999).ravel())[0, 1]) < 0.05


def test_a_replicas_share_of_a_batch_begins_as_the_whole_does() -> None:
    every = states("bounded", "total")
    whole = every.begin(TASK.train_batch(draws()), draws())
    for part in range(2):
        share = draws().share(part, 2)
        batch = every.begin(TASK.train_batch(share), share)
        kept = slice(part * EXAMPLES // 2, (part + 1) * EXAMPLES // 2)
        for mine, all_of_them in zip([*batch.x, batch.y], [*whole.x, whole.y], strict=True):
            np.testing.assert_array_equal(mine, all_of_them[:, kept])


def lstm_under_a_cell(length: int | None = LENGTH) -> StatefulModel:
    encoder = functools.partial(encoders.lstm, 3)
    head = functools.partial(heads.unit_cell, initial_state=0.0)
    return build_stateful(encoder, head, NAU, input_size=2, output_size=2, length=length)


@pytest.mark.parametrize(
    ("encoder", "kinds"),
    [
        (functools.partial(encoders.lstm, 3), ["bounded", "free"]),
        (functools.partial(encoders.gru, 3), ["bounded"]),
        (functools.partial(encoders.ugrnn, 3), ["bounded"]),
        (functools.partial(encoders.rnn, 3, "tanh"), ["bounded"]),
        (functools.partial(encoders.rnn, 3, "relu"), ["positive"]),
        (functools.partial(encoders.hidden_cell, 3, NAU), ["free"]),
        (functools.partial(encoders.hidden_sum, 3, NAU), ["free"]),
        (encoders.none, []),
    ],
)
def test_a_model_says_what_its_states_are(encoder, kinds: list[str]) -> None:
    stateful = build_stateful(
        encoder, functools.partial(heads.accumulate, operation="sum"), NAU, 2, 2
    )
    assert stateful.kinds == [*kinds, "total"]
    assert len(stateful.kinds) == len(stateful.initial_states)


def test_the_step_trains_each_member_from_the_states_drawn_for_it() -> None:
    def model() -> keras.Model:
        stateful = lstm_under_a_cell()
        return keras.Model(stateful.model.inputs, stateful.model.outputs[0])

    population, begun = Population(model, MEMBERS), states("bounded", "free", "total")
    begun.sizes = (3, 3, 2)
    members = [population.member(i) for i in range(MEMBERS)]
    trainer = Trainer(
        population,
        TASK,
        Adam(1e-3),
        members=Members.of_seeds(range(MEMBERS)),
        model=model(),
        initial_states=begun,
        train=Train(batch_size=EXAMPLES),
        penalty={},
    )
    trainer.run(1)
    batch = begun.begin(TASK.train_batch(draws()), draws())
    for i, member in enumerate(members):
        expected = keras.ops.mean((member([part[i] for part in batch.x]) - batch.y[i]) ** 2)
        np.testing.assert_allclose(trainer.last_loss[i], expected, rtol=1e-5)
