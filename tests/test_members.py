"""Members trained apart: the parts are the run that one process would have made."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import nalu_seq.merge
import nalu_seq.train
from tests.commands import saved, wait_for

pytestmark = pytest.mark.alone

# Restarts and a grid of cases: whatever has members in it has to be put together.
SMALL = ["task=product", "unit=nmu", "train.compile=graph", "seeds=[3,1,4]", "train.steps=30"]
SMALL += ["train.eval_every=10", "restart.history=5", "restart.every=10", "restart.threshold=0"]
SMALL += ["restart.window=2", "+cases={optimizer.learning_rate: [0.01, 0.001]}"]


def run(directory: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Path:
    """Train in this process."""
    overrides = [*SMALL, *arguments, f"hydra.run.dir={directory}"]
    monkeypatch.setattr(sys, "argv", ["nalu_seq.train", *overrides])
    nalu_seq.train.main()
    return directory


def merge(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["nalu_seq.merge", *map(str, arguments)])
    nalu_seq.merge.main()


def check_same(merged: Path, whole: Path) -> None:
    """The same rows, and figures that differ by rounding at most."""
    ours, theirs = (
        [line.rsplit(",", 1) for line in (d / "metrics.csv").read_text().splitlines()[1:]]
        for d in (merged, whole)
    )
    assert [what for what, _ in ours] == [what for what, _ in theirs]
    np.testing.assert_allclose(
        [float(value) for _, value in ours],
        [float(value) for _, value in theirs],
        rtol=1e-4,
        atol=1e-6,
    )
    steps = max(int(p.name) for p in (whole / "checkpoints").iterdir())
    readers = [
        tf.train.load_checkpoint(str(d / "checkpoints" / str(steps) / "state"))
        for d in (merged, whole)
    ]
    shapes = [reader.get_variable_to_shape_map() for reader in readers]
    assert shapes[0] == shapes[1]
    for key in shapes[0]:
        if not key.startswith(("_CHECKPOINTABLE", "seconds")):
            a, b = (reader.get_tensor(key) for reader in readers)
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6, err_msg=key)
    summaries = [json.loads((d / "summary.json").read_text()) for d in (merged, whole)]
    assert [t["seeds"] for t in summaries] == [[3, 1, 4]] * 2
    assert [len(t["members"]) for t in summaries] == [6, 6]
    assert summaries[0]["cases"] == summaries[1]["cases"] and summaries[0]["status"] == "done"


def test_shards_are_merged_into_the_run_that_one_process_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = run(tmp_path / "whole", monkeypatch)
    parts = [run(tmp_path / f"part{i}", monkeypatch, f"shard={i}/2") for i in range(2)]
    counts = [json.loads((part / "summary.json").read_text())["members"] for part in parts]
    assert [len(count) for count in counts] == [3, 3]
    merge(monkeypatch, tmp_path / "merged", parts[1], parts[0])
    assert capfd.readouterr().out.splitlines()[-1] == f"run: {tmp_path / 'merged'}"
    check_same(tmp_path / "merged", whole)

    wrong = {
        (tmp_path / "merged", parts[0], parts[1]): "exists already: give a new directory",
        (
            tmp_path / "new",
            parts[0],
        ): "these are shards 0/2: give each of 0/n to n-1/n of one run once",
        (tmp_path / "new", whole, parts[1]): "it was not trained with shard=i/n",
        (parts[0] / "new", *parts): f"is inside {parts[0]}, a part",
        (tmp_path / "link", *parts): "exists already: give a new directory",
        (tmp_path / ("x" * 300), *parts): "File name too long: give another output=",
    }
    (tmp_path / "link").symlink_to("nowhere")
    for arguments, message in wrong.items():
        with pytest.raises(SystemExit) as left:
            merge(monkeypatch, *arguments)
        err = capfd.readouterr().err
        assert left.value.code == 2 and message in err and len(err.splitlines()) == 1
    (tmp_path / "link").unlink()
    for damaged, message in damages(tmp_path, parts):
        before = contents(parts[0]), contents(parts[1])
        with pytest.raises(SystemExit) as left:
            merge(monkeypatch, tmp_path / "new" / "run", damaged, parts[1])
        err = capfd.readouterr().err
        assert left.value.code == 2 and message in err and len(err.splitlines()) == 1, err
        assert sorted(p.name for p in tmp_path.iterdir()) == [
            "damaged", "merged", "part0", "part1", "whole"
        ]  # fmt: skip
        assert (contents(parts[0]), contents(parts[1])) == before


def contents(directory: Path) -> dict[str, bytes]:
    files = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}


def damages(tmp_path: Path, parts: list[Path]) -> Iterator[tuple[Path, str]]:
    """Copies of the first part that can't be merged, and what is said of each."""
    copy = tmp_path / "damaged"

    def anew() -> Path:
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(parts[0], copy)
        return copy / "checkpoints" / "30"

    checkpoint = anew()
    data = checkpoint / "state.data-00000-of-00001"
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 1
    data.write_bytes(content)
    yield copy, "damaged: checkpoint 30 is damaged: go on with it by resume="
    shutil.rmtree(anew())
    yield copy, "checkpoint 30 is damaged"
    (anew() / "manifest.json").write_text("{}")
    yield copy, "checkpoint 30 is damaged"
    checkpoint = anew()
    shutil.rmtree(checkpoint)
    shutil.copytree(parts[1] / "checkpoints" / "30", checkpoint)
    yield copy, "metrics.csv is not as it was at checkpoint 30"
    shutil.copy(parts[1] / "metrics.csv", copy)
    yield copy, "checkpoint 30 is not of part 0/2 of this run (shard is"
    anew()
    record = copy / "metrics.csv"
    lines = record.read_text().splitlines(keepends=True)
    record.write_text("".join([*lines[:-1], lines[-1].replace("30,", "30,", 1)[:-3] + "\n"]))
    yield copy, "metrics.csv is not as it was at checkpoint 30"
    record.unlink()
    os.mkfifo(record)
    yield copy, "metrics.csv is no regular file"
    anew()
    for odd in ("[]", '{"status": "done", "steps": "30"}', "{" * 10**5, '{"status": 1e999}', ""):
        (copy / "summary.json").write_text(odd)
        yield copy, "has made 0 of 30 steps"
    (copy / "summary.json").unlink()
    os.mkfifo(copy / "summary.json")
    yield copy, "has made 0 of 30 steps"
    anew()
    for shard in ("0/1000000000", "0/-2", "a", "0/2/2", "1/2"):
        config = parts[0] / ".hydra" / "config.yaml"
        text = config.read_text()
        assert "shard: 0/2" in text
        (copy / ".hydra" / "config.yaml").write_text(text.replace("shard: 0/2", f"shard: {shard}"))
        yield copy, "are both shard=1/2" if shard == "1/2" else "these are shards"


