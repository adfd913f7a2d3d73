"""Bad input in one line, and the exit codes that it ends with."""

import argparse
import codecs
import contextlib
import io
import os
import re
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import NoReturn

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

# What is printed where a terminal has no other characters.
ASCII = {
    "×": "x", "−": "-", "–": "-", "→": "->", "∞": "inf", "…": "...", "±": "+-", "≤": "<=",
    "≥": ">=", "·": ".", "─": "-", "━": "-", "╺": "-", "╸": "-", "│": "|", "’": "'", "•": "*",
    "█": "#",
}  # fmt: skip
WIDTH = 300  # characters of a line that says what is wrong


class BadInput(Exception):
    """Input that can't be used; its line says what is wrong, where, and what would be valid."""


def install(extra: str) -> str:
    """How a missing extra is installed; the package is on no index.

    Args:
        extra: the extra's name in pyproject.toml.
    """
    return f"pip install '.[{extra}]' in a clone of nalu_seq"


def one_line(text: object) -> str:
    """A text in one line of at most `WIDTH` characters that do nothing to a terminal.

    The middle of a longer text is left out: its beginning says what is wrong, its end what to do.

    Args:
        text: any object; `str` makes the text.
    """
    words = " ".join(str(text)[: 100 * WIDTH].split())
    line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in words)
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 105]} ... {line[-100:]}"


def first_line(error: BaseException) -> str:
    """The message of an error, in one line.

    Keras puts a line before the messages of errors in a layer, and colours those: both are left
    out.

    Args:
        error: the error; one without a text is shown as Python shows it.
    """
    plain = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    lines = [line.strip() for line in plain.splitlines() if line.strip()]
    reasons = [line for line in lines if not line.startswith("Exception encountered when calling")]
    return next(iter(reasons or lines), repr(error))


def warn(text: object) -> None:
    """Print a warning in one line on the standard error output.

    Args:
        text: the warning.
    """
    if sys.stderr is not None:
        with contextlib.suppress(OSError):  # nobody may be there to read it
            print(one_line(f"nalu_seq: {text}"), file=sys.stderr)


def refuse(error: object) -> NoReturn:
    """Print what is wrong in one line, and exit with code 2.

    Args:
        error: the message or the exception: what is wrong, and what would be valid.

    Raises:
        SystemExit: always.
    """
    warn(error)
    raise SystemExit(2)


def fail(error: object) -> NoReturn:
    """Print in one line what the machine refused, such as a full disk; exit with code 1.

    Args:
        error: the message or the exception: what the machine refused.

    Raises:
        SystemExit: always.
    """
    warn(error)
    raise SystemExit(1)


class Arguments(argparse.ArgumentParser):
    """The parser of a command's arguments, which reports bad ones in one line."""

    def error(self, message: str) -> NoReturn:
        """Report bad arguments in one line, without the usage, and exit with code 2.

        Args:
            message: argparse's message.

        Raises:
            SystemExit: always.
        """
        paths = [argument for argument in sys.argv[1:] if argument[:1] == "-"]
        paths = [path for path in paths if os.path.exists(path)]
        advice = f"write ./{paths[0]} for that path" if paths else "--help says what is valid"
        refuse(f"{message}; {advice}")


@contextlib.contextmanager
def command(explain: Callable[[Exception], str] = first_line) -> Iterator[None]:
    """A context around a command: one line says what ended it, and sets its exit code.

    The exit code is 2 for bad input, 1 if the machine refused something (such as a full disk), 130
    for Ctrl-C, and 141 if nobody reads the output any more, as under `| head`.

    Args:
        explain: a function that turns an error of Hydra's or OmegaConf's into a message.
    """
    if sys.stdout is None:
        refuse("the standard output is closed: send it to a file, or to /dev/null")
    codecs.register_error("nalu_seq", _in_ascii)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="nalu_seq")
    try:
        with _exit_if_unread():
            yield
    except BadInput as error:
        refuse(error)
    except (HydraException, OmegaConfBaseException) as error:
        refuse(explain(error))
    except (YAMLError, UnicodeDecodeError) as error:
        refuse(error)
    except ValueError as error:
        if "Exceeds the limit" not in str(error):
            raise
        refuse(f"a number in the input has more than {sys.get_int_max_str_digits()} digits")
    except RecursionError:
        refuse("the input is nested too deeply to be read")
    except FileNotFoundError as error:
        if error.filename is None:  # as of os.getcwd
            refuse("the current directory is gone: change to another one")
        fail(error)
    except (OSError, MemoryError) as error:
        fail(str(error) or "there is not enough memory")
    except KeyboardInterrupt:
        warn("interrupted")
        raise SystemExit(128 + signal.SIGINT) from None


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    """The replacement of characters that a terminal does not have, such as one of the locale C."""
    assert isinstance(error, UnicodeEncodeError)
    characters = error.object[error.start : error.end]
    return "".join(ASCII.get(c, "?") for c in characters), error.end


@contextlib.contextmanager
def _exit_if_unread() -> Iterator[None]:
    """Exit without a message if nobody reads the output any more, as under `| head`."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes the rest of the buffer when it ends, which would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(128 + signal.SIGPIPE) from None


@contextlib.contextmanager
def silence_stderr(*expected: type[BaseException]) -> Iterator[None]:
    """Hide what is written to stderr in this block, and show it after an error.

    TensorFlow's C++ logs before any log level applies.

    Args:
        *expected: errors that the caller reports by itself, after which nothing is shown.
    """
    sys.stderr.flush()
    original = os.dup(2)
    with tempfile.TemporaryFile() as buffer:
        os.dup2(buffer.fileno(), 2)
        try:
            yield
        except BaseException as error:
            if not isinstance(error, expected):
                buffer.seek(0)
                os.write(original, buffer.read())
            raise
        finally:
            os.dup2(original, 2)
            os.close(original)
