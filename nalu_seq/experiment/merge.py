"""Parts of a run, each with every nth member, put together into the run they are parts of."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from rich.console import Console

from nalu_seq.errors import BadInput
from nalu_seq.experiment.experiment import Experiment
from nalu_seq.experiment.resume import notes
from nalu_seq.experiment.session import conclude, open_run
from nalu_seq.records.observers import Measurement
from nalu_seq.records.record import Record, read_record
from nalu_seq.training.step import Trainer

# Where the members are in what a checkpoint holds, if not first.
AXES = {"restart_totals": 2, "restart_counts": 1}
Rows = dict[int, dict[tuple[str, str], dict[tuple[str, int], float]]]


def merge(experiment: Experiment, directory: Path, parts: Sequence[Path], console: Console) -> None:
    """Make a run's record, checkpoint and summary from those of its parts.

    Args:
        experiment: the whole run's.
        directory: the run's, whose config is there already.
        parts: part i has every nth member, from the ith on.
        console: where the results are shown.

    Raises:
        BadInput: a part is not done.
    """
    check_done(experiment, parts)
    steps = experiment.cfg.train.steps
    (directory / "metrics.csv").unlink(missing_ok=True)  # of fewer steps, or of a merge cut short
    shutil.rmtree(directory / "checkpoints", ignore_errors=True)
    record = Record(directory / "metrics.csv", experiment.members)
    for step, measurements in _measurements(experiment, parts):
        record(step, measurements)
    _, trainer, checkpoints = open_run(experiment, directory)
    _join(trainer, [part / "checkpoints" / str(steps) / "state" for part in parts])
    if trainer.restarts:
        trainer.restarts.load()
    checkpoints.save(steps, notes(experiment, record))
    conclude(experiment, record, trainer, console)
    print(f"run: {directory}", flush=True)


def check_done(experiment: Experiment, parts: Sequence[Path]) -> None:
    """Whether parts have made all steps.

    Raises:
        BadInput: one has not.
    """
    steps = experiment.cfg.train.steps
    for part in parts:
        if (made := steps_made(part)) != steps:
            told = f"has made {made}" if made else "is not done"
            raise BadInput(f"{part} {told} of {steps} steps: go on with it by resume={part}")


def steps_made(part: Path) -> int:
    """How many steps a part has made, 0 unless it is done."""
    try:
        summary = json.loads((part / "summary.json").read_text())
    except (OSError, ValueError):
        return 0
    return int(summary["steps"]) if summary.get("status") == "done" else 0


def _measurements(
    experiment: Experiment, parts: Sequence[Path]
) -> list[tuple[int, list[Measurement]]]:
    """All measurements, in the order in which one process would have made them."""
    rows: Rows = {}
    for part in parts:
        for row in read_record(part / "metrics.csv"):
            values = rows.setdefault(row.step, {}).setdefault((row.split, row.metric), {})
            values[row.case, row.seed] = row.value
    members = experiment.members.names
    return [
        (step, [Measurement(*what, np.asarray([v[m] for m in members])) for what, v in at.items()])
        for step, at in sorted(rows.items())
    ]


def _join(trainer: Trainer, prefixes: Sequence[Path]) -> None:
    """Give a training the values of its parts' checkpoints, member by member."""
    readers = [tf.train.load_checkpoint(str(prefix)) for prefix in prefixes]
    for name, held in trainer.trackables().items():
        keys = [f"{name}/{i}" for i in range(len(held))] if isinstance(held, list) else [name]
        variables = held if isinstance(held, list) else [held]
        for key, variable in zip(keys, variables, strict=True):
            values = [r.get_tensor(f"{key}/.ATTRIBUTES/VARIABLE_VALUE") for r in readers]
            variable.assign(_interleaved(values, AXES.get(name, 0)))


def _interleaved(values: Sequence[Any], axis: int) -> Any:
    """Parts' values in the order of the whole; the largest of what has no members."""
    if np.ndim(values[0]) == 0:
        return max(values)
    count = len(values)
    moved = [np.moveaxis(value, axis, 0) for value in values]
    whole = np.empty((sum(len(v) for v in moved), *moved[0].shape[1:]), moved[0].dtype)
    for i, value in enumerate(moved):
        whole[i::count] = value
    return np.moveaxis(whole, 0, axis)
