"""Members in parts: each a program of its own, and all of them what one program would make."""

from collections.abc import Callable, Sequence
from functools import partial

import keras
import numpy as np
import pytest

from nalu_seq.config.schema import Alternate, Ramp, Restart, Train
from nalu_seq.models import build, encoders, heads
from nalu_seq.population.population import Population
from nalu_seq.records.members import Members
from nalu_seq.tasks.base import Task
from nalu_seq.tasks.count import Count
from nalu_seq.tasks.single_module import SingleModule
from nalu_seq.training.optimizers import Adam, RMSProp
from nalu_seq.training.trainer import Trainer
from nalu_seq.units import INALU, NALU, NAU

MEMBERS = 5


def own(*values: float) -> np.ndarray:
    return np.asarray(values, np.float32)


def lstm() -> keras.Model:
    return build(
        partial(encoders.lstm, 8),
        partial(heads.accumulate, operation="sum"),
        NALU,
        input_size=3,
        output_size=3,
        sequence=True,
        length=4,
    )


def module(unit: type[keras.layers.Layer]) -> keras.Model:
    return build(encoders.none, heads.readout, unit, input_size=2, output_size=1, sequence=False)


def trained(
    task: Task,
    build_model: Callable[[], keras.Model],
    optimizer: keras.optimizers.Optimizer,
    parts: int | None,
    compile: str,
    steps: Sequence[int] = (1, 7, 12),
    **arguments: object,
) -> Trainer:
    trainer = Trainer(
        Population(build_model, MEMBERS),
        task,
        optimizer,
        members=Members.of_seeds(range(MEMBERS), list(task.cases)[:1]),
        model=build_model(),
        train=Train(
            batch_size=8, eval_every=10, clip_norm=0.1, compile=compile, parts=parts, judge="loss"
        ),
        **{"penalty": {}, **arguments},  # type: ignore[arg-type]
    )
    for count in steps:
        trainer.run(count)
    return trainer


def state(trainer: Trainer) -> Sequence[np.ndarray]:
    if trainer.restarts:
        trainer.restarts.save()
    held = trainer.trackables()
    return [v.numpy() for h in held.values() for v in (h if isinstance(h, list) else [h])]


def test_an_lstm_in_parts_is_the_whole_to_the_bit() -> None:
    whole, two = (
        state(trained(Count(alphabet=3, length=4), lstm, Adam(0.01), parts, "graph"))
        for parts in (1, 2)
    )
    for expected, in_parts in zip(whole, two, strict=True):
        np.testing.assert_array_equal(in_parts, expected)


def test_parts_of_one_member_may_round_differently() -> None:
    # A product of one member alone adds up in another order than that of several.
    whole, alone = (
        trained(Count(alphabet=3, length=4), lstm, Adam(0.01), parts, "graph", steps=[2])
        for parts in (1, MEMBERS)
    )
    np.testing.assert_allclose(alone.mean_loss(), whole.mean_loss(), rtol=1e-4)


@pytest.mark.parametrize("compile", ["graph", "xla"])
def test_parts_have_their_members_own_settings(compile: str) -> None:
    rates = own(0.5, 1, 2, 4, 0)
    ramp = Ramp(own(0.5, 0, 1, 2, 3), 2, 10, loss_below=own(1, 2, 0, 9, 9))  # type: ignore[arg-type]

    def make(parts: int) -> Trainer:
        optimizer, task = Adam(0.01, {"rate": rates}), SingleModule("add")
        return trained(
            task, lambda: module(NAU), optimizer, parts, compile, penalty={"sparsity": ramp}
        )

    for whole, in_parts in zip(state(make(1)), state(trainer := make(2)), strict=True):
        np.testing.assert_allclose(in_parts, whole, rtol=1e-5, atol=1e-7)
    begun = Population(lambda: module(NAU), MEMBERS).variables[0].value
    moved = np.abs(trainer.population.variables[0].value - begun).max(axis=(1, 2))
    assert (moved[:4] > 0).all() and moved[4] == 0  # at a rate of 0


def test_parts_start_anew_and_take_turns() -> None:
    def make(parts: int) -> Trainer:
        arguments = {
            "restart": Restart(history=4, every=8, window=8, deviations=9.0, threshold=0.0),
            "alternate": Alternate(period=5, gates=2),
            "penalty": {"inalu": Ramp(1.0, loss_below=9.0)},
        }
        return trained(
            SingleModule("mul"), lambda: module(INALU), RMSProp(0.01), parts, "graph", **arguments
        )

    one, two = make(1), make(2)
    assert one.restarts is not None and one.restarts.count.any()
    assert two.restarts is not None
    np.testing.assert_array_equal(two.restarts.count, one.restarts.count)
    # The last bits differ: where numbers are few, an exponential at the end of a vector is rounded
    # otherwise than one inside it.
    for whole, in_parts in zip(state(one), state(two), strict=True):
        np.testing.assert_allclose(in_parts, whole, rtol=1e-4, atol=1e-6)
