"""How many seconds TensorBoard may spend on pictures and extra measurements of a training."""

import contextlib
import time
from collections.abc import Iterator


class Budget:
    """A share of a training's time for optional work, such as pictures.

    A piece of work is expected to take as long as it took the last time. In a training that will be
    shorter than `LONG_ENOUGH` seconds nothing is spent: a second is a large part of it.

    Args:
        share: the share of the training's seconds that may be spent, from 0 to 1.
        first_step: the step at which this training begins; above 0 in a resumed run.
        steps: the step at which it ends.
    """

    LONG_ENOUGH = 20.0

    def __init__(self, share: float, first_step: int, steps: int) -> None:
        self._share, self._steps = share, steps
        self._spent = 0.0
        self._costs: dict[str, float] = {}
        self.start(first_step)

    def start(self, step: int) -> None:
        """Start the clock: the first call of the trainer comes now.

        Args:
            step: the step at which it begins.
        """
        self._start_time = time.perf_counter()
        self._first, self._second = step, self._start_time

    def note(self, step: int) -> None:
        """Note that the training has reached a step.

        The pace is measured from the end of the first call, which traces and compiles and so
        says nothing about the steps after it.

        Args:
            step: the newest step.
        """
        if self._second == self._start_time:
            self._first, self._second = step, time.perf_counter()

    def allows(self, step: int, name: str, guess: float) -> bool:
        """Whether the budget allows a piece of work at a step.

        Args:
            step: the newest step.
            name: the kind of work, such as `pictures`.
            guess: its cost in seconds, if it has not been done before.
        """
        now = time.perf_counter()
        if step < self._steps and (step == self._first or now - self._second < 1):
            return False  # too few steps were made to know the pace
        pace = self.stepping() / max(step - self._first, 1)
        whole = now - self._start_time - self._spent + pace * (self._steps - step)
        cost = self._costs.get(name, guess)
        return whole >= self.LONG_ENOUGH and self._spent + cost <= self._share * whole

    def stepping(self) -> float:
        """The seconds since the end of the first call, without what was spent."""
        return max(time.perf_counter() - self._second - self._spent, 0.0)

    @contextlib.contextmanager
    def spending(self, name: str) -> Iterator[None]:
        """Count the seconds that a block takes.

        Args:
            name: the kind of work that the block does, as for `allows`.
        """
        start_time = time.perf_counter()
        yield
        self._costs[name] = time.perf_counter() - start_time
        self._spent += self._costs[name]
