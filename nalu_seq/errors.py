"""Bad input in one line, and the exit codes that it ends with."""

import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from typing import NoReturn


class BadInput(Exception):
    """What a user gave cannot be used; one line that says what, where, and what would be valid."""


def first_line(error: BaseException) -> str:
    """What an error says, in one line."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), repr(error))


def refuse(error: Exception | str) -> NoReturn:
    """Say what is wrong in one line and leave with exit code 2."""
    line = " ".join(str(error).split())
    print(f"nalu_seq: {line}", file=sys.stderr)
    raise SystemExit(2)


def fail(error: Exception | str) -> NoReturn:
    """Say in one line what the machine did not let us do, and leave with exit code 1."""
    print(f"nalu_seq: {' '.join(str(error).split())}", file=sys.stderr)
    raise SystemExit(1)


@contextlib.contextmanager
def heard() -> Iterator[None]:
    """Leave quietly when nobody reads what is printed any more, as under `| head`."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # What is left in the buffer would fail again when Python leaves.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(128 + signal.SIGPIPE) from None


@contextlib.contextmanager
def silenced_stderr(*told: type[BaseException]) -> Iterator[None]:
    """Keep C++ quiet, which logs before any log level applies; replay it after an error.

    Args:
        *told: errors that are told in another way.
    """
    sys.stderr.flush()
    original = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except BaseException as error:
            if not isinstance(error, told):
                kept.seek(0)
                os.write(original, kept.read())
            raise
        finally:
            os.dup2(original, 2)
            os.close(original)