@pytest.mark.parametrize("shard", ["2/2", "a", "0/7", "-1/2", "1/0"])
def test_a_shard_is_a_share_of_the_members(
    shard: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as left:
        run(tmp_path / "run", monkeypatch, f"shard={shard}")
    assert left.value.code == 2
    assert "shard must be i/n, i from 0 to n - 1, n at most 6" in capfd.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_killed_process_loses_no_others_members(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "run"
    longer = ["train.steps=100", "train.eval_every=50"]
    command = [sys.executable, "-m", "nalu_seq.train"]
    overrides = [*SMALL, *longer, f"hydra.run.dir={directory}"]
    with subprocess.Popen(
        [*command, *overrides, "strategy=members", "strategy.processes=4"],
        text=True,
        stderr=subprocess.PIPE,
    ) as process:
        wanted = directory / "parts" / "2-of-4"
        while not (pids := [p for p in children(process.pid) if holds(p, wanted)]):
            assert process.poll() is None
            time.sleep(0.05)
        wait_for(lambda: saved(directory, "parts/2-of-4"))
        os.kill(pids[0], signal.SIGKILL)
        _, err = process.communicate()
    assert process.returncode == 1 and len(err.splitlines()) == 1
    assert "1 of 4 processes failed, 2-of-4 (exit code -9): go on with" in err
    done = [p.parent.name for p in directory.glob("parts/*/summary.json")]
    assert sorted(done) == ["0-of-4", "1-of-4", "3-of-4"]
    before = {p: p.stat().st_mtime for p in directory.glob("parts/[013]-*/metrics.csv")}
    subprocess.run([*command, f"resume={directory}"], check=True)
    assert before == {p: p.stat().st_mtime for p in before}
    check_same(directory, run(tmp_path / "whole", monkeypatch, *longer))
    # A merged run is a run: one process may go on with it.
    shutil.rmtree(directory / "parts")
    more = ["strategy=one_device", "train.steps=110"]
    subprocess.run([*command, f"resume={directory}", *more], check=True)
    assert json.loads((directory / "summary.json").read_text())["steps"] == 110


@pytest.mark.slow
def test_a_part_that_is_damaged_is_trained_on(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    command = [sys.executable, "-m", "nalu_seq.train"]
    overrides = [*SMALL, f"hydra.run.dir={directory}", "strategy=members", "strategy.processes=2"]
    subprocess.run([*command, *overrides], check=True)
    whole = (directory / "metrics.csv").read_bytes()
    data = directory / "parts" / "0-of-2" / "checkpoints" / "30" / "state.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:-1])
    refused = subprocess.run(
        [sys.executable, "-m", "nalu_seq.merge", tmp_path / "x", *directory.glob("parts/*")],
        capture_output=True,
        text=True,
    )
    assert refused.returncode == 2 and "0-of-2: checkpoint 30 is damaged" in refused.stderr
    subprocess.run([*command, f"resume={directory}"], check=True)
    assert (directory / "metrics.csv").read_bytes() == whole
    assert not list(directory.glob("*.partial")) and not (directory / ".merging").exists()
    # Nothing of the run or of the other part is lost where a part can't go on at all.
    part = directory / "parts" / "1-of-2"
    before = {p: p.read_bytes() for p in directory.rglob("*") if p.is_file()}
    damages = {
        "state.index": "is damaged",
        "metrics.csv": "is of rows that metrics.csv no longer holds",
    }
    for name, reason in damages.items():
        damaged = [*part.rglob(name)]
        assert damaged
        for path in damaged:
            path.write_bytes(before[path][: len(before[path]) // 4])
        refused = subprocess.run([*command, f"resume={directory}"], capture_output=True, text=True)
        assert refused.returncode == 2 and len(refused.stderr.splitlines()) == 1, refused.stderr
        assert f"{part} can't go on: its checkpoint " in refused.stderr and reason in refused.stderr
        for path in damaged:
            path.write_bytes(before[path])
        assert before == {p: p.read_bytes() for p in directory.rglob("*") if p.is_file()}
    shutil.rmtree(part)
    subprocess.run([*command, f"resume={directory}"], check=True)
    assert (directory / "metrics.csv").read_bytes() == whole


def children(pid: int) -> list[int]:
    pids = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in pids.split()]


def holds(pid: int, directory: Path) -> bool:
    """Whether a process has a file or the directory open."""
    try:
        targets = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return False
    return any(target.startswith(str(directory)) for target in targets)
