"""Trains what a GPU must get right, and compares it with the CPU of the same machine.

    scripts/gpu_check            writes results/gpu/<device>/; never run whole: its cost is unknown
    scripts/gpu_check --quick    20 steps of two seeds each: shows whether all of it runs

Counts, products and digits train on the first GPU; counts also mirrored over all GPUs, and with a
share of the members on each. The same seeds train on the CPU. A job passes if the interval of the
difference of the two success rates (Newcombe, 95 %) holds zero. Ends with 1 if a job fails or
differs, and with 2 without a GPU; `--quick` then goes through with the CPU in its place.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from nalu_seq.evaluation.intervals import newcombe  # noqa: E402

COUNT = ["task=count"]
TASKS = {
    "count": COUNT,
    "product": ["task=product", "seeds=100"],
    "digits": ["task=mnist_count", "data=digits", "seeds=10"],
}
JOBS = {
    "count": ("count", "one_device"),
    "product": ("product", "one_device"),
    "digits": ("digits", "one_device"),
    "count, mirrored": ("count", "mirrored"),
    "count, members": ("count", "members"),
}
# Where there is no GPU, two halves of the CPU and two processes stand for several.
IN_PLACE = {"mirrored": ["strategy.devices=2"], "members": ["strategy.processes=2"]}


class Result(NamedTuple):
    """What one training gives: of how many members how many solved the hardest split."""

    solved: int
    members: int
    split: str
    seconds: float


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="20 steps of two seeds each")
    parser.add_argument("--output", type=Path, default=ROOT / "results" / "gpu")
    arguments = parser.parse_args()
    gpus = names_of_gpus()
    if not gpus:
        print("no GPU was there: TensorFlow sees none on this machine", flush=True)
        if not arguments.quick:
            print("scripts/gpu_check --quick tries the check itself on the CPU", file=sys.stderr)
            return 2
    device = re.sub(r"\W+", "_", gpus[0] if gpus else "cpu").strip("_").lower()
    output = arguments.output / device
    output.mkdir(parents=True, exist_ok=True)
    reference = {
        name: train(output / "cpu", name, settings, arguments.quick, gpu=False)
        for name, settings in TASKS.items()
    }
    rows, failed = [], False
    for job, (name, strategy) in JOBS.items():
        settings = [*TASKS[name], f"strategy={strategy}"]
        settings += [] if gpus else IN_PLACE.get(strategy, [])
        result = train(output / "gpu", job, settings, arguments.quick, gpu=True)
        row, differs = compare(job, result, reference[name])
        rows.append(row)
        failed |= differs
        print(row, flush=True)
    (output / "README.md").write_text(report(gpus, rows, arguments.quick))
    print(f"written: {output / 'README.md'}")
    return int(failed)


def names_of_gpus() -> list[str]:
    """The names of the GPUs that TensorFlow sees, asked in a process of its own."""
    code = (
        "import json, tensorflow as tf; gpus = tf.config.list_physical_devices('GPU');"
        "print(json.dumps([tf.config.experimental.get_device_details(g).get('device_name', g.name)"
        " for g in gpus]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def train(directory: Path, name: str, settings: list[str], quick: bool, gpu: bool) -> Result | None:
    """Train, in a process of its own, or take the result of a training that was done before.

    Args:
        directory: the folder of the runs.
        name: the name of the run's folder in it.
        settings: the overrides of the command.
        quick: whether to make 20 steps only.
        gpu: whether the process may see GPUs.

    Returns:
        The result; None if the training failed, whose last lines are printed.
    """
    run = directory / name.replace(", ", "_")
    if not (run / "summary.json").exists():
        variant = ["variant=quick_digits" if "data=digits" in settings else "variant=quick"]
        command = [sys.executable, "-m", "nalu_seq.train", *settings]
        command += [f"hydra.run.dir={run}", *(variant if quick else [])]
        hidden = {} if gpu else {"CUDA_VISIBLE_DEVICES": "-1"}
        done = subprocess.run(
            command, env=os.environ | hidden, capture_output=True, text=True, cwd=ROOT
        )
        if done.returncode:
            print(*done.stderr.splitlines()[-5:], sep="\n", file=sys.stderr)
            return None
    return read(json.loads((run / "summary.json").read_text()))


def read(summary: dict[str, Any]) -> Result:
    """The result in a run's summary: the last split that its task judges."""
    judged = [row for row in summary["results"] if row["success_rate"] is not None]
    row = judged[-1]
    solved = round(row["success_rate"] * row["n"])
    return Result(solved, row["n"], row["split"], summary["wall_seconds"])


def compare(job: str, ours: Result | None, cpu: Result | None) -> tuple[str, bool]:
    """A row of the table, and whether the job failed or differs from the CPU."""
    if ours is None or cpu is None:
        return f"| {job} | failed | | | | |", True
    difference = newcombe(ours.solved, ours.members, cpu.solved, cpu.members)
    differs = not difference.low <= 0 <= difference.high
    interval = f"[{difference.low:+.2f}, {difference.high:+.2f}]"
    cells = [
        job, ours.split, f"{ours.solved}/{ours.members}", f"{cpu.solved}/{cpu.members}",
        f"{interval}{' differs' if differs else ''}", f"{ours.seconds:.0f} / {cpu.seconds:.0f}",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |", differs


def report(gpus: list[str], rows: list[str], quick: bool) -> str:
    """The README of the results."""
    devices = ", ".join(gpus) or "no GPU was there: the CPU stands in its place"
    lines = [
        f"# {devices}",
        "",
        f"`scripts/gpu_check{' --quick' if quick else ''}`, {datetime.now(UTC):%Y-%m-%d}.",
        *(["Twenty steps of two seeds each: they show that all of it runs, no more."] * quick),
        "",
        "| job | split | solved | on the CPU | difference of the rates, 95 % | seconds / CPU's |",
        "| --- | --- | --- | --- | --- | --- |",
        *rows,
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
