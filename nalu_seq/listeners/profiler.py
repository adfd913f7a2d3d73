"""A trace of some training steps for TensorBoard's profiler: `profile=[start,stop]`."""

from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from nalu_seq.records.observers import Listener, Measurement


class Profiler(Listener):
    """Traces what TensorFlow does in the steps after `start`, up to and with `stop`.

    The trace is written below `directory`, in `plugins/profile/<time>`. If the step `start` has a
    measurement, the trace begins after it. A run that is resumed between `start` and `stop` is
    traced from the step at which it resumes.

    Args:
        directory: the directory of the run's event files.
        steps: `[start, stop]`, the steps after which the trace begins and ends.
        eval_every: steps between measurements.
    """

    def __init__(self, directory: Path, steps: Sequence[int], eval_every: int) -> None:
        self._directory, self._eval_every = directory, eval_every
        self._start, self._stop = steps
        self._running = False

    def advance(self, step: int) -> None:
        """Begin or end the trace, if this is the step for it.

        Args:
            step: the newest step.
        """
        if step >= self._stop:
            self.close()
        elif step % self._eval_every:
            self._begin(step)

    def __call__(self, step: int, measurements: Sequence[Measurement]) -> None:
        """Begin the trace after a measurement."""
        self._begin(step)

    def close(self) -> None:
        """End the trace, which writes it."""
        if self._running:
            self._running = False
            tf.profiler.experimental.stop()

    def _begin(self, step: int) -> None:
        if not self._running and self._start <= step < self._stop:
            tf.profiler.experimental.start(str(self._directory))
            self._running = True
