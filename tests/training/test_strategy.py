"""Replicas on devices and machines: what they come to together is what one comes to alone."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.replicas import CASES, train

BRIEF = ("count", "product")  # the other cases are slow ones
SCRIPT = Path(__file__).parent / "replicas.py"


def check(found: dict[str, Any], alone: dict[str, Any]) -> None:
    assert found.keys() == alone.keys()
    for name, value in alone.items():
        if "sample" in name or "restarts" in name or "diverged" in name:
            np.testing.assert_array_equal(found[name], value, err_msg=name)
        else:
            np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=1e-6, err_msg=name)


@pytest.mark.parametrize(
    "cases", [BRIEF, pytest.param(sorted({*CASES} - {*BRIEF}), marks=pytest.mark.slow)]
)
def test_two_replicas_of_one_cpu_come_to_what_one_does(cases: list[str], tmp_path: Path) -> None:
    out = tmp_path / "mirrored.npz"
    strategy = ["strategy=mirrored", "strategy.devices=2"]
    with subprocess.Popen([sys.executable, str(SCRIPT), str(out), *strategy, *cases]) as process:
        alone: dict[str, Any] = {}
        for case in cases:
            alone |= train(case, [])
    assert process.returncode == 0
    check(dict(np.load(out)), alone)
    assert any(value.any() for name, value in alone.items() if name == "product/restarts") or (
        "product" not in cases
    )
