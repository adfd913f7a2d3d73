"""Checks whether an experiment can be trained, before the run has a directory."""

import keras
import numpy as np

from nalu_seq.config.options import setter
from nalu_seq.errors import BadInput
from nalu_seq.experiment.experiment import LONGEST_WRITTEN_OUT, Experiment, one_line
from nalu_seq.experiment.memory import (
    PROGRAM,
    available,
    shapes_only,
    training_bytes,
    weight_bytes,
)
from nalu_seq.models import units_of
from nalu_seq.models.pieces import differs_in_pieces
from nalu_seq.tasks.base import SequenceTask, Task, metrics_at_the_end
from nalu_seq.training.penalties import penalties_of
from nalu_seq.units import Unit

GIB = 2**30
SMALL_BYTES = 2**28  # weights that are read however little memory seems to be free
COURSE_BYTES = 16  # bytes of each step of a member: the error, the share of exact counts, copies


def check(experiment: Experiment) -> None:
    """Build each part of an experiment once, and check that this machine can train it.

    Args:
        experiment: the experiment that is about to be trained.

    Raises:
        BadInput: a part can't be built, or does not fit; the message says which.
    """
    replicas = experiment.strategy.num_replicas_in_sync
    assert len(experiment.members) > 0
    _check_memory(experiment)  # first: the others make values of the task's sizes
    check_criterion(experiment.task, f"task={experiment.choices.get('task')}")
    model = _build_every_case(experiment)
    if experiment.task.weights:
        with one_line():
            experiment.task.weights.initial(0, model.trainable_variables)
    experiment.optimizer()
    check_lengths(experiment)
    _check_penalties(experiment, model)
    if replicas > 1:
        _check_shares(experiment, replicas)
    _check_pieces(experiment)


def check_criterion(task: Task, name: str) -> None:
    """Check that a task measures the metric by which it judges its members.

    Args:
        task: the task.
        name: the task's name in the error.

    Raises:
        BadInput: the metric is not among those that the task measures.
    """
    criterion, splits = task.criterion, list(task.splits)
    metric_names = _metrics(task)
    if criterion.metric not in metric_names:
        raise BadInput(
            f"{name}: its criterion judges {criterion.metric!r}, which its metrics do not have; "
            f"they have: {', '.join(metric_names)}"
        )
    if criterion.selected_by not in (None, *splits):
        raise BadInput(
            f"{name}: its criterion selects by {criterion.selected_by!r}, which is no split of "
            f"it; its splits are: {', '.join(splits)}"
        )
    if isinstance(criterion.threshold, float | int):
        return
    if splits[-1] not in criterion.threshold:
        raise BadInput(
            f"{name}: its criterion has no threshold for {splits[-1]}, its last split; it has: "
            f"{', '.join(criterion.threshold) or 'none'}"
        )


def check_lengths(experiment: Experiment) -> None:
    """Check that the errors at all steps of the longest split fit into memory.

    Args:
        experiment: the experiment that is about to be measured.

    Raises:
        BadInput: the errors take more memory than this machine has.
    """
    free, members = available(), len(experiment.members)
    longest = max(split.length for split in experiment.task.splits.values())
    if free is None or (need := COURSE_BYTES * members * longest) <= free:
        return
    raise BadInput(
        f"task.lengths: the errors of {members} members at each of {longest} steps need "
        f"{need / GIB:,.1f} GiB of memory, and {free / GIB:.1f} GiB are free: take at most "
        f"{free // (COURSE_BYTES * members)} steps"
    )


def check_weights(experiment: Experiment) -> None:
    """Check that the members' weights fit into memory, before any are made.

    Args:
        experiment: the experiment of a run that is about to be read.

    Raises:
        BadInput: the weights take more memory than this machine has.
    """
    members, free = len(experiment.members), available()
    with shapes_only():
        need = weight_bytes(experiment.build(), members)
    if free is not None and need > max(free, SMALL_BYTES):
        raise BadInput(
            f"{members} members' weights need {need / GIB:,.1f} GiB of memory, and "
            f"{free / GIB:.1f} GiB are free: this machine can't read such a run"
        )


def _metrics(task: Task) -> list[str]:
    """The names of the metrics that a task measures on a split."""
    names = metrics_at_the_end(task)
    if isinstance(task, SequenceTask):
        names += task.tally_metrics(task.tally_start(1, 2))
    return names


