"""What of a summary must be as this package writes it for a report to read it."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from nalu_seq.reports.form import unusable

RESULTS = Path(__file__).parents[2] / "results"
SUMMARY = json.loads((RESULTS / "heim_root" / "1" / "summary.json").read_text())
MEMBERS = range(len(SUMMARY["members"]))
FIGURES = [key for key, value in SUMMARY["members"][0].items() if isinstance(value, dict)]


@pytest.mark.parametrize("member", [MEMBERS[0], MEMBERS[-1]])
@pytest.mark.parametrize("figure", FIGURES)
@pytest.mark.parametrize("instead", [None, 1.5, "x", [], {}, {"another split": 1.0}])
def test_each_member_has_its_figures_on_the_same_splits(
    member: int, figure: str, instead: Any
) -> None:
    summary = copy.deepcopy(SUMMARY)
    assert unusable(summary) is None
    summary["members"][member][figure] = instead
    assert unusable(summary) == "its summary.json is not as nalu_seq writes it"
    del summary["members"][member][figure]
    assert unusable(summary) == "its summary.json is not as nalu_seq writes it"
