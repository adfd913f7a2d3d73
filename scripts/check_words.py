#!/usr/bin/env python
"""Read every number below a million by what networks of experiment=language_million have learned.

    scripts/check_words.py RUN

Rounds each word's addend and factor to whole numbers and its share that is put aside to 0 or 1, as
`head=carry_cell` does with `head.snap=1`, and reads the words of all numbers from 0 to 999,999 by
them, in whole numbers. Prints how many sets of rounded numbers the seeds have, and for each set its
seeds, how many numbers it reads right, and the words that multiply or put aside.
"""

import argparse
from pathlib import Path

import numpy as np

from nalu_seq.config.schema import Strategy
from nalu_seq.distribution.startup import start_tensorflow
from nalu_seq.records.runs import read_run

BELOW = 1_000_000


def rounded_words(run: Path) -> tuple[list[str], np.ndarray, str]:
    """The words, each seed's addend, factor and share of each, `[M, 3, words]`, and the style."""
    cfg, choices = read_run(run, trust=False)
    cfg.strategy = Strategy()
    start_tensorflow()
    from nalu_seq.experiment.experiment import Experiment
    from nalu_seq.experiment.session import open_trained
    from nalu_seq.models.carry_cell import APART
    from nalu_seq.tasks.language import Language

    experiment = Experiment(cfg, choices)
    task = experiment.task
    parts = (choices["encoder"], choices["head"], choices["unit"], cfg.unit.get("bias"))
    if not isinstance(task, Language) or parts != ("none", "carry_cell", "linear", False):
        raise SystemExit(f"{run} is no run of experiment=language_million")
    population, _ = open_trained(experiment, run)
    weights = {v.name.rpartition("_")[2]: v.numpy()[..., 0] for v in population.trainable_variables}
    addends, factors = np.sinh(weights["w"]), np.exp(weights["factors"])
    shares = 1 / (1 + np.exp(-weights["carries"] - APART))
    rounded = np.round(np.stack([addends, factors, shares], axis=1)).astype(np.int64)
    return task.vocabulary, rounded, cfg.task.style


def read_all(vocabulary: list[str], numbers_of_word: np.ndarray, style: str) -> np.ndarray:
    """What all numbers below a million are read as, `[BELOW]`, by addends, factors and shares."""
    from nalu_seq.tasks.language import number_words

    of_word = {w: tuple(map(int, numbers_of_word[:, i])) for i, w in enumerate(vocabulary)}
    values = np.empty(BELOW, np.int64)
    for number in range(BELOW):
        group = aside = 0
        for word in number_words(number, style):
            addend, factor, share = of_word[word]
            group *= factor
            aside += share * group
            group = (1 - share) * group + addend
        values[number] = aside + group
    return values


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    arguments = parser.parse_args()
    vocabulary, rounded, style = rounded_words(arguments.run)
    sets, counts = np.unique(rounded, axis=0, return_counts=True)
    print(f"{len(rounded)} seeds hold {len(sets)} different sets of rounded numbers")
    for one, count in zip(sets, counts, strict=True):
        right = int((read_all(vocabulary, one, style) == np.arange(BELOW)).sum())
        print(f"{count} seeds: {right:,} of {BELOW:,} numbers right")
        for word, (addend, factor, share) in zip(vocabulary, one.T, strict=True):
            if factor != 1 or share:
                print(f"  {word}: adds {addend}, multiplies by {factor}, puts aside {share}")


if __name__ == "__main__":
    main()
