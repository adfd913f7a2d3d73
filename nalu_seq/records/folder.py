"""The directory of a run: whether it can be made, and that one process alone works in it."""

import contextlib
import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from nalu_seq.errors import BadInput
from nalu_seq.records.runs import state

# What a merge that was killed may have left.
MERGED = {".hydra", "metrics.csv", ".metrics.csv.partial", "checkpoints", ".summary.json.partial"}
MERGED |= {"summary.json"}
# Directories whose lock this process has taken ahead of `alone_in`, by their resolved paths.
_reserved: dict[Path, int] = {}


class Busy(BadInput):
    """Another process works in a directory."""


def check_output(directory: Path) -> None:
    """Check that a directory can be made; what the check makes is removed again.

    Args:
        directory: where a run is to be.

    Raises:
        BadInput: it cannot.
    """
    place = directory.absolute()
    try:
        while not place.exists():
            place = place.parent
        if not place.is_dir():
            raise BadInput(f"output: {place} is a file, not a directory: give another output=")
        if not os.access(place, os.W_OK | os.X_OK):
            raise BadInput(f"output: {place} can't be written to: give another output=")
        # Some places and names are refused for reasons of the file system's: only making them
        # shows it. They are made in a new folder, which no other process knows.
        if place != directory.absolute():
            trial = Path(tempfile.mkdtemp(prefix=".nalu_seq-", dir=place))
            try:
                (trial / directory.absolute().relative_to(place)).mkdir(parents=True)
            finally:
                shutil.rmtree(trial, ignore_errors=True)
    except OSError as error:
        raise BadInput(f"output: {directory}: {error.strerror}: give another output=") from error


def reserve(directory: Path) -> None:
    """Make a directory, and keep other processes out of it until `alone_in` it or `release`d.

    For Hydra, which writes into a run's directory before the training begins.

    Args:
        directory: a run's or a sweep's.

    Raises:
        BadInput: another process works in it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    place = directory.resolve()
    if place not in _reserved:
        _reserved[place] = _lock(directory)


def release(directory: Path) -> None:
    """Let other processes into a reserved directory.

    Args:
        directory: one that was reserved; any other is passed over.
    """
    descriptor = _reserved.pop(directory.resolve(), None)
    if descriptor is not None:
        os.close(descriptor)


@contextlib.contextmanager
def alone_in(directory: Path) -> Iterator[None]:
    """Hold a run's directory: two trainings in one would record each row twice.

    Raises:
        BadInput: another process works in it.
    """
    descriptor = _reserved.pop(directory.resolve(), None)
    if descriptor is None:
        descriptor = _lock(directory)
    try:
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def beside(directory: Path) -> Iterator[Path]:
    """A folder beside a directory, which gets the directory's name once what is done in it is done.

    So the directory is there whole or not at all. What a process that was killed has left beside it
    is made anew by the next.

    Raises:
        BadInput: another process is at it, or has made the directory meanwhile.
    """
    place = directory.with_name(f".{directory.name}.partial")
    missing = [parent for parent in directory.absolute().parents if not parent.exists()]
    if place.is_symlink() or not {p.name for p in _listed(place)} <= MERGED:
        raise BadInput(f"{place} is in the way: it is nothing that was left of a merge")
    place.mkdir(parents=True, exist_ok=True)
    try:
        with alone_in(place):
            _empty(place)
            yield place
            if directory.exists():
                raise BadInput(f"{directory} exists: give a directory to be made")
            place.rename(directory)
    except BaseException:
        if not isinstance(sys.exception(), Busy):
            shutil.rmtree(place, ignore_errors=True)
            for parent in missing:
                with contextlib.suppress(OSError):  # somebody else has put something into it
                    parent.rmdir()
        raise


def start_anew(directory: Path) -> None:
    """Remove the rows of a training that was cut off before its first checkpoint.

    Called by whoever holds the directory, so that no process is adding to them.

    Args:
        directory: the run's.

    Raises:
        BadInput: a run is saved there.
    """
    if state(directory) in ("saved", "done"):
        raise BadInput(f"{directory} holds a run: go on with it by resume={directory}")
    (directory / "metrics.csv").unlink(missing_ok=True)


def _listed(directory: Path) -> list[Path]:
    return list(directory.iterdir()) if directory.is_dir() else []


def _empty(directory: Path) -> None:
    for path in _listed(directory):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _lock(directory: Path) -> int:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise Busy(f"{directory}: another process is training in it") from error
    return descriptor
