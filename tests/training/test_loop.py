"""The outer loop: when it measures, what it calls, and how it stops."""

import contextlib
import os
import signal
from typing import Any

import numpy as np
import pytest

from nalu_seq.records.observers import Measurement
from nalu_seq.training.loop import Interrupted, Interruption, loop


class Counter:
    def __init__(self, value: int) -> None:
        self.value = value

    def numpy(self) -> int:
        return self.value


class FakeTrainer:
    """Counts steps where a trainer would make them."""

    def __init__(self, step: int = 0) -> None:
        self.step = Counter(step)
        self.calls: list[int] = []

    def run(self, steps: int) -> None:
        self.calls.append(steps)
        self.step.value += steps

    def mean_loss(self) -> np.ndarray:
        return np.zeros(2)


def run(
    trainer: FakeTrainer,
    check: Any = lambda: None,
    measure: Any = lambda: [Measurement("validation", "mae", np.ones(2))],
    measured: bool = False,
    **sizes: Any,
) -> list:
    heard: list[tuple[int, list[str]]] = []
    with contextlib.suppress(Interrupted):
        loop(
            trainer,  # type: ignore[arg-type]
            measure,
            **{"steps": 25, "eval_every": 10, **sizes},
            measured=measured,
            hooks=[
                lambda step, measurements: heard.append((step, [m.split for m in measurements]))
            ],
            progress=lambda step: None,
            check=check,
        )
    return heard


def test_it_measures_at_the_start_every_interval_and_at_the_end() -> None:
    assert run(FakeTrainer()) == [
        (0, ["validation"]),
        (10, ["train", "validation"]),
        (20, ["train", "validation"]),
        (25, ["train", "validation"]),
    ]


@pytest.mark.parametrize("step", [10, 13])
def test_resumed_it_keeps_to_the_same_grid(step: int) -> None:
    assert [s for s, _ in run(FakeTrainer(step), measured=True)] == [20, 25]


@pytest.mark.parametrize(("step", "first"), [(0, 0), (10, 10), (13, 20), (25, 25)])
def test_a_step_of_the_grid_that_was_not_measured_is_measured_first(step: int, first: int) -> None:
    heard = run(FakeTrainer(step))
    assert heard[0][0] == first
    assert ("train" in heard[0][1]) == (first > 0)


def test_calls_end_at_pauses_and_nothing_is_measured_there() -> None:
    trainer = FakeTrainer()
    heard = run(trainer, pauses=(5, 12, 40))
    assert [step for step, _ in heard] == [0, 10, 20, 25]
    assert {5, 10, 12, 20} <= {*np.cumsum(trainer.calls)}


def stop() -> Any:
    raise Interrupted


def test_an_interruption_stops_after_the_call() -> None:
    trainer = FakeTrainer()
    heard = run(trainer, check=lambda: trainer.step.value > 0 and stop())
    assert [s for s, _ in heard] == [0]
    assert trainer.step.value == 1


def test_an_interrupted_measurement_is_not_heard_and_keeps_the_mean_loss() -> None:
    trainer = FakeTrainer(10)
    trainer.mean_loss = stop  # reading it starts it anew
    assert run(trainer, measure=stop) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_noted_and_handlers_come_back(number: int) -> None:
    before = signal.getsignal(number)
    with Interruption() as interruption:
        os.kill(os.getpid(), number)
        assert interruption.signal == number
        with pytest.raises(Interrupted):
            interruption.check()
    assert signal.getsignal(number) == before


def test_a_second_ctrl_c_stops_at_once() -> None:
    # A shell's background job inherits that Ctrl-C is ignored; a user's own run does not.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with Interruption(), pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
