#!/usr/bin/env python
"""Stop a training again and again, resume it each time, and compare it with one left alone.

`.venv/bin/python scripts/chaos.py [--stops 25] [--signal TERM] [--seed 0] [overrides ...]`

Every other stop comes at a random moment of the process's life, the others when it is about to make
a random one of its changes to the run's directory: so some fall into the writing of checkpoints and
into appends to metrics.csv. After a kill, what was appended since the last checkpoint may be torn
too, as by a machine that lost its power. In the end metrics.csv and every variable must be the same
to the bit; after SIGTERM each exit must be 143, within 10 seconds. A trained run is followed by
another, until there were enough stops.
"""

import argparse
import contextlib
import json
import math
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

SMALL = (
    "task.lengths=[10,20]", "encoder.units=4", "seeds=2", "train.batch_size=4",
    "train.steps=200", "train.eval_every=10",
)  # fmt: skip
CHANGES = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate")
SECONDS = 10  # that a SIGTERM may take


class Life(NamedTuple):
    """One process that trained.

    Attributes:
        code: how it ended.
        seconds: how long that took, from when it was stopped.
        changes: how many it made to the run's directory.
        last: the last of them before it was stopped.
    """

    code: int
    seconds: float
    changes: int
    last: str


class Chaos:
    """Trainings of one config under `directory`, in processes of their own."""

    def __init__(self, directory: Path, overrides: Sequence[str] = SMALL, seed: int = 0) -> None:
        self.directory, self.overrides, self.random = directory, overrides, random.Random(seed)
        # TensorFlow is imported once, and each process is forked from there.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["nalu_seq.train", "nalu_seq.experiment.session"])
        self.whole = directory / "whole"
        started = time.monotonic()
        left_alone = self.live(self.whole)
        assert left_alone.code == 0, f"a run left alone ends with {left_alone.code}"
        self.lifetime, self.changes = time.monotonic() - started, left_alone.changes

    def live(
        self, run: Path, number: int = 0, delay: float | None = None, change: int | None = None
    ) -> Life:
        """Train `run`, from its last checkpoint if there is one, until it ends or is stopped.

        Args:
            run: its directory.
            number: the signal that stops it.
            delay: after how many seconds, or
            change: before which of its changes to the directory.
        """
        saved = any((run / "checkpoints").glob("[0-9]*"))
        if not saved:
            shutil.rmtree(run, ignore_errors=True)
        arguments = [f"resume={run}"] if saved else [f"hydra.run.dir={run}", *self.overrides]
        log = self.directory / "log"
        ours, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(
            target=_train, args=(arguments, run, log, theirs, number, change)
        )
        process.start()
        theirs.close()
        deadline = math.inf if delay is None else time.monotonic() + delay
        asked, seen, last = math.inf, 0, ""  # of the changes: how many, and the last before a stop
        with contextlib.suppress(EOFError):
            while True:
                if not ours.poll(None if deadline == math.inf else deadline - time.monotonic()):
                    process.kill() if number == signal.SIGKILL else process.terminate()
                    asked, deadline = time.monotonic(), math.inf
                    continue
                seen, event = ours.recv()
                if asked == math.inf:
                    last = event
                if seen == change:
                    asked = time.monotonic()
        process.join()
        code = process.exitcode or 0
        assert code in (0, -number, 128 + number), f"it ended with {code}:\n{log.read_text()}"
        return Life(code, time.monotonic() - asked, seen, last)

    def stop(self, run: Path, number: int, tell: Callable[[str], None]) -> bool:
        """Stop `run` once, by time or by change in turn; whether it was still training."""
        by_time = self.random.random() < 0.5
        delay = self.random.uniform(0, self.lifetime) if by_time else None
        change = None if by_time else self.random.randint(1, self.changes)
        life = self.live(run, number, delay, change)
        if life.code == 0:
            return False
        tell(
            f"stopped after {delay:.1f} s" if delay else f"stopped at change {change}, {life.last}"
        )
        if number == signal.SIGKILL:
            self.tear(run)
        elif life.changes and any((run / "checkpoints").iterdir()):
            assert life.code == 128 + number, f"it ended with {life.code}"
            assert life.seconds < SECONDS, f"it took {life.seconds:.1f} s to save"
        return True

    def tear(self, run: Path) -> None:
        """Cut what was appended to metrics.csv since the last checkpoint, or begin another row."""
        newest = max((run / "checkpoints").glob("[0-9]*"), key=lambda p: int(p.name), default=None)
        if newest is None:
            return
        kept = json.loads((newest / "notes.json").read_text())["record"]["bytes"]
        with (run / "metrics.csv").open("r+b") as file:
            end = file.seek(0, os.SEEK_END)
            if end > kept:
                file.truncate(self.random.randint(kept, end))
            else:
                file.write(b"30,default,0,trai"[: self.random.randint(0, 17)])

    def compare(self, run: Path) -> int:
        """Make sure that a run is as the one left alone; how many variables are the same."""
        assert (run / "metrics.csv").read_bytes() == (self.whole / "metrics.csv").read_bytes()
        one, other = variables(run), variables(self.whole)
        assert one.keys() == other.keys()
        different = [name for name in one if one[name].tobytes() != other[name].tobytes()]
        assert not different, f"not the same: {', '.join(different)}"
        return len(one)


def variables(run: Path) -> dict[str, Any]:
    """All that a run's newest checkpoint holds, but for the time that it took."""
    import tensorflow as tf

    newest = max((run / "checkpoints").glob("[0-9]*"), key=lambda path: int(path.name))
    reader = tf.train.load_checkpoint(str(newest / "state"))
    return {
        name: reader.get_tensor(name)
        for name in reader.get_variable_to_shape_map()
        if not name.startswith(("seconds", "_CHECKPOINTABLE"))
    }


def stop_often(
    chaos: Chaos, stops: int, number: int, tell: Callable[[str], None] = print
) -> tuple[int, int]:
    """Stop trainings `stops` times in all; how many were trained, how many variables compared."""
    count, trained, same = 0, 0, 0
    while count < stops:
        run, trains = chaos.directory / f"stopped_{trained}", True
        while trains and count < stops:
            trains = chaos.stop(run, number, tell)
            count += trains
        if trains:
            chaos.live(run)
        same = chaos.compare(run)
        trained += 1
    return trained, same


def _train(
    arguments: list[str], run: Path, log: Path, parent: Any, number: int, change: int | None
) -> None:
    """The command, in this process, telling its parent of each change that it is about to make."""
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    seen = 0

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        if event not in CHANGES or not str(arguments[0]).startswith(str(run)):
            return
        if event == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR):
            return
        seen += 1
        parent.send((seen, f"{event} {str(arguments[0]).removeprefix(str(run))}"))
        if seen == change:
            os.kill(os.getpid(), number)

    sys.addaudithook(watch)
    import nalu_seq.train

    sys.argv = ["nalu_seq.train", *arguments]
    nalu_seq.train.main()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("overrides", nargs="*", help="the config; a small count without")
    parser.add_argument("--stops", type=int, default=25)
    parser.add_argument("--signal", choices=("KILL", "TERM"), default="KILL")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        chaos = Chaos(Path(directory), arguments.overrides or SMALL, arguments.seed)
        number = signal.Signals[f"SIG{arguments.signal}"]
        trained, same = stop_often(chaos, arguments.stops, number)
    print(
        f"{arguments.stops} times SIG{arguments.signal} in {trained} trainings: "
        f"metrics.csv and {same} variables are the same to the bit"
    )


if __name__ == "__main__":
    main()
