"""A unit's own weights compute each operation that it claims, and the docs say which."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.units.exact import BOTH_POSITIVE, OPERATIONS, inputs, solved, unsolved, verdict
from tests.units.layers import OPTIONS, array, each_option

ROOT = Path(__file__).parents[2]
SOLUTIONS = [(o, op) for o in OPTIONS for op in unsolved(o).facts().solutions]


@each_option
def test_solutions_are_as_exact_as_the_unit_says(option):
    facts = unsolved(option).facts()
    verdicts = {operation: verdict(option, operation) for operation in OPERATIONS}
    assert facts.solutions.keys() <= OPERATIONS.keys()
    assert set(verdicts.values()) <= {"-", "exact", facts.negatives}
    if facts.solutions:
        assert facts.negatives in verdicts.values()


@pytest.mark.parametrize(("option", "operation"), SOLUTIONS)
def test_solution_has_the_weights_that_it_names(option, operation):
    layer, x = solved(option, operation), inputs(operation, BOTH_POSITIVE)
    for name, w in layer.facts().solutions[operation].items():
        np.testing.assert_allclose(array(layer.effective(x)[name]).ravel(), w, atol=1e-5)


# A baseline may favour no weights; what favours some must have a formula.
@pytest.mark.parametrize(("option", "operation"), SOLUTIONS)
def test_solution_s_formula_is_the_operation(option, operation):
    layer, x = solved(option, operation), inputs(operation, BOTH_POSITIVE)
    facts, effective = layer.facts(), {n: array(w) for n, w in layer.effective(x).items()}
    if not facts.favours:
        assert layer.formula(x.T, effective) is None
        return
    rounded = {name: nearest(w, facts.favours[name]) for name, w in effective.items()}
    for point, y in zip(x, array(layer(x)), strict=True):
        (value,) = layer.formula([float(v) for v in point], rounded)
        assert float(value) == pytest.approx(float(y[0]), rel=1e-5)


def nearest(w: np.ndarray, values: tuple[float, ...]) -> np.ndarray:
    return np.asarray(values)[np.abs(w[..., None] - np.asarray(values)).argmin(axis=-1)]


def test_the_docs_table_is_what_the_script_prints():
    marked = r"<!-- units -->.*?<!-- /units -->"
    table = re.search(marked, (ROOT / "docs" / "results.md").read_text(), re.DOTALL)
    assert table
    command = [sys.executable, str(ROOT / "scripts" / "units_table.py")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    assert table.group() == printed.stdout.strip()
