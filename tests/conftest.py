"""What every test stands on: a quiet TensorFlow, the same random numbers each time."""

import functools
import os
import sys
from pathlib import Path

import absl.logging
import pytest
from hypothesis import settings

import nalu_seq.train
from tests.commands import TINY, in_process, train

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is first imported

settings.register_profile(
    "nalu_seq", max_examples=25, deadline=None, derandomize=True, database=None
)
settings.load_profile("nalu_seq")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest test, beside which another process runs all the others."""
    items.sort(key=lambda item: "test_units_and_models_pass_their_tests" not in item.name)


@pytest.fixture(autouse=True)
def seed():
    """Make what a test draws independent of the tests before it."""
    if keras := sys.modules.get("keras"):  # a test without Keras does not wait for its import
        keras.utils.set_random_seed(0)


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    """The command in this process: (exit code, its stdout, its stderr)."""

    return functools.partial(in_process, nalu_seq.train, monkeypatch, capfd)


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run that was never interrupted."""
    return train(tmp_path_factory.mktemp("runs"), *TINY, "train.steps=40", "train.eval_every=10")


# Hydra's logging set-up closes every handler, and absl's closes a stream that is no longer
# sys.stderr, such as pytest's capture of another test.
absl.logging.get_absl_handler().python_handler.stream = sys.__stderr__
