"""metrics.csv, the record of a run: a row for each member in each measurement."""

import csv
import hashlib
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from nalu_seq.errors import BadInput, warn
from nalu_seq.records.files import RECORD_BYTES, Unreadable, open_file, replace
from nalu_seq.records.members import Members
from nalu_seq.records.observers import Listener, Measurement

COLUMNS = ("step", "case", "seed", "split", "metric", "value")


class Row(NamedTuple):
    """One row of metrics.csv."""

    step: int
    case: str
    seed: int
    split: str
    metric: str
    value: float


class Record(Listener):
    """Appends measurements to metrics.csv.

    The rows of a step are written at once, and synced before the checkpoint of that step, which
    keeps a `mark` of the record's length. So a resumed training can tell rows that have to stay
    from those that a crash tore or that it will write again, and sees any change to the former.

    Args:
        path: the file; if it is missing it is made, with its header.
        members: the members that the values `[M]` of a measurement belong to.
    """

    def __init__(self, path: Path, members: Members) -> None:
        self.path = path
        self._members = members.names
        if not path.exists():
            replace(path, ",".join(COLUMNS) + "\n")
        try:
            with open_file(path.parent, path.name, RECORD_BYTES) as file:
                self._text = bytearray(file.read())
        except Unreadable as error:
            raise BadInput(f"{path} {error}") from error
        self._digest = hashlib.sha256(self._text)
        self._folder = _identity(path.parent)

    def __call__(self, step: int, measurements: Sequence[Measurement]) -> None:
        """Append the rows of a step."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        for split, metric, values in measurements:
            for (case, seed), value in zip(self._members, values, strict=True):
                # Nine digits represent a float32 exactly.
                writer.writerow((step, case, seed, split, metric, f"{value:.9g}"))
        rows = text.getvalue().encode()
        self.repair()
        with self.path.open("ab") as file:
            file.write(rows)
            file.flush()
            os.fsync(file.fileno())
        self._text += rows
        self._digest.update(rows)

    def has(self, step: int) -> bool:
        """Whether the record has rows of a step.

        Args:
            step: the training step.
        """
        return any(row.step == step for row in read_record(self.path))

    def mark(self) -> dict[str, Any]:
        """The current length of the record, in bytes, and its checksum."""
        self.repair()
        return {"bytes": len(self._text), "sha256": self._digest.hexdigest()}

    def holds(self, mark: Any) -> bool:
        """Whether everything that the record held at a mark is still there, unchanged.

        Args:
            mark: a mark of this record; for any other value the answer is no.
        """
        return begins(self._text, mark)

    def truncate(self, mark: Mapping[str, Any]) -> None:
        """Drop the rows after a mark, which a resumed training will write again.

        Args:
            mark: a mark that the record holds.
        """
        del self._text[mark["bytes"] :]
        self._digest = hashlib.sha256(self._text)
        with self.path.open("r+b") as file:
            file.truncate(len(self._text))
            os.fsync(file.fileno())

    def repair(self, every_byte: bool = False) -> None:
        """Write the file again if another process has cut or removed it during the training.

        Args:
            every_byte: whether to compare the whole file, not its size alone.

        Raises:
            OSError: the file's folder is gone, or another folder has its name.
        """
        folder = self.path.parent
        if not folder.is_dir() or _identity(folder) != self._folder:
            raise OSError(f"{folder} is no longer the folder that was trained in: it was moved")
        try:
            whole = self.path.stat().st_size == len(self._text)
            whole = whole and (not every_byte or self.path.read_bytes() == self._text)
        except FileNotFoundError:
            whole = False
        if not whole:
            warn(f"{self.path} was changed while it was written: it is written anew, whole")
            replace(self.path, self._text.decode())


def _identity(folder: Path) -> tuple[int, int]:
    about = folder.stat()
    return about.st_dev, about.st_ino


def begins(text: bytes | bytearray, mark: Any) -> bool:
    """Whether the text of a record begins with its content at a mark.

    Args:
        text: the whole content of a metrics.csv.
        mark: the mark, as `Record.mark` returned it; for any other value the answer is no.
    """
    match mark:
        case {"bytes": int(length), "sha256": str(checksum)} if 0 <= length <= len(text):
            return hashlib.sha256(text[:length]).hexdigest() == checksum
    return False


def read_record(path: Path) -> list[Row]:
    """The rows of a metrics.csv.

    Args:
        path: the file, in a run's folder.

    Raises:
        BadInput: the file can't be read, or has a row that this package does not write.
    """
    try:
        with open_file(path.parent, path.name, RECORD_BYTES) as file:
            reader = csv.DictReader(io.TextIOWrapper(file, "utf-8", newline=""))
            try:
                return [
                    Row(
                        int(r["step"]), _plain(r["case"]), int(r["seed"]), _plain(r["split"]),
                        _plain(r["metric"]), float(r["value"]),
                    )
                    for r in reader
                ]  # fmt: skip
            except (KeyError, TypeError, ValueError, AttributeError, csv.Error) as error:
                columns = ",".join(COLUMNS)
                raise BadInput(f"{path}: line {reader.line_num} is no row of {columns}") from error
    except Unreadable as error:
        raise BadInput(f"{path} {error}") from error
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror}") from error


def _plain(text: str) -> str:
    """The text itself; ValueError if it has characters that could control a terminal."""
    if not text.isprintable():
        raise ValueError(text)
    return text
