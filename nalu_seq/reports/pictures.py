"""Pictures of digits beside what a member reads in them; needs matplotlib (the `plots` extra)."""

from pathlib import Path

import numpy as np

from nalu_seq.errors import BadInput
from nalu_seq.population.population import Population
from nalu_seq.records.members import Members
from nalu_seq.reports.figure import figure_class, save
from nalu_seq.tasks.base import Split, Task
from nalu_seq.tasks.digit_sequences import DigitSequences

ROWS, COLUMNS = 4, 10


def plot_digits(
    task: Task, members: Members, population: Population, title: str, path: Path
) -> None:
    """Draw test pictures with the value that the first member reads in each, alone in a sequence.

    That is what its output becomes, for counts the largest one and its value. A wrong one is red,
    and followed by the truth.

    Args:
        task: the task that the population was trained on.
        members: the seed and the case of each member.
        population: their networks; the first one reads.
        title: what is drawn above the pictures.
        path: the file that is written.

    Raises:
        BadInput: matplotlib is missing, the task has no such pictures, or the file can't be
            written.
    """
    Figure = figure_class("--digits")
    if not isinstance(task, DigitSequences):
        raise BadInput("--digits: this task has no pictures of digits in sequences")
    count, examples = len(members), min(ROWS * COLUMNS, len(task.parts["test"].labels))
    draws = members.stream("pictures").at(0, examples)
    split, nothing = Split(examples, 1, part="test"), task.tally_start(count, examples)
    batch, _ = task.piece(split, draws, 0, 1, task.target_state(count, examples))
    changes = task.changes(population(batch.x), nothing.prediction)
    read = np.asarray(task.named(changes))[0, :, 0]
    true = np.asarray(task.named(task.changes(batch.y, nothing.y)))[0, :, 0]
    values = np.max(changes[0, :, 0], axis=-1)
    pictures = np.asarray(batch.x)[0, :, 0, :, :, 0]
    figure = Figure(figsize=(COLUMNS * 0.8, ROWS), layout="constrained")
    for i, axes in enumerate(figure.subplots(ROWS, COLUMNS).flat):
        axes.set_axis_off()
        if i >= examples:
            continue
        axes.imshow(pictures[i], cmap="gray_r")
        right = read[i] == true[i]
        told = f"{values[i]:.2f}" if task.output_size == 1 else f"{int(read[i])}: {values[i]:.2f}"
        axes.set_title(
            told if right else f"{told} ({int(true[i])})",
            fontsize=8,
            color="black" if right else "tab:red",
        )
    figure.suptitle(
        f"{title}, seed {members.seeds[0]}: {np.sum(read == true)} of {examples} read right",
        fontsize=9,
    )
    save(figure, path, "--digits")
