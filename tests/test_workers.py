"""The command on several workers: one run, and what the others say when one is lost."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import saved, wait_for
from tests.distribution.clusters import environments

pytestmark = pytest.mark.alone

TINY = ["task=count", "task.lengths=[10,20]", "encoder.units=4", "unit=nau", "seeds=2"]
TINY += ["train.batch_size=4", "train.eval_every=20"]
Workers = list["subprocess.Popen[str]"]


@contextlib.contextmanager
def workers(*arguments: str) -> Iterator[Workers]:
    """The same command on two workers."""
    command = [sys.executable, "-m", "nalu_seq.train", *arguments]
    started = [
        subprocess.Popen(
            command, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for env in environments(2)
    ]
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


def lose(output: Path, number: int, lost: int) -> tuple[Path, str, float]:
    """Send a signal to one of two training workers: the run, what the other said, and when."""
    endless = [*TINY, "train.steps=1000000", "strategy=multi_worker", "strategy.wait=120"]
    with workers(f"output={output}", *endless) as pair:
        wait_for(lambda: saved(output, "*/*", step=20))
        os.kill(pair[lost].pid, number)
        sent = time.monotonic()
        _, err = pair[1 - lost].communicate(timeout=60)
        assert pair[1 - lost].returncode == 1
        seconds = time.monotonic() - sent
    (run,) = output.glob("*/*")
    return run, err, seconds


def check_told(run: Path, err: str, seconds: float, lost: int) -> None:
    assert seconds < 15
    assert len(err.splitlines()) == 1
    assert err.startswith(f"nalu_seq: worker {lost} (127.0.0.1:")
    assert err.endswith(f"go on on each with: python -m nalu_seq.train resume={run}\n")


@pytest.mark.slow
def test_a_killed_worker_is_named(tmp_path: Path) -> None:
    check_told(*lose(tmp_path, signal.SIGKILL, lost=1), lost=1)


@pytest.mark.slow
def test_workers_go_on_together_where_one_was_stopped(tmp_path: Path) -> None:
    run, err, seconds = lose(tmp_path, signal.SIGSTOP, lost=1)
    check_told(run, err, seconds, lost=1)
    last = max(int(p.name) for p in (run / "checkpoints").iterdir())
    steps = last + 40
    with workers(f"resume={run}", f"train.steps={steps}") as pair:
        said = [process.communicate(timeout=300) for process in pair]
        assert [process.returncode for process in pair] == [0, 0], said
    assert said[0][0].splitlines()[-1] == f"run: {run}" and said[1][0] == ""
    summary = json.loads((run / "summary.json").read_text())
    assert (summary["status"], summary["steps"]) == ("done", steps)
    rows = (run / "metrics.csv").read_text().splitlines()[1:]
    assert len(rows) == len({row.rsplit(",", 1)[0] for row in rows})
    assert len(list(tmp_path.glob("*/*"))) == 1


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_a_lost_leader_is_named(number: int, tmp_path: Path) -> None:
    check_told(*lose(tmp_path, number, lost=0), lost=0)


@pytest.mark.slow
def test_an_interrupted_worker_stops_all_after_saving(tmp_path: Path) -> None:
    endless = [*TINY, "train.steps=1000000", "strategy=multi_worker", "strategy.wait=120"]
    with workers(f"output={tmp_path}", *endless) as pair:
        wait_for(lambda: saved(tmp_path, "*/*", step=20))
        pair[1].send_signal(signal.SIGTERM)
        out, _ = pair[0].communicate(timeout=60)
        assert [p.wait(60) for p in pair] == [128 + signal.SIGTERM] * 2
    (run,) = tmp_path.glob("*/*")
    assert json.loads((run / "summary.json").read_text())["status"] == "interrupted"
    assert out.splitlines()[-1] == f"run: {run}"


@pytest.mark.slow
def test_a_worker_that_never_comes_leaves_no_directory(tmp_path: Path) -> None:
    arguments = [f"output={tmp_path}/runs", *TINY, "strategy=multi_worker", "strategy.wait=1"]
    done = subprocess.run(
        [sys.executable, "-m", "nalu_seq.train", *arguments],
        env=environments(2)[0],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert "worker 1 (127.0.0.1:" in done.stderr and "did not connect within 1 s" in done.stderr
    assert list(tmp_path.iterdir()) == []
