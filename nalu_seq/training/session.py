"""One training from its recipe to its summary: the parts put together."""

import importlib.metadata
import json
import platform
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import tensorflow as tf
from omegaconf import OmegaConf
from rich.console import Console

from nalu_seq.config import PACKAGE, BadInput
from nalu_seq.evaluation.measure import Evaluator
from nalu_seq.evaluation.summary import results
from nalu_seq.recipe import Recipe
from nalu_seq.reporting.console import ProgressBar, results_table
from nalu_seq.reporting.record import Record, read_record
from nalu_seq.reporting.tensorboard import TensorBoard
from nalu_seq.training.checkpoints import Checkpoints, NoCheckpoint
from nalu_seq.training.loop import Interruption, Measurement, loop
from nalu_seq.training.population import Population
from nalu_seq.training.step import Trainer

PACKAGES = ("nalu_seq", "tensorflow", "keras", "numpy", "hydra-core")


def train(recipe: Recipe, directory: Path, resume: bool = False) -> None:
    """Train a recipe's population in a run directory, and leave all that the design says in it.

    Raises:
        BadInput: there is nothing to resume.
        SystemExit: interrupted by a signal, after saving; the code is 128 + the signal.
    """
    console = Console()
    population, trainer, checkpoints = open_run(recipe, directory)
    evaluator = Evaluator(population, recipe.task, recipe.cases, recipe.stream())
    record = Record(directory / "metrics.csv", recipe.cases, recipe.member_seeds)
    steps = recipe.cfg.train.steps
    if resume:
        _restore(checkpoints, record, trainer, steps, directory, console)
        OmegaConf.save(recipe.cfg, directory / ".hydra" / "config.yaml")
    begun = int(trainer.step.numpy())
    tensorboard = TensorBoard(directory / "tensorboard", population, recipe.task, _flat(recipe))
    before = float(trainer.seconds.numpy())

    def measure() -> list[Measurement]:
        return [
            Measurement(split, metric, values)
            for split in recipe.task.splits
            for metric, values in evaluator.measure(split)[0].items()
        ]

    def checkpoint(step: int, _: Sequence[Measurement] = ()) -> None:
        trainer.seconds.assign(before + time.perf_counter() - started)
        checkpoints.save(step)

    progress = ProgressBar(
        console, steps, begun, list(recipe.task.splits)[-1], recipe.task.criterion
    )
    started = time.perf_counter()
    with Interruption() as interruption, progress:
        done = loop(
            trainer,
            measure,
            steps=steps,
            eval_every=recipe.cfg.train.eval_every,
            # The record comes before the checkpoint: rows after it are made again on resume.
            hooks=[record, tensorboard, checkpoint, progress],
            progress=progress.advance,
            interrupted=lambda: interruption.signal is not None,
        )
        if not done:
            checkpoint(int(trainer.step.numpy()))
    tensorboard.close()
    summary = _summary(recipe, record, trainer, done)
    _write(directory / "summary.json", json.dumps(summary, indent=1))
    if not done:
        assert interruption.signal is not None
        _leave_interrupted(directory, int(trainer.step.numpy()), interruption.signal)
    console.print(results_table(summary))
    _tell_diverged(console, summary["diverged"])
    print(f"run: {directory}", flush=True)


def open_run(recipe: Recipe, directory: Path) -> tuple[Population, Trainer, Checkpoints]:
    """A run's population and training at their initial values, and where its checkpoints are."""
    with tf.distribute.get_strategy().scope():
        population = recipe.population()
        trainer = recipe.trainer(population)
    return population, trainer, Checkpoints(directory / "checkpoints", trainer.trackables())


def _restore(
    checkpoints: Checkpoints,
    record: Record,
    trainer: Trainer,
    steps: int,
    directory: Path,
    console: Console,
) -> None:
    try:
        step, damaged = checkpoints.restore()
    except NoCheckpoint as error:
        raise BadInput(f"nothing to resume: {error}") from error
    if damaged:
        console.print(
            f"checkpoint {', '.join(map(str, damaged))} is damaged: going on from step {step}",
            highlight=False,
        )
    if step >= steps:
        raise BadInput(
            f"{directory} has made its {steps} steps already: give a larger train.steps="
        )
    record.cut_after(step)


def _leave_interrupted(directory: Path, step: int, number: int) -> NoReturn:
    print(f"interrupted at step {step}; go on with: python -m nalu_seq.train resume={directory}")
    print(f"run: {directory}", flush=True)
    raise SystemExit(128 + number)


def _summary(recipe: Recipe, record: Record, trainer: Trainer, done: bool) -> dict[str, Any]:
    choices, members = recipe.choices, len(recipe.member_seeds)
    step, seconds = int(trainer.step.numpy()), float(trainer.seconds.numpy())
    diverged = zip(recipe.cases, recipe.member_seeds, trainer.diverged_at.numpy(), strict=True)
    return {
        "schema": 1,
        "status": "done" if done else "interrupted",
        "task": choices["task"],
        "encoder": choices["encoder"],
        "head": choices["head"],
        "unit": choices["unit"],
        "seeds": recipe.seeds,
        "cases": list(recipe.task.cases),
        "steps": step,
        "wall_seconds": round(seconds, 3),
        "member_steps_per_second": round(members * step / seconds, 1) if seconds else None,
        "strategy": "one_device",
        "devices": [d.name for d in tf.config.list_logical_devices()],
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in PACKAGES},
        },
        "git_commit": _git_commit(),
        "diverged": [
            {"case": case, "seed": seed, "step": int(at)} for case, seed, at in diverged if at
        ],
        "results": results(read_record(record.path), recipe.task.criterion),
    }


def _tell_diverged(console: Console, diverged: list[dict[str, Any]]) -> None:
    if diverged:
        told = ", ".join(f"seed {d['seed']} at step {d['step']}" for d in diverged)
        console.print(f"diverged: {told}", highlight=False)


def _flat(recipe: Recipe) -> dict[str, Any]:
    """Config values for HParams: numbers and strings under dotted names."""
    flat: dict[str, Any] = {g: recipe.choices[g] for g in ("task", "encoder", "head", "unit")}
    nodes = OmegaConf.to_container(recipe.cfg, resolve=True)
    assert isinstance(nodes, dict)
    for group in ("task", "train", "optimizer"):
        for key, value in nodes[group].items():
            if not key.startswith("_"):
                flat[f"{group}.{key}"] = (
                    value if isinstance(value, bool | int | float) else str(value)
                )
    return flat


def _git_commit() -> str | None:
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=PACKAGE, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text + "\n")
    partial.replace(path)
