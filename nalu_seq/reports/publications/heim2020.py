"""Heim et al. 2020 (NPU): simple and large arithmetic."""

from collections.abc import Iterator

from nalu_seq.reports.published import ALL, Match
from nalu_seq.reports.summaries import Run

HIDDEN = {"npu": "NPU", "real_npu": "RealNPU", "nmu_heim": "NMU"}
UNITS = {"npu": "NPU", "real_npu": "RealNPU", "nmu": "NMU", "nalu": "NALU"}
DENSE = {"encoder.units": 10, "encoder.layers": 2, "encoder.activation": "sigmoid"}
NMU_STEPS = {"add": 10_000, "mul": 20_000}


def _simple(run: Run, case: str, split: str) -> Iterator[Match]:
    """Four operations by one network: each operation is a row, and has a split of its own."""
    if run.summary["task"] != "npu_simple" or split == "validation" or case == ALL:
        return
    hidden, unit = run.units
    model = HIDDEN.get(hidden) if unit == "linear" else None
    if hidden == unit == "nalu":
        model = "NALU"
    if all(run.has(key, value) for key, value in DENSE.items()):
        model = "Dense"
    if model:
        place = "simple arithmetic, 20 models"
        yield Match("simple arithmetic", place, split, (model,), 20_000)


def _large(run: Run, case: str, split: str) -> Iterator[Match]:
    """Sums of 50 of 100 inputs, in the range of training or in that of the test."""
    known = {"validation": "training range", "extrapolation": "testing"}
    model = UNITS.get(str(run.summary["unit"]))
    if run.summary["task"] != "npu_large" or split not in known or not model or case == ALL:
        return
    op = str(run.value("task.operation"))
    steps = NMU_STEPS.get(op, 100_000) if model == "NMU" else 100_000
    place = "100 inputs, the best 10 of 10 or 20 runs"
    yield Match(f"large scale arithmetic, {known[split]}", place, op, (model,), steps)


FINDERS = (_simple, _large)
