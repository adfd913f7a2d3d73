"""How many seconds may go into what can be left out of a view."""

import pytest

from nalu_seq.listeners import budget
from nalu_seq.listeners.budget import Budget


class Clock:
    now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(budget, "time", clock)
    return clock


def after_a_slow_first_call(clock: Clock, steps: int = 1001) -> Budget:
    """A training whose first call takes 10 s, and every later step 0.1 s."""
    spent = Budget(0.01, 0, steps)
    clock.now = 10.0
    spent.note(1)
    return spent


def test_the_first_call_says_nothing_of_the_pace(clock: Clock) -> None:
    spent = after_a_slow_first_call(clock)
    assert not spent.allows(1, "drawing", 0.0)
    clock.now, step = 20.0, 101
    spent.note(step)
    # 10 s for the first step, 100 s for the others: 1.1 s may be spent.
    assert spent.allows(step, "drawing", 1.09)
    assert not spent.allows(step, "drawing", 1.11)


def test_what_was_spent_is_counted_and_is_no_training(clock: Clock) -> None:
    spent = after_a_slow_first_call(clock)
    clock.now = 20.0
    spent.note(101)
    with spent.spending("drawing"):
        clock.now += 0.6
    assert not spent.allows(101, "drawing", 0.0)  # what it cost the last time, not the guess
    assert spent.allows(101, "reading", 0.49)
    assert not spent.allows(101, "reading", 0.51)


def test_nothing_is_spent_on_a_short_training(clock: Clock) -> None:
    spent = after_a_slow_first_call(clock, steps=101)
    clock.now = 19.0  # it is done
    assert not spent.allows(101, "drawing", 0.0)


def test_steps_are_timed_from_the_end_of_the_first_call(clock: Clock) -> None:
    spent = after_a_slow_first_call(clock)
    clock.now = 13.0
    assert spent.stepping() == 3.0
    with spent.spending("drawing"):
        clock.now += 2.0
    assert spent.stepping() == 3.0
