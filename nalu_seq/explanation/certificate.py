"""Certificates of how long each member's counts stay right, from measured increments."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from scipy.optimize import brentq
from scipy.stats import binom, t

from nalu_seq.explanation.cycles import MOST_SYMBOLS, cycle, rows, word_length
from nalu_seq.explanation.passage import passage
from nalu_seq.explanation.rounding import Unreadable
from nalu_seq.models import StatefulModel
from nalu_seq.models.heads import Accumulate
from nalu_seq.population.population import Population
from nalu_seq.records.members import Members
from nalu_seq.tasks.base import EVALUATION_EXAMPLES, SequenceTask, Task

CYCLES = 8  # cycles of symbols that are measured: a drift's interval comes from their differences
BEFORE = 32  # symbols that are read before a row, to reach the states that it begins with
PROBABILITY, CONFIDENCE = 0.05, 0.95
SURELY = 0.001  # a check refutes a certificate if chance alone would do so more rarely than this
HALF = 0.5  # a total that is off by so much rounds to another count
WHOLE_NUMBERS = 2**24  # float32 holds every whole number up to here: 2^24 + 1 rounds to 2^24
SHORT = 8  # steps of a piece for a cell that reads its own total
FIRST = 64  # counts up to here are the first level, then each doubling is another
MOST_WORDS = 1_000  # a table of increments has at most so many words
BEYOND = 1e9  # the error of a total that is not finite
Lengths = tuple[int | None, int | None, int | None]


@dataclass(frozen=True)
class Increment:
    """The amount that the model adds to each count when it reads the last symbol of a word.

    Attributes:
        word: the symbols, the last of them the current one.
        counts: the right increment, a whole number for each count.
        mean: the member's increment of each count, the mean over all symbols before the word.
        farthest: the largest difference between the two in any count and context.
    """

    word: tuple[int, ...]
    counts: tuple[int, ...]
    mean: tuple[float, ...]
    farthest: float


@dataclass(frozen=True)
class Certificate:
    """How far one member counts right.

    Attributes:
        case: the member's case.
        seed: the member's seed.
        count: the index of the output that is wrong first.
        drift: the mean error that each step adds to that output, and its 95 % interval.
        deviation: the standard deviation of that output's error, over the square root of the steps.
        length: the length at which some count has rounded wrong with a probability of 5 %, and the
            ends of its interval; None where none has before float32's whole numbers end.
        farthest: the largest distance of a single increment from its whole number.
        sure: the length up to which no sequence is wrong, whatever its symbols are, if no
            increment is farther off than `farthest`; None where the unit reads its own total.
        complete: whether the increments are all that there are, since nothing before the current
            symbol changes them.
        snapped: as `length`, with every increment rounded to a whole number (`head.snap=1`).
        end: the mean length at which a count passes float32's whole numbers.
        increments: the increment of each word of symbols; empty if there are too many words.
    """

    case: str
    seed: int
    count: int
    drift: tuple[float, float, float]
    deviation: float
    length: Lengths
    farthest: float
    sure: int | None
    complete: bool
    snapped: int | None
    end: int
    increments: tuple[Increment, ...]


@dataclass(frozen=True)
class Check:
    """The result of testing a certificate on sequences.

    Attributes:
        sequences: how many sequences were tested.
        steps: the length of each of them.
        length: the first length at which 5 % of them were wrong; None if there was none.
        refuted: whether more than 5 % of them were wrong, at the near end of the certificate's
            interval or at the end of the sequences, than chance explains (P < 0.001).
    """

    sequences: int
    steps: int
    length: int | None
    refuted: bool


def check(length: int | None, exact: np.ndarray, sequences: int) -> Check:
    """Compare a predicted length with the share of sequences that were right at each step.

    Args:
        length: the length up to which at most 5 % should be wrong; None for any length.
        exact: the share of the sequences whose counts were all right at each step, `[T]`.
        sequences: how many sequences there were.
    """
    wrong = np.flatnonzero(1 - exact >= PROBABILITY)
    at = len(exact) if length is None else max(1, min(length, len(exact)))
    failures = round(float(1 - exact[at - 1]) * sequences)
    return Check(
        sequences=sequences,
        steps=len(exact),
        length=int(wrong[0]) + 1 if len(wrong) else None,
        refuted=bool(binom.sf(failures - 1, sequences, PROBABILITY) < SURELY),
    )


class _Rows(NamedTuple):
    """A cycle of symbols, cut into rows that are fed as a batch.

    Attributes:
        x: one-hot symbols, the same for every member, `[M, rows, steps, alphabet]`.
        events: the right increment of each step, `[rows, steps, outputs]`.
        states: the model's states before the first step, each `[M, rows, size]`.
        words: the index of the word of symbols that ends at each step, `[rows, steps]`.
    """

    x: Any
    events: np.ndarray
    states: list[Any]
    words: np.ndarray


class _Level(NamedTuple):
    """The errors of increments at one size of the totals.

    Attributes:
        drift: the mean error of a step in each cycle, `[cycles, M, outputs]`.
        variance: the variance of the errors' sum over a row, over its steps, `[M, outputs]`.
        wrong: the share of steps at which an increment would have been rounded wrong, `[M]`.
    """

    drift: np.ndarray
    variance: np.ndarray
    wrong: np.ndarray


class Certifier:
    """Measures every member's increment at each symbol, and computes how long counts stay right.

    Symbols are equally probable, as the task draws them. Rows of symbols are fed in pieces as long
    as those of `evaluate`, starting from totals of several sizes, as a long sequence reaches them.
    So the measured increments include float32's rounding, and the effect of the total on a cell
    that reads it.

    Args:
        population: the members.
        task: the task that they were trained on.
        members: the seed and the case of each member.
        stream: the population's model with its states passed on, and no increment rounded.

    Raises:
        Unreadable: the task does not count symbols, or the model keeps no total.
    """

    def __init__(
        self, population: Population, task: Task, members: Members, stream: StatefulModel | None
    ) -> None:
        if not isinstance(task, SequenceTask) or not task.alphabet or stream is None:
            raise Unreadable("it does not count symbols, as task=count does")
        if "total" not in stream.kinds:
            raise Unreadable("its head keeps no total, as accumulate and unit_cell do")
        self.population, self.task, self.members, self.stream = population, task, members, stream
        self.total = stream.kinds.index("total")
        self.adds = isinstance(stream.model.layers[-1], Accumulate)
        self.piece = max(1, task.piece_steps // (len(population) * EVALUATION_EXAMPLES))
        if not self.adds:  # pieces so short that the total that the cell reads hardly changes
            self.piece = min(self.piece, SHORT)
        self.word = word_length(task.alphabet)
        self._compiled_feed = tf.function(self._feed, autograph=False)
        self._farthest = np.zeros(len(population))
        words = task.alphabet**task.memory
        self._table = _Table(len(population), words) if words <= MOST_WORDS else None

    def certify(self) -> list[Certificate]:
        """Measure the increments; return each member's certificate, in the population's order."""
        generator = np.random.default_rng(0)
        cycles = [self._rows(generator) for _ in range(CYCLES)]
        event_rates = np.mean([c.events.mean(axis=(0, 1)) for c in cycles], axis=0)  # [outputs]
        rate = float(event_rates.max())
        course = _Course()
        start = None if self.adds else self._level(cycles, 0 * event_rates).drift
        for low, high in _counts():
            if course.all_wrong() and self.adds:
                break  # an accumulated unit's increment does not depend on the total
            # The increments of a running sum are the same throughout a level, but for float32's
            # rounding; those of a cell change with its total from the level's beginning to its end.
            total = np.round(((low + high) / 2 if self.adds else high) * event_rates / rate)
            if course.all_wrong():
                course.add_wrong(high / rate, self._level(cycles[:1], total).wrong)
                continue
            level = self._level(cycles, total, first=low == 0)
            wrong = course.wrong[0] if self.adds and course.wrong else level.wrong
            course.add(high / rate, level._replace(wrong=wrong), start)
            start = None if self.adds else level.drift
        end = int(WHOLE_NUMBERS / rate)
        return [self._certificate(i, course, end) for i in range(len(self.members))]

    def _rows(self, generator: np.random.Generator) -> _Rows:
        """A random cycle, and the members' states at the beginning of its rows."""
        task, members = self.task, len(self.population)
        times = max(1, MOST_SYMBOLS // task.alphabet**self.word)
        symbol_cycles = [cycle(task.alphabet, self.word, generator) for _ in range(times)]
        symbols = rows(np.concatenate(symbol_cycles), self.piece, BEFORE + task.memory).astype(
            np.int32
        )
        none = tf.fill([1, len(symbols), task.memory - 1], -1)
        events = task.events(tf.constant(symbols)[None], none)[0].numpy()[0]
        x = np.eye(task.alphabet, dtype=np.float32)[symbols]
        x = np.broadcast_to(x, (members, *x.shape))
        states = [
            tf.tile(tf.constant(s)[None], [members, len(symbols), 1])
            for s in self.stream.initial_states
        ]
        before = BEFORE + task.memory
        error, _, states = self._compiled_feed(
            tf.constant(x[:, :, :before]), tf.constant(events[:, :before]), states
        )
        self._farthest = np.maximum(self._farthest, _farthest(error))
        power = task.alphabet ** np.arange(task.memory)[::-1]
        windows = np.lib.stride_tricks.sliding_window_view(symbols, task.memory, axis=1)
        words = (windows * power).sum(axis=-1)[:, before - task.memory + 1 :]
        return _Rows(tf.constant(x[:, :, before:]), events[:, before:], states, words)

    def _feed(self, x: Any, events: Any, states: list[Any]) -> tuple[Any, Any, list[Any]]:
        """The error of each step, the error of the whole row, and the states after it.

        Args:
            x: `[M, rows, steps, alphabet]`.
            events: the right increment of each step, `[rows, steps, outputs]`.
            states: each `[M, rows, size]`, the total among them.

        Returns:
            `[M, rows, steps, outputs]`, `[M, rows, outputs]`, both in float64, and a list.
        """
        y, *states_after = self.population([x, *states], model=self.stream.model)
        start = tf.cast(states[self.total], tf.float64)
        y, true = tf.cast(y, tf.float64), tf.cast(events, tf.float64)
        steps = y - tf.concat([start[:, :, None], y[:, :, :-1]], axis=2)
        whole = tf.cast(states_after[self.total], tf.float64) - start
        return _finite(steps - true), _finite(whole - tf.reduce_sum(true, axis=1)), states_after

    def _level(self, cycles: list[_Rows], total: np.ndarray, first: bool = False) -> _Level:
        """Measure the increments that follow a total, `[outputs]`; with `first` by word too."""
        drift, variance, wrong = [], [], []
        for cycle_rows in cycles:
            x, events, states, words = cycle_rows
            states = list(states)
            states[self.total] = tf.zeros_like(states[self.total]) + total.astype(np.float32)
            error, whole, _ = self._compiled_feed(x, tf.constant(events), states)
            whole, steps = whole.numpy(), events.shape[1]
            drift.append(whole.mean(axis=1) / steps)
            variance.append(whole.var(axis=1) / steps)
            rounded_wrong = tf.reduce_any(tf.abs(error) >= HALF, axis=3)
            wrong.append(tf.reduce_mean(tf.cast(rounded_wrong, tf.float64), [1, 2]).numpy())
            if first:
                self._farthest = np.maximum(self._farthest, _farthest(error))
                if self._table is not None:
                    self._table.add(error.numpy(), events, words)
        return _Level(np.stack(drift), np.mean(variance, axis=0), np.mean(wrong, axis=0))

    def _certificate(self, i: int, course: "_Course", end: int) -> Certificate:
        case, seed = self.members.names[i]
        count, length = course.length(i)
        drift, half = course.drift(i, count)
        farthest = float(self._farthest[i])
        increments = () if self._table is None else self._table.increments(i, self.task)
        return Certificate(
            case=case,
            seed=seed,
            count=count,
            drift=(drift, drift - half, drift + half),
            deviation=float(np.sqrt(course.variances[0][i, count])),
            length=length,
            farthest=farthest,
            sure=_certain_length(farthest) if self.adds else None,
            complete=self.adds and len(self.stream.kinds) == 1,
            snapped=course.snapped(i, end),
            end=end,
            increments=increments,
        )


class _Course:
    """The errors of increments at each level of the counts, and their sum along a sequence.

    Attributes:
        knots: the length at which each level begins, and the length at which the last one ends.
        starts: the mean error of a step at the beginning of each level, `[cycles, M, outputs]`.
        ends: the same at the end of each level; it changes linearly in between.
        variances: `_Level.variance` of each level.
        wrong: `_Level.wrong` of each level.
    """

    def __init__(self) -> None:
        self.knots = [0.0]
        self.starts: list[np.ndarray] = []
        self.ends: list[np.ndarray] = []
        self.variances: list[np.ndarray] = []
        self.wrong: list[np.ndarray] = []

    def add(self, end: float, level: _Level, start: np.ndarray | None) -> None:
        """Add a level up to the length `end`; without `start` its drift is constant."""
        self.knots.append(end)
        self.starts.append(level.drift if start is None else start)
        self.ends.append(level.drift)
        self.variances.append(level.variance)
        self.wrong.append(level.wrong)

    def add_wrong(self, end: float, wrong: np.ndarray) -> None:
        """Add a level beyond the length at which the unrounded counts are wrong."""
        self.knots.append(end)
        self.wrong.append(wrong)

    def all_wrong(self) -> bool:
        """Whether every member surely reaches 5 % probability to be wrong within the levels."""
        members = self.wrong[0].shape[0] if self.wrong else 0
        return members > 0 and all(self.wrong_by(i, self._last, -1) for i in range(members))

    @property
    def _last(self) -> float:
        """The length up to which drifts were measured."""
        return self.knots[len(self.ends)]

    def drift(self, i: int, count: int) -> tuple[float, float]:
        """A member's drift a step in one count at the first level, and half its interval."""
        return _mean(self.starts[0][:, i, count])

    def probabilities(self, i: int, length: float, side: int = 0) -> np.ndarray:
        """How probably each count of a member has rounded wrong by a length, `[outputs]`.

        Args:
            i: the member.
            length: the length.
            side: 0 for the drift itself, 1 or -1 for the far or the near end of its interval.
        """
        knots = np.asarray(self.knots[: len(self.ends) + 1])
        steps = np.clip(length - knots[:-1], 0, np.diff(knots))  # within each level
        later = steps**2 / (2 * np.diff(knots))  # steps, weighted by their place in the level
        later_errors = np.tensordot(steps - later, [d[:, i] for d in self.starts], 1)
        later_errors += np.tensordot(later, [d[:, i] for d in self.ends], 1)  # [cycles, outputs]
        mean, half = _mean(later_errors)
        variance = np.tensordot(steps, [v[i] for v in self.variances], 1)
        return passage(np.maximum(np.abs(mean) + side * half, 0), variance, HALF)

    def wrong_by(self, i: int, length: float, side: int = 0) -> bool:
        """Whether some count has rounded wrong by a length, with a probability of 5 %."""
        return self._excess(length, i, side) >= 0

    def length(self, i: int) -> tuple[int, Lengths]:
        """The index of the count that is wrong first, and the length with its interval."""
        length, low, high = (self._solve(i, side) for side in (0, 1, -1))
        at = self._last if length is None else length
        count = int(np.argmax(self.probabilities(i, at)))
        if length is None:
            count = int(np.argmax(np.abs(self.starts[0][:, i].mean(axis=0))))
        return count, (_as_integer(length), _as_integer(low), _as_integer(high))

    def snapped(self, i: int, end: float) -> int | None:
        """The length at which an increment has been rounded wrong with a probability of 5 %.

        Args:
            i: the member.
            end: the length at which to stop; up to there increments are as in the last level.
        """
        log_budget = -math.log1p(-PROBABILITY)
        knots = [*self.knots[:-1], end]
        for low, high, share in zip(knots, knots[1:], self.wrong, strict=False):
            hazard = -math.log1p(-min(share[i], 1 - 1e-12))
            if hazard * (high - low) >= log_budget:
                return int(low + log_budget / hazard)
            log_budget -= hazard * (high - low)
        return None

    def _solve(self, i: int, side: int) -> float | None:
        for low, high in itertools.pairwise(self.knots[: len(self.ends) + 1]):
            if self._excess(high, i, side) >= 0:
                return float(brentq(self._excess, low, high, args=(i, side), xtol=0.5))
        return None

    def _excess(self, length: float, i: int, side: int) -> float:
        right = np.prod(1 - self.probabilities(i, length, side))
        return float(1 - right - PROBABILITY)


class _Table:
    """Collects the increments of each word of symbols."""

    def __init__(self, members: int, words: int) -> None:
        self.words, self.occurrences = words, np.zeros(words)
        self.farthest = np.zeros((members, words))
        self.sums: Any = 0.0

    def add(self, error: np.ndarray, events: np.ndarray, words: np.ndarray) -> None:
        """Add the errors `[M, rows, steps, outputs]` of the steps of some rows."""
        outputs = events.shape[-1]
        error = error.reshape(len(error), -1, outputs)
        order = np.argsort(words.ravel(), kind="stable")
        words_found, starts = np.unique(words.ravel()[order], return_index=True)
        error = error[:, order]
        sums = np.zeros((len(error), self.words, outputs))
        sums[:, words_found] = np.add.reduceat(error, starts, axis=1)
        self.sums = self.sums + sums
        self.occurrences += np.bincount(words.ravel(), minlength=self.words)
        most = np.maximum.reduceat(np.abs(error).max(axis=2), starts, axis=1)
        self.farthest[:, words_found] = np.maximum(self.farthest[:, words_found], most)

    def increments(self, i: int, task: SequenceTask) -> tuple[Increment, ...]:
        """The increments of member `i`."""
        all_words = list(itertools.product(range(task.alphabet), repeat=task.memory))
        symbols = tf.constant(all_words, tf.int32)[None]  # [1, words, memory]
        none = tf.fill([1, len(all_words), task.memory - 1], -1)
        counts = task.events(symbols, none)[0].numpy()[0, :, -1]
        mean = counts + self.sums[i] / self.occurrences[:, None]
        return tuple(
            Increment(word, tuple(c), tuple(m), float(f))
            for word, c, m, f in zip(
                all_words, counts.tolist(), mean.tolist(), self.farthest[i], strict=True
            )
        )


def _certain_length(farthest: float) -> int:
    """The length up to which counts are right if no increment is off by more than `farthest`.

    In each step two additions are rounded, each by at most half of the distance between float32's
    numbers; together by at most 2^-24 T where the total is at most T. So the length is the T that
    solves farthest T + 2^-24 T^2 = 1/2.
    """
    if farthest == 0:  # sums of whole numbers are exact up to here
        return WHOLE_NUMBERS
    return int(2 * HALF / (farthest + math.sqrt(farthest**2 + 4 * HALF / WHOLE_NUMBERS)))


def _as_integer(length: float | None) -> int | None:
    return None if length is None else int(length)


def _counts() -> Iterator[tuple[int, int]]:
    """The levels of the largest count; after the first, each is a doubling of the count."""
    low, high = 0, FIRST
    while low < WHOLE_NUMBERS:
        yield low, high
        low, high = high, 2 * high


def _finite(x: Any) -> Any:
    """The tensor with `BEYOND` in the place of entries that are not finite or are larger."""
    return tf.where(tf.abs(x) < BEYOND, x, tf.constant(BEYOND, x.dtype))


def _farthest(error: Any) -> np.ndarray:
    """The largest error of a step of each member, `[M]`."""
    return tf.reduce_max(tf.abs(error), axis=[1, 2, 3]).numpy()


def _mean(cycles: np.ndarray) -> tuple[Any, Any]:
    """The mean over the cycles, along the first axis, and half its interval."""
    half = t.ppf((1 + CONFIDENCE) / 2, CYCLES - 1) * cycles.std(axis=0, ddof=1) / math.sqrt(CYCLES)
    return cycles.mean(axis=0), half
