"""Checkpoints of a training: written whole or not at all, read from the newest sound one."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

KEPT = 2


class NoCheckpoint(Exception):
    """There is no sound checkpoint to read."""


class Checkpoints:
    """The checkpoints of a run, `checkpoints/<step>/`, the newest two.

    A checkpoint is a folder with what `tf.train.Checkpoint` writes and a manifest of checksums. It
    is written under another name, synced, and renamed, so that a crash leaves it whole or absent.

    Args:
        directory: where they are.
        trackables: TensorFlow variables, or lists of them, by name.
    """

    def __init__(self, directory: Path, trackables: Mapping[str, Any]) -> None:
        self.directory = directory
        self._checkpoint = tf.train.Checkpoint(**trackables)

    def save(self, step: int) -> None:
        """Write the checkpoint of `step`, then drop all but the newest `KEPT`.

        One of the same step is replaced: an interrupted measurement leaves a checkpoint of its
        step, and the resumed run, having measured, writes another whose mean loss starts anew.
        """
        target, partial = self.directory / str(step), self.directory / f".{step}.partial"
        replaced = self.directory / f".{step}.replaced"
        for left in (partial, replaced):
            shutil.rmtree(left, ignore_errors=True)
        partial.mkdir(parents=True)
        self._checkpoint.write(str(partial / "state"))
        (partial / "manifest.json").write_text(json.dumps(_checksums(partial), indent=1))
        for path in (*partial.iterdir(), partial):
            _sync(path)
        if target.exists():
            target.rename(replaced)
        partial.rename(target)
        _sync(self.directory)
        shutil.rmtree(replaced, ignore_errors=True)
        self.discard(self._steps()[:-KEPT])

    def discard(self, steps: Iterable[int]) -> None:
        """Remove checkpoints, such as damaged ones, which would count among those that are kept."""
        for step in steps:
            shutil.rmtree(self.directory / str(step), ignore_errors=True)

    def restore(self) -> tuple[int, list[int]]:
        """Read the newest sound checkpoint into the variables.

        Returns:
            Its step, and the steps of newer ones that were damaged and passed over.

        Raises:
            NoCheckpoint: there is none, every one is damaged, or it is another model's.
        """
        damaged: list[int] = []
        for step in reversed(self._steps()):
            if _is_sound(self.directory / str(step)):
                prefix = str(self.directory / str(step) / "state")
                try:
                    self._checkpoint.read(prefix).assert_consumed()
                except (ValueError, AssertionError, tf.errors.OpError) as error:
                    raise NoCheckpoint(
                        f"checkpoint {step} in {self.directory} does not fit the run's config"
                    ) from error
                return step, damaged
            damaged.append(step)
        raise NoCheckpoint(
            f"{self.directory} holds no checkpoint"
            if not damaged
            else f"every checkpoint in {self.directory} is damaged (steps {damaged})"
        )

    def _steps(self) -> list[int]:
        if not self.directory.is_dir():
            return []
        return sorted(int(p.name) for p in self.directory.iterdir() if p.name.isdecimal())


def _checksums(directory: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.iterdir())
        if path.name != "manifest.json"
    }


def _is_sound(directory: Path) -> bool:
    try:
        manifest = json.loads((directory / "manifest.json").read_text())
    except (OSError, ValueError):
        return False
    return bool(manifest) and manifest == _checksums(directory)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
