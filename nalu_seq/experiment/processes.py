"""`strategy=members`: processes that train members of their own, and what makes them one run.

Samples and initial values depend on no other member, so that the parts are the run that one process
would have made. Each is a run of its own in `parts/`, every nth member; a lost one loses no other.
"""

import multiprocessing
import os
import shutil
import signal
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType

import tensorflow as tf
from omegaconf import OmegaConf
from rich.console import Console

from nalu_seq.config.schema import Strategy
from nalu_seq.errors import BadInput, fail
from nalu_seq.experiment.experiment import Experiment
from nalu_seq.experiment.merge import merge, steps_made
from nalu_seq.experiment.part import train_part
from nalu_seq.experiment.session import go_on, leave_interrupted
from nalu_seq.records.files import replace
from nalu_seq.records.folder import alone_in


def train_members(experiment: Experiment, directory: Path, resume: bool = False) -> None:
    """Train a run's members in several processes, and put their parts together.

    Args:
        experiment: the whole run's.
        directory: the run's.
        resume: whether there is a part of it: only those that are not done are trained.

    Raises:
        BadInput: there is nothing to resume.
        SystemExit: interrupted, or a process was lost; after the others were done.
    """
    with alone_in(directory):
        parts = _found(directory) if resume else _prepare(experiment, directory)
        steps = experiment.cfg.train.steps
        missing = [part for part in parts if steps_made(part) < steps]
        if not missing and (directory / "summary.json").exists():
            raise BadInput(
                f"{directory} has made {steps} steps already: give a larger train.steps="
            )
        (directory / "summary.json").unlink(missing_ok=True)
        if resume:
            replace(directory / ".hydra" / "config.yaml", OmegaConf.to_yaml(experiment.cfg))
            for part in missing:
                _configure(experiment, part, part.name.replace("-of-", "/"))
        print(f"{len(missing)} processes train {len(experiment.members)} members", flush=True)
        _run(missing, directory)
        merge(experiment, directory, parts, Console())


def _found(directory: Path) -> list[Path]:
    """The parts of a run that was begun, in order."""
    parts = sorted(directory.glob("parts/*-of-*"), key=lambda p: int(p.name.partition("-")[0]))
    if not parts:
        raise BadInput(f"{directory} has no parts: it was not trained by strategy=members")
    return parts


def _prepare(experiment: Experiment, directory: Path) -> list[Path]:
    """A directory with its config for each part."""
    most = len(tf.config.list_physical_devices("GPU")) or len(os.sched_getaffinity(0))
    count = min(experiment.cfg.strategy.processes or most, len(experiment.members))
    parts = [directory / "parts" / f"{i}-of-{count}" for i in range(count)]
    for i, part in enumerate(parts):
        (part / ".hydra").mkdir(parents=True)
        shutil.copy(directory / ".hydra" / "hydra.yaml", part / ".hydra")
        _configure(experiment, part, f"{i}/{count}")
    return parts


def _configure(experiment: Experiment, part: Path, shard: str) -> None:
    cfg = experiment.cfg.copy()
    cfg.strategy, cfg.shard = Strategy(name="one_device"), shard
    replace(part / ".hydra" / "config.yaml", OmegaConf.to_yaml(cfg, resolve=True))


def _run(parts: list[Path], directory: Path) -> None:
    """Train the parts, each in a process; a signal goes to all of them."""
    processes = [_start(i, len(parts), part) for i, part in enumerate(parts)]
    came: list[int] = []

    def pass_on(number: int, _: FrameType | None) -> None:
        came.append(number)
        for process in processes:
            if process.is_alive() and process.pid:
                os.kill(process.pid, number)

    before = {n: signal.signal(n, pass_on) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        for process in processes:
            process.join()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if came:
        leave_interrupted(directory, came[0])
    lost = [
        f"{part.name} (exit code {process.exitcode})"
        for part, process in zip(parts, processes, strict=True)
        if process.exitcode
    ]
    if lost:
        fail(f"of {len(parts)} processes, lost are {', '.join(lost)}: {go_on(directory)}")


def _start(index: int, count: int, part: Path) -> BaseProcess:
    """A process with its share of the cores, and a GPU if there are any."""
    resume = any((part / "checkpoints").glob("[0-9]*"))
    if not resume:  # whatever a lost process left before its first checkpoint
        (part / "metrics.csv").unlink(missing_ok=True)
    gpus = len(tf.config.list_physical_devices("GPU"))
    cores = sorted(os.sched_getaffinity(0))
    own = cores[index % len(cores) :: count] if not gpus else cores
    process = multiprocessing.get_context("spawn").Process(
        target=train_part, args=(part, own, index % gpus if gpus else None, resume)
    )
    process.start()
    return process
