"""MNIST: prepared once, found whole or made anew, in the original order."""

import gzip
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nalu_seq.data.prepare
from nalu_seq.data import mnist as module
from nalu_seq.data.mnist import mnist, prepare
from nalu_seq.errors import BadInput

FILES = {
    "train": ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    "test": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
}
NAMES = [name for pair in FILES.values() for name in pair]


# Without MNIST


@pytest.mark.parametrize(
    ("check", "reason"),
    [
        (module._check_network, "a.invalid can't be reached"),
        (lambda builder: None, "ConnectionError: name resolution failed"),
    ],
    ids=["unreachable", "half-way"],
)
def test_without_data_and_network_one_line_names_both_ways_out(
    check, reason, tmp_path, monkeypatch
) -> None:
    for proxy in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)

    class Builder:
        """A builder whose download fails half-way."""

        data_dir = str(tmp_path / "mnist" / "3.0.1")
        url_infos = {"https://a.invalid/file": None}  # noqa: RUF012

        def is_prepared(self) -> bool:
            return False

        def download_and_prepare(self, **_: object) -> None:
            raise ConnectionError("name resolution failed\nand more")

    monkeypatch.setattr(module, "_builder", lambda dir: Builder())
    monkeypatch.setattr(module, "_check_network", check)
    with pytest.raises(BadInput) as refused:
        mnist.__wrapped__(str(tmp_path))
    line = str(refused.value)
    assert "\n" not in line
    for part in (reason, "nalu_seq.data.prepare FOLDER", "to a network once", "data=digits"):
        assert part in line
    assert not Path(Builder.data_dir).exists()


def test_missing_and_damaged_files_are_named(tmp_path) -> None:
    with pytest.raises(BadInput, match=r"idx.-ubyte.gz is missing: .* four files"):
        prepare(tmp_path, str(tmp_path / "to"))
    for name in NAMES:
        (tmp_path / name).write_bytes(gzip.compress(b"no picture"))
    with pytest.raises(BadInput, match=r"idx.-ubyte.gz is not the published file: it has .* bytes"):
        prepare(tmp_path, str(tmp_path / "to"))
    assert not (tmp_path / "to" / "mnist" / "3.0.1").exists()


@pytest.mark.parametrize("content", [None, "{", "[]"])
def test_what_is_in_place_of_the_data_is_never_removed(content, tmp_path) -> None:
    place = tmp_path / "mnist" / "3.0.1"
    place.mkdir(parents=True)
    (place / "thesis.tex").write_text("mine")
    if content is not None:
        (place / "dataset_info.json").write_text(content)
    with pytest.raises(BadInput, match=r"can't be read"):
        mnist.__wrapped__(str(tmp_path))
    assert (place / "thesis.tex").read_text() == "mine"


def test_the_command_says_so_in_one_line(tmp_path, monkeypatch, capfd) -> None:
    monkeypatch.setattr(sys, "argv", ["prepare_mnist", str(tmp_path), str(tmp_path / "to")])
    with pytest.raises(SystemExit) as leave:
        nalu_seq.data.prepare.main()
    err = capfd.readouterr().err
    assert leave.value.code == 2 and len(err.splitlines()) == 1 and "is missing" in err


# With it


@pytest.fixture(scope="module")
def idx() -> Path:
    """The folder with the IDX files."""
    folder = Path(os.environ.get("NALU_SEQ_MNIST", ""))
    if not all((folder / name).is_file() for name in NAMES):
        pytest.skip("NALU_SEQ_MNIST names no folder with the four IDX files")
    return folder


@pytest.fixture(scope="module")
def prepared(idx: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory that two processes have prepared at once."""
    place = tmp_path_factory.mktemp("tfds")
    command = [sys.executable, "-m", "nalu_seq.data.prepare", str(idx), str(place)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for process in both:
        out, _ = process.communicate(timeout=300)
        assert process.returncode == 0
        assert out.splitlines()[-1] == str(place / "mnist" / "3.0.1")
    return place


def original(idx: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    pixels, labels = (gzip.decompress((idx / name).read_bytes()) for name in FILES[part])
    return (
        np.frombuffer(pixels[16:], np.uint8).reshape(-1, 28, 28, 1),
        np.frombuffer(labels[8:], np.uint8),
    )


@pytest.mark.mnist
def test_the_parts_are_the_original_files_in_their_order(idx: Path, prepared: Path) -> None:
    parts = mnist(str(prepared)).parts
    (pixels, labels), test = original(idx, "train"), original(idx, "test")
    for name, (x, y) in {
        "train": (pixels[:55_000], labels[:55_000]),
        "validation": (pixels[55_000:], labels[55_000:]),
        "test": test,
    }.items():
        np.testing.assert_array_equal(parts[name].pixels, x)
        np.testing.assert_array_equal(parts[name].labels, y)


@pytest.mark.mnist
@pytest.mark.parametrize("damage", ["no description", "cut short"])
def test_a_damaged_folder_is_told_and_left_as_it_is(idx, prepared, damage, tmp_path) -> None:
    place = tmp_path / "mnist" / "3.0.1"
    shutil.copytree(prepared / "mnist" / "3.0.1", place)
    if damage == "no description":
        (place / "dataset_info.json").unlink()
    else:
        (records,) = place.glob("*train*")
        os.truncate(records, records.stat().st_size // 2)
    left = sorted(place.iterdir())
    for read in (lambda: prepare(idx, str(tmp_path)), lambda: mnist.__wrapped__(str(tmp_path))):
        with pytest.raises(BadInput, match=r"can't be read .*: remove it to have it made anew"):
            read()
    assert sorted(place.iterdir()) == left
