"""How many seconds may be spent on looking at a training, beside making its steps."""

import contextlib
import time
from collections.abc import Iterator


class Budget:
    """A share of the time that a training takes, to be spent on what can be left out.

    What something costs is taken to be what it cost the last time. Of a training that will be
    shorter than `LONG_ENOUGH` nothing is spent: a second is much of it.

    Args:
        share: of the seconds that the training takes.
        begun: the step that it begins at.
        steps: the step that it ends at.
    """

    LONG_ENOUGH = 20.0

    def __init__(self, share: float, begun: int, steps: int) -> None:
        self._share, self._steps = share, steps
        self._spent = 0.0
        self._costs: dict[str, float] = {}
        self.start(begun)

    def start(self, step: int) -> None:
        """The training's first call comes now."""
        self._started = time.perf_counter()
        self._first, self._second = step, self._started

    def note(self, step: int) -> None:
        """The training has come to a step: the pace is measured from the end of the first call.

        The first call traces and compiles, which says nothing of the steps after it.
        """
        if self._second == self._started:
            self._first, self._second = step, time.perf_counter()

    def allows(self, step: int, name: str, guess: float) -> bool:
        """Whether something may be done at a step.

        Args:
            step: the newest step.
            name: what would be done.
            guess: its cost in seconds, if it has not been done before.
        """
        now = time.perf_counter()
        if step < self._steps and (step == self._first or now - self._second < 1):
            return False  # the pace is not known yet
        pace = (now - self._second - self._spent) / max(step - self._first, 1)
        whole = now - self._started - self._spent + pace * (self._steps - step)
        cost = self._costs.get(name, guess)
        return whole >= self.LONG_ENOUGH and self._spent + cost <= self._share * whole

    @contextlib.contextmanager
    def spending(self, name: str) -> Iterator[None]:
        """Count the seconds that a block takes."""
        started = time.perf_counter()
        yield
        self._costs[name] = time.perf_counter() - started
        self._spent += self._costs[name]
