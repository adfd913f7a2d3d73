"""A population is Keras' `fit` of each seed, or says by name what it can't be.

`draws.py` draws models and what they are given, `catalogue.py` has everything that Keras has.
"""

import keras
import pytest

from tests.population.catalogue import attempt, everything, try_layer
from tests.population.differential import IN_FLOAT64, Outcome, compare
from tests.population.draws import drawn, is_so
from tests.population.table import PAGE, WORDS, read

DEFAULT, ALL = 24, 59  # a draw takes about two seconds, as both ways are traced anew
DRAWS = [*range(DEFAULT), *(pytest.param(n, marks=pytest.mark.slow) for n in range(DEFAULT, ALL))]
TRIED = [one for one, outcome in read().items() if outcome.kind != "untried"]


@pytest.mark.parametrize("number", DRAWS)
def test_a_draw_is_fit_of_each_seed(number):
    outcome = compare(**drawn(number))
    assert is_so(outcome), outcome


@pytest.mark.parametrize(
    "name", ["Dropout", "GaussianNoise", "BatchNormalization", "SpectralNormalization"]
)
def test_noise_and_statistics_are_those_of_the_members_own_fit(name):
    assert try_layer(name) == Outcome("works")


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), TRIED)
def test_what_the_table_says_of_keras_is_so(kind, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = attempt(kind, name)
    assert outcome.kind != "different", outcome.why
    if not outcome.why.startswith("No module named"):  # an extra of Keras' that is not installed
        assert f"| {kind} | `{name}` | {WORDS[outcome.kind]} |" in PAGE.read_text()


def test_the_table_lists_all_that_keras_has():
    text = PAGE.read_text()
    missing = [(kind, name) for kind, name in everything() if f"| {kind} | `{name}` |" not in text]
    assert missing == []


@pytest.mark.slow
def test_what_float32_rounds_is_told_from_what_is_different():
    # A bias under a normalization: its gradient is 0, and Adam makes steps of its rounding.
    outcome = compare(**drawn(162))
    assert outcome == Outcome("works", IN_FLOAT64)
    assert keras.config.floatx() == keras.config.dtype_policy().name == "float32"
