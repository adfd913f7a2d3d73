#!/usr/bin/env python
"""Time what a second core gives: as a worker that shares each batch, and with members of its own.

`.venv/bin/python scripts/bench_scaling.py [--members 100] [--rounds 9] [--seconds 0.5]`: two
processes, pinned to a core each, train `task=arithmetic`. The forms take turns, so that they share
whatever else the machine does; what is printed are ratios of medians, as Markdown.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--members", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--batches", type=int, nargs="+", default=[128, 512])
    parser.add_argument("--seconds", type=float, default=0.5, help="of a turn, about")
    arguments = parser.parse_args()
    if "TF_CONFIG" in os.environ:
        measure(arguments)
        return
    cluster = {"worker": free_addresses(2)}
    processes = []
    for i in range(2):
        config = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": i}})
        environment = {**os.environ, "TF_CONFIG": config}
        processes.append(subprocess.Popen([sys.executable, *sys.argv], env=environment))
    sys.exit(max(process.wait() for process in processes))


def free_addresses(count: int) -> list[str]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    found = [f"127.0.0.1:{s.getsockname()[1]}" for s in sockets]
    for s in sockets:
        s.close()
    return found


def measure(arguments: argparse.Namespace) -> None:
    members, rounds, seconds = arguments.members, arguments.rounds, arguments.seconds
    place = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
    os.sched_setaffinity(0, [sorted(os.sched_getaffinity(0))[place]])  # before TensorFlow looks
    from nalu_seq.config import Strategy
    from nalu_seq.startup import start_tensorflow

    together = ["strategy=multi_worker", "strategy.wait=300"]
    start_tensorflow(Strategy("multi_worker", wait=300.0))
    from nalu_seq.training.workers import Workers

    for batch in arguments.batches:
        shared = trainer(*together, f"seeds={members}", f"train.batch_size={batch}")
        own = trainer(f"shard={place}/2", f"seeds={members}", f"train.batch_size={batch}")
        workers = Workers(shared.strategy)
        whole = trainer(f"seeds={members}", f"train.batch_size={batch}")
        half = trainer(f"seeds={members}", f"train.batch_size={batch // 2}")

        forms = {
            "one worker": alone(whole, place),
            "one worker, half the batch": alone(half, place),
            "two workers": shared.run,
            "two processes, half the members each": own.run,
        }
        for run in forms.values():
            run(20)  # traced, and warm
        begun = time.perf_counter()
        whole.run(20)
        steps = max(int(workers.leaders(20 * seconds / (time.perf_counter() - begun))), 20)
        taken: dict[str, list[float]] = {name: [] for name in forms}
        for _ in range(rounds):
            for name, run in forms.items():
                workers.any(False)
                begun = time.perf_counter()
                run(steps)
                workers.any(False)
                taken[name].append((time.perf_counter() - begun) / steps)
        if os.environ.get("SHOW"):
            print(place, {n: [round(1e3 * x, 2) for x in t] for n, t in taken.items()}, flush=True)
        if place == 0:
            numbers = sum(v.shape.num_elements() for v in shared.population.trainable_variables)
            tell(batch, members, {n: statistics.median(t) for n, t in taken.items()}, numbers)
    sys.stdout.flush()
    workers.any(False)
    os._exit(0)


def alone(training: Any, place: int) -> Callable[[int], None]:
    """The first process trains, the other waits."""

    def run(steps: int) -> None:
        if place == 0:
            training.run(steps)

    return run


def trainer(*overrides: str) -> Any:
    from nalu_seq.recipe import Recipe
    from tests.training.replicas import compose

    recipe = Recipe(*compose("task=arithmetic", *overrides))
    return recipe.trainer(recipe.population())


def tell(batch: int, members: int, medians: dict[str, float], numbers: int) -> None:
    one, half, two, apart = medians.values()
    print(f"\nbatch {batch}, {members} members, load {os.getloadavg()[0]:.1f}\n")
    print("| form | ms a step | times one worker |\n| --- | --- | --- |")
    for name, value in medians.items():
        print(f"| {name} | {1e3 * value:.2f} | {one / value:.2f} |")
    print(
        f"\nlost to communication: {1e3 * (two - half):.2f} ms of {1e3 * two:.2f} a step; "
        f"{4 * (numbers + members)} bytes in one all-reduce; "
        f"{2 * one / apart / 2:.2f} times the member-steps a second in two processes",
        flush=True,
    )


if __name__ == "__main__":
    main()
