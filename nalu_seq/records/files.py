"""Files of a run: written whole or not at all, read as data, whoever wrote them."""

import contextlib
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import AliasToken, YAMLError

TEXT_BYTES = 8 * 2**20  # of a config, a summary, a sweep's jobs: ours have less than 100 KB
RECORD_BYTES = 2**30  # of a metrics.csv: some twenty million rows
LARGEST = 2**63 - 1  # of whole numbers: what others read JSON by has no larger ones


class Unreadable(ValueError):
    """A file is not what it should be; says why, without its name."""


def replace(path: Path, text: str) -> None:
    """Write a file beside `path`, sync it, and put it in its place: a crash leaves old or new."""
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        with open(partial, "x") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError:  # such as a full disk, which shall have its room again
        partial.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def opened(folder: Path, name: str, most: int = TEXT_BYTES) -> Iterator[BinaryIO]:
    """A file of a run, open for reading: a regular one, inside its folder, of bounded size.

    Args:
        folder: the run's or the sweep's, as the user named it.
        name: the file's path within it.
        most: how many bytes it may have.

    Raises:
        Unreadable: it is a link that leads out of the folder, no regular file, or too large.
        OSError: it is not there, or can't be read.
    """
    path = folder / name
    if not path.resolve(strict=True).is_relative_to(folder.resolve()):
        raise Unreadable("is a link that leads out of its folder")
    # Opened without waiting: a pipe would keep whoever opens it until somebody writes.
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise Unreadable("is no regular file")
        if about.st_size > most:
            raise Unreadable(f"has {about.st_size} bytes, more than {most}")
        yield file


def read_text(folder: Path, name: str, most: int = TEXT_BYTES) -> str:
    """The text of a file of a run.

    Raises:
        Unreadable, OSError: as `opened`, or it is no UTF-8.
    """
    with opened(folder, name, most) as file:
        read = file.read(most + 1)  # it may grow meanwhile
    try:
        return read.decode()
    except UnicodeDecodeError as error:
        raise Unreadable("is no UTF-8") from error


def read_json(folder: Path, name: str, infinite: bool = False) -> Any:
    """JSON as this package writes it: finite numbers, and text that does nothing to a terminal.

    Args:
        folder: the run's or the sweep's.
        name: the file's path within it.
        infinite: whether Infinity and NaN may stand in it, which are no JSON.

    Raises:
        Unreadable, OSError: as `read_text`, or it is another JSON, or none.
    """
    text = read_text(folder, name)
    try:
        constant = float if infinite else _refuse
        read = json.loads(text, parse_constant=constant, parse_int=_whole, parse_float=_finite)
        if not all(text.isprintable() for text in _texts(read)):
            raise Unreadable("holds control characters")
    except RecursionError as error:
        raise Unreadable("is nested too deep") from error
    except Unreadable:
        raise
    except ValueError as error:
        raise Unreadable(f"is no JSON: {error}") from error
    return read


def read_yaml(folder: Path, name: str) -> Any:
    """YAML as Hydra writes it, as OmegaConf has it: no aliases, no tags that name objects.

    Raises:
        Unreadable, OSError: as `read_text`, or it is another YAML, or none.
    """
    text = read_text(folder, name)
    try:
        # A few lines of aliases can stand for more than fits into memory; Hydra writes none.
        if any(isinstance(token, AliasToken) for token in yaml.scan(text)):
            raise Unreadable("holds a YAML alias, which Hydra does not write")
        return OmegaConf.create(text)
    except RecursionError as error:
        raise Unreadable("is nested too deep") from error
    except Unreadable:
        raise
    except (YAMLError, OmegaConfBaseException, ValueError, TypeError, AttributeError) as error:
        raise Unreadable(f"is no YAML of Hydra's: {error}") from error


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


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = [*value, *value.values()]
    for part in value if isinstance(value, list) else []:
        yield from _texts(part)
    if isinstance(value, str):
        yield value
