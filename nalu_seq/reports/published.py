"""Published results as data."""

import csv
import functools
import importlib.resources
import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from nalu_seq.errors import BadInput
from nalu_seq.evaluation.intervals import Estimate, wilson

ALL = "all"  # in the place of a case's name: all cases of a run together


class Fact(NamedTuple):
    """A published figure; `low` and `high` are None where no interval is at hand."""

    source: str
    table: str
    task: str
    op: str
    model: str
    metric: str
    value: float
    low: float | None
    high: float | None
    unit: str
    where: str

    @property
    def from_memory(self) -> bool:
        """Whether the figure was written down from memory and not checked against the paper."""
        return "UNCONFIRMED" in self.where

    @property
    def estimate(self) -> Estimate | None:
        """The figure with its published interval, or Wilson's if its counts `(10/70)` are known."""
        if self.low is not None and self.high is not None:
            # Limits that were read off a drawing may miss the value by rounding.
            return Estimate(self.value, min(self.low, self.value), max(self.high, self.value))
        counts = re.search(r"\((\d+)/(\d+)\)", self.where)
        if counts is None:
            return None
        solved, n = int(counts[1]), int(counts[2])
        return Estimate(solved / n, *wilson(solved, n))


class Match(NamedTuple):
    """The place in a paper that a split of a run corresponds to.

    Attributes:
        table: the paper's table or figure.
        place: the task of the table's row; for an ablation, its point: `input_size=4`.
        op: the operation, as the paper writes it.
        models: the names of the model; several if the paper has one model under several names.
        steps: for how many training steps the paper trained; None if that is not known.
    """

    table: str
    place: str
    op: str
    models: tuple[str, ...]
    steps: int | None


@functools.cache
def facts() -> tuple[Fact, ...]:
    """All published figures."""
    file = importlib.resources.files("nalu_seq.reports") / "published.csv"
    with file.open(encoding="utf-8") as lines:
        return tuple(_fact(line) for line in csv.DictReader(lines))


@functools.cache
def sources() -> tuple[str, ...]:
    """The names of all publications that have figures here."""
    return tuple(sorted({fact.source for fact in facts()}))


def check_source(source: str) -> None:
    """Make sure that a source is known.

    Args:
        source: the name of a publication, such as `Madsen2020`.

    Raises:
        BadInput: no published figure has this source; the message lists those that there are.
    """
    if source not in sources():
        raise BadInput(f"--published {source}: no such source; valid: {', '.join(sources())}")


def facts_of(source: str, match: Match) -> list[Fact]:
    """The published figures at a place, one for each metric and model.

    Args:
        source: the name of the publication.
        match: the place.

    Returns:
        The figures; equal ones that stand under several names of a model once, with all its names.
    """
    facts: dict[tuple[str, float, float | None], Fact] = {}
    for model in match.models:
        for fact in _index().get((source, match.table, match.op, model, match.place), []):
            same = (fact.metric, fact.value, fact.low)
            names = f"{facts[same].model}, {model}" if same in facts else model
            facts[same] = fact._replace(model=names)
    return list(facts.values())


@functools.cache
def _index() -> Mapping[tuple[str, ...], list[Fact]]:
    index: dict[tuple[str, ...], list[Fact]] = {}
    for fact in facts():
        key = (fact.source, fact.table, fact.op, fact.model, _place(fact.task))
        index.setdefault(key, []).append(fact)
    return index


def _fact(line: Mapping[str, str]) -> Fact:
    low, high = (float(line[k]) if line[k] else None for k in ("ci_low", "ci_high"))
    # `>999`: the paper's table does not tell a value that is too large for it.
    value = math.inf if line["value"].startswith(">") else float(line["value"])
    words = (line[k] for k in ("source", "table", "task", "op", "model", "metric"))
    source, table, task, op, model, metric = words
    return Fact(
        source, table, task, op, model, metric,
        value, low, high, line["unit"], line["where"],
    )  # fmt: skip


def _place(task: str) -> str:
    """The task of a table's row; for an ablation its point, such as `input_size=4`."""
    name, _, value = task.rpartition("; ")[2].partition("=")
    return point(name, value) if "; " in task else task


def point(name: str, value: Any) -> str:
    """The name of an ablation's point: `input_size=4` for the values 4, 4.0 and "4".

    Args:
        name: what the ablation varies.
        value: its value there.
    """
    try:
        return f"{name}={float(value):g}"
    except ValueError:
        return f"{name}={value}"
