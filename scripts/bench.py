#!/usr/bin/env python
"""How fast a population trains, beside what it replaces and beside the arithmetic alone.

    scripts/bench.py [WORKLOAD ...] [--rounds 5] [--seconds 2] [--only jax] [--json] [--record]

Each contestant is a process, or one on each core, that waits for its turn; they take turns round by
round, so that whatever else the machine does is shared. Wall time per member-step, medians:

    population   the training step as `train` runs it, drawing included, on all cores
    users        one member as a Keras user trains it: one compiled call a step; one process a core
    best         one member, many steps in one compiled call, the fastest form of several; the same
    floor        the unavoidable arithmetic at the population's sizes, many repetitions in one call
    before       the population of another checkout (--before), such as of an earlier commit
    jax          the same population in JAX, half of the members on each core (bench_jax.py)
    keras        pictures only: the user's one member, on all cores
    frames       pictures only: the same with the convnet called a time step at a time

`evaluate` and `keras_examples` compare what they measure in the same way.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

CONTESTANTS = ("population", "before", "jax", "users", "best", "floor", "keras", "frames")
OPPONENTS = ("before", "jax", "users", "best", "keras", "frames")
ON_EACH_CORE = ("users", "best", "jax")
IN_JAX = ("single_module", "arithmetic", "count")

RECORD = Path(__file__).parents[1] / "results" / "speed.csv"
# Ratios above 1 say that the population is faster; of_floor above 1 that it is slower.
COLUMNS = (
    "date", "commit", "cpu", "cores", "load", "workload", "members", "us_per_member_step",
    *(f"against_{name}" for name in OPPONENTS), "of_floor", "first_step_seconds", "peak_mib",
)  # fmt: skip

MODULE = ["task=single_module", "task.ranges=[[[1,2],[2,6]]]", "seeds={members}"]
MNIST = ["task=mnist_count", "task.lengths=[10]"]
ARITHMETIC = ["task=arithmetic", "seeds={members}"]


def grid(members: int) -> list[str]:
    """A module's population: at most 100 seeds, the rest a grid of learning rates."""
    rates = ",".join(f"{1e-3 * (1 + i / 1000):.6f}" for i in range(members // 100))
    cases = [f"+cases={{optimizer.learning_rate:[{rates}]}}"] if members > 100 else []
    return [*MODULE[:2], "unit=nalu", f"seeds={min(members, 100)}", *cases]


# Workload: what composes it, and how many members it has.
WORKLOADS: dict[str, tuple[list[str], int]] = {
    **{f"single_module_{unit}": ([*MODULE, f"unit={unit}"], 225)
       for unit in ("nac", "nalu", "nau", "nmu", "real_npu")},
    "arithmetic_nalu": ([*ARITHMETIC, "unit=nalu", "encoder.unit=nalu"], 100),
    "arithmetic_nmu": ([*ARITHMETIC, "unit=nmu", "encoder.unit=nau"], 100),
    "count_10": (["task=count", "seeds={members}"], 10),
    "count_100": (["task=count", "seeds={members}"], 100),
    "mnist_count_1": ([*MNIST, "seeds={members}"], 1),
    "mnist_count_4": ([*MNIST, "seeds={members}"], 4),
    "evaluate": (["task=count", "task.lengths=[10000]", "seeds={members}"], 10),
    **{f"scaling_{members}": (grid(members), members) for members in (1, 10, 100, 1000, 10_000)},
    **{f"keras_mlp{variant}": ([], 50) for variant in ("", "_dropout", "_stopping")},
    "keras_lstm": ([], 10),
    "keras_convnet": ([], 4),
}  # fmt: skip


class Contestant:
    """The processes of one contestant, which wait for their turn.

    Args:
        name: which.
        workload: of what.
        data: overrides for the data, such as where MNIST is.
        before: the checkout of the contestant of that name.
    """

    def __init__(self, name: str, workload: str, data: list[str], before: Path | None) -> None:
        self.name = name
        cores = sorted(os.sched_getaffinity(0))
        places = [[core] for core in cores] if name in ON_EACH_CORE else [cores]
        checkout = before if name == "before" and before else Path(__file__).parents[1]
        worker = checkout / "scripts" / ("bench_jax.py" if name == "jax" else "bench_worker.py")
        form = "population" if name == "before" else name
        overrides, members = WORKLOADS[workload]
        if name == "jax":
            members //= len(places)
        elif form not in ("population", "floor"):
            members = 1
        composed = [o.replace("{members}", str(members)) for o in overrides]
        if "mnist" in workload:
            composed += data
        self._processes = [
            subprocess.Popen(
                [sys.executable, str(worker), form, workload, str(members), *composed],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                env={
                    **os.environ,
                    "NALU_SEQ_CORES": ",".join(map(str, place)),
                    "PYTHONPATH": str(checkout),
                },
            )
            for place in places
        ]  # fmt: skip
        self.about = self._answers()[0]
        self.rounds: list[float] = []

    def turn(self, seconds: float) -> None:
        """Work for about so many seconds, and note the seconds for each member-step."""
        for process in self._processes:
            print(seconds, file=process.stdin, flush=True)
        done = self._answers()
        # Side by side: what they get done in a second adds up.
        self.rounds.append(1 / sum(d["member_steps"] / d["seconds"] for d in done))
        self.about["peak_mib"] = sum(d["peak_mib"] for d in done)

    def _answers(self) -> list[dict[str, Any]]:
        answers = []
        for process in self._processes:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise SystemExit(f"{self.name} ended: {process.wait()}")
            answers.append(json.loads(line))
        return answers

    def close(self) -> None:
        """End the processes."""
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.close()
            process.wait()


@contextmanager
def contestants(
    workload: str, data: list[str], only: Sequence[str] = (), before: Path | None = None
) -> Iterator[list[Contestant]]:
    """All that take part in a workload, or the population and `only` some, made ready in turn."""
    ready: list[Contestant] = []
    names = [n for n in CONTESTANTS if takes_part(n, workload) and (n != "before" or before)]
    if only:
        names = [n for n in names if n == "population" or n in only]
    try:
        for name in names:
            ready.append(Contestant(name, workload, data, before))
        yield ready
    finally:
        for contestant in ready:
            contestant.close()


def takes_part(name: str, workload: str) -> bool:
    """Whether a contestant is in a workload: `evaluate` and Keras' examples have two."""
    if workload.startswith("scaling"):
        return name == "population"
    if name == "before":
        return True
    if name == "jax":
        return workload.startswith(IN_JAX)
    if name in ("keras", "frames"):
        return workload.startswith("mnist")
    return name in ("population", "users") or not workload.startswith(("evaluate", "keras"))


def measure(
    workload: str,
    rounds: int,
    seconds: float,
    data: list[str],
    only: Sequence[str] = (),
    before: Path | None = None,
) -> dict[str, Any]:
    """The medians of a workload's contestants."""
    with contestants(workload, data, only, before) as ready:
        for contestant in ready:
            contestant.turn(seconds / 4)  # to warm up
            contestant.rounds.clear()
        for _ in range(rounds):
            for contestant in ready:
                contestant.turn(seconds)
        result: dict[str, Any] = {"workload": workload, "members": WORKLOADS[workload][1]}
        for contestant in ready:
            ms = [1e3 * s for s in contestant.rounds]
            result[contestant.name] = {
                "ms_per_member_step": statistics.median(ms),
                "rounds_ms": ms,
                **contestant.about,
            }
    ours = result["population"]["ms_per_member_step"]
    for name in OPPONENTS:
        if name in result:
            pairs = zip(result[name]["rounds_ms"], result["population"]["rounds_ms"], strict=True)
            result[f"against_{name}"] = statistics.median(other / own for other, own in pairs)
    if "floor" in result:
        result["of_floor"] = ours / result["floor"]["ms_per_member_step"]
    return result


def table(results: list[dict[str, Any]]) -> str:
    """Markdown."""
    against = [f"against {name}" for name in OPPONENTS]
    head = ["workload", "members", *CONTESTANTS, *against, "of the floor", "first step", "peak"]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for result in results:
        times = [
            f"{1e3 * result[n]['ms_per_member_step']:.3g} µs" if n in result else "-"
            for n in CONTESTANTS
        ]
        ratios = [
            f"{result[key]:{'.0f' if result[key] >= 100 else '.2g'}}x" if key in result else "-"
            for key in (*(f"against_{name}" for name in OPPONENTS), "of_floor")
        ]
        own = result["population"]
        about = [f"{own['first_step_seconds']:.1f} s", f"{own['peak_mib']:.0f} MiB"]
        row = [result["workload"], str(result["members"]), *times, *ratios, *about]
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines)


def record(results: list[dict[str, Any]], load: float) -> None:
    """Add a row for each workload to results/speed.csv, so that a slow-down is seen."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=RECORD.parent, capture_output=True, text=True, check=True,
    )  # fmt: skip
    cores = len(os.sched_getaffinity(0))
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.partition(":")[2].strip() for line in lines if "model name" in line), "")
    begun = RECORD.exists()
    with RECORD.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="", extrasaction="ignore")
        if not begun:
            writer.writeheader()
        for result in results:
            own = result["population"]
            row = {
                "date": time.strftime("%Y-%m-%d"),
                "commit": commit.stdout.strip(),
                "cpu": cpu,
                "cores": cores,
                "load": f"{load:.1f}",
                "us_per_member_step": f"{1e3 * own['ms_per_member_step']:.3g}",
                "first_step_seconds": f"{own['first_step_seconds']:.1f}",
                "peak_mib": f"{own['peak_mib']:.0f}",
            }
            ratios = {k: f"{v:.3g}" for k, v in result.items() if k.startswith(("against", "of_"))}
            writer.writerow(
                {"workload": result["workload"], "members": result["members"], **row, **ratios}
            )


def plot(results: list[dict[str, Any]], path: Path) -> None:
    """Cost of a member-step and memory against the number of members."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    members = [r["members"] for r in results]
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
    costs = [1e3 * r["population"]["ms_per_member_step"] for r in results]
    peaks = [r["population"]["peak_mib"] for r in results]
    axes[0].loglog(members, costs, "o-")
    axes[1].semilogx(members, peaks, "o-")
    axes[0].set(xlabel="members", ylabel="µs for each member and step")
    axes[1].set(xlabel="members", ylabel="peak memory, MiB", ylim=(0, 1.1 * max(peaks)))
    for ax in axes:
        ax.grid(alpha=0.3, which="both")
    figure.savefig(path, dpi=120)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("workload", nargs="*", help=f"{', '.join(WORKLOADS)}; a prefix for several")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each turn")
    parser.add_argument("--data", default="digits", help="mnist_count's: digits, or mnist")
    parser.add_argument("--plot", type=Path, help="a picture of the scaling workloads")
    parser.add_argument("--only", default="", help=f"some of {', '.join(CONTESTANTS[1:])}")
    parser.add_argument("--before", type=Path, help="a checkout to compare with")
    parser.add_argument("--record", action="store_true", help=f"rows for {RECORD.name}")
    parser.add_argument("--json", action="store_true", help="all that was measured")
    arguments = parser.parse_args()
    prefixes = tuple(g for g in arguments.workload or [""] if g not in WORKLOADS)
    chosen = [w for w in WORKLOADS if w in arguments.workload or w.startswith(prefixes)]
    if unknown := [g for g in arguments.workload if not any(w.startswith(g) for w in WORKLOADS)]:
        parser.error(f"no workload {', '.join(unknown)}; valid: {', '.join(WORKLOADS)}")
    data, only = [f"data={arguments.data}"], [name for name in arguments.only.split(",") if name]
    if unknown := [name for name in only if name not in CONTESTANTS]:
        parser.error(f"no contestant {', '.join(unknown)}; valid: {', '.join(CONTESTANTS)}")
    results = []
    for workload in chosen:
        print(f"{workload} ...", file=sys.stderr)
        results.append(
            measure(workload, arguments.rounds, arguments.seconds, data, only, arguments.before)
        )
        if not arguments.json:
            print(table(results[-1:]).splitlines()[-1] if results[1:] else table(results))
    if arguments.plot:
        plot([r for r in results if r["workload"].startswith("scaling")], arguments.plot)
    load = os.getloadavg()[0]
    if arguments.record:
        record(results, load)
    if arguments.json:
        print(json.dumps({"load": load, "results": results}, indent=1))
    else:
        print(f"\nLoad at the end: {load:.1f}. {arguments.rounds} rounds of {arguments.seconds} s.")


if __name__ == "__main__":
    main()
