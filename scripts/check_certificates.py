"""Measure where counts fail beside what was certified: check_certificates.py RUN CERTIFICATES

CERTIFICATES is what `python -m nalu_seq.explain RUN --certify --format json` prints. Members are
streamed in groups of about the same predicted length, each 1.25 times as far as the group's
largest, in pieces of as many steps as the certificates name; fewer sequences than `--check` draws,
so that a hundred members take minutes. Prints JSON. With `--snapped LENGTH` all members are
streamed so far with `head.snap=1`, and the first wrong step of each is printed.
"""

import argparse
import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import OmegaConf

from nalu_seq.config.schema import Strategy, register
from nalu_seq.distribution.startup import start_tensorflow
from nalu_seq.evaluation.measure import Evaluator
from nalu_seq.experiment.experiment import Experiment
from nalu_seq.experiment.session import open_trained
from nalu_seq.explanation.certificate import check
from nalu_seq.population.population import Population
from nalu_seq.records.members import Members
from nalu_seq.records.runs import read_run

GROUPS, FURTHER = 5, 1.25


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("certificates", type=Path)
    parser.add_argument("--sequences", type=int, default=20)
    parser.add_argument("--snapped", type=int, metavar="LENGTH")
    arguments = parser.parse_args()
    certified = json.loads(arguments.certificates.read_text())
    begun = time.monotonic()
    members = (
        _snapped(arguments, certified) if arguments.snapped else _compare(arguments, certified)
    )
    report = {
        "sequences": arguments.sequences,
        "seconds": round(time.monotonic() - begun),
        "members": members,
    }
    print(json.dumps(report, indent=1))


def _compare(arguments: argparse.Namespace, certified: dict[str, Any]) -> list[dict[str, Any]]:
    """The predicted and the measured length of each member."""
    certificates = sorted(certified["members"], key=lambda c: c["length"] or c["float32_length"])
    found = []
    for group in np.array_split(np.arange(len(certificates)), GROUPS):
        some = [certificates[i] for i in group]
        length = int(FURTHER * some[-1]["length"])
        seeds = [c["seed"] for c in some]
        exact = _exact(arguments, seeds, length, certified["piece"], None)
        for certificate, right in zip(some, exact, strict=True):
            result = check(certificate["length_interval"][0], right, arguments.sequences)
            found.append(
                {
                    "seed": certificate["seed"],
                    "predicted": certificate["length"],
                    "measured": result.length,
                    "steps": result.steps,
                    "refuted": result.refuted,
                }
            )
    return sorted(found, key=lambda member: member["seed"])


def _snapped(arguments: argparse.Namespace, certified: dict[str, Any]) -> list[dict[str, Any]]:
    """Where each member, its increments rounded, is wrong first."""
    seeds = [c["seed"] for c in certified["members"]]
    exact = _exact(arguments, seeds, arguments.snapped, 10_000, 1)
    wrong = [np.flatnonzero(right < 1) for right in exact]
    return [
        {"seed": seed, "first_wrong": int(w[0]) + 1 if len(w) else None}
        for seed, w in zip(seeds, wrong, strict=True)
    ]


def _exact(
    arguments: argparse.Namespace, seeds: list[int], length: int, piece: int, snap: int | None
) -> np.ndarray:
    """The share of sequences that are right at each step, `[M, T]`, of the members with seeds."""
    cfg, choices = read_run(arguments.run)
    cfg.strategy = Strategy()
    OmegaConf.set_struct(cfg, False)
    cfg.task.lengths, cfg.head.snap = [length], snap
    experiment = Experiment(cfg, choices)
    everyone, _ = open_trained(experiment, arguments.run)
    places = [list(everyone.seeds).index(seed) for seed in seeds]
    some = Population(experiment.build, seeds)
    for variable, stacked in zip(some.variables, everyone.variables, strict=True):
        variable.assign(np.asarray(stacked)[places])
    some.parts = min(2, len(seeds))
    task: Any = experiment.task
    split = f"length_{length}"
    task.splits[split] = dataclasses.replace(task.splits[split], examples=arguments.sequences)
    task.piece_steps = piece * len(seeds) * arguments.sequences
    stream = experiment.stateful_model()
    _, course = Evaluator(some, task, Members.of_seeds(seeds), stream).measure(split)
    assert course is not None
    return course.exact


if __name__ == "__main__":
    register()
    start_tensorflow()
    main()
