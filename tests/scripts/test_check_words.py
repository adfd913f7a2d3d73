"""Every number below a million, read by what words do: right by English ones alone."""

import dataclasses

import numpy as np
import pytest

from nalu_seq.explanation.operations import Operations
from nalu_seq.tasks.language import ONES, TENS
from scripts import check_words

VALUES = dict(zip((*ONES, *TENS), (*range(20), *range(20, 100, 10)), strict=True))
WORDS = (*VALUES, "and", "hundred", "thousand")
# The last of each is an empty step's.
ENGLISH = Operations(
    WORDS,
    addends=tuple((VALUES.get(word, 0),) for word in (*WORDS, "")),
    factors=tuple(({"hundred": 100, "thousand": 1000}.get(word, 1),) for word in (*WORDS, "")),
    carries=tuple((int(word == "thousand"),) for word in (*WORDS, "")),
)


@pytest.mark.slow
def test_english_reads_all_and_one_wrong_word_misses_its_numbers(monkeypatch) -> None:
    values = check_words.read_all(ENGLISH, "british")
    np.testing.assert_array_equal(values, np.arange(1_000_000))
    monkeypatch.setattr(check_words, "BELOW", 2000)
    addends = list(ENGLISH.addends)
    addends[WORDS.index("and")] = (1,)
    wrong = dataclasses.replace(ENGLISH, addends=tuple(addends))
    misses = np.flatnonzero(check_words.read_all(wrong, "british") != np.arange(2000))
    assert misses[0] == 101 and 100 not in misses and 1000 not in misses


@pytest.mark.slow
def test_a_runs_words_are_read_from_its_weights(main, tmp_path) -> None:
    small = ["seeds=2", "train.steps=2", "train.eval_every=2", f"hydra.run.dir={tmp_path / 'run'}"]
    code, _, err = main("experiment=language_million", *small)
    assert code == 0, err
    of_seeds, style = check_words.operations_of_seeds(tmp_path / "run")
    assert len(of_seeds) == 2 and style == "british" and set(WORDS) <= set(of_seeds[0].symbols)
    for operations in of_seeds:  # hardly trained: words add, none multiplies or puts aside
        assert {*operations.factors, *operations.carries} == {(1,), (0,)}


@pytest.mark.slow
def test_a_run_without_a_word_for_thousand_is_refused(main, tmp_path) -> None:
    small = ["seeds=1", "train.steps=2", "train.eval_every=2", f"hydra.run.dir={tmp_path / 'run'}"]
    code, _, err = main("task=language", "encoder=none", "head=carry_cell", "task.high=999", *small)
    assert code == 0, err
    with pytest.raises(SystemExit, match="is no run of experiment=language_million"):
        check_words.operations_of_seeds(tmp_path / "run")
