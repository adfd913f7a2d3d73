"""Checkpoints of a training, each complete or absent; the newest undamaged one is read."""

import hashlib
import itertools
import json
import math
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from nalu_seq.errors import first_line
from nalu_seq.records.files import Unreadable, leads_outside, open_file, read_json

KEPT = 2  # checkpoints that a run keeps, the newest ones
MEASURED = "measured_"  # the prefix of the names of measurers' variables
MOST_FILES = 100  # files that a checkpoint may have
MORE_BYTES = 256 * 2**20  # a file may be so much larger than its values: index, names, notes
NO_NOTES: Mapping[str, Any] = MappingProxyType({})
_KEY = "{}/.ATTRIBUTES/VARIABLE_VALUE"
_FOLDER = re.compile(r"([0-9]+)|\.([0-9]+)\.replaced")

# Takes a checkpoint's notes, and returns why it must not be used, or None.
Objection = Callable[[Mapping[str, Any]], str | None]


class NoCheckpoint(Exception):
    """There is no undamaged checkpoint to read."""


class Missing(Unreadable):
    """A checkpoint does not hold a value that is read from it."""


class Spec(NamedTuple):
    """The shape and type that a value in a checkpoint must have; None in a shape is any size."""

    shape: tuple[int | None, ...]
    dtype: tf.DType


class Checkpoints:
    """The newest two checkpoints of a run, `checkpoints/<step>/`.

    A checkpoint is a folder with the files of `tf.train.Checkpoint`, notes, and a manifest of
    checksums. It is written under another name, synced, and renamed, so that a crash leaves it
    complete or absent.

    Args:
        directory: the folder of the checkpoints.
        trackables: TensorFlow variables, or lists of them, by name.

    Attributes:
        lacking: after `restore`, the variables of measurers that the checkpoint did not hold,
            which kept their values.
    """

    def __init__(self, directory: Path, trackables: Mapping[str, Any]) -> None:
        self.directory = directory
        self._trackables = dict(trackables)
        self._measured: dict[str, Any] = {}
        self.lacking: list[str] = []

    def add(self, trackables: Mapping[str, Any]) -> None:
        """Save the variables of a measurer too.

        Args:
            trackables: variables by name; the training does not depend on them.
        """
        self._measured |= {MEASURED + name: variable for name, variable in trackables.items()}

    def save(self, step: int, notes: Mapping[str, Any] = NO_NOTES) -> None:
        """Write the checkpoint of a step, then remove all but the newest `KEPT`.

        A checkpoint of the same step is replaced: an interrupted measurement leaves one, and the
        resumed run writes another after it has measured.

        Args:
            step: the number of the step, which names the folder.
            notes: values for JSON, which can be read before the variables are.

        Raises:
            OSError: it can't be written; earlier checkpoints are unchanged.
        """
        target, partial = self.directory / str(step), self.directory / f".{step}.partial"
        self.directory.mkdir(parents=True, exist_ok=True)
        for partial_folder in self.directory.glob(".*.partial"):
            shutil.rmtree(partial_folder, ignore_errors=True)
        try:
            self._write(partial, notes)
        except tf.errors.OpError as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise OSError(f"checkpoint {step}: {error.message}") from error
        except OSError:
            shutil.rmtree(partial, ignore_errors=True)  # frees its room on a full disk
            raise
        aside = self._path_aside(step)
        if target.exists():
            shutil.rmtree(aside, ignore_errors=True)
            target.rename(aside)
        partial.rename(target)
        _sync(self.directory)
        shutil.rmtree(aside, ignore_errors=True)
        self.discard(self._steps()[:-KEPT])

    def notes(self, step: int) -> Mapping[str, Any]:
        """The notes that were saved with a checkpoint; empty if there are none.

        Args:
            step: the step of the checkpoint.
        """
        return read_notes(self._folder(step))

    def _write(self, directory: Path, notes: Mapping[str, Any]) -> None:
        directory.mkdir()
        whole = tf.train.Checkpoint(**self._trackables, **self._measured)
        whole.write(str(directory / "state"))
        (directory / "notes.json").write_text(json.dumps(dict(notes)))
        (directory / "manifest.json").write_text(json.dumps(_checksums(directory), indent=1))
        for path in (*directory.iterdir(), directory):
            _sync(path)

    def discard(self, steps: Iterable[int]) -> None:
        """Remove checkpoints, such as damaged ones, which would count among those that are kept.

        Args:
            steps: the steps of the checkpoints.
        """
        for step in steps:
            shutil.rmtree(self._folder(step), ignore_errors=True)

    def restore(self, objection: Objection = lambda notes: None) -> tuple[int, dict[int, str]]:
        """Read the newest usable checkpoint into the variables.

        Args:
            objection: a function of a checkpoint's notes that returns why it must not be used, or
                None.

        Returns:
            The step of the checkpoint, and the reason why each newer one was not used, by step.

        Raises:
            NoCheckpoint: there is none, none can be used, or it belongs to another model.
        """
        skipped: dict[int, str] = {}
        most = largest(specs(by_key(self._trackables)))
        for step in reversed(self._steps()):
            folder = self._folder(step)
            reason = damage(folder, most) or objection(read_notes(folder))
            if reason:
                skipped[step] = reason
                continue
            try:
                self._read(folder)
            except Unreadable as error:
                raise NoCheckpoint(
                    f"checkpoint {step} in {self.directory} does not fit the run's config"
                ) from error
            return step, skipped
        raise NoCheckpoint(
            f"no checkpoint in {self.directory} can be used: {reasons(skipped)}"
            if skipped
            else f"{self.directory} holds no checkpoint"
        )

    def _read(self, folder: Path) -> None:
        """Read every variable of the training, and those of measurers that the file has."""
        variables = by_key(self._trackables)
        values = read_values(folder, specs(variables), after_last(self._trackables))
        # A measurer may have been added or removed since: the training does not depend on it.
        self.lacking = []
        for name, variable in self._measured.items():
            one = by_key({name: variable})
            try:
                values |= read_values(folder, specs(one))
                variables |= one
            except Missing:
                self.lacking.append(name.removeprefix(MEASURED))
        for key, variable in variables.items():
            variable.assign(values[key])

    def _steps(self) -> list[int]:
        if not self.directory.is_dir():
            return []
        matches = (_FOLDER.fullmatch(path.name) for path in self.directory.iterdir())
        return sorted({int(match[1] or match[2]) for match in matches if match})

    def _folder(self, step: int) -> Path:
        """A checkpoint's folder; after a crash between two renames, the one put aside."""
        target, aside = self.directory / str(step), self._path_aside(step)
        return aside if aside.exists() and not target.exists() else target

    def _path_aside(self, step: int) -> Path:
        return self.directory / f".{step}.replaced"


