"""What can't be trained is refused in one line, before a run has a directory."""

from collections.abc import Callable
from typing import Any

import keras
import pytest
import tensorflow as tf
from keras import ops

from nalu_seq.config.options import options
from nalu_seq.errors import BadInput
from nalu_seq.experiment import experiment as experiment_module
from nalu_seq.experiment import feasibility
from nalu_seq.experiment.experiment import Experiment
from nalu_seq.experiment.feasibility import check, check_criterion, check_weights
from nalu_seq.experiment.memory import PROGRAM
from nalu_seq.models import encoders
from nalu_seq.tasks.base import Criterion
from nalu_seq.tasks.count import Count
from nalu_seq.tasks.product import Product
from tests.distribution.replicas import compose

SMALL = ["task=count", "encoder.units=4", "seeds=2", "train.batch_size=4"]


def experiment(*overrides: str) -> Experiment:
    return Experiment(*compose(*overrides))


def test_the_constructor_makes_nothing() -> None:
    lazy = experiment("task=mnist_count", "data.dir=/nowhere", "seeds=[1,1]")
    assert not {"strategy", "task", "members"} & vars(lazy).keys()
    with pytest.raises(BadInput, match="/nowhere"):
        _ = lazy.task


@pytest.mark.parametrize(
    ("free", "overrides", "message"),
    [
        (PROGRAM - 1, [], "TensorFlow alone needs about 1.2 GiB of memory, and 1.2 GiB are free"),
        (
            PROGRAM + 2**21,
            ["seeds=100"],
            "100 members need about .* take at most [1-9][0-9] members",
        ),
        (
            PROGRAM + 2**21,
            ["train.batch_size=100000"],
            "one member alone needs about .* train.batch_size=100000 is too large for it, at most "
            "[1-9][0-9]* fits$",
        ),
        (PROGRAM + 2**11, [], "one member alone .* its model is too large for this machine"),
    ],
)
def test_memory_says_what_is_too_large_and_what_would_fit(
    monkeypatch: pytest.MonkeyPatch, free: int, overrides: list[str], message: str
) -> None:
    monkeypatch.setattr(feasibility, "available", lambda: free)
    with pytest.raises(BadInput, match=message):
        check(experiment(*SMALL, *overrides))
    monkeypatch.setattr(feasibility, "available", lambda: None)


@pytest.mark.parametrize("key", ["encoder.units", "task.alphabet"])
@pytest.mark.parametrize("size", [10**9, 10**12])
def test_a_model_too_large_for_memory_is_not_made(key: str, size: int) -> None:
    with pytest.raises(BadInput, match=r"one member alone .* its model is too large for this mach"):
        check(experiment(*SMALL, "seeds=1", f"{key}={size}"))
    with pytest.raises(BadInput, match=r"^1 members' weights need [0-9,]*\.[0-9] GiB"):
        check_weights(experiment(*SMALL, "seeds=1", f"{key}={size}"))


@pytest.mark.parametrize("key", ["encoder.units", "task.alphabet"])
def test_a_size_that_no_tensor_can_have_gets_one_line(key: str) -> None:
    with pytest.raises(BadInput, match=r"^(?!Exception encountered)"):
        check(experiment(*SMALL, "seeds=1", f"{key}={10**20}"))


def test_the_batch_that_is_named_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feasibility, "available", lambda: PROGRAM + 2**21)
    with pytest.raises(BadInput) as error:
        check(experiment(*SMALL, "seeds=1", "train.batch_size=100000"))
    fits = int(str(error.value).split()[-2])
    check(experiment(*SMALL, "seeds=1", f"train.batch_size={fits}"))
    with pytest.raises(BadInput, match=f"at most {fits} fits"):
        check(experiment(*SMALL, "seeds=1", f"train.batch_size={fits + 1}"))


class SumOverTime(keras.layers.Layer):
    """Adds up all steps and keeps the sum to itself."""

    def call(self, x: Any) -> Any:
        return ops.cumsum(x, axis=1)


class Ahead(keras.layers.Layer):
    """Looks one step ahead."""

    def call(self, x: Any) -> Any:
        return ops.concatenate([x[:, 1:], x[:, -1:]], axis=1)


class Gated(keras.layers.Layer):
    """Adds up all steps, through a gate that is shut at first."""

    def build(self, shape: Any) -> None:
        self.gate = self.add_weight(shape=(), initializer="zeros")

    def call(self, x: Any) -> Any:
        return x + self.gate * ops.cumsum(x, axis=1)


@pytest.mark.parametrize("layer", [SumOverTime, Ahead, Gated])
def test_an_encoder_that_cannot_be_fed_in_pieces_is_named(
    monkeypatch: pytest.MonkeyPatch, layer: Callable[..., keras.layers.Layer]
) -> None:
    def none(*, unroll: bool, return_state: bool) -> keras.layers.Layer:
        return layer(name="mine")

    monkeypatch.setattr(encoders, "none", none)
    with pytest.raises(BadInput, match=r"^encoder=none: its layer mine gives other results when"):
        check(experiment("task=running_sum", "encoder=none"))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("encoder", ["lstm", "gru", "rnn", "ugrnn", "mlp"])
def test_encoders_with_states_can_be_fed_in_pieces(encoder: str, precision: str) -> None:
    check(experiment("task=count", f"encoder={encoder}", f"train.precision={precision}"))


@pytest.mark.parametrize("head", options("head"))
def test_heads_can_be_fed_in_pieces(head: str) -> None:
    check(experiment("task=running_sum", f"head={head}", *RUNNING.get(head, [])))


# A reference adds up what the encoder gives, so that this must have the output's size.
RUNNING = {"solved": ["encoder=mlp", "encoder.units=1"]}


def test_a_task_measures_what_it_judges_by() -> None:
    task = Count()
    check_criterion(task, "task=count")
    task.criterion = Criterion("rank", 0.5)
    with pytest.raises(BadInput, match=r"^task=mine: .* judges 'rank', .* they have: mae"):
        check_criterion(task, "task=mine")
    product = Product()
    product.criterion = Criterion("mae", 0.1, selected_by="length_10")
    with pytest.raises(BadInput, match="selects by 'length_10', which is no split of it; its"):
        check_criterion(product, "task=mine")
    product.criterion = Criterion("mae", {})
    with pytest.raises(BadInput, match="no threshold for validation, its last split; it has: none"):
        check_criterion(product, "task=mine")


def test_a_member_is_exported_whatever_memory_training_would_take(
    run: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    import nalu_seq.evaluate
    from tests.commands import in_process

    monkeypatch.setattr(feasibility, "available", lambda: 0)
    with pytest.raises(BadInput, match="TensorFlow alone"):
        check(experiment(*SMALL))
    file = tmp_path / "member.keras"
    code, out, err = in_process(
        nalu_seq.evaluate, monkeypatch, capfd, str(run), "--export", "1", str(file)
    )
    assert (code, err) == (0, "") and "seed 1" in out
    assert keras.models.load_model(file)(tf.zeros([1, 7, 10])).shape == (1, 7, 10)


def test_a_long_loop_over_time_is_not_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiment_module, "LONGEST_WRITTEN_OUT", 5)
    for length, steps in ((5, 5), (6, None)):
        model, _ = Experiment(*compose("task=count", f"task.length={length}")).trained_model()
        assert model.input_shape == (None, steps, 10)
    refused = compose("task=running_product", "task.length=6", "penalty.r_z.weight=1")
    with pytest.raises(BadInput, match=r"^penalty\.r_z looks .* up to task\.length=5, not 6$"):
        Experiment(*refused).trained_model()
