"""Cycles in which each word occurs once."""

import collections

import numpy as np
import pytest

from nalu_seq.explanation.cycles import MOST_SYMBOLS, cycle, rows, word_length


@pytest.mark.parametrize(("alphabet", "length"), [(2, 1), (2, 5), (3, 4), (10, 3), (7, 1)])
def test_each_word_occurs_once(alphabet, length):
    symbols = cycle(alphabet, length, np.random.default_rng(0))
    around = np.concatenate([symbols, symbols[: length - 1]])
    words = np.lib.stride_tricks.sliding_window_view(around, length)
    seen = collections.Counter(map(tuple, words.tolist()))
    assert len(seen) == alphabet**length and set(seen.values()) == {1}


def test_cycles_differ():
    generator = np.random.default_rng(0)
    assert (cycle(10, 3, generator) != cycle(10, 3, generator)).any()


@pytest.mark.parametrize("alphabet", [1, 2, 10, 101, 20_000])
def test_words_are_as_long_as_a_cycle_allows(alphabet):
    length = word_length(alphabet)
    assert length == 1 or alphabet**length <= MOST_SYMBOLS
    assert alphabet == 1 or alphabet ** (length + 1) > MOST_SYMBOLS


def test_rows_follow_each_other_around():
    symbols = np.arange(10)
    cut = rows(symbols, most=4, before=2)
    np.testing.assert_array_equal(cut, [[8, 9, 0, 1, 2, 3], [2, 3, 4, 5, 6, 7], [6, 7, 8, 9, 0, 1]])
    np.testing.assert_array_equal(rows(symbols, most=100, before=0), [symbols])
