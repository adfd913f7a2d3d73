"""The outer loop: calls into the step, measurements between them, and stops that lose nothing."""

import signal
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

from nalu_seq.records.observers import Measurement
from nalu_seq.training.trainer import Trainer

# A call into TensorFlow can't be interrupted: calls are kept near this, so that Ctrl-C is prompt.
CALL_SECONDS = 0.5


Hook = Callable[[int, Sequence[Measurement]], None]


class Interrupted(Exception):
    """A signal asked to stop."""


class Interruption:
    """Ctrl-C and SIGTERM ask to stop at the next check; a second one stops at once.

    Args:
        agree: whether to stop, if this process was asked to or not: workers stop together.

    Attributes:
        signal: the signal that came, or None.
    """

    def __init__(self, agree: Callable[[bool], bool] = bool) -> None:
        self.signal: int | None = None
        self._agree = agree
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

    def check(self) -> None:
        """Raise `Interrupted` if a signal came."""
        if self._agree(self.signal is not None):
            self.signal = self.signal or signal.SIGTERM  # it came to another worker
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
        trainer: makes the steps; it may already have made some.
        measure: gives all measurements at the current step.
        steps: where training ends.
        eval_every: steps between measurements.
        measured: whether the step that the trainer is at has been measured.
        hooks: each called as `hook(step, measurements)`, in order.
        progress: called with the step after each call into TensorFlow.
        check: called between calls; what it raises ends the training there, as does what `measure`
            raises. Nothing is lost: the step is whole, and a measurement is made again.
        agree: the seconds of a call, as all workers shall take them: they make the same calls.
        pauses: steps at which a call ends too, though nothing is measured there.
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
            started = time.perf_counter()
            trainer.run(count)
            seconds = agree(time.perf_counter() - started)
            step += count
            progress(step)
            # The first call traces and compiles: its pace says nothing.
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
    # Read last, as reading starts it anew: an interrupted measurement leaves it as it was.
    if step > 0:
        measurements.insert(0, Measurement("train", "loss", trainer.mean_loss()))
    for hook in hooks:
        hook(step, measurements)
