"""The outer loop: calls into the step, measurements between them, and stops that lose nothing."""

import signal
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, NamedTuple

import numpy as np

from nalu_seq.training.step import Trainer

# A call into TensorFlow can't be interrupted: calls are kept near this, so that Ctrl-C is prompt.
CALL_SECONDS = 0.5


class Measurement(NamedTuple):
    """One metric on one split, for every member.

    Attributes:
        split: where.
        metric: what.
        values: `[M]`.
    """

    split: str
    metric: str
    values: np.ndarray


Hook = Callable[[int, Sequence[Measurement]], None]


class Interruption:
    """Ctrl-C and SIGTERM ask the loop to stop after its call; a second one stops at once.

    Attributes:
        signal: the signal that came, or None.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Interruption":
        """Take the two signals over."""
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        """Give them back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.signal = number
        signal.signal(number, self._before[number])


def loop(
    trainer: Trainer,
    measure: Callable[[], list[Measurement]],
    *,
    steps: int,
    eval_every: int,
    hooks: Sequence[Hook],
    progress: Callable[[int], None],
    interrupted: Callable[[], bool],
) -> bool:
    """Train up to `steps`, measuring at step 0, every `eval_every` steps, and at the end.

    Args:
        trainer: makes the steps; it may already have made some.
        measure: gives all measurements at the current step.
        steps: where training ends.
        eval_every: steps between measurements.
        hooks: each called as `hook(step, measurements)`, in order.
        progress: called with the step after each call into TensorFlow.
        interrupted: asked after each call whether to stop.

    Returns:
        Whether `steps` was reached; False if it was interrupted before.
    """
    step = int(trainer.step.numpy())
    length, pace = trainer.steps_per_call, 0.0
    if step == 0:
        _notify(hooks, step, measure())
    while step < steps:
        boundary = min((step // eval_every + 1) * eval_every, steps)
        while step < boundary:
            if interrupted():
                return False
            count = min(length, boundary - step)
            started = time.perf_counter()
            trainer.run(count)
            seconds = time.perf_counter() - started
            step += count
            progress(step)
            # The first call traces and compiles: its pace says nothing.
            if pace or length > trainer.steps_per_call:
                pace = count / seconds
                length = int(pace * CALL_SECONDS) // trainer.steps_per_call
                length = max(length, 1) * trainer.steps_per_call
            else:
                length = 2 * trainer.steps_per_call
        train = Measurement("train", "loss", trainer.mean_loss())
        _notify(hooks, step, [train, *measure()])
    return True


def _notify(hooks: Sequence[Hook], step: int, measurements: Sequence[Measurement]) -> None:
    for hook in hooks:
        hook(step, measurements)
