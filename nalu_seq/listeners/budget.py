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

    LONG_ENOUGH = 30.0

    def __init__(self, share: float, begun: int, steps: int) -> None:
        self._share, self._begun, self._steps = share, begun, steps
        self._spent = 0.0
        self._costs: dict[str, float] = {}
        self.start()

    def start(self) -> None:
        """The training's first step comes now."""
        self._started = time.perf_counter()

    def allows(self, step: int, name: str, guess: float) -> bool:
        """Whether something may be done at a step.

        Args:
            step: the newest step.
            name: what would be done.
            guess: its cost in seconds, if it has not been done before.
        """
        seconds = time.perf_counter() - self._started - self._spent
        whole = seconds * (self._steps - self._begun) / max(step - self._begun, 1)
        cost = self._costs.get(name, guess)
        return whole >= self.LONG_ENOUGH and self._spent + cost <= self._share * whole

    @contextlib.contextmanager
    def spending(self, name: str) -> Iterator[None]:
        """Count the seconds that a block takes."""
        started = time.perf_counter()
        yield
        self._costs[name] = time.perf_counter() - started
        self._spent += self._costs[name]
