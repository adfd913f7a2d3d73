"""One training, from its experiment to its summary."""

import contextlib
import importlib.metadata
import json
import math
import os
import platform
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

import tensorflow as tf
from omegaconf import OmegaConf
from rich.console import Console

from nalu_seq.config.options import PACKAGE
from nalu_seq.distribution.workers import Workers
from nalu_seq.errors import BadInput, fail, first_line, warn
from nalu_seq.evaluation.summary import Outcome
from nalu_seq.experiment.experiment import Experiment
from nalu_seq.experiment.feasibility import check_weights
from nalu_seq.experiment.observation import Session, listeners, measurers
from nalu_seq.experiment.resume import notes, restore
from nalu_seq.experiment.view import view
from nalu_seq.population.population import Population
from nalu_seq.records.checkpoints import Checkpoints, NoCheckpoint, reasons
from nalu_seq.records.files import replace
from nalu_seq.records.folder import discard_rows, locked_directory
from nalu_seq.records.record import Record, read_record
from nalu_seq.reports.console import closing, header, results_table
from nalu_seq.training.loop import Interrupted, Interruption, loop
from nalu_seq.training.trainer import Trainer

QUIET = "NALU_SEQ_QUIET"  # set by `train --quiet`
PACKAGES = ("nalu_seq", "tensorflow", "keras", "numpy", "hydra-core")


def _git_commit() -> str | None:
    if not (PACKAGE.parent / ".git").exists():  # a wheel may be installed in another repository
        return None
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=PACKAGE, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


# The commit of the code that was loaded; the checkout may change during the training.
COMMIT = _git_commit()


def train(experiment: Experiment, directory: Path, resume: bool = False) -> None:
    """Train an experiment, and write its record, checkpoints, event files and summary.

    Args:
        experiment: the experiment.
        directory: the run's directory.
        resume: whether to go on from the newest checkpoint in the directory.

    Raises:
        BadInput: there is nothing to resume.
        SystemExit: a signal has interrupted the training, which is saved (the code is 128 + the
            signal), or the machine refused something, such as room on the disk (the code is 1).
    """
    workers = Workers(experiment.strategy)
    with (
        workers.place(directory, resume) as directory,
        locked_directory(directory),
        Interruption(workers.any) as interruption,
    ):
        try:
            if not resume:
                discard_rows(directory)
            _train(experiment, directory, resume, interruption, workers)
        except KeyboardInterrupt:
            print("stopped at once: the steps since the last checkpoint are lost; ", end="")
            exit_interrupted(directory, signal.SIGINT)
        except BrokenPipeError:
            raise
        except (OSError, tf.errors.ResourceExhaustedError) as error:
            has_checkpoint = any((directory / "checkpoints").glob("[0-9]*"))
            advice = (
                f"then {go_on(directory)}"
                if has_checkpoint
                else "then start anew: nothing was saved"
            )
            fail(f"{first_line(error).rpartition('}} ')[2]}: solve this, {advice}")


