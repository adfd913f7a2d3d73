"""Madsen & Johansen 2020 (arXiv 2001.05016): arithmetic, its ablations, MNIST sums and products."""

import json
import re
from collections.abc import Iterator
from typing import Any

from nalu_seq.reports.published import ALL, Match, point
from nalu_seq.reports.summaries import Run, case_settings, task_case

# (encoder.unit, unit) -> the name of the model in Madsen & Johansen 2020
MODELS = {
    ("nau", "nmu"): "NMU",
    ("nau", "nau"): "NAU",
    ("nac", "nac"): "NAC+",
    ("nac", "nac_mul"): "NAC*",
    ("nac", "nac_mul_sigmoid"): "NAC*,sigma",
    ("nau", "nac_mul_nmu"): "NAC*,NMU",
    ("nalu", "nalu"): "NALU",
    ("linear", "linear"): "Linear",
    ("relu", "linear"): "ReLU",
    ("relu6", "linear"): "ReLU6",
    ("gated_nau_nmu", "gated_nau_nmu"): "Gated NAU/NMU",
}
LONG = "Table long (App. C) = function_task_static_all"
WEIGHTS = {"NMU": 10.0, "NAC*,NMU": 10.0, "NAU": 0.01, "Gated NAU/NMU": 10.0}
# the range of the inputs in training -> their ranges in the test
RANGES = {
    "U[-2,-1]": [[-6, -2]],
    "U[-2,2]": [[-6, -2], [2, 6]],
    "U[0,1]": [[1, 5]],
    "U[0.1,0.2]": [[0.2, 2]],
    "U[1,2]": [[2, 6]],
    "U[1.1,1.2]": [[1.2, 6]],
    "U[10,20]": [[20, 40]],
}
# our config key -> (the figure that varies it, its name there, its value in all other figures)
FIGURES: dict[str, tuple[str, str, Any]] = {
    "task.inputs": ("Fig. input size", "input_size", 100.0),
    "task.overlap": ("Fig. overlap", "overlap_ratio", 0.5),
    "task.subset": ("Fig. subset", "subset_ratio", 0.25),
    "encoder.units": ("Fig. hidden size", "hidden_size", 2.0),
    "penalty.sparsity.weight": ("Fig. lambda ({op})", "lambda_hat", None),
    "task.ranges": ("Fig. range", "range", "U[1,2]"),
}
MNIST = {
    "mnist_product": {
        "nmu": "NMU",
        "nac_mul": "NAC*",
        "nac_mul_sigmoid": "NAC*,sigma",
        "nac_mul_nmu": "NAC*,NMU",
        "nalu": "NALU",
    },
    "mnist_sum": {"nau": "NAU", "nac": "NAC+", "nalu": "NALU"},
}
# task -> (the operation, the figure with R_z, the figure without, the steps of 1,000 epochs)
MNIST_FIGURES = {
    "mnist_product": (
        "cumprod",
        "Fig. sequential MNIST product (with R_z)",
        "Fig. seq. MNIST product, no R_z",
        387_000,
    ),
    "mnist_sum": (
        "cumsum",
        "Fig. seq. MNIST sum (NAU with R_z)",
        "Fig. seq. MNIST sum, NAU without R_z",
        86_000,
    ),
}
CELLS = ("unit_cell", "product_cell")


def _arithmetic(run: Run, case: str, split: str) -> Iterator[Match]:
    """Arithmetic of Madsen & Johansen: the benchmark, or the ablation with the run's settings."""
    model = MODELS.get(run.units)
    nested, exact = (run.value(key) for key in ("task.nested", "task.threshold"))
    of_theirs = run.summary["task"] == "arithmetic" and split == "extrapolation"
    # The tables do not have nested inputs or the corrected threshold, so such runs have no match.
    if not of_theirs or model is None or nested is True or exact == "exact" or case == ALL:
        return
    if _test_ranges(run, case) != RANGES.get(task_case(case)):
        return
    op = {"square": "squared"}.get(
        str(run.value("task.operation")), str(run.value("task.operation"))
    )
    values = {key: _value(run, case, key) for key in FIGURES}
    usual = {key: default for key, (_, _, default) in FIGURES.items()}
    usual["penalty.sparsity.weight"] = WEIGHTS.get(model, 0.0)
    keys = [key for key in FIGURES if values[key] != usual[key]]
    # A run that varies a key is matched with that ablation even at the key's usual value.
    keys = keys or [key for key in FIGURES if _varies(run, case, key)]
    if not keys:
        published_name = "Gated NAU/NMU (2 layers)" if model.startswith("Gated") else model
        place = "arithmetic datasets, 100 seeds"
        yield Match(LONG, place, op, (published_name,), 5_000_000)
    elif len(keys) == 1:
        table, name, _ = FIGURES[keys[0]]
        place = point(name, values[keys[0]])
        steps = _steps(float(values["task.inputs"]))
        yield Match(table.format(op=op), place, op, (model,), steps)


def _mnist(run: Run, case: str, split: str) -> Iterator[Match]:
    """Sums and products of MNIST digits of Madsen & Johansen, by sequence length.

    In the paper the unit is the recurrent cell and the loss has the total after every digit. NMU,
    NAC*,NMU and NAU were trained with and without R_z; NAC+ with R_z is called `NAC+,Rz`.
    """
    task, length = run.summary["task"], re.fullmatch(r"length_(\d+)", split)
    model = MNIST.get(task, {}).get(run.summary["unit"])
    as_theirs = (
        run.value("data") == "mnist"
        and run.summary["head"] in CELLS
        and run.value("task.supervise") == "every"
        and run.metric == "mse"
    )
    if not (as_theirs and model and length) or case == ALL:
        return
    op, with_r_z, without, steps = MNIST_FIGURES[task]
    weight = float(run.value("penalty.r_z.weight", case) or 0.0)
    if weight not in (0.0, 1.0) or (weight and model in ("NAC*", "NAC*,sigma", "NALU")):
        return
    model = "NAC+,Rz" if weight and model == "NAC+" else model
    yield Match(with_r_z if weight else without, f"length={length[1]}", op, (model,), steps)


def _value(run: Run, case: str, key: str) -> Any:
    if key == "task.ranges":
        return task_case(case)
    value = run.value(key, case)
    # A summary leaves out penalties of weight 0.
    return 0.0 if value is None else float(value)


def _steps(inputs: float) -> int:
    return 5_000_000 if inputs <= 100 else 10_000_000 if inputs <= 200 else 15_000_000


def _varies(run: Run, case: str, key: str) -> bool:
    ranges = key == "task.ranges" and len({task_case(name) for name in run.cases}) > 1
    return ranges or key in run.overrides or key in case_settings(case)


def _test_ranges(run: Run, case: str) -> list[Any] | None:
    """The test ranges of a case, whose name is its training range; None if they are unknown."""
    try:
        ranges = json.loads(str(run.value("task.ranges")))
        published_name = {f"U[{low:g},{high:g}]": ranges for (low, high), *ranges in ranges}
    except (TypeError, ValueError, RecursionError):
        return None
    return published_name.get(task_case(case))


FINDERS = (_arithmetic, _mnist)
