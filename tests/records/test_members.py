"""Members: seeds and cases in the order of the arrays."""

import subprocess
import sys

import numpy as np

from nalu_seq.config.cases import Case, cross
from nalu_seq.population.random import Stream
from nalu_seq.records.members import Member, Members

LOW, HIGH = cross(["low"], {"optimizer.learning_rate": [0.1, 0.2]})
MEMBERS = Members.product([LOW, HIGH], [3, 7])


def test_they_are_each_seed_in_each_case() -> None:
    assert list(MEMBERS) == [Member(LOW, 3), Member(LOW, 7), Member(HIGH, 3), Member(HIGH, 7)]
    first, second = "learning_rate=0.1", "learning_rate=0.2"
    assert MEMBERS.names == [(first, 3), (first, 7), (second, 3), (second, 7)]
    assert MEMBERS.seeds == [3, 7, 3, 7] and MEMBERS.task_cases == ["low"] * 4
    assert MEMBERS.cases == [LOW, HIGH]
    assert MEMBERS.settings("optimizer.learning_rate") == [0.1, 0.1, 0.2, 0.2]


def test_a_part_has_every_nth() -> None:
    part = MEMBERS.part(1, 3)
    assert list(part) == [Member(LOW, 7)] and part.cases == [LOW]
    parts = [member for i in range(3) for member in MEMBERS.part(i, 3)]
    assert sorted(parts, key=str) == sorted(MEMBERS, key=str)


def test_samples_are_drawn_by_seed_and_case_of_the_task() -> None:
    ours = MEMBERS.stream("far").at(2, 5).bits(3)
    theirs = Stream([3, 7, 3, 7], ["low"] * 4, "far").at(2, 5).bits(3)
    np.testing.assert_array_equal(ours, theirs)


def test_seeds_alone_are_members() -> None:
    assert list(Members.of_seeds(range(2))) == [
        Member(Case("default", "default", {}), i) for i in (0, 1)
    ]


def test_a_record_is_read_without_tensorflow() -> None:
    code = "import sys, nalu_seq.records.record; assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
