"""Two processes on one run, sweep or merge, in every order: the second is told, nothing is lost."""

import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.commands import command, wait_for

pytestmark = pytest.mark.alone

SMALL = ["task=product", "unit=nmu", "train.compile=graph", "seeds=2", "train.steps=40"]
SMALL += ["train.eval_every=10"]
# What the first has done when the second starts.
ORDERS: dict[str, Callable[[Path], bool]] = {
    "together": lambda run: True,
    "begun": lambda run: (run / ".hydra").exists(),
    "measured": lambda run: (run / "metrics.csv").exists(),
    "saved": lambda run: any(run.glob("checkpoints/[0-9]*")),
}
Ends = list[tuple[int, str]]


def both(first: Sequence[str], second: Sequence[str], ready: Callable[[], bool]) -> Ends:
    """Run two commands, the second once the first is so far: their exit codes and messages."""
    started = [start(first)]
    wait_for(lambda: ready() or started[0].poll() is not None)
    started.append(start(second))
    errors = [process.communicate(timeout=600)[1] for process in started]
    return [(process.returncode, e) for process, e in zip(started, errors, strict=True)]


def start(arguments: Sequence[str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def check_told(ends: Ends, codes: Sequence[list[int]] = ([0, 2],)) -> None:
    assert sorted(code for code, _ in ends) in codes, ends
    for code, err in ends:
        assert len(err.splitlines()) == (code == 2), err


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The record of a run that nobody else looked at."""
    run = tmp_path_factory.mktemp("whole") / "run"
    subprocess.run(command(*SMALL, f"hydra.run.dir={run}"), check=True, capture_output=True)
    return (run / "metrics.csv").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("order", ORDERS)
def test_of_two_in_one_run_the_second_is_told(order: str, whole: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    first = command(*SMALL, f"hydra.run.dir={run}")
    other = command(*SMALL, "train.batch_size=7", f"hydra.run.dir={run}")
    second = first if order == "together" else other
    check_told(both(first, second, lambda: ORDERS[order](run)))
    assert (run / "metrics.csv").read_text() == whole
    assert "batch_size: 7" not in (run / ".hydra" / "config.yaml").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("order", ORDERS)
def test_of_two_in_one_sweep_the_second_is_told(order: str, whole: str, tmp_path: Path) -> None:
    sweep = tmp_path / "sweep"
    first = command(*SMALL, "train.batch_size=10,7", "-m", f"hydra.sweep.dir={sweep}")
    second = command(f"sweep.resume={sweep}") if order != "together" else first
    ends = both(first, second, lambda: ORDERS[order](sweep / "0"))
    check_told(ends, ([0, 2], [0, 0]))  # a sweep that is done has nothing to refuse
    assert (sweep / "0" / "metrics.csv").read_text() == whole
    assert sorted(p.parent.name for p in sweep.glob("*/summary.json")) == ["0", "1"]


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.0, 2.0, 5.0, 7.0])
def test_of_two_merges_the_second_is_told(delay: float, whole: str, tmp_path: Path) -> None:
    parts = [tmp_path / f"part{i}" for i in range(2)]
    for i, part in enumerate(parts):
        call = command(*SMALL, f"shard={i}/2", f"hydra.run.dir={part}")
        subprocess.run(call, check=True, capture_output=True)
    begun = time.monotonic()
    merge = command(str(tmp_path / "run"), *map(str, parts), module="merge")
    check_told(both(merge, merge, lambda: time.monotonic() - begun > delay))
    lines = (tmp_path / "run" / "metrics.csv").read_text().splitlines()
    assert [line.rsplit(",", 1)[0] for line in lines] == [
        line.rsplit(",", 1)[0] for line in whole.splitlines()
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["part0", "part1", "run"]
