"""Madsen & Johansen's figures that a run corresponds to."""

from typing import Any

import pytest

from nalu_seq.reports.publications import matches
from nalu_seq.reports.published import facts_of
from tests.reports.runs import Write, madsen, products


@pytest.mark.parametrize(
    ("unit", "config", "table", "place"),
    [
        ("nmu", {}, "Table long", "arithmetic datasets, 100 seeds"),
        ("nmu", {"task.inputs": 4}, "Fig. input size", "input_size=4"),
        ("nmu", {"task.overlap": 1.0}, "Fig. overlap", "overlap_ratio=1"),
        ("nmu", {"task.subset": 0.05}, "Fig. subset", "subset_ratio=0.05"),
        ("nmu", {"encoder.units": 10}, "Fig. hidden size", "hidden_size=10"),
        ("nmu", {"penalty.sparsity.weight": 0.1}, "Fig. lambda (mul)", "lambda_hat=0.1"),
        (
            "nmu",
            {"task.ranges": "[[[-2, 2], [-6, -2], [2, 6]]]", "cases": {"U[-2,2]": [1000]}},
            "Fig. range",
            "range=U[-2,2]",
        ),
    ],
)
def test_madsens_table_and_ablations_are_found(
    write: Write, unit: str, config: dict[str, Any], table: str, place: str
) -> None:
    run = madsen(write, unit, **config)
    (match,) = matches("Madsen2020", run, run.cases[0], "extrapolation")
    assert (match.table.partition(" (App")[0], match.place) == (table, place)
    assert "success_rate" in {fact.metric for fact in facts_of("Madsen2020", match)}


@pytest.mark.parametrize(
    "config",
    [
        {"task.nested": True},
        {"task.threshold": "exact"},
        {"task.inputs": 10, "task.subset": 0.5},
        {"task.ranges": "[[[1, 2], [3, 6]]]"},
        {"encoder.unit": "nalu"},
    ],
)
def test_what_is_not_theirs_matches_nothing(write: Write, config: dict[str, Any]) -> None:
    assert matches("Madsen2020", madsen(write, **config), "U[1,2]", "extrapolation") == []


@pytest.mark.parametrize(
    ("unit", "weight", "table", "rate"),
    [
        ("nmu", 1.0, "Fig. sequential MNIST product (with R_z)", 0.7),
        ("nmu", 0.0, "Fig. seq. MNIST product, no R_z", 0.9),
        ("nac_mul", 0.0, "Fig. seq. MNIST product, no R_z", 0.3),
    ],
)
def test_products_of_digits_are_found_by_length(write, unit, weight, table, rate) -> None:
    run = products(write, unit, **{"penalty.r_z.weight": weight})
    (match,) = matches("Madsen2020", run, "default", "length_12")
    assert (match.table, match.place, match.steps) == (table, "length=12", 387_000)
    values = {f.metric: f.value for f in facts_of("Madsen2020", match)}
    assert values["success_rate"] == rate


@pytest.mark.parametrize(
    "changed", [{"data": "digits"}, {"task.supervise": "last"}, {"penalty.r_z.weight": 0.5}]
)
def test_other_products_of_digits_match_nothing(write, changed) -> None:
    run = products(write, **changed)
    assert matches("Madsen2020", run, "default", "length_12") == []


def test_weights_as_cases_are_the_ablation_at_the_usual_weight_too(write: Write) -> None:
    cases = {f"U[1,2] penalty.sparsity.weight={w}": [1000] for w in ("0", "10")}
    run = madsen(write, cases=cases)
    places = [m.place for c in run.cases for m in matches("Madsen2020", run, c, "extrapolation")]
    assert places == ["lambda_hat=0", "lambda_hat=10"]