def reasons(skipped: Mapping[int, str]) -> str:
    """Say in one line why checkpoints were not used.

    Args:
        skipped: by the step of a checkpoint, why it was not used.
    """
    return ", ".join(f"checkpoint {step} {reason}" for step, reason in sorted(skipped.items()))


def by_key(trackables: Mapping[str, Any]) -> dict[str, Any]:
    """Variables by the keys that `tf.train.Checkpoint` writes them under.

    Args:
        trackables: variables, or lists of variables, by name.

    Returns:
        Each variable by its key; the ith of a list has the key of `<name>/<i>`.
    """
    keys: dict[str, Any] = {}
    for name, trackable in trackables.items():
        if isinstance(trackable, list):
            keys |= {_KEY.format(f"{name}/{i}"): v for i, v in enumerate(trackable)}
        else:
            keys[_KEY.format(name)] = trackable
    return keys


def after_last(trackables: Mapping[str, Any]) -> list[str]:
    """For each list of variables, the key that one more variable would have in a checkpoint.

    Args:
        trackables: variables, or lists of variables, by name.

    Returns:
        A key for each list. A checkpoint that fits these trackables has none of them.
    """
    lists = {name: own for name, own in trackables.items() if isinstance(own, list)}
    return [_KEY.format(f"{name}/{len(own)}") for name, own in lists.items()]


