"""A member that goes NaN leaves the others as they would have been, to the bit."""

from typing import Any

import hydra
import numpy as np
import pytest
import tensorflow as tf
from omegaconf import OmegaConf

from nalu_seq.config.options import conf_dir
from nalu_seq.config.schema import register
from nalu_seq.evaluation.measure import Evaluator
from nalu_seq.experiment.experiment import Experiment

POISONED = 1
SMALL = ["seeds=3", "train.batch_size=8"]
COUNT = ["task=count", "encoder.units=4", "task.lengths=[10,12]", *SMALL]
PRODUCT = ["task=product", "task.pairs=100", *SMALL]
# What looks at errors and norms: penalties that wait for a loss, clips, restarts, gates in turn.
NMU = ["task=single_module", "task.operation=mul", "unit=nmu", "protocol=primer", *SMALL]
INALU = ["task=inalu_simple", "protocol=inalu", "restart.history=4", "restart.every=2", *SMALL]


def experiment(*overrides: str) -> Experiment:
    register()
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        cfg = hydra.compose("config", list(overrides), return_hydra_config=True)
    choices = dict(cfg.hydra.runtime.choices)
    cfg = OmegaConf.masked_copy(cfg, [key for key in cfg if key != "hydra"])
    return Experiment(cfg, choices)


def trained(composed: Experiment, poison: float | None) -> dict[str, Any]:
    """Figures and weights `[M, ...]` after eight steps, by name."""
    population = composed.population()
    if poison is not None:
        for variable in population.trainable_variables:
            shape = variable.shape[1:]
            population.assign(variable, POISONED, tf.fill(shape, np.float32(poison)))
    trainer = composed.trainer(population)
    outcome: dict[str, Any] = {}
    for call in range(4):
        trainer.run(2)
        outcome[f"loss {call}"] = trainer.mean_loss()
    evaluator = Evaluator(population, composed.task, composed.members, composed.stateful_model())
    for split in composed.task.splits:
        for metric, values in evaluator.measure(split)[0].items():
            outcome[f"{split} {metric}"] = values
    outcome |= {f"weight {i}": v.numpy() for i, v in enumerate(population.variables)}
    # The optimizer's own: those that a member has a part of.
    members = len(population)
    for i, variable in enumerate(trainer.optimizer.variables):
        if variable.shape[:1] == (members,):
            outcome[f"optimizer {i}"] = variable.numpy()
    outcome["diverged"] = trainer.diverged_at.numpy()
    return outcome


@pytest.mark.parametrize(
    "overrides",
    [
        pytest.param([*COUNT, "train.compile=graph"], id="count, graph"),
        pytest.param([*PRODUCT, "train.compile=xla", "train.eval_every=2"], id="product, xla"),
        *(
            pytest.param(
                [*task, f"train.compile={mode}", "train.eval_every=2"],
                id=f"{name}, {mode}",
                marks=pytest.mark.slow,
            )
            for name, task, mode in (
                ("product", PRODUCT, "graph"),
                ("single_module", NMU, "graph"),
                ("single_module", NMU, "xla"),
                ("inalu_simple", INALU, "graph"),
                ("inalu_simple", INALU, "xla"),
            )
        ),
    ],
)
def test_the_others_are_unchanged_to_the_bit(overrides: list[str]) -> None:
    composed = experiment(*overrides)
    # Some of these units clip what is infinite.
    poison = np.inf if "unit=nmu" not in overrides and "protocol=inalu" not in overrides else np.nan
    alone, poisoned = trained(composed, None), trained(composed, poison)
    others = np.arange(len(composed.members)) != POISONED
    assert not np.isfinite(poisoned["loss 0"][POISONED]) and np.isfinite(alone["loss 0"]).all()
    assert poisoned["diverged"][POISONED] == 1 and not alone["diverged"].any()
    for name, values in alone.items():
        assert values[others].tobytes() == poisoned[name][others].tobytes(), name
