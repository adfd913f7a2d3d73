"""iNALU's figures that a run corresponds to."""

import pytest

from nalu_seq.reports.publications import matches
from nalu_seq.reports.published import ALL, facts_of
from nalu_seq.reports.summaries import find_runs
from tests.reports.runs import INALU, Write, compared


@pytest.mark.parametrize(
    ("unit", "model", "theirs"),
    [
        ("nalu", "nalu__paperm, nalu__paperv", "14 % [8, 24]"),
        ("inalu_shared", "nalui1", "86 % [76, 92]"),
        ("inalu", "nalui2", "100 % [95, 100]"),
    ],
)
def test_inalus_cells(write: Write, unit: str, model: str, theirs: str) -> None:
    cases = {name: [40_000] * 10 for name in INALU}
    splits = ("validation", "extrapolation")
    directory = write(
        "run", cases, "inalu_simple", unit, splits=splits, experiment="inalu_exp1", steps=100_000
    )
    each, aggregated = compared(find_runs(directory)[0][0], "iNALU2020")
    assert len(each.rows) == 14
    assert aggregated.rows[0].labels == ["validation"]
    assert aggregated.rows[0].cells[1].text == theirs
    run = find_runs(directory)[0][0]
    (match,) = matches("iNALU2020", run, ALL, "validation")
    assert facts_of("iNALU2020", match)[0].model == model


def test_replayed_runs_are_no_sample_to_compare(write: Write) -> None:
    directory = write(
        "run", {INALU[0]: [40_000]}, "inalu_simple", "inalu", {"task.replay": True},
        splits=("validation",), experiment="inalu_exp1", steps=100_000,
    )  # fmt: skip
    assert matches("iNALU2020", find_runs(directory)[0][0], INALU[0], "validation") == []


def test_inalus_grid_of_initial_values(write: Write) -> None:
    cases = {"g_mean=0 m_mean=0 w_mean=0 stddev=0.1": [200_000] * 20, "default": [200_000] * 20}
    directory = write(
        "run", cases, "inalu_simple", "inalu", splits=("validation", "extrapolation"),
        config={"task.operation": "sub"}, experiment="inalu_exp3", steps=200_000,
    )  # fmt: skip
    run = find_runs(directory)[0][0]
    grid, other = run.cases
    values = [facts_of("iNALU2020", m)[0].value for split in ("validation", "extrapolation")
              for m in matches("iNALU2020", run, grid, split)]  # fmt: skip
    assert values == pytest.approx([12 / 12, 11 / 12], abs=1e-5)
    assert matches("iNALU2020", run, other, "validation") == []