def read_values(
    folder: Path, specs: Mapping[str, Spec], absent: Iterable[str] = ()
) -> dict[str, np.ndarray]:
    """Read values of an undamaged checkpoint.

    Values are looked up by their keys alone. The graph of objects that TensorFlow stores beside
    them is not read, since anybody could have written anything into it.

    Args:
        folder: the checkpoint's folder.
        specs: the shape and type of each value to read, by key.
        absent: keys that the checkpoint must not have.

    Returns:
        The values by key.

    Raises:
        Missing: the checkpoint has no such key.
        Unreadable: a value has another shape or type, or a key of `absent` is there.
    """
    # TensorFlow reads the name as a pattern, and would not find a folder with a bracket in it.
    with tempfile.TemporaryDirectory() as place:
        for path in folder.glob("state.*"):
            (Path(place) / path.name).symlink_to(path.absolute())
        try:
            values = _restore_values(f"{place}/state", specs)
        except tf.errors.NotFoundError as error:
            raise Missing(first_line(error)) from error
        except (tf.errors.OpError, ValueError) as error:
            raise Unreadable(first_line(error)) from error
        for key in absent:
            try:
                _restore_values(f"{place}/state", {key: Spec((), tf.float32)})
            except tf.errors.NotFoundError:
                continue
            except tf.errors.OpError:  # the key is there, with a value of another type
                pass
            raise Unreadable(f"holds {key}, which this run does not have")
    for key, (shape, _) in specs.items():
        if not tf.TensorShape(shape).is_compatible_with(values[key].shape):
            raise Unreadable(f"holds {key} of shape {values[key].shape}, not {shape}")
    return values


def specs(variables: Mapping[str, Any]) -> dict[str, Spec]:
    """The shapes and types of variables, as a checkpoint must have them.

    Args:
        variables: variables by their keys.

    Returns:
        The shape and type of each, by the same keys.
    """
    return {key: Spec(tuple(v.shape), tf.as_dtype(v.dtype)) for key, v in variables.items()}


def _restore_values(prefix: str, specs: Mapping[str, Spec]) -> dict[str, np.ndarray]:
    values = tf.raw_ops.RestoreV2(
        prefix=prefix,
        tensor_names=list(specs),
        # Each tensor is read as a slice of itself, so that TensorFlow compares its shape before it
        # allocates memory.
        shape_and_slices=[_slice(shape) for shape, _ in specs.values()],
        dtypes=[dtype for _, dtype in specs.values()],
    )
    return {key: value.numpy() for key, value in zip(specs, values, strict=True)}


def _slice(shape: tuple[int | None, ...]) -> str:
    is_known = shape and None not in shape
    return f"{' '.join(map(str, shape))} {':'.join('-' for _ in shape)}" if is_known else ""


def largest(specs: Mapping[str, Spec]) -> int:
    """The largest size that a file of a checkpoint with some values may have, in bytes.

    Args:
        specs: the shape and type of each value; a size that is None counts as 1.

    Returns:
        Twice the size of the values, and room for the index and the notes.
    """
    sizes = (dtype.size * math.prod(d or 1 for d in shape) for shape, dtype in specs.values())
    return MORE_BYTES + 2 * sum(sizes)


def damage(folder: Path, most: int) -> str | None:
    """Why a checkpoint is damaged: its files differ from its manifest or are too large; else None.

    Args:
        folder: the checkpoint's folder, within a run's `checkpoints/`.
        most: the largest size of a file, in bytes.
    """
    run = folder.parent.parent
    try:
        if leads_outside(folder, run):
            return "is a link that leads out of the run"
        paths = list(itertools.islice(folder.iterdir(), MOST_FILES + 1))
        sums = {}
        for path in paths if len(paths) <= MOST_FILES else ():
            if path.name != "manifest.json":
                with open_file(folder, path.name, most) as file:
                    sums[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
        whole = bool(sums) and read_json(folder, "manifest.json") == sums
    except (OSError, ValueError):
        whole = False
    return None if whole else "is damaged"


def read_notes(folder: Path) -> Mapping[str, Any]:
    """The notes of a checkpoint; empty if they can't be read.

    Args:
        folder: the checkpoint's folder.
    """
    try:
        notes = read_json(folder, "notes.json", infinite=True)  # settings may be infinite
    except (OSError, ValueError):
        return NO_NOTES
    return notes if isinstance(notes, dict) else NO_NOTES


def _checksums(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
    }


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
