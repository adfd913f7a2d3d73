"""The real command, stopped: it saves, and goes on from there."""

import fcntl
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.commands import TINY, command, copy, resume, saved, train, wait_for

pytestmark = pytest.mark.alone

TERM = pytest.param(signal.SIGTERM, marks=pytest.mark.slow)


@pytest.mark.parametrize("number", [signal.SIGINT, TERM])
def test_interrupted_it_saves_and_goes_on(number: int, tmp_path: Path) -> None:
    with subprocess.Popen(
        command(f"output={tmp_path}", *TINY, "train.steps=100000", "train.eval_every=1000"),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        wait_for(lambda: saved(tmp_path, "*/*"))
        process.send_signal(number)
        asked = time.monotonic()
        out, _ = process.communicate()
    assert process.returncode == 128 + number and time.monotonic() - asked < 10
    (directory,) = tmp_path.glob("*/*")
    match = re.search(r"interrupted at step (\d+); go on with: (.+)", out)
    assert match and match[2] == f"python -m nalu_seq.train resume={directory}"
    assert out.splitlines()[-1] == f"run: {directory}"
    summary = json.loads((directory / "summary.json").read_text())
    assert summary["status"] == "interrupted" and summary["steps"] == int(match[1])
    assert (directory / "checkpoints" / match[1]).is_dir()


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        [*TINY, "train.steps=4000", "train.eval_every=2000"],
        ["task=product", "seeds=3", "train.steps=3000000", "train.eval_every=1500000"],
    ],
    ids=["graph", "compiled"],
)
def test_interrupted_within_an_interval_it_goes_on_to_the_bit(
    arguments: list[str], tmp_path: Path
) -> None:
    whole = train(tmp_path / "whole", *arguments)
    with subprocess.Popen(command(f"output={tmp_path}/cut", *arguments)) as process:
        wait_for(lambda: saved(tmp_path, "cut/*/*"))
        time.sleep(3)  # past the first call, which compiles
        process.send_signal(signal.SIGTERM)
    assert process.returncode == 128 + signal.SIGTERM
    (cut,) = tmp_path.glob("cut/*/*")
    resume(cut)
    assert (cut / "metrics.csv").read_bytes() == (whole / "metrics.csv").read_bytes()


@pytest.mark.slow
def test_a_damaged_checkpoint_is_passed_over_and_said(run: Path, tmp_path: Path) -> None:
    directory = copy(run, tmp_path)
    index = directory / "checkpoints" / "40" / "state.index"
    index.write_bytes(index.read_bytes()[:10])
    done = subprocess.run(
        command(f"resume={directory}"), capture_output=True, text=True, check=True
    )
    assert "checkpoint 40 is damaged: going on from step 30" in done.stdout
    assert (directory / "metrics.csv").read_bytes() == (run / "metrics.csv").read_bytes()


def test_a_run_that_trains_is_not_trained_twice(main, run: Path) -> None:
    descriptor = os.open(run, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        code, _, err = main(f"resume={run}", "train.steps=50")
    finally:
        os.close(descriptor)
    assert code == 2 and "another process is training in it" in err