def _build_every_case(experiment: Experiment) -> keras.Model:
    """The model of a case, after those of all cases whose initial values differ were built."""
    for case in experiment.cases:
        model = experiment.build(settings=case.settings)
        if not any(key.startswith("unit.") for key in case.settings):
            break
    experiment.stateful_model()
    experiment.trained_model()
    if not model.trainable_variables:
        parts = (f"{group}={experiment.choices.get(group)}" for group in ("encoder", "head"))
        raise BadInput(f"{' and '.join(parts)} have no weights: there is nothing to train")
    return model


def _check_penalties(experiment: Experiment, model: keras.Model) -> None:
    choices = experiment.choices
    means = {
        layer: np.zeros(layer.features, np.float32)
        for layer in model._flatten_layers()
        if isinstance(layer, Unit)
    }
    penalties = penalties_of(model, means)
    for name in experiment.penalties():
        if name in penalties:
            continue
        source = setter(choices, f"penalty.{name}.weight")
        if not units_of(model):
            subject = f"{source[0]} sets" if source else f"penalty.{name} is"
            raise BadInput(
                f"{subject} a penalty on arithmetic units, and head={choices.get('head')} has none"
            )
        raise BadInput(
            f"{source[0] if source else f'penalty.{name}'}: unit={choices.get('unit')} has no "
            f"{name} penalty; it has: {', '.join(penalties) or 'none'}"
        )


def _check_memory(experiment: Experiment) -> None:
    """Check that the members' training fits into memory, before a model of theirs has values."""
    train, members, free = experiment.cfg.train, len(experiment.members), available()
    if free is None:
        return
    length = experiment.task.length or 1
    longest = min(length, LONGEST_WRITTEN_OUT)  # memory grows with the length, as with the batch
    with shapes_only():
        model = experiment.build(longest if experiment.task.length else None)

    def bytes_of(count: int, batch_size: int) -> int:
        return training_bytes(model, count, batch_size * length // longest)

    if (need := bytes_of(members, train.batch_size)) <= free:
        return
    have = f"{free / GIB:.1f} GiB are free"
    if free < PROGRAM:
        least = f"TensorFlow alone needs about {PROGRAM / GIB:.1f} GiB of memory"
        raise BadInput(f"{least}, and {have}: end what else runs here")
    # For each member, the program's own share aside.
    if fit := members * (free - PROGRAM) // (need - PROGRAM):
        raise BadInput(
            f"{members} members need about {need / GIB:.1f} GiB of memory, and {have}: take at "
            f"most {fit} members at once"
        )
    batch_size, alone, empty = train.batch_size, bytes_of(1, train.batch_size), bytes_of(1, 0)
    one = f"one member alone needs about {alone / GIB:.1f} GiB of memory, and {have}: "
    if batch := batch_size * max(free - empty, 0) // (alone - empty):
        raise BadInput(
            f"{one}train.batch_size={batch_size} is too large for it, at most {batch} fits"
        )
    raise BadInput(f"{one}its model is too large for this machine at any train.batch_size")


def _check_shares(experiment: Experiment, replicas: int) -> None:
    """Check that replicas can share a batch, and together compute what one alone would."""
    size, unit = experiment.cfg.train.batch_size, experiment.choices.get("unit")
    advice = "train on strategy=one_device, or on members' own devices by strategy=members"
    if size % replicas:
        raise BadInput(
            f"train.batch_size={size} can't be split among {replicas} replicas: "
            f"give a multiple of {replicas}, such as {-(-size // replicas) * replicas}"
        )
    if "r_z" in experiment.penalties():
        raise BadInput(f"penalty.r_z looks at a whole batch, replicas at parts of it: {advice}")
    for layer in experiment.build()._flatten_layers():
        if getattr(layer, "whole_batch", False):
            raise BadInput(
                f"unit={unit} looks at a whole batch, replicas at parts of it: {advice}, or set "
                "unit.high"
            )


def _check_pieces(experiment: Experiment) -> None:
    """Check that a model computes the same for a sequence in pieces as for the whole."""
    task = experiment.task
    if not task.sequence:
        return
    encoder, head, unit = experiment.layers()
    with one_line():
        layers = differs_in_pieces(
            encoder, head, unit, input_size=task.input_size, output_size=task.output_size
        )
    for group, layer in layers.items():
        raise BadInput(
            f"{group}={experiment.choices.get(group)}: its layer {layer} gives other results when "
            "a sequence is fed to it in two pieces, as long ones are measured: it must hand on "
            "its state (return_state, get_initial_state) and look at no later step"
        )