def _train(
    experiment: Experiment,
    directory: Path,
    resume: bool,
    interruption: Interruption,
    workers: Workers,
) -> None:
    # A pipe is no terminal, even if FORCE_COLOR is set, as by the kernel of a notebook.
    console = Console(quiet=is_quiet(), force_terminal=sys.stdout.isatty())
    experiment.fix_machine_settings()
    if not resume:
        _greet(console, experiment, directory)
    population, trainer, checkpoints = open_run(experiment, directory)
    session = Session(experiment, directory, population, trainer, interruption.check)
    session_measurers = measurers(session)
    for measurer in session_measurers:
        checkpoints.add(measurer.trackables())
    record = Record(directory / "metrics.csv", experiment.members)
    if resume:
        note = restore(checkpoints, record, trainer, experiment)
        _greet(console, experiment, directory)
        if note:
            console.print(note, highlight=False)
        (directory / "summary.json").unlink(missing_ok=True)  # it is of the interrupted training
    # A worker that does not lead has a temporary folder, without `.hydra`.
    (directory / ".hydra").mkdir(exist_ok=True)
    replace(directory / ".hydra" / "config.yaml", OmegaConf.to_yaml(experiment.cfg))
    first_step, before = int(trainer.step.numpy()), float(trainer.seconds.numpy())

    def save(step: int) -> None:
        trainer.seconds.assign(before + time.perf_counter() - start_time)
        if trainer.restarts:
            trainer.restarts.save()
        checkpoints.save(step, notes(experiment, record))

    session_listeners = listeners(session, record, save, console, _flat(experiment))

    def advance(step: int) -> None:
        for listener in session_listeners:
            listener.advance(step)

    start_time, done = time.perf_counter(), False
    with contextlib.ExitStack() as closers:
        for listener in session_listeners:
            listener.open()
            closers.callback(listener.close)
        try:
            loop(
                trainer,
                lambda: [measurement for measure in session_measurers for measurement in measure()],
                steps=experiment.cfg.train.steps,
                eval_every=experiment.cfg.train.eval_every,
                measured=record.has(first_step),
                hooks=session_listeners,
                progress=advance,
                check=interruption.check,
                agree=workers.leaders,
                pauses=experiment.cfg.profile or (),
            )
            done = True
        except Interrupted:
            save(int(trainer.step.numpy()))
    if not done:
        assert interruption.signal is not None
        summary = conclude(experiment, record, trainer, console, done=False)
        print(f"interrupted at step {summary['steps']}; ", end="")
        exit_interrupted(directory, interruption.signal)
    conclude(experiment, record, trainer, console)
    print(f"run: {directory}", flush=True)


def is_quiet() -> bool:
    """Whether the command has `--quiet`, so that a run prints its folder and nothing else."""
    return bool(os.environ.get(QUIET))


def _greet(console: Console, experiment: Experiment, directory: Path) -> None:
    """Print what is trained and how to look at it, before the first step."""
    parts = ", ".join(experiment.choices[group] for group in ("encoder", "head", "unit"))
    events, _ = view(experiment, directory, {})
    for line in header(
        f"{experiment.choices['task']} ({parts})",
        experiment.seeds,
        len(experiment.members),
        experiment.cfg.train.steps,
        [device.name for device in tf.config.list_logical_devices()],
        events.parent,
    ):
        console.print(line, highlight=False, soft_wrap=True)


def conclude(
    experiment: Experiment, record: Record, trainer: Trainer, console: Console, done: bool = True
) -> dict[str, Any]:
    """Write a run's summary; if the run is done, print its results too.

    Args:
        experiment: the experiment that was trained.
        record: the run's metrics.csv.
        trainer: the trainer, with its steps and seconds.
        console: the console that is written to.
        done: whether all steps were made.

    Returns:
        The summary, as `summary.json` holds it.
    """
    record.repair(every_byte=True)
    summary = _summarize(experiment, record, trainer, done)
    text = json.dumps(summary, indent=1, allow_nan=False) + "\n"
    replace(record.path.with_name("summary.json"), text)
    if done:
        console.print(results_table(summary))
        _print_diverged(console, summary["diverged"])
        for line in closing(summary, record.path.parent):
            console.print(line, highlight=False, soft_wrap=True)
    return summary


def open_run(experiment: Experiment, directory: Path) -> tuple[Population, Trainer, Checkpoints]:
    """A run's population and trainer at their initial values, and its checkpoints.

    Args:
        experiment: the experiment.
        directory: the run's directory.
    """
    population = experiment.population()
    trainer = experiment.trainer(population)
    return population, trainer, Checkpoints(directory / "checkpoints", trainer.trackables())


