"""What every task's metrics have in common."""

import pytest
import tensorflow as tf

from nalu_seq.config.options import options
from nalu_seq.experiment.experiment import Experiment
from nalu_seq.population.random import Stream
from tests.distribution.replicas import compose

DIGITS = ["variant=quick_digits"]


@pytest.mark.parametrize("task", options("task"))
def test_metrics_take_float64_as_a_formula_s_errors_are(task: str) -> None:
    data = ["data=digits", "task.counts=[]"] if task == "mnist_parity" else DIGITS
    built = Experiment(*compose(f"task={task}", *(data if task.startswith("mnist_") else []))).task
    y = built.train_batch(Stream([0], built.cases[:1], "train").at(0, 4)).y
    # The last step alone: that is what a formula of a sequence is compared with.
    y = tf.cast(y if len(y.shape) == 3 else y[:, :, -1], tf.float64)
    right, wrong = (built.metrics(y, prediction) for prediction in (y, y + 0.75))
    assert not right or any((right[name].numpy() != wrong[name].numpy()).all() for name in right)
