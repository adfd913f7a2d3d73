"""Short programs that are read character by character; the target is what they compute."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from nalu_seq.population.random import Draws
from nalu_seq.tasks.text import Place, TextTask, digits_of
from nalu_seq.units.weights import positive_integer

# An operation's sign before "=", as in "a+=5"; a space stands for none.
OPERATIONS = {"assign": " ", "add": "+", "subtract": "-", "multiply": "*"}
VARIABLES = "abcdefgh"
CONDITION_LENGTH = len("if a<:")
FACTORS = 1, 10  # a factor is a digit above 0, whatever the other numbers are


class Lines(NamedTuple):
    """The lines of some programs, each an `if v<bound:` or none, and `target op= operand`.

    Attributes:
        conditional: whether the line has a condition, bool `[M, B, L]`.
        tested: the index of the variable in the condition, int32 `[M, B, L]`.
        bound: the number in the condition, int32 `[M, B, L]`.
        target: the index of the variable that is set, int32 `[M, B, L]`.
        operation: the operation's place in `OPERATIONS`, int32 `[M, B, L]`.
        copies: whether the operand is a variable, not a number, bool `[M, B, L]`.
        source: the index of that variable, int32 `[M, B, L]`.
        number: the number, int32 `[M, B, L]`.
    """

    conditional: Any
    tested: Any
    bound: Any
    target: Any
    operation: Any
    copies: Any
    source: Any
    number: Any


class Program(TextTask):
    r"""A short program, a character at each step; the target is the value of its last line.

        a=37
        b=12
        if a<52:b+=a
        a-=7
        b               -> 49

    Programs are Python, one line a statement: first each variable gets a number, then come
    `statements` random ones, then a variable alone, as at Python's prompt. A statement assigns,
    adds, subtracts or multiplies by `=`, `+=`, `-=` and `*=`, each with the same probability, and
    half of them have a condition. What they assign, add or subtract is a number or a variable; they
    multiply by a digit from 1 to 9, so that answers stay exact in float32. What is trained,
    measured and judged is said of `TextTask`.

    Args:
        variables: how many variables a program has.
        statements: how many random statements follow their first values.
        operations: the operations of these, of assign, add, subtract and multiply.
        conditions: the share of the statements that have a condition.
        digits: how many digits the numbers have at most that training draws.
        test_digits: how many digits the numbers of the other splits have.
        written: "digits", a number has a step for each of its digits; "whole", one for all.
        examples: how many programs each split has.

    Raises:
        ValueError: one of these is out of its range; says which and what is valid.

    Source: Trask et al. 2018 (arXiv 1808.00508), section 4.4, after Zaremba & Sutskever 2014 (arXiv
    1410.4615). The ranges are recalled, not confirmed: training on [0, 100) and a test on three and
    four digits. Zaremba & Sutskever's programs (github.com/wojciechz/learning_to_execute) also nest
    expressions, have loops, choose by `(a if b<c else d)`, multiply by up to four times the number
    of digits, and end in `print`; there a network writes the result digit by digit.
    """

    smaller = "fewer digits, fewer statements, or none that multiply"

    def __init__(
        self,
        variables: int = 2,
        statements: int = 2,
        operations: Sequence[str] = tuple(OPERATIONS),
        conditions: float = 0.5,
        digits: int = 2,
        test_digits: Sequence[int] | None = (3, 4),
        written: str = "digits",
        examples: int = 1000,
    ) -> None:
        if positive_integer("variables", variables) > len(VARIABLES):
            raise ValueError(f"variables must be at most {len(VARIABLES)}, not {variables}")
        self.names = VARIABLES[:variables]
        self.statements = positive_integer("statements", statements)
        valid = isinstance(operations, list | tuple) and operations
        if not valid or not {*operations} <= OPERATIONS.keys():
            raise ValueError(
                f"operations must be a list of {', '.join(OPERATIONS)}, not {operations!r}"
            )
        self.operations = [list(OPERATIONS).index(name) for name in operations]
        number = isinstance(conditions, int | float) and not isinstance(conditions, bool)
        if not number or not 0 <= conditions <= 1:
            raise ValueError(f"conditions must be a number from 0 to 1, not {conditions!r}")
        self.conditions = float(conditions)
        signs = "".join(OPERATIONS.values()).replace(" ", "")
        super().__init__(f"{self.names}={signs}if <:\n", digits, test_digits, written, examples)

    def reach(self, digits: int) -> int:
        """The largest number, multiplied or doubled by each statement."""
        multiplies = list(OPERATIONS).index("multiply") in self.operations
        return (10**digits - 1) * (FACTORS[1] - 1 if multiplies else 2) ** self.statements

    def longest(self, digits: int) -> int:
        """First values `a=12`, statements `if a<12:a+=12`, each line's end, and a variable."""
        number = 1 if self.whole else digits
        first, statement = len("a=") + number, CONDITION_LENGTH + len("a+=") + 2 * number
        ends = len(self.names) + self.statements
        return len(self.names) * first + self.statements * statement + ends + len("a")

    def texts(self, low: int, high: int, draws: Draws) -> tuple[list[Place], Any]:
        """Random programs and what they compute."""
        lines, answer = self.draw(low, high, draws)
        return self.source(lines, answer, digits_of(high - 1)), self.run(lines, answer)

    def draw(self, low: int, high: int, draws: Draws) -> tuple[Lines, Any]:
        """The lines of random programs.

        Args:
            low: the smallest number in them.
            high: the number above the largest.
            draws: the random draws of the programs.

        Returns:
            The lines, and the index of the variable in the last line, int32 `[M, B]`.
        """
        variables, statements = len(self.names), self.statements

        def some(below: int, channel: int) -> Any:
            return draws.integers(0, below, statements, channel=channel)

        operation = tf.gather(self.operations, some(len(self.operations), 0))
        multiplies = operation == list(OPERATIONS).index("multiply")
        number = draws.integers(low, high, statements, channel=1)
        factor = draws.integers(*FACTORS, statements, channel=2)
        random = Lines(
            conditional=draws.uniform(0.0, 1.0, statements, channel=3) < self.conditions,
            tested=some(variables, 4),
            bound=draws.integers(low, high, statements, channel=5),
            target=some(variables, 6),
            operation=operation,
            copies=(some(2, 7) == 1) & ~multiplies,
            source=some(variables, 8),
            number=tf.where(multiplies, factor, number),
        )
        number = draws.integers(low, high, variables, channel=9)
        each = tf.zeros_like(number)
        no = tf.zeros_like(number, tf.bool)
        first = Lines(no, each, each, each + tf.range(variables), each, no, each, number)
        lines = Lines(*(tf.concat(both, axis=2) for both in zip(first, random, strict=True)))
        return lines, draws.integers(0, variables, 1, channel=10)[..., 0]

    def run(self, lines: Lines, answer: Any) -> Any:
        """What programs compute.

        Args:
            lines: the lines of the programs.
            answer: the index of the variable in the last line, int32 `[M, B]`.

        Returns:
            int32 `[M, B]`.
        """
        variables = len(self.names)
        values = tf.zeros([*tf.unstack(tf.shape(answer)), variables], tf.int32)  # [M, B, V]

        def value_of(variable: Any) -> Any:
            return tf.gather(values, variable, batch_dims=2)

        for line in _each(lines):
            operand = tf.where(line.copies, value_of(line.source), line.number)
            old = value_of(line.target)
            results = [operand, old + operand, old - operand, old * operand]
            new = tf.gather(tf.stack(results, axis=2), line.operation, batch_dims=2)
            runs = ~line.conditional | (value_of(line.tested) < line.bound)
            is_set = (
                tf.one_hot(line.target, variables, on_value=True, off_value=False) & runs[..., None]
            )
            values = tf.where(is_set, new[..., None], values)
        return value_of(answer)

    def source(self, lines: Lines, answer: Any, digits: int) -> list[Place]:
        """The text of programs.

        Args:
            lines: the lines of the programs.
            answer: the index of the variable in the last line, int32 `[M, B]`.
            digits: how many digits the numbers have at most.
        """
        places = []
        for line in _each(lines):
            signs = "".join(OPERATIONS.values())
            places += [
                *self.write("if ", answer, line.conditional),
                self.write_choice(self.names, line.tested, line.conditional),
                *self.write("<", answer, line.conditional),
                *self.write_number(line.bound, digits, line.conditional),
                *self.write(":", answer, line.conditional),
                self.write_choice(self.names, line.target),
                self.write_choice(signs, line.operation),
                *self.write("=", answer),
                self.write_choice(self.names, line.source, line.copies),
                *self.write_number(line.number, digits, ~line.copies),
                *self.write("\n", answer),
            ]
        return [*places, self.write_choice(self.names, answer)]


def _each(lines: Lines) -> list[Lines]:
    """The lines one by one, each field `[M, B]`."""
    columns = (tf.unstack(field, axis=2) for field in lines)
    return [Lines(*line) for line in zip(*columns, strict=True)]