def open_trained(experiment: Experiment, directory: Path) -> tuple[Population, int]:
    """A run's population with the values of its newest undamaged checkpoint.

    Args:
        experiment: the experiment.
        directory: the run's directory.

    Returns:
        The population, and the step of the checkpoint.

    Raises:
        BadInput: there is no checkpoint that can be read.
    """
    check_weights(experiment)
    population, _, checkpoints = open_run(experiment, directory)
    try:
        step, skipped = checkpoints.restore()
    except NoCheckpoint as error:
        raise BadInput(str(error)) from error
    if skipped:
        warn(f"{reasons(skipped)}: using step {step}")
    return population, step


def exit_interrupted(directory: Path, number: int) -> NoReturn:
    """Print how to go on with an interrupted run, and exit with 128 + the signal.

    Args:
        directory: the run's directory.
        number: the number of the signal.

    Raises:
        SystemExit: always.
    """
    print(go_on(directory))
    print(f"run: {directory}", flush=True)
    raise SystemExit(128 + number)


def go_on(directory: Path) -> str:
    """The line that says how to go on with a run.

    Args:
        directory: the run's directory.
    """
    return f"go on with: python -m nalu_seq.train resume={shlex.quote(str(directory))}"


def _summarize(
    experiment: Experiment, record: Record, trainer: Trainer, done: bool
) -> dict[str, Any]:
    """The content of a training's summary.json."""
    choices, members = experiment.choices, len(experiment.members)
    step, seconds = int(trainer.step.numpy()), float(trainer.seconds.numpy())
    diverged = zip(experiment.members, trainer.diverged_at.numpy(), strict=True)
    outcome = Outcome(read_record(record.path), experiment.task.criterion, experiment.members)
    return {
        "schema": 1,
        "status": "done" if done else "interrupted",
        "task": choices["task"],
        "encoder": choices["encoder"],
        "head": choices["head"],
        "unit": choices["unit"],
        "seeds": experiment.seeds,
        "experiment": choices.get("experiment"),
        "cases": [case.name for case in experiment.cases],
        "steps": step,
        "wall_seconds": round(seconds, 3),
        "member_steps_per_second": round(members * step / seconds, 1) if seconds else None,
        "strategy": experiment.cfg.strategy.name,
        "devices": [d.name for d in tf.config.list_logical_devices()],
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in PACKAGES},
        },
        "git_commit": COMMIT,
        "diverged": [
            {"case": case.name, "seed": seed, "step": int(at)}
            for (case, seed), at in diverged
            if at
        ],
        "config": _flat(experiment),
        "results": outcome.results(),
        "members": outcome.members(),
    }


def _print_diverged(console: Console, diverged: list[dict[str, Any]]) -> None:
    if diverged:
        members = ", ".join(f"seed {d['seed']} at step {d['step']}" for d in diverged)
        console.print(f"diverged: {members}", highlight=False)


def _flat(experiment: Experiment) -> dict[str, Any]:
    """The config by dotted keys, with numbers and strings as values, for HParams and reports."""
    flat: dict[str, Any] = {g: experiment.choices[g] for g in ("task", "encoder", "head", "unit")}
    if experiment.cfg.data is not None:
        flat["data"] = experiment.choices["data"]  # the folder of the data is left out
    nodes = OmegaConf.to_container(experiment.cfg, resolve=True)
    assert isinstance(nodes, dict)
    nodes["penalty"] = {n: p for n, p in nodes["penalty"].items() if p["weight"]}

    def add(path: str, node: dict[str, Any]) -> None:
        for key, value in node.items():
            if isinstance(value, dict):
                add(f"{path}.{key}", value)
            elif not key.startswith("_"):
                plain = isinstance(value, bool | int | float) and math.isfinite(value)
                flat[f"{path}.{key}"] = value if plain else str(value)

    groups = ("task", "encoder", "head", "unit", "train", "optimizer", "penalty")
    for group in (*groups, "alternate", "restart"):
        add(group, nodes[group])
    return flat
