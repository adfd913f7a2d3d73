"""Programs by hand: how they are written, and what they compute."""

import re
from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from nalu_seq.tasks.program import OPERATIONS, Lines, Program
from tests.tasks.test_text import draws, texts, value


class Line(NamedTuple):
    """A line of one program, as in `Lines`; a number is the operand where `source` is empty."""

    target: str
    operation: str
    number: int = 0
    source: str = ""
    tested: str = ""
    bound: int = 0


def lines(*written: Line) -> Lines:
    """The lines of a single program, as the task draws them."""
    columns: list[Any] = [
        (
            bool(line.tested),
            "ab".find(line.tested or "a"),
            line.bound,
            "ab".index(line.target),
            list(OPERATIONS).index(line.operation),
            bool(line.source),
            "ab".find(line.source or "a"),
            line.number,
        )
        for line in written
    ]
    return Lines(*(tf.constant([[field]]) for field in map(list, zip(*columns, strict=True))))


FIRST = Line("a", "assign", 37), Line("b", "assign", 12)
BY_HAND = [
    (FIRST, "b", "a=37\nb=12\nb", 12),
    ((*FIRST, Line("a", "subtract", 40)), "a", "a=37\nb=12\na-=40\na", -3),
    ((*FIRST, Line("b", "multiply", 7)), "b", "a=37\nb=12\nb*=7\nb", 84),
    ((*FIRST, Line("b", "assign", source="a")), "b", "a=37\nb=12\nb=a\nb", 37),
    ((*FIRST, Line("a", "subtract", source="a")), "a", "a=37\nb=12\na-=a\na", 0),
    (
        (*FIRST, Line("b", "add", source="a", tested="a", bound=38), Line("b", "subtract", 9)),
        "b",
        "a=37\nb=12\nif a<38:b+=a\nb-=9\nb",
        40,
    ),
    (
        (*FIRST, Line("b", "add", source="a", tested="a", bound=37), Line("a", "add", 0)),
        "b",
        "a=37\nb=12\nif a<37:b+=a\na+=0\nb",
        12,
    ),
]


@pytest.mark.parametrize("written", ["digits", "whole"])
@pytest.mark.parametrize(("rows", "last", "source", "result"), BY_HAND)
def test_programs_by_hand(written: str, rows: Any, last: str, source: str, result: int) -> None:
    task = Program(written=written)
    program, answer = lines(*rows), tf.constant([["ab".index(last)]])
    places = task.source(program, answer, digits=2)
    steps = np.asarray(task.steps(places, min(task.length, len(places))))
    assert task.text(steps[0, 0]) == source
    assert task.run(program, answer).numpy().tolist() == [[result]]
    assert value(source) == result


def test_programs_have_the_statements_that_were_asked_for() -> None:
    task = Program(variables=3, statements=2, operations=["subtract", "add"], conditions=0.25)
    sources = [source for source, _ in texts(task, task.train_split, draws(500))]
    first = r"a=\d{1,2}\nb=\d{1,2}\nc=\d{1,2}\n"
    statement = r"(if [abc]<\d{1,2}:)?[abc][-+]=([abc]|\d{1,2})\n"
    assert all(re.fullmatch(f"{first}({statement}){{2}}[abc]", source) for source in sources)
    assert abs("".join(sources).count("if") / (2 * len(sources)) - 0.25) < 0.05


def test_each_operation_and_operand_is_drawn() -> None:
    task = Program(conditions=0.0)
    together = "\n".join(source for source, _ in texts(task, task.train_split, draws(200)))
    for operation in ("=", "+=", "-=", "*="):
        assert re.search(rf"[ab]{re.escape(operation)}\d", together)
    assert re.search(r"[ab]\+=[ab]\n", together) and not re.search(r"\*=[ab]", together)
    assert {*re.findall(r"\*=(\d+)", together)} == {*"123456789"}


def test_the_longest_program_fills_every_step() -> None:
    for written in ("digits", "whole"):
        task = Program(written=written, conditions=1.0, operations=["add"])
        for split in task.splits.values():
            batch, _ = task.piece(split, draws(300), 0, split.length, ())
            filled = np.asarray(batch.x).any(axis=-1).sum(axis=-1)
            assert filled.max() == split.length


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variables": 0}, "variables must be a positive integer, not 0"),
        ({"variables": 9}, "variables must be at most 8, not 9"),
        ({"statements": -1}, "statements must be a positive integer, not -1"),
        ({"operations": []}, "must be a list of assign, add, subtract, multiply, not []"),
        ({"operations": ["divide"]}, "not ['divide']"),
        ({"operations": "add"}, "not 'add'"),
        ({"conditions": 1.5}, "conditions must be a number from 0 to 1, not 1.5"),
        ({"conditions": True}, "conditions must be a number from 0 to 1, not True"),
        ({"statements": 5}, "numbers of 4 digits may give an answer of 590,430,951"),
        ({"statements": 5}, "take fewer digits, fewer statements, or none that multiply"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Program(**arguments)


def test_without_products_programs_may_be_longer() -> None:
    assert Program(statements=5, operations=["add", "subtract"]).statements == 5
