"""The domain mixed unit's table that a run corresponds to."""

from nalu_seq.evaluation.intervals import Estimate, wilson
from nalu_seq.reports.publications import matches
from nalu_seq.reports.published import ALL, facts_of
from tests.reports.runs import Write, compared, primer


def test_the_domain_mixed_unit_is_compared_where_its_selector_suits_and_its_gate_is_rounded(
    write: Write,
) -> None:
    run = primer(write, "dmu_sub", "div", **{"unit.hard": True})
    (match,) = matches("DMU2025", run, ALL, "extrapolation")
    (fact,) = facts_of("DMU2025", match)
    assert fact.estimate == Estimate(203 / 225, *wilson(203, 225))
    (table,) = compared(run, "DMU2025")
    assert len(table.rows) == 10
    assert any("below 1e-7 at 100 steps in a row" in note for note in table.notes)
    for unit, hard in (("dmu_add", True), ("dmu", True), ("dmu_sub", False)):
        run = run._replace(summary={**run.summary, "unit": unit})
        run.config["unit.hard"] = hard
        assert matches("DMU2025", run, "U[1,2]", "extrapolation") == []
