"""Merges the parts of a run, each of which has every nth member, into the whole run."""

import hashlib
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console

from nalu_seq.errors import BadInput
from nalu_seq.experiment.experiment import Experiment
from nalu_seq.experiment.feasibility import check_weights
from nalu_seq.experiment.resume import check_unchanged, notes, settings
from nalu_seq.experiment.session import conclude, open_run
from nalu_seq.records.checkpoints import (
    Checkpoints,
    Spec,
    after_last,
    by_key,
    damage,
    largest,
    read_notes,
    read_values,
    specs,
)
from nalu_seq.records.files import RECORD_BYTES, Unreadable, open_file, read_json
from nalu_seq.records.record import Measurement, Record, begins, read_record
from nalu_seq.training.trainer import Trainer

# The axis of members in values of a checkpoint in which it is not the first.
AXES = {"restart_totals": 2, "restart_counts": 1}
PART_BYTES = 2**34  # the largest file of a part's checkpoint, before its values are known
Values = dict[str, np.ndarray]


class Parts(NamedTuple):
    """The checked content of a run's parts, from which the whole run is made.

    Attributes:
        trainer: the trainer of the whole run, at its initial values.
        checkpoints: the checkpoints that the whole run will have.
        values: the values of each part, by their keys in its checkpoint.
        measurements: the measurements of all members by step, in the order in which one process
            makes them.
    """

    trainer: Trainer
    checkpoints: Checkpoints
    values: list[Values]
    measurements: list[tuple[int, list[Measurement]]]


def read_parts(experiment: Experiment, directory: Path, parts: Sequence[Path]) -> Parts:
    """Read the parts of a run, and check that they are complete and belong to this run.

    Args:
        experiment: the experiment of the whole run.
        directory: the directory that the whole run will have; nothing is written there.
        parts: the parts' folders; part i has every nth member, beginning with the ith.

    Raises:
        BadInput: a part is not done, damaged, or belongs to another run.
    """
    check_done(experiment, parts)
    check_weights(experiment)
    _, trainer, checkpoints = open_run(experiment, directory)
    values = [_values(experiment, trainer, part, i, len(parts)) for i, part in enumerate(parts)]
    return Parts(trainer, checkpoints, values, _measurements(experiment, parts))


def merge(experiment: Experiment, directory: Path, parts: Parts, console: Console) -> None:
    """Write a run's record, checkpoint and summary from the content of its parts.

    Args:
        experiment: the experiment of the whole run.
        directory: the directory of the whole run, which has none of these files yet.
        parts: the content of the parts, as `read_parts` has read it for this directory.
        console: the console that shows the results.
    """
    record = Record(directory / "metrics.csv", experiment.members)
    for step, measurements in parts.measurements:
        record(step, measurements)
    trainer = parts.trainer
    for key, variable in by_key(trainer.trackables()).items():
        axis = AXES.get(key.partition("/")[0], 0)
        variable.assign(_interleave([values[key] for values in parts.values], axis))
    if trainer.restarts:
        trainer.restarts.load()
    parts.checkpoints.save(experiment.cfg.train.steps, notes(experiment, record))
    conclude(experiment, record, trainer, console)


def check_done(experiment: Experiment, parts: Sequence[Path]) -> None:
    """Check by their summaries that parts have made all steps.

    Args:
        experiment: the experiment of the whole run.
        parts: the parts' folders.

    Raises:
        BadInput: a part has not made all steps.
    """
    steps = experiment.cfg.train.steps
    for part in parts:
        if (steps_done := completed_steps(part)) != steps:
            raise BadInput(f"{part} has made {steps_done} of {steps} steps: {_resume(part)}")


def completed_steps(part: Path) -> int:
    """How many steps a part has made, 0 unless it is done.

    Args:
        part: the folder of a part, or of a whole run.
    """
    try:
        summary = read_json(part, "summary.json")
    except (OSError, Unreadable):
        return 0
    match summary:
        case {"status": "done", "steps": int(steps)} if steps is not True:
            return steps
    return 0


def is_complete(part: Path, steps: int) -> bool:
    """Whether a part is done, and its last checkpoint is undamaged and fits its record.

    Args:
        part: the part's folder.
        steps: how many steps it is to be trained for.
    """
    checkpoint = part / "checkpoints" / str(steps)
    return completed_steps(part) == steps and _damage(part, checkpoint, PART_BYTES) is None


