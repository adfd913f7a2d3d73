"""Units and models on Keras' other backends: their tests pass there, and TensorFlow stays out."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# jax is installed with the tests. torch is not: on Linux it brings gigabytes of CUDA with it.
each_backend = pytest.mark.parametrize(
    "backend",
    [
        pytest.param(
            name,
            marks=pytest.mark.skipif(
                importlib.util.find_spec(name) is None,
                reason=f"{name} is not installed: pip install '.[{name}]' in a clone of nalu_seq",
            ),
        )
        for name in ("jax", "torch")
    ],
)


def run(backend: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
    )


@each_backend
def test_importing_units_and_models_leaves_tensorflow_alone(backend):
    program = (
        "import sys, keras, nalu_seq.models, nalu_seq.units\n"
        "assert 'tensorflow' not in sys.modules\n"
        "print(keras.backend.backend())"
    )
    imported = run(backend, "-c", program)
    assert imported.returncode == 0, imported.stderr
    assert imported.stdout.strip() == backend


@pytest.mark.slow
@each_backend
def test_units_and_models_pass_their_tests(backend):
    tests = ("tests/units", "tests/models")
    passed = run(backend, "-m", "pytest", "-q", "-m", "not slow", "-p", "no:cacheprovider", *tests)
    assert passed.returncode == 0, passed.stdout[-10_000:] + passed.stderr
