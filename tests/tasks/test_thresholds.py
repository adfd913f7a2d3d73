"""Thresholds of success against the published ones, and against plain simulation."""

import csv
import re

import numpy as np
import pytest

from nalu_seq.config.options import PACKAGE
from nalu_seq.tasks.thresholds import EPS, OPERATIONS, single_module, two_layers

# How many of 100 inputs are in a alone, in a and b, in b alone, in neither.
EXACT, PUBLISHED = (13, 12, 13, 62), (13, 13, 13, 61)
INTERVALS = {"one": [(2.0, 6.0)], "union": [(-6.0, -2.0), (2.0, 6.0)]}


def published(source: str) -> list[tuple[str, list[tuple[float, float]], float]]:
    """The operation, the intervals that are tested, and the threshold of each published row."""
    with (PACKAGE / "reports" / "published.csv").open() as file:
        rows = [
            r
            for r in csv.DictReader(file)
            if (r["source"], r["metric"]) == (source, "mse_threshold")
        ]
    number = r"(-?[\d.]+)"
    thresholds = []
    for row in rows:
        ends = re.findall(rf"U\[{number},{number}\]", row["task"])
        intervals = [(float(low), float(high)) for low, high in ends]
        thresholds.append((row["op"], intervals, float(row["value"])))
    return thresholds


def drawn(
    rng: np.random.Generator, intervals: list[tuple[float, float]], shape: tuple[int, ...]
) -> np.ndarray:
    ends = np.asarray(intervals)[rng.integers(len(intervals), size=shape)]
    return rng.uniform(ends[..., 0], ends[..., 1])


def test_all_published_thresholds_are_looked_at() -> None:
    assert len(published("Primer2022")) == 36 and len(published("Madsen2020")) == 6


@pytest.mark.parametrize(("operation", "intervals", "value"), published("Primer2022"))
def test_a_single_module_has_the_primers_threshold(
    operation: str, intervals: list[tuple[float, float]], value: float
) -> None:
    assert single_module(operation, intervals) == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize(("operation", "intervals", "value"), published("Madsen2020"))
def test_two_layers_have_madsens_threshold_with_their_subsets(
    operation: str, intervals: list[tuple[float, float]], value: float
) -> None:
    operation = {"squared": "square"}.get(operation, operation)
    # Theirs is a simulation of 1e6 samples.
    assert two_layers(operation, intervals, PUBLISHED) == pytest.approx(value, rel=3e-3)


@pytest.mark.parametrize(
    ("operation", "exact", "theirs"),
    [("mul", 0.1605, 0.1600), ("add", 1.604e-5, 1.480e-5), ("div", 5.83e-12, 4.95e-12)],
)
def test_a_subset_larger_by_one_can_be_told_apart(
    operation: str, exact: float, theirs: float
) -> None:
    # A subset has 25 inputs; their script counts 26, and the published figure is that.
    assert two_layers(operation, [(2.0, 6.0)], EXACT) == pytest.approx(exact, rel=2e-3)
    assert two_layers(operation, [(2.0, 6.0)], PUBLISHED) == pytest.approx(theirs, rel=2e-3)


def test_the_ten_parameter_variant() -> None:
    # (x1 + x2) (x1 + x2 + x3 + x4): all of the first sum, half of it the second.
    assert two_layers("mul", [(2.0, 6.0)], (2, 2, 0, 0)) == pytest.approx(2.16e-6, rel=5e-3)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("groups", [EXACT, (2, 2, 0, 0), (1, 0, 1, 1)], ids=str)
def test_the_quadrature_is_the_mean_of_a_simulation(
    operation: str, groups: tuple[int, ...]
) -> None:
    simulated, noise = simulation(operation, INTERVALS["one"], groups)
    value = two_layers(operation, INTERVALS["one"], groups)
    # What is no polynomial is not exact either: a quotient of single inputs is the worst.
    slack = 0.03 if operation in ("div", "root") else 1e-9
    assert value == pytest.approx(simulated, abs=5 * noise + slack * simulated)


@pytest.mark.parametrize("operation", ["add", "sub", "mul", "square"])
def test_the_quadrature_knows_unions(operation: str) -> None:
    simulated, noise = simulation(operation, INTERVALS["union"], (3, 2, 3, 4))
    value = two_layers(operation, INTERVALS["union"], (3, 2, 3, 4))
    assert value == pytest.approx(simulated, abs=5 * noise)


def simulation(
    operation: str, intervals: list[tuple[float, float]], groups: tuple[int, ...]
) -> tuple[float, float]:
    """The mean squared error of two layers whose first is off by EPS, and its standard error."""
    rng = np.random.default_rng(0)
    only_a, both, only_b, neither = (
        drawn(rng, intervals, (50_000, size)).sum(axis=1) for size in groups
    )
    a, b = only_a + both, only_b + both
    total = only_a + both + only_b + neither
    compute = OPERATIONS[operation]
    # Inputs in a have the weight 1 - EPS, all others EPS; the same for b.
    off = compute((1 - EPS) * a + EPS * (total - a), (1 - EPS) * b + EPS * (total - b))
    squares = (off - compute(a, b)) ** 2
    return float(squares.mean()), float(squares.std() / np.sqrt(squares.size))


@pytest.mark.parametrize("inputs", [2, 10])
@pytest.mark.parametrize("operation", ["add", "sub", "mul", "div"])
@pytest.mark.parametrize("intervals", INTERVALS.values(), ids=INTERVALS)
def test_a_single_module_is_the_mean_of_a_simulation(
    operation: str, inputs: int, intervals: list[tuple[float, float]]
) -> None:
    x = drawn(np.random.default_rng(0), intervals, (100_000, inputs))
    a, b, rest = x[:, 0], x[:, 1], x[:, 2:]
    if operation in ("add", "sub"):
        error = EPS * np.abs(x).sum(axis=1)
    else:
        ignored = np.prod(1 - EPS * np.abs(rest), axis=1)
        factor = (1 - EPS) ** 2 if operation == "mul" else (1 - EPS) / (1 + EPS)
        result = OPERATIONS[operation](a, b)
        error = factor * result * ignored - result
    noise = (error**2).std() / np.sqrt(len(x))
    value = single_module(operation, intervals, inputs)
    assert value == pytest.approx((error**2).mean(), abs=5 * noise)


def test_a_single_module_is_not_asked_for_roots() -> None:
    with pytest.raises(ValueError, match="computes add, sub, mul or div, not 'root'"):
        single_module("root", [(1.0, 2.0)])
