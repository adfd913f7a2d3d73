"""The sum of two whole numbers that are read digit by digit: "37+52" -> 89."""

from collections.abc import Sequence
from typing import Any

from nalu_seq.population.random import Draws
from nalu_seq.tasks.text import Place, TextTask, digits_of


class Addition(TextTask):
    """Two whole numbers, a character at each step; the target is their sum.

        "37+52" -> 89,    "9+90" -> 99

    What is trained, measured and judged is said of `TextTask`.

    Args:
        digits: how many digits the numbers have at most that training draws.
        test_digits: how many digits the numbers of the other splits have.
        written: "digits", a number has a step for each of its digits; "whole", one for all.
        examples: how many sums each split has.

    Raises:
        ValueError: one of these is out of its range; says which and what is valid.

    Source: Trask et al. 2018 (arXiv 1808.00508), section 4.4, the first of two tasks after Zaremba
    & Sutskever 2014 (arXiv 1410.4615). The ranges are recalled, not confirmed: training on [0, 100)
    and a test on three and four digits. There a network wrote the sum digit by digit; here it
    answers with one number.
    """

    def __init__(
        self,
        digits: int = 2,
        test_digits: Sequence[int] | None = (3, 4),
        written: str = "digits",
        examples: int = 1000,
    ) -> None:
        super().__init__("+", digits, test_digits, written, examples)

    def reach(self, digits: int) -> int:
        """The sum of the two largest numbers."""
        return 2 * (10**digits - 1)

    def longest(self, digits: int) -> int:
        """Two numbers and what is between them."""
        return 2 * (1 if self.whole else digits) + 1

    def texts(self, low: int, high: int, draws: Draws) -> tuple[list[Place], Any]:
        """Two numbers and a plus between them."""
        numbers = draws.integers(low, high, 2)
        return self.add(numbers[..., 0], numbers[..., 1], digits_of(high - 1))

    def add(self, first: Any, second: Any, digits: int) -> tuple[list[Place], Any]:
        """The texts of some sums, and the sums.

        Args:
            first: the first numbers, int32 `[M, B]`.
            second: the second numbers, int32 `[M, B]`.
            digits: how many digits they have at most.
        """
        places = [
            *self.write_number(first, digits),
            *self.write("+", first),
            *self.write_number(second, digits),
        ]
        return places, first + second
