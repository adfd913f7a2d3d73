"""Runs that correspond to published ones, for the tests of comparisons."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from nalu_seq.reports.beside import beside
from nalu_seq.reports.summaries import Run, find_runs
from nalu_seq.reports.tables import Table

MADSEN: dict[str, Any] = {
    "task.operation": "mul", "task.inputs": 100, "task.subset": 0.25, "task.overlap": 0.5,
    "task.nested": False, "task.threshold": "published", "task.ranges": "[[[1, 2], [2, 6]]]",
    "encoder.units": 2, "encoder.unit": "nau", "penalty.sparsity.weight": 10.0,
}  # fmt: skip


INALU = ["normal (-3, 3)", "normal (-2, 4)", "normal (-4, 2)", "uniform (-5, 5)",
         "uniform (-1, 1)", "exponential 0.8", "exponential 0.2"]  # fmt: skip


Write = Callable[..., Path]


def madsen(write: Write, unit: str = "nmu", **config: Any) -> Run:
    cases = config.pop("cases", {"U[1,2]": [1000]})
    steps = config.pop("steps", 5_000_000)
    settings = {**MADSEN, **config}
    directory = write("run", cases, "arithmetic", unit, settings, steps=steps)
    return find_runs(directory)[0][0]


def compared(run: Run, source: str) -> list[Table]:
    return beside([run], [[run]], source)


RANGES = ("U[-20,-10]", "U[-2,-1]", "U[-1.2,-1.1]", "U[-0.2,-0.1]", "U[-2,2]", "U[0.1,0.2]",
          "U[1,2]", "U[1.1,1.2]", "U[10,20]")  # fmt: skip


def primer(
    write: Write, unit: str, operation: str, cases: dict[str, Any] | None = None, **config: Any
) -> Run:
    settings = {"task.operation": operation, "task.inputs": 2, **config}
    cases = cases or {name: [1000] for name in RANGES}
    path = write(f"{unit}_{operation}", cases, "single_module", unit, settings)
    return find_runs(path)[0][0]


PRODUCTS: dict[str, Any] = {
    "data": "mnist", "task.supervise": "every", "penalty.r_z.weight": 1.0,
}  # fmt: skip


def products(write: Write, unit: str = "nmu", **changed: Any) -> Run:
    path = write("run", {"default": [1000]}, "mnist_product", unit, {**PRODUCTS, **changed})
    run = find_runs(path)[0][0]
    return run._replace(summary={**run.summary, "head": "product_cell"})


IDENTITY: dict[str, Any] = {
    "encoder.activation": "hard_tanh", "encoder.units": 8, "encoder.layers": 3,
    "task.range": "[-5.0, 5.0]",
}  # fmt: skip


def identity(write: Write, errors: list[float | None], **changed: Any) -> Run:
    cases, config = {"default": [None] * len(errors)}, {**IDENTITY, **changed}
    run = find_runs(write("run", cases, "identity_autoencoder", "linear", config))[0][0]
    for member, error in zip(run.members, errors, strict=True):
        member["mae"] = {"at_0": 0.1, "at_20": error}
        member["solved"] = {"at_0": True, "at_20": False}
        del member["mse"]
    return run


def with_values(run: Run, metric: str, split: str, values: list[float | None]) -> Run:
    """The same run, judged by another metric, with these values on a split."""
    for member, value in zip(run.members, values, strict=True):
        member.pop("mse")
        member[metric] = {split: value}
        member["solved"] = {split: False}
    return run


MDLRNN: dict[str, Any] = {
    "task.multiples": "[1, 1]", "task.strings": 100, "encoder.units": 2, "encoder.initial": "torch",
}  # fmt: skip


def language(write: Write, encoder: str = "gru", task: str = "anbn", **config: Any) -> Run:
    path = write(
        "run", {"default": [None] * 3}, task, "linear", MDLRNN | config, encoder=encoder, steps=1000
    )
    return with_values(find_runs(path)[0][0], "accuracy", "test", [0.9, 0.99806, 0.99806])
