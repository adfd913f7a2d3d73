"""The directory of a run: whether it can be made, and that one process alone trains in it."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from nalu_seq.errors import BadInput


def check_output(directory: Path) -> None:
    """Make sure that a directory can be made, leaving none.

    Raises:
        BadInput: it cannot.
    """
    place, missing = directory.absolute(), []
    try:
        while not place.exists():
            missing.append(place)
            place = place.parent
        if not place.is_dir():
            raise BadInput(f"output: {place} is a file, not a directory: give another output=")
        if not os.access(place, os.W_OK | os.X_OK):
            raise BadInput(f"output: {place} can't be written to: give another output=")
        # Some places refuse for reasons of their own: only making it tells. It is removed again.
        directory.mkdir(parents=True, exist_ok=True)
        for made in missing:
            made.rmdir()
    except OSError as error:
        raise BadInput(f"output: {directory}: {error.strerror}: give another output=") from error


@contextlib.contextmanager
def alone_in(directory: Path) -> Iterator[None]:
    """Hold a run's directory: two trainings in one would record each row twice."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise BadInput(f"{directory}: another process is training in it") from error
    finally:
        os.close(descriptor)
