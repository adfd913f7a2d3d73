"""The NPU paper's tables that a run corresponds to."""

from typing import Any

import pytest

from nalu_seq.reports.publications import matches
from nalu_seq.reports.published import facts_of
from nalu_seq.reports.summaries import find_runs
from tests.reports.runs import Write, compared, with_values


@pytest.mark.parametrize(
    ("unit", "encoder", "config", "split", "model", "value"),
    [
        ("linear", "hidden", {"encoder.unit": "npu"}, "add", "NPU", 0.2),
        ("linear", "hidden", {"encoder.unit": "real_npu"}, "root", "RealNPU", 0.004),
        ("linear", "hidden", {"encoder.unit": "nmu_heim"}, "div", "NMU", 11.399),
        ("nalu", "hidden", {"encoder.unit": "null"}, "mul", "NALU", 4.55),
        (
            "linear", "mlp",
            {"encoder.units": 10, "encoder.layers": 2, "encoder.activation": "sigmoid"},
            "add", "Dense", 2.103,
        ),
    ],
)  # fmt: skip
def test_heims_simple_task_has_a_row_for_each_operation(
    write: Write, unit: str, encoder: str, config: dict[str, Any], split: str, model: str,
    value: float,
) -> None:  # fmt: skip
    path = write("run", {"default": [None]}, "npu_simple", unit, config, encoder=encoder)
    (match,) = matches("Heim2020", find_runs(path)[0][0], "default", split)
    (fact,) = facts_of("Heim2020", match)
    assert (fact.model, fact.metric, fact.value) == (model, "mae_mean", value)


@pytest.mark.parametrize(
    ("operation", "unit", "split", "value", "steps"),
    [
        ("add", "nmu", "extrapolation", 0.00602, 10_000),
        ("mul", "npu", "extrapolation", 4.28, 100_000),
        ("inverse", "real_npu", "validation", 1.3e-6, 100_000),
    ],
)
def test_heims_large_task_is_compared_by_the_median(
    write: Write, operation: str, unit: str, split: str, value: float, steps: int
) -> None:
    config = {"task.operation": operation, "encoder.unit": "nau_heim"}
    path = write("run", {"default": [None] * 10}, "npu_large", unit, config, steps=steps)
    run = find_runs(path)[0][0]
    (match,) = matches("Heim2020", run, "default", split)
    (fact,) = facts_of("Heim2020", match)
    assert (fact.metric, fact.value, match.steps) == ("mse_median", value, steps)
    run = with_values(run, "mse", split, [value * (0.9 + 0.02 * i) for i in range(10)])
    (row,) = compared(run, "Heim2020")[0].rows
    assert row.cells[0].facts["low"] == pytest.approx(value * 0.92)  # the second of ten
    assert "*" not in row.cells[2].text
