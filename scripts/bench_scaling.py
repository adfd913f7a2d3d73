#!/usr/bin/env python
"""Time what a second core gives: as a worker that shares each batch, and with members of its own.

`.venv/bin/python scripts/bench_scaling.py [--task arithmetic] [--members 100] [--batches 128 512]`:
processes that are pinned to one of two cores train a task. The forms take turns, so that
they share whatever else the machine does; what is printed are ratios, as Markdown.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

FORMS = ("one process", "one, half the batch", "two workers", "two, half the members each")
WAIT = 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--task", default="arithmetic")
    parser.add_argument("--members", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--steps", type=int, default=20, help="of a turn")
    parser.add_argument("--batches", type=int, nargs="+", default=[128, 512])
    arguments = parser.parse_args()
    from tests.distribution.clusters import addresses

    spawn = multiprocessing.get_context("spawn")
    for batch in arguments.batches:
        barrier = spawn.Barrier(5)
        cluster = {"worker": addresses(2)}
        roles = [(place, shared) for shared in (False, True) for place in (0, 1)]
        processes = [
            spawn.Process(target=take_turns, args=(barrier, arguments, batch, cluster, *role))
            for role in roles
        ]
        for process in processes:
            process.start()
        taken: dict[str, list[float]] = {form: [] for form in FORMS}
        for _ in range(arguments.rounds + 1):
            for form in FORMS:
                barrier.wait(WAIT)
                begun = time.perf_counter()
                barrier.wait(WAIT)
                taken[form].append(1e3 * (time.perf_counter() - begun) / arguments.steps)
        for process in processes:
            process.join()
        tell(
            f"{arguments.task}, batch {batch}, {arguments.members} members",
            {form: times[1:] for form, times in taken.items()},
        )


def take_turns(
    barrier: Barrier,
    arguments: argparse.Namespace,
    batch: int,
    cluster: dict[str, Any],
    place: int,
    shared: bool,
) -> None:
    """One process: it trains when its form has its turn, and waits otherwise."""
    os.sched_setaffinity(0, [sorted(os.sched_getaffinity(0))[place]])  # before TensorFlow looks
    task = {"type": "worker", "index": place}
    os.environ["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": task})
    from nalu_seq.config.schema import Strategy
    from nalu_seq.distribution.startup import start_tensorflow

    name, wait = ("multi_worker", f"strategy.wait={WAIT}") if shared else ("one_device", "")
    start_tensorflow(Strategy(name, wait=float(WAIT)) if shared else Strategy(name))
    common = [
        f"task={arguments.task}",
        f"seeds={arguments.members}",
        f"strategy={name}",
        *([wait] if wait else []),
    ]

    own: dict[str, Any] = {}
    if shared:
        own["two workers"] = trainer(*common, f"train.batch_size={batch}")
    else:
        half = f"train.batch_size={batch // 2}"
        whole = f"train.batch_size={batch}"
        own["two, half the members each"] = trainer(*common, whole, f"shard={place}/2")
        if place == 0:
            own["one process"] = trainer(*common, whole)
            own["one, half the batch"] = trainer(*common, half)
    for _ in range(arguments.rounds + 1):
        for form in FORMS:
            barrier.wait(WAIT)
            if form in own:
                own[form].run(arguments.steps)
            barrier.wait(WAIT)
    os._exit(0)  # workers would wait for each other


def trainer(*overrides: str) -> Any:
    from nalu_seq.experiment.experiment import Experiment
    from tests.distribution.replicas import compose

    experiment = Experiment(*compose(*overrides))
    return experiment.trainer(experiment.population())


def tell(what: str, taken: dict[str, list[float]]) -> None:
    """A table: the fastest turns tell what the machine can, the medians what it did."""
    print(f"\n{what}, load {os.getloadavg()[0]:.1f}\n")
    print("| form | ms a step, fastest | times | ms, median | times |")
    print("| --- | --- | --- | --- | --- |")
    fastest = {form: min(times) for form, times in taken.items()}
    median = {form: statistics.median(times) for form, times in taken.items()}
    for form in taken:
        cells = []
        for figures in (fastest, median):
            cells += [f"{figures[form]:.2f}", f"{figures[FORMS[0]] / figures[form]:.2f}"]
        print(f"| {form} | {' | '.join(cells)} |")
    lost = fastest["two workers"] - fastest["one, half the batch"]
    print(f"\nlost to communication and waiting: {lost:.2f} of {fastest['two workers']:.2f} ms")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
