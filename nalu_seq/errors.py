"""Bad input in one line, and the exit codes that it ends with."""

import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from typing import NoReturn

WIDTH = 300  # characters of a line that says what is wrong


class BadInput(Exception):
    """Input that can't be used; its line says what is wrong, where, and what would be valid."""


def one_line(text: object) -> str:
    """A text in one line of at most `WIDTH` characters that do nothing to a terminal.

    Of a longer one the middle is left out: what is wrong stands first, the way out last.
    """
    words = " ".join(str(text)[: 100 * WIDTH].split())
    line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in words)
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 105]} ... {line[-100:]}"


def first_line(error: BaseException) -> str:
    """What an error says, in one line."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), repr(error))


def warn(text: object) -> None:
    """Say something in one line beside what a command prints."""
    line = one_line(f"nalu_seq: {text}")
    encoding = getattr(sys.stderr, "encoding", None) or "ascii"
    with contextlib.suppress(OSError, ValueError, AttributeError):  # nobody may be there to read
        print(line.encode(encoding, "backslashreplace").decode(encoding), file=sys.stderr)


def refuse(error: object) -> NoReturn:
    """Say what is wrong in one line and leave with exit code 2."""
    warn(error)
    raise SystemExit(2)


def fail(error: object) -> NoReturn:
    """Say in one line what the machine refused, such as a full disk; leave with exit code 1."""
    warn(error)
    raise SystemExit(1)


@contextlib.contextmanager
def heard() -> Iterator[None]:
    """Leave quietly when the reader of the output has closed it, as `| head` does."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes the rest of the buffer when it ends, which would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(128 + signal.SIGPIPE) from None


@contextlib.contextmanager
def silenced_stderr(*expected: type[BaseException]) -> Iterator[None]:
    """Hide what is written to stderr in this block, and show it after an error.

    TensorFlow's C++ logs before any log level applies.

    Args:
        *expected: errors that the caller reports by itself, after which nothing is shown.
    """
    sys.stderr.flush()
    original = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except BaseException as error:
            if not isinstance(error, expected):
                kept.seek(0)
                os.write(original, kept.read())
            raise
        finally:
            os.dup2(original, 2)
            os.close(original)
