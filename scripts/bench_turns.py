"""The turns of a contestant's process: it says that it is ready, then works when it is told to."""

import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

Work = Callable[[int], Any]  # makes so many steps


def per_turn(work: Work, seconds: float) -> int:
    """How many steps take about so long; whole calls of many steps."""
    whole = getattr(work, "steps", 1)
    steps = whole
    while True:
        begun = time.perf_counter()
        work(steps)
        took = time.perf_counter() - begun
        if took > seconds / 4:
            return max(whole, round(steps * seconds / took / whole) * whole)
        steps *= 4


def take_turns(make: Callable[[], Work], members: int) -> None:
    """Make what works, answer with how long that took, then make steps for each line read.

    Args:
        make: makes the work; a first step is made then, which traces and compiles.
        members: how many members one step trains.
    """
    begun = time.perf_counter()
    work = make()
    built = time.perf_counter() - begun
    work(getattr(work, "steps", 1))
    first = time.perf_counter() - begun
    print(json.dumps({"build_seconds": built, "first_step_seconds": first}), flush=True)
    steps = None
    for line in sys.stdin:
        steps = steps or per_turn(work, float(line))
        begun = time.perf_counter()
        work(steps)
        took = time.perf_counter() - begun
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        answer = {"member_steps": steps * members, "seconds": took, "peak_mib": peak}
        print(json.dumps(answer), flush=True)
