"""The outer loop: when it measures, what it calls, and how it stops."""

import os
import signal
from typing import Any

import numpy as np
import pytest

from nalu_seq.training.loop import Interruption, Measurement, loop


class Counter:
    def __init__(self, value: int) -> None:
        self.value = value

    def numpy(self) -> int:
        return self.value


class FakeTrainer:
    """Counts steps where a trainer would make them."""

    def __init__(self, step: int = 0, steps_per_call: int = 1) -> None:
        self.step, self.steps_per_call = Counter(step), steps_per_call
        self.calls: list[int] = []

    def run(self, steps: int) -> None:
        self.calls.append(steps)
        self.step.value += steps

    def mean_loss(self) -> np.ndarray:
        return np.zeros(2)


def run(trainer: FakeTrainer, interrupted: Any = lambda: False, **sizes: int) -> tuple[bool, list]:
    heard = []
    done = loop(
        trainer,  # type: ignore[arg-type]
        lambda: [Measurement("validation", "mae", np.ones(2))],
        **{"steps": 25, "eval_every": 10, **sizes},
        hooks=[lambda step, found: heard.append((step, [m.split for m in found]))],
        progress=lambda step: None,
        interrupted=interrupted,
    )
    return done, heard


def test_it_measures_at_the_start_every_interval_and_at_the_end() -> None:
    done, heard = run(FakeTrainer())
    assert done
    assert heard == [
        (0, ["validation"]),
        (10, ["train", "validation"]),
        (20, ["train", "validation"]),
        (25, ["train", "validation"]),
    ]


@pytest.mark.parametrize("step", [10, 13])
def test_resumed_it_keeps_to_the_same_grid(step: int) -> None:
    _, heard = run(FakeTrainer(step))
    assert [s for s, _ in heard] == [20, 25]


def test_compiled_calls_are_never_split() -> None:
    trainer = FakeTrainer(steps_per_call=5)
    run(trainer, steps=40, eval_every=20)
    assert sum(trainer.calls) == 40
    assert all(count % 5 == 0 for count in trainer.calls)


def test_an_interruption_stops_after_the_call() -> None:
    trainer = FakeTrainer()
    done, heard = run(trainer, interrupted=lambda: trainer.step.value > 0)
    assert not done
    assert [s for s, _ in heard] == [0]
    assert trainer.step.value == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_noted_and_handlers_come_back(number: int) -> None:
    before = signal.getsignal(number)
    with Interruption() as interruption:
        os.kill(os.getpid(), number)
        assert interruption.signal == number
    assert signal.getsignal(number) == before


def test_a_second_ctrl_c_stops_at_once() -> None:
    with Interruption(), pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
