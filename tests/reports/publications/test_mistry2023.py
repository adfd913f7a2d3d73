"""The notes on MCFC that a run corresponds to."""

import pytest

from nalu_seq.reports.publications import matches
from nalu_seq.reports.published import facts_of
from tests.reports.runs import Write, primer


@pytest.mark.parametrize(
    ("unit", "operation", "config", "rates"),
    [
        ("nmu", "mul", {}, [1, 0.8, 0.68, 1, 1, 1, 1, 1, 1]),
        ("mul_mcfc", "mul", {"unit.sign": "undefined"}, [0, 0, 0, 0, 0, 1, 1, 1, 1]),
        ("mcfc", "add", {}, [1] * 9),
    ],
)
def test_the_notes_on_mcfc_have_every_range(write: Write, unit, operation, config, rates) -> None:
    run = primer(write, unit, operation, **config)
    matched = [matches("Mistry2023", run, case, "extrapolation") for case in run.cases]
    facts = [facts_of("Mistry2023", match) for (match,) in matched]
    shown = [{f.metric: f.value for f in each}["success_rate"] for each in facts]
    assert shown == rates


def test_what_the_notes_on_mcfc_do_not_have(write: Write) -> None:
    # The default MulMCFC takes the logarithm of the magnitude.
    for unit, operation in (("mul_mcfc", "mul"), ("nmu", "div"), ("nalu", "mul")):
        run = primer(write, unit, operation)
        assert matches("Mistry2023", run, "U[1,2]", "extrapolation") == []
