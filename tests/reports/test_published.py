"""Published figures as data."""

import pytest

from nalu_seq.errors import BadInput
from nalu_seq.evaluation.intervals import Estimate, wilson
from nalu_seq.reports.published import check_source, facts


def test_every_figure_is_read() -> None:
    assert len(facts()) == 3160
    assert {fact.source for fact in facts() if fact.from_memory} == {"Trask2018"}
    assert any(fact.where.endswith("(10/70)") for fact in facts())


def test_a_source_that_is_none_is_refused() -> None:
    with pytest.raises(BadInput, match=r"valid: .*Madsen2020, .*iNALU2020"):
        check_source("madsen")


def test_intervals_come_from_the_figure_or_from_its_counts() -> None:
    by_key = {(f.table, f.task, f.op, f.model, f.metric): f for f in facts()}
    key = ("exp1 aggregated", "exp1 int", "add", "nalu__paperm", "success_rate(mse<1e-5)")
    assert by_key[key].estimate == Estimate(10 / 70, *wilson(10, 70))
    long = next(f for f in facts() if f.table.startswith("Table long") and f.value == 0.93)
    assert long.estimate == Estimate(0.93, 0.862505, 0.965681)
