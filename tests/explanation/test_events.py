"""What a running total adds, read from its values."""

import numpy as np
import pytest

from nalu_seq.explanation.events import read_events, symbols_of
from nalu_seq.explanation.rounding import Unreadable


@pytest.fixture
def symbols() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 3, (20, 60))


def totals(increments: np.ndarray, noise: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(1)
    return np.cumsum(increments + rng.uniform(-noise, noise, increments.shape), axis=1)


def test_each_symbol_s_event(symbols):
    added = np.eye(3)[symbols] * [1, -2, 0]
    events, distance = read_events(symbols, totals(added, 0.1), 3)
    assert events.lines() == [
        "y[0] += 1 when the symbol is 0",
        "y[1] -= 2 when the symbol is 1",
    ]
    assert 0.05 < distance <= 0.1 + 1e-9
    assert events.lines(latex=True)[1] == r"y_{1} \leftarrow y_{1} - 2 \text{ when the symbol is 1}"


def test_an_event_of_two_symbols_waits_for_the_second(symbols):
    ended = (symbols[:, 1:] == 0) & (symbols[:, :-1] == 2)
    added = np.concatenate([np.zeros((20, 1)), ended], axis=1)[..., None]
    events, distance = read_events(symbols, totals(added), 3)
    assert events.lines() == ["y[0] += 1 when the symbol is 0 after 2"]
    assert (events.memory, distance) == (2, 0)
    y, _ = events.run(symbols, events.start(20))
    np.testing.assert_array_equal(y, added.cumsum(axis=1))
    # In pieces: the second begins with the total and the last symbol of the first.
    first, state = events.run(symbols[:, :25], events.start(20))
    second, _ = events.run(symbols[:, 25:], state)
    np.testing.assert_array_equal(np.concatenate([first, second], axis=1), y)


def test_what_is_no_whole_number_is_refused(symbols):
    with pytest.raises(Unreadable, match=r"not a whole number .* off by 0\.4"):
        read_events(symbols, totals(np.full((20, 60, 1), 0.4)), 3)
    with pytest.raises(Unreadable, match="not finite"):
        read_events(symbols, np.full((20, 60, 1), np.nan), 3)


def test_symbols_are_one_hot_steps_only(symbols):
    np.testing.assert_array_equal(symbols_of(np.eye(3)[symbols]), symbols)
    assert symbols_of(np.eye(3)[symbols] * 0.5) is None
    assert symbols_of(np.ones((2, 4, 1))) is None
    assert symbols_of(np.ones((2, 4, 3))) is None


def test_steps_may_be_empty_where_that_is_allowed(symbols):
    x = np.eye(3)[symbols]
    x[:, 5] = 0
    assert symbols_of(x) is None
    seen = symbols_of(x, empty=True)
    assert (seen[:, 5] == 3).all()
    np.testing.assert_array_equal(np.delete(seen, 5, 1), np.delete(symbols, 5, 1))
