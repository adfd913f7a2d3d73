"""Hand-set weights compute each operation that a unit claims, and the README says which."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from nalu_seq.config.options import options
from tests.units.exact import OPERATIONS, SOLUTIONS, verdict

ROOT = Path(__file__).parents[2]
INITIAL_VALUES_ONLY = {"nalu_notebook"}

# What is less than exact; a product of NALU's own gate turns with the input's sign.
LOST = {"nac_mul", "nac_mul_sigmoid", "nac_mul_nmu", "mul_mcfc", "nalu_independent"}
POSITIVE = {"nalu", "nalu_nmu", "gnalu", "gated_nau_nmu", "relu"}


def expected(option: str, operation: str) -> str:
    if operation not in SOLUTIONS[option]:
        return "-"
    if option in POSITIVE and operation != "sqrt a":
        return "positive only"
    if option in LOST and operation in ("a * b", "a / b"):
        return "sign lost"
    return "exact"


def test_every_option_has_its_ideal_weights():
    assert set(SOLUTIONS) == set(options("unit")) - INITIAL_VALUES_ONLY


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("option", SOLUTIONS)
def test_ideal_weights_are_exact(option, operation):
    assert verdict(option, operation) == expected(option, operation)


def test_the_docs_table_is_what_the_script_prints():
    marked = r"<!-- units -->.*?<!-- /units -->"
    found = re.search(marked, (ROOT / "docs" / "results.md").read_text(), re.DOTALL)
    assert found
    command = [sys.executable, str(ROOT / "scripts" / "units_table.py")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    assert found.group() == printed.stdout.strip()
