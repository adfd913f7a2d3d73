#!/usr/bin/env python
"""Read every number below a million by what networks of experiment=language_million have learned.

    scripts/check_words.py RUN

Reads what each word does from the weights, in whole numbers, as `python -m nalu_seq.explain RUN`
does, and the words of all numbers from 0 to 999,999 by it. Prints how many different readings the
seeds have, and for each its seeds and how many numbers it gets right.
"""

import argparse
import collections
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nalu_seq.config.schema import Strategy
from nalu_seq.distribution.startup import start_tensorflow
from nalu_seq.records.runs import read_run

if TYPE_CHECKING:  # it imports TensorFlow, which is set up before it is imported
    from nalu_seq.explanation.operations import Operations

BELOW = 1_000_000


def operations_of_seeds(run: Path) -> tuple[list["Operations"], str]:
    """What each word does, for each seed of a run, and the style of its numbers' words."""
    cfg, choices = read_run(run, trust=False)
    cfg.strategy = Strategy()
    start_tensorflow()
    from nalu_seq.experiment.experiment import Experiment
    from nalu_seq.experiment.session import open_trained
    from nalu_seq.explanation.operations import operating_cell, read_operations
    from nalu_seq.tasks.language import Language

    experiment = Experiment(cfg, choices)
    task = experiment.task
    population, _ = open_trained(experiment, run)
    words_below_a_million = isinstance(task, Language) and "thousand" in task.vocabulary
    if not words_below_a_million or operating_cell(population.model) is None:
        raise SystemExit(f"{run} is no run of experiment=language_million")
    operations = []
    for member in range(len(population)):
        cell = operating_cell(population.member(member))
        assert cell is not None
        operations.append(read_operations(cell, task.vocabulary)[0])
    return operations, task.style


def read_all(operations: "Operations", style: str) -> np.ndarray:
    """What all numbers below a million are read as, `[BELOW]`."""
    from nalu_seq.tasks.language import number_words

    places = {word: i for i, word in enumerate(operations.symbols)}
    words = [number_words(number, style) for number in range(BELOW)]
    empty = len(places)
    symbols = np.full((BELOW, max(map(len, words))), empty, np.int8)
    for row, of_number in zip(symbols, words, strict=True):
        row[: len(of_number)] = [places[word] for word in of_number]
    values, _ = operations.run(symbols, operations.start(BELOW))
    return values[:, -1, 0]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    arguments = parser.parse_args()
    of_seeds, style = operations_of_seeds(arguments.run)
    readings = collections.Counter(of_seeds)
    print(f"{len(of_seeds)} seeds, {len(readings)} different readings")
    for operations, seeds in readings.most_common():
        right = int((read_all(operations, style) == np.arange(BELOW)).sum())
        print(f"{seeds} seeds: {right:,} of {BELOW:,} numbers right")


if __name__ == "__main__":
    main()
