"""The directory of a run: checks that it can be made, and locks it for one process."""

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

# Files and folders that a merge leaves if it is killed.
MERGED = {".hydra", "metrics.csv", ".metrics.csv.partial", "checkpoints", ".summary.json.partial"}
MERGED |= {"summary.json"}
# Locks that this process holds before `locked_directory`, by the directory's resolved path.
_reserved: dict[Path, int] = {}


class Busy(BadInput):
    """Another process is training in a directory."""


def check_output(directory: Path) -> None:
    """Check that a directory can be made; folders that the check makes are removed again.

    Args:
        directory: the directory of a run that is about to start.

    Raises:
        BadInput: the directory can't be made or written to.
    """
    place = directory.absolute()
    try:
        while not place.exists():
            place = place.parent
        if not place.is_dir():
            raise BadInput(f"output: {place} is a file, not a directory: give another output=")
        if not os.access(place, os.W_OK | os.X_OK):
            raise BadInput(f"output: {place} can't be written to: give another output=")
        # A file system may refuse some names, which only shows when a folder is made. It is made in
        # a new folder, which no other process knows.
        if place != directory.absolute():
            trial = Path(tempfile.mkdtemp(prefix=".nalu_seq-", dir=place))
            try:
                (trial / directory.absolute().relative_to(place)).mkdir(parents=True)
            finally:
                shutil.rmtree(trial, ignore_errors=True)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise BadInput(f"output: {directory}: {reason}: give another output=") from error


def reserve(directory: Path) -> None:
    """Make a directory and lock it until `locked_directory` takes it over or `release` frees it.

    Hydra writes into a run's directory before the training begins, which has to be alone in it.

    Args:
        directory: the directory of a run or a sweep.

    Raises:
        BadInput: another process has locked the directory.
    """
    directory.mkdir(parents=True, exist_ok=True)
    place = directory.resolve()
    if place not in _reserved:
        _reserved[place] = _lock(directory)


def release(directory: Path) -> None:
    """Unlock a directory that `reserve` has locked.

    Args:
        directory: the directory; nothing happens if it is not reserved.
    """
    descriptor = _reserved.pop(directory.resolve(), None)
    if descriptor is not None:
        os.close(descriptor)


@contextlib.contextmanager
def locked_directory(directory: Path) -> Iterator[None]:
    """Lock a run's directory within a block: two trainings in one would record each row twice.

    Args:
        directory: the run's directory.

    Raises:
        BadInput: another process has locked the directory.
    """
    descriptor = _reserved.pop(directory.resolve(), None)
    if descriptor is None:
        descriptor = _lock(directory)
    try:
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def staged_directory(directory: Path) -> Iterator[Path]:
    """Provide a folder beside a directory, which is renamed to the directory when the block ends.

    So the directory is complete or absent. A folder that a killed process has left is emptied
    first.

    Args:
        directory: the directory to be made.

    Returns:
        The path of the folder beside it, for the block.

    Raises:
        BadInput: another process has locked the folder, other files are in its place, or the
            directory exists.
    """
    place = directory.with_name(f".{directory.name}.partial")
    new_parents = [parent for parent in directory.absolute().parents if not parent.exists()]
    if place.is_symlink() or not {p.name for p in _list(place)} <= MERGED:
        raise BadInput(f"{place} must be moved: it holds files that no merge leaves behind")
    place.mkdir(parents=True, exist_ok=True)
    try:
        with locked_directory(place):
            _empty(place)
            yield place
            if os.path.lexists(directory):
                raise BadInput(
                    f"{directory} exists already: give a new directory for the merged run"
                )
            place.rename(directory)
    except BaseException:
        if not isinstance(sys.exception(), Busy):
            shutil.rmtree(place, ignore_errors=True)
            for parent in new_parents:
                with contextlib.suppress(OSError):  # another process may have written into it
                    parent.rmdir()
        raise


def discard_rows(directory: Path) -> None:
    """Remove the rows of a training that was cut off before its first checkpoint.

    The caller holds the lock of the directory, so that no other process adds rows.

    Args:
        directory: the run's directory.

    Raises:
        BadInput: the directory holds a run with a checkpoint or a summary.
    """
    if state(directory) in ("saved", "done"):
        raise BadInput(f"{directory} holds a run: go on with it by resume={directory}")
    (directory / "metrics.csv").unlink(missing_ok=True)


def _list(directory: Path) -> list[Path]:
    return list(directory.iterdir()) if directory.is_dir() else []


def _empty(directory: Path) -> None:
    for path in _list(directory):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _lock(directory: Path) -> int:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise Busy(f"{directory}: another process is training in it") from error
    return descriptor
