"""Train small experiments under a strategy, and keep what came of it: one process of a test.

`python replicas.py OUT.npz strategy=mirrored CASE...` writes, for each case, the losses of every
step, the samples of one, and the final weights.
"""

import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import hydra
import numpy as np
from omegaconf import DictConfig, OmegaConf

from nalu_seq.config.options import conf_dir
from nalu_seq.config.schema import Strategy, register
from nalu_seq.distribution.startup import start_tensorflow

STEPS, STEPS_PER_CALL = 200, 10
SMALL = ["seeds=3", "train.batch_size=8", "train.eval_every=10"]
CASES = {
    # Members clipped by the gradient of all their examples; a recurrent encoder.
    "count": ["task=count", "task.length=5", "encoder.units=4", "unit=nau", "train.clip_norm=0.05"],
    # A loss that is a sum; a penalty that waits for the loss, members that start anew.
    "product": [
        *("task=product", "unit=nmu", "train.compile=graph", "penalty.sparsity.weight=100"),
        *("penalty.sparsity.loss_below=500", "restart.history=20", "restart.every=40"),
        *("restart.window=2", "restart.threshold=0", "train.clip_norm=1"),
    ],
    # Gates and weights in turn, penalties as an update of their own.
    "alternate": [
        *("task=single_module", "task.operation=mul", "unit=inalu", "optimizer=rmsprop"),
        *("alternate.period=10", "alternate.gates=2", "penalty.inalu.weight=0.01"),
        *("train.compile=graph", "train.clip_value=0.1", "optimizer.learning_rate=0.001"),
    ],
    # Compiled, two layers, a penalty on its ramp.
    "arithmetic": [
        *("task=arithmetic", "task.inputs=8", "train.compile=xla", "penalty.sparsity.weight=0.1"),
        "penalty.sparsity.end=100",
    ],
    # Noise for each example.
    "noise": ["task=single_module", "task.operation=mul", "unit=snmu", "unit.high=5"],
}


def compose(*overrides: str) -> tuple[DictConfig, dict[str, str]]:
    """A config from conf/, and the options that were chosen."""
    register()
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        cfg = hydra.compose("config", list(overrides), return_hydra_config=True)
    choices = {str(k): str(v) for k, v in cfg.hydra.runtime.choices.items()}
    OmegaConf.set_struct(cfg, False)
    del cfg["hydra"]
    OmegaConf.set_struct(cfg, True)
    return cfg, choices


def train(case: str, strategy: list[str]) -> dict[str, Any]:
    """A case's losses `[steps, M]`, the samples of this process at step 7, its weights."""
    import tensorflow as tf

    from nalu_seq.experiment.experiment import Experiment

    experiment = Experiment(*compose(*SMALL, *CASES[case], *strategy))
    trainer = experiment.trainer(experiment.population())
    losses = []
    for _ in range(STEPS // STEPS_PER_CALL):
        trainer.run(STEPS_PER_CALL)
        losses.append(trainer.mean_loss())

    @tf.function
    def drawn() -> Any:
        return trainer.strategy.run(trainer._whole.draw, args=(tf.constant(7),))

    shares = map(trainer.strategy.experimental_local_results, tf.nest.flatten(drawn()))
    outcome = {"loss": np.stack(losses), "diverged_at": trainer.diverged_at.numpy()}
    outcome |= {f"sample{i}": np.concatenate(share, axis=1) for i, share in enumerate(shares)}
    outcome |= {f"weight{i}": v.numpy() for i, v in enumerate(trainer.population.variables)}
    if trainer.restarts:
        outcome["restarts"] = trainer.restarts.count
    return {f"{case}/{name}": value for name, value in outcome.items()}


def main(out: Path, strategy: list[str], cases: list[str]) -> None:
    start_tensorflow(Strategy(**compose(*strategy)[0].strategy))
    outcomes: dict[str, Any] = {}
    for case in cases:
        outcomes |= train(case, strategy)
    np.savez(out, **outcomes)


if __name__ == "__main__":
    given = sys.argv[2:]
    main(Path(sys.argv[1]), [a for a in given if "=" in a], [a for a in given if "=" not in a])
