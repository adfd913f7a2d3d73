"""How TensorFlow is started: with which threads, in which parts, and with what left out."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf

from nalu_seq.config.schema import Strategy, Train
from nalu_seq.distribution import cores, startup
from nalu_seq.distribution.startup import start_tensorflow

pytestmark = pytest.mark.alone

AUTO = Strategy("auto")


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "cores", lambda: 8)


@pytest.mark.parametrize(
    ("train", "strategy", "expected"),
    [
        (Train(parts=None), AUTO, 1),  # parts of the members take the cores
        (Train(parts=4), AUTO, 1),
        (Train(parts=1), AUTO, 8),  # large operations do, such as convolutions
        (Train(parts=None, compile="xla"), AUTO, 8),
        (Train(parts=None), Strategy("mirrored"), 8),  # replicas share the members
        (Train(parts=None, threads=3), AUTO, 3),  # as a run has noted it
    ],
)
def test_how_many_cores_an_operation_takes(train: Train, strategy: Strategy, expected: int) -> None:
    assert cores.threads(train, strategy) == expected


@pytest.mark.parametrize(
    ("chosen", "members", "replicas", "expected"),
    [(None, 100, 1, 8), (None, 10, 1, 5), (None, 1, 1, 1), (None, 100, 2, 1), (3, 2, 1, 2)],
)
def test_in_how_many_parts_members_train(
    chosen: int | None, members: int, replicas: int, expected: int
) -> None:
    assert cores.parts(Train(parts=chosen), members, replicas) == expected


def test_products_on_a_gpu_keep_their_bits() -> None:
    tf.config.experimental.enable_tensor_float_32_execution(True)
    start_tensorflow()
    assert not tf.config.experimental.tensor_float_32_execution_enabled()


def test_functions_that_each_run_of_a_sweep_traces_are_not_warned_of(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def warnings(function: Callable[[int], Any]) -> str:
        traced = tf.function(function)
        for number in range(12):
            traced(number)
        return caplog.text

    def silent(number: int) -> Any:
        return tf.constant(number)

    def warned_of(number: int) -> Any:
        return tf.constant(number)

    start_tensorflow()
    monkeypatch.setattr(tf.get_logger(), "handlers", [caplog.handler])
    assert "retracing" not in warnings(silent)
    tf.get_logger().removeFilter(startup._tells_no_tracing)
    assert "retracing" in warnings(warned_of)


@pytest.mark.slow
def test_packages_that_keras_only_looks_for_are_left_out_and_can_be_had_later() -> None:
    code = (
        "import sys\n"
        "from nalu_seq.distribution.startup import LOOKED_FOR, start_tensorflow\n"
        "start_tensorflow()\n"
        "assert not {*LOOKED_FOR} & {*sys.modules}, {*LOOKED_FOR} & {*sys.modules}\n"
        "import matplotlib\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
