"""Pictures of digits beside what a member reads in them; needs matplotlib (the `plots` extra)."""

from pathlib import Path

from nalu_seq.errors import BadInput
from nalu_seq.listeners.drawings import digits_figure
from nalu_seq.population.population import Population
from nalu_seq.records.members import Members
from nalu_seq.reports.figure import figure_class, save
from nalu_seq.tasks.base import Task
from nalu_seq.tasks.digit_sequences import DigitSequences


def plot_digits(
    task: Task, members: Members, population: Population, title: str, path: Path
) -> None:
    """Draw test pictures with the value that the first member reads in each.

    Args:
        task: the task that the population was trained on.
        members: the seed and the case of each member.
        population: the members' networks; the first one reads the digits.
        title: the heading above the pictures.
        path: the file that is written.

    Raises:
        BadInput: matplotlib is missing, the task has no such pictures, or the file can't be
            written.
    """
    Figure = figure_class("--digits")
    if not isinstance(task, DigitSequences):
        raise BadInput("--digits: this task has no pictures of digits in sequences")
    save(digits_figure(Figure, task, members, population, title), path, "--digits")
