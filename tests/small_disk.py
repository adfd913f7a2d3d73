"""Train on small disks, then with room: `unshare -rm python -m tests.small_disk KILOBYTES...`.

In namespaces of its own it may mount a tmpfs without being root, and nothing is left of it. Prints
as JSON how each training and its resumption ended, and what metrics.csv holds then.
"""

import contextlib
import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import nalu_seq.train
from tests.commands import TINY


def call(*arguments: str) -> tuple[int, str]:
    """Exit code and stderr."""
    sys.argv = ["nalu_seq.train", *arguments]
    said = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
        try:
            nalu_seq.train.main()
        except SystemExit as leave:
            return int(leave.code or 0), said.getvalue()
    return 0, said.getvalue()


def train_on(kilobytes: int) -> dict[str, object]:
    steps = ["train.steps=40", "train.eval_every=10"]
    with tempfile.TemporaryDirectory() as disk:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "none", disk]
        subprocess.run(mount, check=True)
        try:
            run = Path(disk) / "run"
            full = call(f"hydra.run.dir={run}", *TINY, *steps)
            left = sorted(
                str(p.relative_to(run)) for p in run.rglob("*") if "tfevents" not in str(p)
            )
            subprocess.run([*mount[:3], "-o", "remount,size=50m", "none", disk], check=True)
            saved = any((run / "checkpoints").glob("[0-9]*"))
            resumed = call(f"resume={run}") if saved else None
            record = (run / "metrics.csv").read_text() if saved else ""
        finally:
            subprocess.run(["umount", "--lazy", disk], check=True)
    return {"full": full, "left": left, "resumed": resumed, "record": record}


if __name__ == "__main__":
    print(json.dumps({size: train_on(int(size)) for size in sys.argv[1:]}), file=sys.__stdout__)
