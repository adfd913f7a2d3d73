"""`strategy=members`: several processes train a part of the members each, merged into one run.

Samples and initial values depend on no other member, so that the parts together are the run that
one process would have made. Each part is a run of its own in `parts/`, with every nth member; if
one is lost, the others are not.
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
from nalu_seq.experiment.merge import (
    check_resumable,
    completed_steps,
    is_complete,
    merge,
    read_parts,
)
from nalu_seq.experiment.part import train_part
from nalu_seq.experiment.session import exit_interrupted, go_on
from nalu_seq.records.files import replace
from nalu_seq.records.folder import discard_rows, locked_directory

MERGING = ".merging"  # the folder within the run in which its parts are merged


def train_members(experiment: Experiment, directory: Path, resume: bool = False) -> None:
    """Train a run's members in several processes, and merge their parts.

    Args:
        experiment: the experiment of the whole run.
        directory: the run's directory.
        resume: whether the directory holds parts already; those that are done are not trained.

    Raises:
        BadInput: there is nothing to resume.
        SystemExit: the training was interrupted, or a process was lost (after the others were
            done).
    """
    with locked_directory(directory):
        if not resume:
            discard_rows(directory)
        parts = _parts(experiment, directory, resume)
        steps = experiment.cfg.train.steps
        unfinished = [part for part in parts if not is_complete(part, steps)]
        if resume and not unfinished and completed_steps(directory) == steps:
            raise BadInput(
                f"{directory} has made {steps} steps already: give a larger train.steps="
            )
        for part in unfinished:
            check_resumable(part)
        if resume:
            replace(directory / ".hydra" / "config.yaml", OmegaConf.to_yaml(experiment.cfg))
        for part in unfinished:
            _prepare(experiment, directory, part)
        if unfinished:
            print(
                f"{len(unfinished)} processes train {len(experiment.members)} members", flush=True
            )
            _run(unfinished, directory)
        _merge(experiment, directory, parts)
        print(f"run: {directory}", flush=True)


def _parts(experiment: Experiment, directory: Path, resume: bool) -> list[Path]:
    """The folders of a run's parts, in order; a resumed run keeps its number of parts."""
    most = len(tf.config.list_physical_devices("GPU")) or len(os.sched_getaffinity(0))
    count = min(experiment.cfg.strategy.processes or most, len(experiment.members))
    if resume:
        names = [path.name for path in directory.glob("parts/*-of-*")]
        counts = {name.partition("-of-")[2] for name in names}
        if not names:
            raise BadInput(f"{directory} has no parts: it was not trained by strategy=members")
        if len(counts) > 1 or not (only := counts.pop()).isdecimal():
            raise BadInput(f"{directory}/parts holds parts of different runs: {', '.join(names)}")
        if not 0 < (count := int(only)) <= len(experiment.members):
            raise BadInput(
                f"{directory} has {len(experiment.members)} members, which can't be in {only} parts"
            )
    return [directory / "parts" / f"{i}-of-{count}" for i in range(count)]


def _merge(experiment: Experiment, directory: Path, parts: list[Path]) -> None:
    """Merge the parts in a folder of the run, whose files then replace those of fewer steps."""
    place = directory / MERGING
    shutil.rmtree(place, ignore_errors=True)
    try:
        checked_parts = read_parts(experiment, place, parts)
        place.mkdir()
        merge(experiment, place, checked_parts, Console())
        # A kill between these leaves no summary, so that resuming merges again.
        (directory / "summary.json").unlink(missing_ok=True)
        shutil.rmtree(directory / "checkpoints", ignore_errors=True)
        for name in ("checkpoints", "metrics.csv", "summary.json"):
            (place / name).rename(directory / name)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _prepare(experiment: Experiment, directory: Path, part: Path) -> None:
    """Make a part's folder with its config."""
    (part / ".hydra").mkdir(parents=True, exist_ok=True)
    shutil.copy(directory / ".hydra" / "hydra.yaml", part / ".hydra")
    _configure(experiment, part, part.name.replace("-of-", "/"))


def _configure(experiment: Experiment, part: Path, shard: str) -> None:
    cfg = experiment.cfg.copy()
    cfg.strategy, cfg.shard = Strategy(name="one_device"), shard
    replace(part / ".hydra" / "config.yaml", OmegaConf.to_yaml(cfg, resolve=True))


def _run(parts: list[Path], directory: Path) -> None:
    """Train the parts, each in a process; a signal goes to all of them."""
    processes = [_start(i, len(parts), part) for i, part in enumerate(parts)]
    signals: list[int] = []

    def pass_on(number: int, _: FrameType | None) -> None:
        signals.append(number)
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
    if signals:
        exit_interrupted(directory, signals[0])
    failures = [
        f"{part.name} (exit code {process.exitcode})"
        for part, process in zip(parts, processes, strict=True)
        if process.exitcode
    ]
    if failures:
        fail(
            f"{len(failures)} of {len(parts)} processes failed, "
            f"{', '.join(failures)}: {go_on(directory)}"
        )


def _start(index: int, count: int, part: Path) -> BaseProcess:
    """Start a process with its share of the cores, and a GPU if there are any."""
    resume = any((part / "checkpoints").glob("[0-9]*"))
    gpus = len(tf.config.list_physical_devices("GPU"))
    cores = sorted(os.sched_getaffinity(0))
    own = cores[index % len(cores) :: count] if not gpus else cores
    process = multiprocessing.get_context("spawn").Process(
        target=train_part, args=(part, own, index % gpus if gpus else None, resume)
    )
    process.start()
    return process
