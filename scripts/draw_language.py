#!/usr/bin/env python
"""Draw the value that networks of task=language hold after each word of some numbers.

    scripts/draw_language.py RUN NUMBER ... [--image NAME]

Writes docs/img/language.png, or another NAME there: a panel for each number, all seeds of the run
as lines, and the number itself as a dotted line. The numbers must be among those of the run's
splits `test` or `above`.
"""

import argparse
from pathlib import Path

import numpy as np

from nalu_seq.config.schema import Strategy
from nalu_seq.distribution.startup import start_tensorflow
from nalu_seq.records.runs import read_run
from nalu_seq.reports.figure import grid, journal, save, style

IMAGES = Path(__file__).parent.parent / "docs" / "img"
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
    splits = [split for split in ("test", "above") if split in task.parts]
    measured = [int(number) for split in splits for number in task.parts[split]]
    if missing := [number for number in numbers if number not in measured]:
        raise SystemExit(
            f"{missing[0]} is not in the split {' or '.join(splits)}; valid: such as "
            f"{', '.join(map(str, [*measured[:3], *measured[-3:]]))}"
        )
    outputs = [evaluator.outputs(split, task.length)[..., 0] for split in splits]
    steps_of_number = np.concatenate(outputs, axis=1)  # [M, numbers, T]
    values = {}
    for number in numbers:
        words = number_words(number, cfg.task.style)
        steps, count = steps_of_number[:, measured.index(number)], len(words)
        values[number] = words, steps[:, :count] if task.empty == "after" else steps[:, -count:]
    return values


@journal
def draw(values: dict[int, tuple[list[str], np.ndarray]], path: Path) -> None:
    """A panel a number: the running value of each seed after each word."""
    blue, most = style(0)["color"], max(len(words) for words, _ in values.values())
    figure, panels = grid(SCRIPT, len(values), sharey=False, height=2.4, sharex=False)
    for (number, (words, steps)), panel in zip(values.items(), panels, strict=True):
        panel.axhline(number, color="0.6", linewidth=0.8, linestyle=":")
        for of_seed in steps:
            panel.plot(of_seed, marker="o", markersize=2.5, linewidth=0.8, alpha=0.6, color=blue)
        medians = np.median(steps, axis=0)
        ticks = [f"{word}  {value:.2f}" for word, value in zip(words, medians, strict=True)]
        panel.set_xticks(range(len(ticks)), ticks, rotation=90, fontsize=6)
        panel.set(title=str(number), xlim=(-0.6, most - 0.4))
        if number > 1000:  # else all steps before "thousand" would lie on one line
            panel.set_yscale("asinh")
            panel.set_yticks([10.0**power for power in range(len(str(number)))])
            panel.minorticks_off()
        panel.margins(y=0.3)
    panels[0].set_ylabel("value after the word")
    save(figure, path, SCRIPT)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("numbers", type=int, nargs="+")
    parser.add_argument("--image", default="language.png")
    arguments = parser.parse_args()
    draw(running_values(arguments.run, arguments.numbers), IMAGES / arguments.image)
    print(IMAGES / arguments.image)


if __name__ == "__main__":
    main()
