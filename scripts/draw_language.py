#!/usr/bin/env python
"""Draw the value that networks of task=language hold after each word of some numbers.

    scripts/draw_language.py RUN NUMBER ...

Writes docs/img/language.png: a panel for each number, all seeds of the run as lines, and the number
itself as a dotted line. The numbers must be among those of the test part.
"""

import argparse
from pathlib import Path

import numpy as np

from nalu_seq.config.schema import Strategy
from nalu_seq.distribution.startup import start_tensorflow
from nalu_seq.records.runs import read_run
from nalu_seq.reports.figure import grid, journal, save, style

IMAGE = Path(__file__).parent.parent / "docs" / "img" / "language.png"
SCRIPT = "scripts/draw_language.py"


def running_values(run: Path, numbers: list[int]) -> dict[int, tuple[list[str], np.ndarray]]:
    """By number: its words `[T]`, and each seed's value after each of them, `[M, T]`."""
    cfg, choices = read_run(run, trust=False)
    cfg.strategy = Strategy()
    start_tensorflow()
    from nalu_seq.evaluation.measure import Evaluator
    from nalu_seq.experiment.experiment import Experiment
    from nalu_seq.experiment.session import open_trained
    from nalu_seq.tasks.language import Language, number_words

    experiment = Experiment(cfg, choices)
    task = experiment.task
    if not isinstance(task, Language):
        raise SystemExit(f"{run} is no run of task=language")
    population, _ = open_trained(experiment, run)
    evaluator = Evaluator(population, task, experiment.members, experiment.stateful_model())
    outputs = evaluator.outputs("test", task.length)[..., 0]  # [M, numbers, T]
    test = [int(number) for number in task.parts["test"]]
    values = {}
    for number in numbers:
        if number not in test:
            raise SystemExit(f"{number} is not in the test part, which has such as {test[:5]}")
        words = number_words(number, cfg.task.style)
        steps, count = outputs[:, test.index(number)], len(words)
        values[number] = words, steps[:, :count] if task.empty == "after" else steps[:, -count:]
    return values


@journal
def draw(values: dict[int, tuple[list[str], np.ndarray]], path: Path) -> None:
    """A panel a number: the running value of each seed after each word."""
    blue, most = style(0)["color"], max(len(words) for words, _ in values.values())
    figure, panels = grid(SCRIPT, len(values), sharey=False, height=1.9)
    for (number, (words, steps)), panel in zip(values.items(), panels, strict=True):
        panel.axhline(number, color="0.6", linewidth=0.8, linestyle=":")
        for of_seed in steps:
            panel.plot(of_seed, marker="o", markersize=2.5, linewidth=0.8, alpha=0.6, color=blue)
        for place, (word, value) in enumerate(zip(words, np.median(steps, axis=0), strict=True)):
            panel.annotate(
                f"{word}\n{value:.2f}",
                (place, value),
                (0, -7),
                textcoords="offset points",
                ha="center",
                va="top",
                fontsize=6,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
            )
        panel.set(title=str(number), xticks=[], xlim=(-0.6, most - 0.4))
        panel.margins(y=0.3)
    panels[0].set_ylabel("value after the word")
    save(figure, path, SCRIPT)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("numbers", type=int, nargs="+")
    arguments = parser.parse_args()
    draw(running_values(arguments.run, arguments.numbers), IMAGE)
    print(IMAGE)


if __name__ == "__main__":
    main()
