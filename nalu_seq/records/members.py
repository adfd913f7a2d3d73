"""The members of a run: the seed and the case of each, in the order of every `[M]` array."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from nalu_seq.config.cases import Case, cross

if TYPE_CHECKING:
    from nalu_seq.population.random import Stream


class Member(NamedTuple):
    """One network of a population.

    Attributes:
        case: the member's case: its name in metrics.csv, the task's own case, and the settings that
            differ between cases.
        seed: the seed of its initial values and its samples.
    """

    case: Case
    seed: int


@dataclass(frozen=True)
class Members:
    """Every member of a run, in the order of the leading axis `[M]` of its arrays.

    Args:
        all: the members.

    Example:
        >>> members = Members.of_seeds([3, 7])
        >>> members.names
        [('default', 3), ('default', 7)]
    """

    all: tuple[Member, ...]

    @classmethod
    def product(cls, cases: Iterable[Case], seeds: Iterable[int]) -> Self:
        """The members with each seed in each case, case by case.

        Args:
            cases: the cases.
            seeds: the seeds.
        """
        return cls(tuple(itertools.starmap(Member, itertools.product(cases, seeds))))

    @classmethod
    def of_seeds(cls, seeds: Iterable[int], task_cases: Sequence[str] = ("default",)) -> Self:
        """The members with each seed in each of a task's own cases, where no setting differs.

        Args:
            seeds: the seeds.
            task_cases: the names of the task's cases.
        """
        return cls.product(cross(task_cases, {}), seeds)

    def __len__(self) -> int:
        """M, the number of members."""
        return len(self.all)

    def __iter__(self) -> Iterator[Member]:
        """The members, one after the other."""
        return iter(self.all)

    @property
    def seeds(self) -> list[int]:
        """The seed of each member."""
        return [member.seed for member in self.all]

    @property
    def names(self) -> list[tuple[str, int]]:
        """The name of the case and the seed of each member, which identify it in metrics.csv."""
        return [(member.case.name, member.seed) for member in self.all]

    @property
    def task_cases(self) -> list[str]:
        """The task's own case of each member."""
        return [member.case.task_case for member in self.all]

    @property
    def cases(self) -> list[Case]:
        """Each case once, in order."""
        return list({member.case.name: member.case for member in self.all}.values())

    def settings(self, key: str) -> list[Any]:
        """The value that a config key has for each member.

        Args:
            key: a dotted key in which the cases differ.
        """
        return [member.case.settings[key] for member in self.all]

    def part(self, index: int, parts: int) -> Self:
        """Every `parts`th member, beginning with the one at `index`.

        Args:
            index: the number of the part, from 0.
            parts: how many parts there are.
        """
        return type(self)(self.all[index::parts])

    def stream(self, split: str) -> "Stream":
        """The stream of random draws of every member for a split of the task.

        Args:
            split: the name of the split.
        """
        # Imported here, because reports read records without TensorFlow.
        from nalu_seq.population.random import Stream

        return Stream(self.seeds, self.task_cases, split)
