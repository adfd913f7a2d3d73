"""The example in one file draws, trains and judges as the engine does."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from nalu_seq.config.schema import Train
from nalu_seq.evaluation.measure import Evaluator
from nalu_seq.models import build, encoders, heads
from nalu_seq.population.population import Population
from nalu_seq.records.members import Members
from nalu_seq.tasks.single_module import SingleModule
from nalu_seq.training.optimizers import Adam
from nalu_seq.training.trainer import Trainer
from nalu_seq.units import NAU

ONE_FILE = Path(__file__).parents[2] / "examples" / "one_file.py"
RANGES = [[[1, 2], [2, 6]]]


def test_one_file_is_the_engine_in_small():
    example = runpy.run_path(str(ONE_FILE))
    seeds, task = example["SEEDS"], SingleModule("add", ranges=RANGES)

    def model():
        return build(encoders.none, heads.readout, NAU, input_size=2, output_size=1, sequence=False)

    population = Population(model, seeds)
    members = Members.of_seeds(seeds, task.cases)
    trainer = Trainer(
        population, task, Adam(1e-3, epsilon=1e-8), members=members,
        model=model(), train=Train(batch_size=128, compile="xla"), penalty={},
    )  # fmt: skip
    evaluator = Evaluator(population, task, members)
    for first in range(0, 200, 10):
        trainer.run(10)
        losses = example["train"](tf.constant(first))
        np.testing.assert_allclose(losses, trainer.mean_loss(), rtol=1e-4, atol=1e-6)
    measured = evaluator.measure("extrapolation")[0]["mse"]
    np.testing.assert_allclose(example["extrapolation"](), measured, rtol=1e-4, atol=1e-6)
    limits = task.criterion.threshold["extrapolation"]
    assert example["threshold"]() == pytest.approx(limits[task.cases[0]])


def test_one_file_is_short():
    assert len(ONE_FILE.read_text().splitlines()) <= 200
