"""MNIST by TensorFlow Datasets' own builder: downloaded, or prepared from the four IDX files.

TensorFlow Datasets stores examples in the order of hashed keys, which for MNIST are their places in
the original files. Each example's id names its place in the store. Together they give back the
original order, and with it the usual split into 55,000 and 5,000.
"""

import contextlib
import fcntl
import functools
import logging
import os
import socket
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nalu_seq.data.images import Data, Images, split
from nalu_seq.errors import BadInput, first_line, silence_stderr

MEAN, DEVIATION = 0.1307, 0.3081
CONNECT_SECONDS = 10
SIZES = {"train": 60_000, "test": 10_000}
ENDS = {"train": 55_000, "validation": 60_000}


@functools.cache
def mnist(dir: str | None = None) -> Data:
    """MNIST: the first 55,000 to train on, the last 5,000 to validate, the test files to test.

    If the data are missing they are downloaded. A folder that can't be read is left as it is.

    Args:
        dir: the folder of TensorFlow Datasets' data; its own default by default.

    Raises:
        BadInput: the data are missing and can't be downloaded, or they can't be read.
    """
    prepared = _prepare_once(dir, None).items()
    ordered = {name: _original_order(name, *part) for name, part in prepared}
    parts = split(*ordered["train"], ENDS) | split(*ordered["test"], {"test": SIZES["test"]})
    return Data("mnist", parts, MEAN, DEVIATION)


def prepare(idx: Path, dir: str | None = None) -> Path:
    """Prepare the data set from a folder with the four IDX files, as they are published.

    Args:
        idx: the folder with the files.
        dir: as for `mnist`.

    Returns:
        The folder of the prepared data set.

    Raises:
        BadInput: a file is missing, or differs from the published one.
    """
    _check_files(idx, dir)
    _prepare_once(dir, idx)
    return Path(_builder(dir).data_dir)


Part = tuple[list[str], np.ndarray, np.ndarray]  # ids, pixels, labels


def _prepare_once(dir: str | None, idx: Path | None) -> dict[str, Part]:
    """The prepared data set's parts; if there is none yet, it is prepared first."""
    builder = _builder(dir)
    if Path(builder.data_dir).exists():
        return _read(builder)
    if idx is None:
        _check_network(builder)
    with _lock(Path(builder.data_dir)):
        # Another process may have prepared it meanwhile.
        if not Path(builder.data_dir).exists():
            _download_and_prepare(_builder(dir), idx)
        return _read(_builder(dir))


def _builder(dir: str | None) -> Any:
    import tensorflow_datasets as tfds

    tfds.disable_progress_bar()
    logging.getLogger("absl").setLevel(logging.ERROR)  # what is missing is told here
    try:
        return tfds.builder("mnist", data_dir=dir)
    except Exception as error:  # a folder whose description can't be read
        place = Path(dir or tfds.core.constants.DATA_DIR).expanduser() / "mnist"
        raise _unreadable(place, first_line(error)) from error


def _read(builder: Any) -> dict[str, Part]:
    """All examples of each split.

    Raises:
        BadInput: examples are missing.
    """
    import tensorflow as tf
    import tensorflow_datasets as tfds

    place = Path(builder.data_dir)
    if not builder.is_prepared():
        raise _unreadable(place, "it has no description")
    tf.get_logger().setLevel(logging.ERROR)  # hides its warnings of deprecations
    try:
        parts = {}
        for name, size in SIZES.items():
            config = tfds.ReadConfig(add_tfds_id=True)
            with silence_stderr():  # hides how its pipeline is made deterministic
                data = builder.as_dataset(split=name, batch_size=size, read_config=config)
                (batch,) = tfds.as_numpy(data)
            if len(batch["label"]) != size:
                raise ValueError(f"{name} has {len(batch['label'])} examples, not {size}")
            ids = [i.decode() for i in batch["tfds_id"]]
            parts[name] = (ids, batch["image"], batch["label"])
        return parts
    except (OSError, ValueError, AssertionError, tf.errors.OpError) as error:
        raise _unreadable(place, first_line(error)) from error


def _unreadable(place: Path, reason: str) -> BadInput:
    """The error for a folder that can't be read; it is never removed, as it may hold other data."""
    return BadInput(
        f"data=mnist: {place} can't be read ({reason[:80]}): remove it to have it made anew, "
        "or give another data.dir="
    )


def _original_order(name: str, ids: list[str], pixels: Any, labels: Any) -> Images:
    """The pictures in the order of the IDX files, from their places in the store."""
    from tensorflow_datasets.core.hashing import Hasher

    hasher = Hasher(name)
    # The original place of each example, by its place in the records.
    record_order = sorted(range(len(ids)), key=hasher.hash_key)
    original = np.array([record_order[int(i.rpartition("__")[2])] for i in ids])
    order = np.argsort(original)
    return Images(pixels[order], labels[order])


def _download_and_prepare(builder: Any, idx: Path | None) -> None:
    import tensorflow_datasets as tfds

    with tempfile.TemporaryDirectory() as downloads:
        config = tfds.download.DownloadConfig(manual_dir=idx, try_download_gcs=False)
        try:
            builder.download_and_prepare(download_dir=downloads, download_config=config)
        except Exception as error:
            # Whatever the network or the disk made of it; TensorFlow Datasets works in a folder of
            # its own beside, which it removes.
            raise BadInput(
                _ways_out(builder, f"{type(error).__name__}: {first_line(error)}")
            ) from error


def _check_network(builder: Any) -> None:
    """Check that the files' host can be reached, as a download would try for minutes.

    Raises:
        BadInput: the host can't be reached.
    """
    if urllib.request.getproxies():  # a proxy may reach what this machine can't
        return
    host = urllib.parse.urlsplit(next(iter(builder.url_infos))).netloc
    try:
        socket.create_connection((host, 443), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        raise BadInput(_ways_out(builder, f"{host} can't be reached")) from error


def _ways_out(builder: Any, reason: str) -> str:
    return (
        f"data=mnist is not in {builder.data_dir}, and preparing it failed ({reason}): run "
        "`python -m nalu_seq.data.prepare FOLDER` on a folder with the four IDX files, or connect "
        "to a network once; data=digits needs neither"
    )


def _check_files(idx: Path, dir: str | None) -> None:
    """Check that each file that the builder would download exists and is the published one."""
    from tensorflow_datasets.core.download.checksums import compute_url_info

    for info in _builder(dir).url_infos.values():
        path = idx / info.filename
        if not path.is_file():
            raise BadInput(f"{path} is missing: the folder must hold the four files of MNIST")
        if (actual := compute_url_info(path)).checksum != info.checksum:
            raise BadInput(
                f"{path} is not the published file: it has {actual.size} bytes and SHA-256 "
                f"{actual.checksum}, not {info.size} and {info.checksum}"
            )


@contextlib.contextmanager
def _lock(place: Path) -> Iterator[None]:
    """Hold a lock, so that one process prepares a place while the others wait for it."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(place.parent / ".lock", os.O_CREAT | os.O_RDWR, 0o666)
    except OSError as error:
        raise BadInput(
            f"data.dir: {place.parent}: {error.strerror}: give another data.dir="
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