def check_resumable(part: Path) -> None:
    """Make sure that a part which has checkpoints can go on from one of them.

    Args:
        part: the part's folder, in `parts/` of its run.

    Raises:
        BadInput: each of its checkpoints is damaged, or does not fit its record.
    """
    checkpoints = sorted(
        (part / "checkpoints").glob("[0-9]*"), key=lambda path: path.stat().st_mtime
    )
    try:
        with open_file(part, "metrics.csv", RECORD_BYTES) as file:
            record = file.read()
    except (OSError, Unreadable):
        record = b""
    for checkpoint in reversed(checkpoints):
        if not (reason := damage(checkpoint, PART_BYTES)):
            if begins(record, read_notes(checkpoint).get("record")):
                return
            reason = "is of rows that metrics.csv no longer holds"
    if checkpoints:
        raise BadInput(
            f"{part} can't go on: its checkpoint {checkpoint.name} {reason}: remove this folder, "
            f"and resume={part.parent.parent} trains its members anew"
        )


def _damage(part: Path, checkpoint: Path, most: int) -> str | None:
    if reason := damage(checkpoint, most):
        return f"checkpoint {checkpoint.name} {reason}"
    try:
        with open_file(part, "metrics.csv", RECORD_BYTES) as file:
            mark = {"sha256": hashlib.file_digest(file, "sha256").hexdigest(), "bytes": file.tell()}
    except OSError as error:
        return f"metrics.csv can't be read ({error.strerror})"
    except Unreadable as error:
        return f"metrics.csv {error}"
    same = read_notes(checkpoint).get("record") == mark
    return None if same else f"metrics.csv is not as it was at checkpoint {checkpoint.name}"


def _values(experiment: Experiment, trainer: Trainer, part: Path, index: int, parts: int) -> Values:
    """The values in the last checkpoint of a part.

    Raises:
        BadInput: the checkpoint is damaged, or belongs to another part or another run.
    """
    steps, members = experiment.cfg.train.steps, len(experiment.members)
    expected_specs = {}
    for key, (shape, dtype) in specs(by_key(trainer.trackables())).items():
        axis = AXES.get(key.partition("/")[0], 0)
        own = len(range(index, members, parts))
        expected_specs[key] = Spec(
            (*shape[:axis], own, *shape[axis + 1 :]) if shape else shape, dtype
        )
    checkpoint = part / "checkpoints" / str(steps)
    if reason := _damage(part, checkpoint, largest(expected_specs)):
        raise BadInput(f"{part}: {reason}: {_resume(part)}")
    cfg = experiment.cfg.copy()
    cfg.shard = f"{index}/{parts}"
    try:
        check_unchanged(read_notes(checkpoint).get("config"), settings(cfg))
        return read_values(checkpoint, expected_specs, after_last(trainer.trackables()))
    except (BadInput, Unreadable) as error:
        raise BadInput(
            f"{part}: checkpoint {steps} is not of part {index}/{parts} of this run ({error}): "
            "give the directory that this part was trained in"
        ) from error


def _measurements(
    experiment: Experiment, parts: Sequence[Path]
) -> list[tuple[int, list[Measurement]]]:
    """All measurements, in the order in which one process would have made them.

    Raises:
        BadInput: the parts have not measured exactly the run's members at each step.
    """
    members = experiment.members.names
    rows: dict[int, dict[tuple[str, str], dict[tuple[str, int], float]]] = {}
    for i, part in enumerate(parts):
        own = set(members[i :: len(parts)])
        for row in read_record(part / "metrics.csv"):
            if (row.case, row.seed) not in own:
                raise BadInput(f"{part}: metrics.csv has a row of seed {row.seed}, case {row.case}")
            values = rows.setdefault(row.step, {}).setdefault((row.split, row.metric), {})
            values[row.case, row.seed] = row.value
    for step, values_by_metric in rows.items():
        for (split, metric), values in values_by_metric.items():
            if absent_members := [name for name in members if name not in values]:
                part = parts[members.index(absent_members[0]) % len(parts)]
                raise BadInput(
                    f"{part}: metrics.csv has no {metric} on {split} at step {step} of seed "
                    f"{absent_members[0][1]}, which other parts have"
                )
    return [
        (step, [Measurement(*what, np.asarray([v[m] for m in members])) for what, v in at.items()])
        for step, at in sorted(rows.items())
    ]


def _resume(part: Path) -> str:
    return f"go on with it by resume={shlex.quote(str(part))}"


def _interleave(values: Sequence[Any], axis: int) -> Any:
    """The parts' values in the order of the run's members; the largest if there is no axis M."""
    if np.ndim(values[0]) == 0:
        return max(values)
    count = len(values)
    members_first = [np.moveaxis(value, axis, 0) for value in values]
    whole = np.empty(
        (sum(len(v) for v in members_first), *members_first[0].shape[1:]), members_first[0].dtype
    )
    for i, value in enumerate(members_first):
        whole[i::count] = value
    return np.moveaxis(whole, 0, axis)
