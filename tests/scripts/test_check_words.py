"""Every number below a million, read by rounded numbers of words: right by English ones alone."""

import numpy as np
import pytest

from nalu_seq.tasks.language import ONES, TENS
from scripts import check_words

VALUES = dict(zip((*ONES, *TENS), (*range(20), *range(20, 100, 10)), strict=True))
WORDS = [*VALUES, "and", "hundred", "thousand"]


def english() -> np.ndarray:
    addends = [*VALUES.values(), 0, 0, 0]
    factors = [1] * (len(VALUES) + 1) + [100, 1000]
    return np.array([addends, factors, [0] * (len(WORDS) - 1) + [1]])


@pytest.mark.slow
def test_english_reads_all_and_one_wrong_word_misses_its_numbers(monkeypatch) -> None:
    values = check_words.read_all(WORDS, english(), "british")
    np.testing.assert_array_equal(values, np.arange(1_000_000))
    monkeypatch.setattr(check_words, "BELOW", 2000)
    wrong = english()
    wrong[0, WORDS.index("and")] = 1
    misses = np.flatnonzero(check_words.read_all(WORDS, wrong, "british") != np.arange(2000))
    assert misses[0] == 101 and 100 not in misses and 1000 not in misses


@pytest.mark.slow
def test_a_runs_words_are_read_from_its_weights(main, tmp_path) -> None:
    small = ["seeds=2", "train.steps=2", "train.eval_every=2", f"hydra.run.dir={tmp_path / 'run'}"]
    code, _, err = main("experiment=language_million", *small)
    assert code == 0, err
    vocabulary, rounded, style = check_words.rounded_words(tmp_path / "run")
    assert rounded.shape == (2, 3, len(vocabulary)) and style == "british"
    assert (rounded[:, 1:] == [[[1], [0]]]).all()  # hardly trained: all words add, none multiplies
