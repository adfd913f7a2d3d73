"""The outer loop of a training: calls of the step, measurements, and interruptions."""

import signal
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

from nalu_seq.records.observers import Measurement
from nalu_seq.training.trainer import Trainer

# A call into TensorFlow can't be interrupted: calls take about so long, so that Ctrl-C is prompt.
CALL_SECONDS = 0.5


Hook = Callable[[int, Sequence[Measurement]], None]


class Interrupted(Exception):
    """The training stops because a signal asked it to."""


class Interruption:
    """Lets Ctrl-C and SIGTERM stop a training at the next check; a second signal stops it at once.

    Args:
        agree: a function from whether this process got a signal to whether all workers stop, since
            they must stop together.

    Attributes:
        signal: the signal that this or another process got; None if there was none.
    """

    def __init__(self, agree: Callable[[bool], bool] = bool) -> None:
        self.signal: int | None = None
        self._agree = agree
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Interruption":
        """Handle the two signals."""
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        """Restore the earlier handlers of the two signals."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def check(self) -> None:
        """Raise `Interrupted` if a signal came."""
        if self._agree(self.signal is not None):
            self.signal = self.signal or signal.SIGTERM  # another worker got the signal
            raise Interrupted

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
    measured: bool,
    hooks: Sequence[Hook],
    progress: Callable[[int], None],
    check: Callable[[], None],
    agree: Callable[[float], float] = float,
    pauses: Sequence[int] = (),
) -> None:
    """Train up to `steps`, measuring at step 0, every `eval_every` steps, and at the end.

    Args:
        trainer: the trainer that makes the steps; it may already have made some.
        measure: returns all measurements at the current step.
        steps: the step at which training ends.
        eval_every: steps between measurements.
        measured: whether the current step has been measured already.
        hooks: functions that are called as `hook(step, measurements)`, in order.
        progress: called with the step after each call into TensorFlow.
        check: called between calls. An exception that it or `measure` raises ends the training.
            Nothing is lost: no step is half made, and a resumed training repeats the measurement.
        agree: a function from the seconds of a call here to the seconds that all workers assume,
            so that they make the same calls.
        pauses: steps at which a call has to end too, though nothing is measured there.
    """
    step = int(trainer.step.numpy())
    length, pace = 1, 0.0
    if not measured and (step % eval_every == 0 or step == steps):
        _measure(trainer, measure, hooks, step)
    while step < steps:
        boundary = min((step // eval_every + 1) * eval_every, steps)
        while step < boundary:
            check()
            count = min(length, min(s for s in (*pauses, boundary) if s > step) - step)
            start_time = time.perf_counter()
            trainer.run(count)
            seconds = agree(time.perf_counter() - start_time)
            step += count
            progress(step)
            # The first call traces and compiles, so that its pace does not count.
            if pace or length > 1:
                pace = count / seconds
                length = max(int(pace * CALL_SECONDS), 1)
            else:
                length = 2
        _measure(trainer, measure, hooks, step)


def _measure(
    trainer: Trainer,
    measure: Callable[[], list[Measurement]],
    hooks: Sequence[Hook],
    step: int,
) -> None:
    measurements = measure()
    # The mean loss is read last, because reading resets it: an interrupted measurement must not.
    if step > 0:
        measurements.insert(0, Measurement("train", "loss", trainer.mean_loss()))
    for hook in hooks:
        hook(step, measurements)
