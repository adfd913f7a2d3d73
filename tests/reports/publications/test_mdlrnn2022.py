"""Lan et al.'s table that a run corresponds to."""

from typing import Any

import pytest

from nalu_seq.reports.publications import matches
from nalu_seq.reports.published import facts_of
from tests.reports.runs import Write, language


def test_mdlrnns_addition_is_found_by_its_largest_number(write: Write) -> None:
    config = {"task.below": 20, "encoder.units": 4, "encoder.activation": "tanh"}
    run = language(write, "rnn", "binary_addition", **config)
    (match,) = matches("MDLRNN2022", run, "default", "test")
    assert [fact.value for fact in facts_of("MDLRNN2022", match)] == [0.716756]


@pytest.mark.parametrize(
    ("measure", "published"), [("next", [(0.526946 + 0.523532 + 0.520118) / 3]), ("possible", [])]
)
def test_mdlrnns_brackets_are_found_by_the_accuracy_of_the_next_symbol(
    write: Write, measure: str, published: list[float]
) -> None:
    config = {"task.strings": 500, "encoder.units": 4, "task.measure": measure}
    places = matches("MDLRNN2022", language(write, "lstm", "dyck1", **config), "default", "test")
    values = [fact.value for match in places for fact in facts_of("MDLRNN2022", match)]
    assert values == pytest.approx(published, abs=1e-6)


@pytest.mark.parametrize("changed", [{"encoder.initial": "keras"}, {"encoder.activation": "relu"}])
def test_another_network_is_not_mdlrnns(write: Write, changed: dict[str, Any]) -> None:
    assert matches("MDLRNN2022", language(write, **changed), "default", "test") == []
