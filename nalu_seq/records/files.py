"""Files of a run: each is written completely or not at all, and read as untrusted data."""

import contextlib
import json
import os
import stat
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import tokens

TEXT_BYTES = 8 * 2**20  # the largest config, summary or sweep that is read; ours are below 100 KB
RECORD_BYTES = 2**30  # the largest metrics.csv that is read: some twenty million rows
# Errors that reading a file of an unexpected form may raise.
WRONG = (ArithmeticError, AttributeError, RecursionError, TypeError, ValueError)
DEEPEST = 100  # levels of a YAML; those of a config that can be composed are some ten
OPENING = (
    tokens.BlockMappingStartToken,
    tokens.BlockSequenceStartToken,
    tokens.FlowMappingStartToken,
    tokens.FlowSequenceStartToken,
)
CLOSING = (tokens.BlockEndToken, tokens.FlowMappingEndToken, tokens.FlowSequenceEndToken)
LARGEST = 2**63 - 1  # the largest whole number that is read: JSON readers often have no larger ones


class Unreadable(ValueError):
    """A file does not have the expected form; the message says why, without the file's name."""


def replace(path: Path, text: str) -> None:
    """Write a file beside `path`, sync it, and rename it to `path`: a crash leaves old or new.

    Args:
        path: the file.
        text: the file's whole text.

    Raises:
        OSError: the file can't be written; the old one stays.
    """
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        with open(partial, "x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError:  # such as a full disk: the unfinished file must not take its room
        partial.unlink(missing_ok=True)
        raise


def leads_outside(path: Path, folder: Path) -> bool:
    """Whether a path, with its links followed, is outside a folder; a loop of links is not.

    Args:
        path: the path, which need not exist.
        folder: the folder that it should be in.
    """
    # Path.resolve raises RuntimeError, no OSError, for a loop of links before Python 3.13.
    return not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


@contextlib.contextmanager
def open_file(folder: Path, name: str, most: int = TEXT_BYTES) -> Iterator[BufferedReader]:
    """A file of a run, open for reading: a regular one, inside its folder, of bounded size.

    Args:
        folder: the folder of the run or the sweep.
        name: the file's path within the folder.
        most: the largest size that is read, in bytes.

    Raises:
        Unreadable: the file is a link that leads out of the folder, no regular file, or too large.
        OSError: the file is missing, or can't be read.
    """
    path = folder / name
    if leads_outside(path, folder):
        raise Unreadable("is a link that leads out of its folder")
    # O_NONBLOCK, since opening a pipe would otherwise wait for a writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise Unreadable("is no regular file")
        if about.st_size > most:
            raise Unreadable(f"has {about.st_size} bytes, more than {most}")
    except Unreadable:
        os.close(descriptor)
        raise
    with open(descriptor, "rb") as file:
        yield file


def read_text(folder: Path, name: str, most: int = TEXT_BYTES) -> str:
    """The text of a file of a run.

    Args:
        folder: the folder of the run or the sweep.
        name: the file's path within the folder.
        most: the largest size that is read, in bytes.

    Raises:
        Unreadable, OSError: as `open_file`, or it is no UTF-8.
    """
    with open_file(folder, name, most) as file:
        data = file.read(most + 1)  # it may have grown since its size was checked
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Unreadable("is not UTF-8 text") from error


def read_json(folder: Path, name: str, infinite: bool = False) -> Any:
    """JSON as this package writes it: finite numbers, and text without control characters.

    Args:
        folder: the run's or the sweep's.
        name: the file's path within it.
        infinite: whether the file may hold Infinity and NaN, which are not valid JSON.

    Raises:
        Unreadable, OSError: as `read_text`, or it is another JSON, or none.
    """
    text = read_text(folder, name)
    try:
        constant = float if infinite else _refuse
        value = json.loads(text, parse_constant=constant, parse_int=_whole, parse_float=_finite)
        if not all(text.isprintable() for text in texts(value)):
            raise Unreadable("holds control characters")
    except RecursionError as error:
        raise Unreadable("is nested too deeply") from error
    except Unreadable:
        raise
    except ValueError as error:
        raise Unreadable(f"is no JSON: {error}") from error
    return value


def read_yaml(folder: Path, name: str) -> Any:
    """YAML as Hydra writes it, read by OmegaConf: no aliases, no tags that name objects.

    Args:
        folder: the run's or the sweep's.
        name: the file's path within it.

    Raises:
        Unreadable, OSError: as `read_text`, or it is another YAML, or none.
    """
    text = read_text(folder, name)
    try:
        _scan(text)
        return OmegaConf.create(text)
    except RecursionError as error:
        raise Unreadable("is nested too deeply") from error
    except Unreadable:
        raise
    except (yaml.YAMLError, OmegaConfBaseException, ValueError, TypeError, AttributeError) as error:
        raise Unreadable(f"is not YAML as Hydra writes it: {error}") from error


def _scan(text: str) -> None:
    """Refuse a YAML whose parsing would take more memory or time than its length suggests."""
    depth = 0
    for token in yaml.scan(text):
        # A few lines of aliases can expand to more than fits into memory. Hydra writes none.
        if isinstance(token, tokens.AliasToken):
            raise Unreadable("holds a YAML alias, which Hydra does not write")
        # The scanner looks at each open level for every token, hours for a file of brackets.
        depth += isinstance(token, OPENING) - isinstance(token, CLOSING)
        if depth > DEEPEST:
            raise Unreadable("is nested too deeply")


def _refuse(number: str) -> float:
    raise Unreadable(f"holds {number}, which is no JSON")


def _whole(digits: str) -> int:
    if len(digits) > len(str(LARGEST)) + 1 or abs(int(digits)) > LARGEST:
        raise Unreadable(f"holds a number of {len(digits)} digits")
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if number - number != 0:
        raise Unreadable(f"holds {digits[:20]}, which is no finite number")
    return number


def texts(value: Any) -> Iterator[str]:
    """All texts in a value that was read from JSON, the keys of its objects among them.

    Args:
        value: what was read.
    """
    if isinstance(value, dict):
        value = [*value, *value.values()]
    for part in value if isinstance(value, list) else []:
        yield from texts(part)
    if isinstance(value, str):
        yield value
