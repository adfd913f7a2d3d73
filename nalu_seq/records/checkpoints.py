"""Checkpoints of a training: written whole or not at all, read from the newest sound one."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import tensorflow as tf

KEPT = 2
MEASURED = "measured_"  # how the names of measurers' variables begin
NO_NOTES: Mapping[str, Any] = MappingProxyType({})
_FOLDER = re.compile(r"([0-9]+)|\.([0-9]+)\.replaced")

Objection = Callable[[Mapping[str, Any]], str | None]


class NoCheckpoint(Exception):
    """There is no sound checkpoint to read."""


class Checkpoints:
    """The checkpoints of a run, `checkpoints/<step>/`, the newest two.

    A checkpoint is a folder with what `tf.train.Checkpoint` writes, notes, and a manifest of
    checksums. It is written under another name, synced, and renamed, so that a crash leaves it
    whole or absent.

    Args:
        directory: where they are.
        trackables: TensorFlow variables, or lists of them, by name.

    Attributes:
        lacking: after `restore`, the variables of measurers that the checkpoint did not hold: they
            are as they were.
    """

    def __init__(self, directory: Path, trackables: Mapping[str, Any]) -> None:
        self.directory = directory
        self._trackables = dict(trackables)
        self._measured: dict[str, Any] = {}
        self.lacking: list[str] = []

    def add(self, trackables: Mapping[str, Any]) -> None:
        """Keep a measurer's variables too, by name: none that the training depends on."""
        self._measured |= {MEASURED + name: variable for name, variable in trackables.items()}

    def save(self, step: int, notes: Mapping[str, Any] = NO_NOTES) -> None:
        """Write the checkpoint of `step`, then drop all but the newest `KEPT`.

        One of the same step is replaced: an interrupted measurement leaves a checkpoint of its
        step, and the resumed run, having measured, writes another whose mean loss starts anew.

        Args:
            step: its name.
            notes: what whoever reads it shall know before, as JSON has it.

        Raises:
            OSError: it can't be written; those before it are as they were.
        """
        target, partial = self.directory / str(step), self.directory / f".{step}.partial"
        self.directory.mkdir(parents=True, exist_ok=True)
        for left in self.directory.glob(".*.partial"):
            shutil.rmtree(left, ignore_errors=True)
        try:
            self._write(partial, notes)
        except tf.errors.OpError as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise OSError(f"checkpoint {step}: {error.message}") from error
        except OSError:
            shutil.rmtree(partial, ignore_errors=True)  # a full disk has room again
            raise
        replaced = self._replaced(step)
        if target.exists():
            shutil.rmtree(replaced, ignore_errors=True)
            target.rename(replaced)
        partial.rename(target)
        _sync(self.directory)
        shutil.rmtree(replaced, ignore_errors=True)
        self.discard(self._steps()[:-KEPT])

    def notes(self, step: int) -> Mapping[str, Any]:
        """What was noted when the checkpoint of `step` was saved."""
        return _notes(self._folder(step))

    def _write(self, directory: Path, notes: Mapping[str, Any]) -> None:
        directory.mkdir()
        held = tf.train.Checkpoint(**self._trackables, **self._measured)
        held.write(str(directory / "state"))
        (directory / "notes.json").write_text(json.dumps(dict(notes)))
        (directory / "manifest.json").write_text(json.dumps(_checksums(directory), indent=1))
        for path in (*directory.iterdir(), directory):
            _sync(path)

    def discard(self, steps: Iterable[int]) -> None:
        """Remove checkpoints, such as damaged ones, which would count among those that are kept."""
        for step in steps:
            shutil.rmtree(self._folder(step), ignore_errors=True)

    def restore(self, objection: Objection = lambda notes: None) -> tuple[int, dict[int, str]]:
        """Read the newest sound checkpoint into the variables.

        Args:
            objection: why one with these notes shall be passed over; None if it shall not.

        Returns:
            Its step, and why newer ones were passed over, by step.

        Raises:
            NoCheckpoint: there is none, every one is passed over, or it is another model's.
        """
        passed: dict[int, str] = {}
        for step in reversed(self._steps()):
            folder = self._folder(step)
            reason = objection(_notes(folder)) if _is_sound(folder) else "is damaged"
            if reason:
                passed[step] = reason
                continue
            try:
                self._read(folder / "state")
            except (ValueError, AssertionError, tf.errors.OpError) as error:
                raise NoCheckpoint(
                    f"checkpoint {step} in {self.directory} does not fit the run's config"
                ) from error
            return step, passed
        raise NoCheckpoint(
            f"no checkpoint in {self.directory} can be used: {told(passed)}"
            if passed
            else f"{self.directory} holds no checkpoint"
        )

    def _read(self, prefix: Path) -> None:
        """Read every variable; those of measurers where both sides have them."""
        reader = tf.train.load_checkpoint(str(prefix))
        keys = {key.partition("/")[0]: key for key in reader.get_variable_to_shape_map()}
        # A measurer may have come or gone since: what it kept is no part of the training.
        measured = {
            name: self._measured.get(name, tf.Variable(reader.get_tensor(key)))
            for name, key in keys.items()
            if name.startswith(MEASURED)
        }
        tf.train.Checkpoint(**self._trackables, **measured).read(str(prefix)).assert_consumed()
        self.lacking = [n.removeprefix(MEASURED) for n in self._measured if n not in measured]

    def _steps(self) -> list[int]:
        if not self.directory.is_dir():
            return []
        found = (_FOLDER.fullmatch(path.name) for path in self.directory.iterdir())
        return sorted({int(match[1] or match[2]) for match in found if match})

    def _folder(self, step: int) -> Path:
        """Where a checkpoint is: after a crash between two renames, where it was put aside."""
        target, replaced = self.directory / str(step), self._replaced(step)
        return replaced if replaced.exists() and not target.exists() else target

    def _replaced(self, step: int) -> Path:
        return self.directory / f".{step}.replaced"


def told(passed: Mapping[int, str]) -> str:
    """Why checkpoints were passed over, in one line."""
    return ", ".join(f"checkpoint {step} {reason}" for step, reason in sorted(passed.items()))


def _checksums(directory: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.iterdir())
        if path.name != "manifest.json"
    }


def _is_sound(directory: Path) -> bool:
    try:
        # Some other kinds of files would keep whoever reads them waiting.
        if not all(path.is_file() for path in directory.iterdir()):
            return False
        manifest = json.loads((directory / "manifest.json").read_text())
        return bool(manifest) and manifest == _checksums(directory)
    except (OSError, ValueError, RecursionError):
        return False


def _notes(directory: Path) -> Mapping[str, Any]:
    try:
        notes = json.loads((directory / "notes.json").read_text())
    except (OSError, ValueError, RecursionError):
        return NO_NOTES
    return notes if isinstance(notes, dict) else NO_NOTES


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
