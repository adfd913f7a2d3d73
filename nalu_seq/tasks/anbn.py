"""Counting languages: a^n b^n, a^n b^n c^n, a^n b^2n and their like."""

from typing import Any

import numpy as np

from nalu_seq.tasks.next_symbol import CORPUS_SEED, END, NextSymbol
from nalu_seq.units.weights import positive_integer

LETTERS = "abcdefgh"
BEYOND = 1000


class Anbn(NextSymbol):
    """Strings such as `aaabbb`: n times `a`, then every other letter a multiple of n times.

    n is geometric, as many times as there are strings of training. The test has the next 1,000
    numbers above the largest n of training: `examples` of them, evenly spaced. Both are measured
    where the language leaves no choice, which is from the first `b` on, and at the `#` before the
    first `a`. What one letter follows is not measured while `a` is read, as another `a` or a `b`
    can follow.

    Example: with `multiples=[1, 1]`, the string of n = 2 is read as `# a a b b`, and `a`, nothing,
    nothing, `b`, `#` are the symbols that are measured.

    Args:
        multiples: how many times n each letter stands in a string; the first must be 1.
        strings: how many strings training has; equal ones count as often as they were drawn.
        stop: the probability with which n ends after each `a`.
        examples: how many strings the test has, 1,000 at most.

    Raises:
        ValueError: one of these is out of its range; says which and what is valid.

    Source: Lan, Geyer, Chemla & Katzir 2022 (arXiv 2111.00600), section 5, and their code, whose
    strings of training these are: drawn by NumPy's generator of 2022 from seed 100.
    """

    def __init__(
        self,
        multiples: list[int] | None = None,
        strings: int = 100,
        stop: float = 0.3,
        examples: int = 50,
    ) -> None:
        self.multiples = _check_multiples([1, 1] if multiples is None else multiples)
        if isinstance(stop, bool) or not isinstance(stop, int | float) or not 0 < stop <= 1:
            raise ValueError(f"stop must be a number above 0 and at most 1, not {stop!r}")
        if positive_integer("examples", examples) > BEYOND:
            raise ValueError(f"examples must be at most {BEYOND}, not {examples}")
        generator = np.random.RandomState(CORPUS_SEED)
        trained = generator.geometric(stop, size=positive_integer("strings", strings))
        tested = trained.max() + np.linspace(1, BEYOND, examples).round().astype(int)
        super().__init__(
            LETTERS[: len(self.multiples)],
            [self.string(n) for n in trained],
            [self.string(n) for n in tested],
        )

    def string(self, n: int) -> str:
        """The string of a number.

        Args:
            n: how often `a` stands in it.
        """
        return "".join(
            letter * (times * n) for letter, times in zip(LETTERS, self.multiples, strict=False)
        )

    def targets(self, string: str) -> list[str]:
        """The symbol that follows, where there is no choice."""
        following = list(string + END)
        letters = string.count("a")
        return [following[0], *[""] * letters, *following[letters + 1 :]]


def _check_multiples(multiples: Any) -> list[int]:
    whole = isinstance(multiples, list) and all(
        isinstance(m, int) and not isinstance(m, bool) and m > 0 for m in multiples
    )
    if not whole or not 2 <= len(multiples) <= len(LETTERS) or multiples[0] != 1:
        raise ValueError(
            f"multiples must be 2 to {len(LETTERS)} positive integers, the first 1, "
            f"not {multiples!r}"
        )
    return list(multiples)
