"""What counts failed runs too: against hand counts, enumeration, and how often intervals hold."""

import doctest
import math
import random
import re
import subprocess
import sys
from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, norm

from nalu_seq.evaluation import survival
from nalu_seq.evaluation.intervals import newcombe, wilson
from nalu_seq.evaluation.survival import (
    kaplan_meier,
    newcombe_power,
    probability_better,
    restarts,
    seeds_needed,
)

NAN = math.nan
Members = list[float | None]

# Steps of 1000 up to 50,000, with ties, and members that never solve it.
member = st.one_of(st.none(), st.integers(1, 50).map(lambda k: 1000.0 * k))
members = st.lists(member, min_size=1, max_size=20)
rate = st.integers(0, 100).map(lambda percent: percent / 100)


def test_kaplan_meiers_curve_of_a_textbook() -> None:
    """Remission under 6-MP, Freireich et al. 1963: 9 relapses, 12 patients censored."""
    relapsed = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    censored = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    curve = kaplan_meier([*relapsed, *[None] * 12], [*[35] * 9, *censored])
    at = [6, 7, 10, 13, 16, 22, 23]
    survived = [0.8571, 0.8067, 0.7529, 0.6902, 0.6275, 0.5378, 0.4482]
    solved = dict(zip(curve.steps.tolist(), curve.solved.tolist(), strict=True))
    assert [1 - solved[step] for step in at] == pytest.approx(survived, abs=5e-5)


@given(solved_at=members)
def test_members_trained_equally_long_give_the_share_and_wilsons_interval(
    solved_at: Members,
) -> None:
    curve = kaplan_meier(solved_at, 60_000)
    assert np.all(np.diff(curve.steps) > 0) and np.all(np.diff(curve.solved) >= 0)
    for step, *estimate in zip(*curve, strict=True):
        count = sum(t is not None and t <= step for t in solved_at)
        expected = (count / len(solved_at), *wilson(count, len(solved_at)))
        assert estimate == pytest.approx(expected, abs=1e-12)


@given(solved_at=members, data=st.data())
def test_members_trained_unequally_long_give_the_product(
    solved_at: Members, data: st.DataObject
) -> None:
    more = data.draw(st.lists(st.integers(0, 60), min_size=len(solved_at), max_size=20))
    ends = [(t or 0) + 1000.0 * m for t, m in zip(solved_at, more, strict=False)]
    curve = kaplan_meier(solved_at, ends)
    unsolved = 1.0
    for step, solved, low, high in zip(*curve, strict=True):
        leaves = [e if t is None else t for t, e in zip(solved_at, ends, strict=True)]
        at_risk = sum(leave >= step for leave in leaves)
        unsolved *= 1 - sum(t == step for t in solved_at) / at_risk
        assert solved == pytest.approx(1 - unsolved, abs=1e-12)
        assert 0 <= low <= solved <= high <= 1 and high - low > 0.1


def test_kaplan_meiers_interval_holds_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    times, ends = rng.exponential(1.0, (500, 30)), rng.uniform(0.5, 2.0, (500, 30))
    holds = []
    for t, end in zip(times, ends, strict=True):
        curve = kaplan_meier(np.where(t <= end, t, NAN), end)
        last = np.searchsorted(curve.steps, 1.0, side="right") - 1
        holds.append(curve.low[last] <= 1 - math.exp(-1) <= curve.high[last])
    assert 0.93 < np.mean(holds) < 0.995  # conservative: it reckons with members trained so far


def expected_by_hand(solved_at: Members, steps: float, cutoff: float) -> float:
    spent = sum(min(steps if t is None else t, cutoff) for t in solved_at)
    solved = sum(t is not None and t <= cutoff for t in solved_at)
    return spent / solved if solved else math.inf


@given(solved_at=members)
def test_restarts_are_the_best_of_all_cutoffs(solved_at: Members) -> None:
    estimate = restarts(solved_at, 50_000, resamples=200)
    every = [expected_by_hand(solved_at, 50_000, c) for c in range(1000, 50_001, 500)]
    assert estimate.expected == pytest.approx(min(every), rel=1e-12)
    assert estimate.low <= estimate.expected <= estimate.high
    if math.isinf(estimate.expected):
        assert math.isnan(estimate.cutoff) and not any(solved_at)
    else:
        assert estimate.cutoff in solved_at
        assert expected_by_hand(solved_at, 50_000, estimate.cutoff) == pytest.approx(
            estimate.expected
        )


@given(solved_at=members, order=st.randoms(use_true_random=False))
def test_restarts_follow_the_scale_of_steps_and_not_the_order_of_members(
    solved_at: Members, order: random.Random
) -> None:
    estimate = restarts(solved_at, 50_000, resamples=200)
    shuffled = order.sample(solved_at, len(solved_at))
    doubled = restarts([t and 2 * t for t in shuffled], 100_000, resamples=200)
    assert doubled == pytest.approx(tuple(2 * x for x in estimate), nan_ok=True)


def test_restarts_of_some_runs_by_hand() -> None:
    # At 20: (10 + 20 + 20 + 20) / 2; at 10: 40 / 1; at 500: (10 + 20 + 500 + 500) / 3.
    assert restarts([500, None, 20, 10], 1000)[:2] == (20, 35)
    assert restarts([None, None], 1000) == pytest.approx((NAN, *[math.inf] * 3), nan_ok=True)
    assert restarts([7, 7, 7], 1000) == (7, 7, 7, 7)
    assert restarts([0, 5], 1000)[:2] == (0, 0)
    # With 2 in 10 solved, one sample in nine has no solution.
    assert restarts([1000, 1000, *[None] * 8], 5000).high == math.inf


def test_restarts_draw_members_and_choose_each_time_anew() -> None:
    """Three members have 27 samples, which 20,000 draws nearly exhaust; medians are corrected."""
    solved_at: Members = [10.0, 40.0, None]
    samples = [
        min(expected_by_hand(list(draw), 100, c) for c in (10, 40))
        for draw in product(solved_at, repeat=3)
    ]
    value = min(expected_by_hand(solved_at, 100, c) for c in (10, 40))
    below = np.mean([(s < value) + (s == value) / 2 for s in samples])
    estimate = restarts(solved_at, 100, confidence=0.5, resamples=20_000)
    levels = norm.cdf(2 * norm.ppf(below) + norm.ppf([0.25, 0.75]))
    assert estimate[1:] == (value, *np.quantile(samples, levels, method="inverted_cdf"))


def test_restarts_hold_about_as_often_as_they_say() -> None:
    """60 % of runs solve it around step 2e5, the others never: E is 4.05e5 at its best."""
    rng = np.random.default_rng(0)
    times = rng.gamma(20, 1e4, (200, 50))
    times[rng.random(times.shape) > 0.6] = NAN
    estimates = [restarts(t, 1e6, resamples=300) for t in times]
    assert np.mean([r.low <= 4.05e5 <= r.high for r in estimates]) > 0.9


def test_probability_better_by_hand() -> None:
    # A win, a win against an unsolved one, a tie, a loss against a solved one.
    estimate = probability_better([10, 20, None, None], [30, None, None, 40])
    assert estimate.value == 0.625
    assert probability_better([5, 6, 7], [9, None, 8])[1:] == pytest.approx(wilson(3, 3))
    tied = probability_better([None] * 4, [None] * 4)
    assert tied == pytest.approx((0.5, *wilson(2, 4)))


@given(pairs=st.lists(st.tuples(member, member), min_size=1, max_size=30))
def test_one_is_better_as_often_as_the_other_is_not(
    pairs: list[tuple[float | None, float | None]],
) -> None:
    a, b = zip(*pairs, strict=True)
    value, low, high = probability_better(a, b)
    assert 0 <= low <= value <= high <= 1
    assert probability_better(b, a) == pytest.approx((1 - value, 1 - high, 1 - low), abs=1e-12)
    later = [t and t + 500.0 for t in a]  # between two measured steps: each tie that can be broken
    assert probability_better(a, later).value >= 0.5


def test_probability_better_holds_at_least_as_often_as_it_says() -> None:
    """Steps of 1 in 6 tie often: P(a < b) + P(a = b) / 2 is 18/36 and, against b + 1, 23.5/36."""
    rng = np.random.default_rng(0)
    draws = rng.integers(1, 7, (1000, 2, 20)).astype(float)
    for shift, truth in ((0, 18 / 36), (1, 23.5 / 36)):
        estimates = [probability_better(a, b + shift) for a, b in draws]
        assert np.mean([e.low <= truth <= e.high for e in estimates]) > 0.945


@pytest.mark.parametrize(("p", "q", "n"), [(0.9, 0.5, 11), (1.0, 0.6, 9), (0.2, 0.25, 8)])
def test_power_is_the_share_of_outcomes_that_show_it(p: float, q: float, n: int) -> None:
    shown = 0.0
    for a, b in product(range(n + 1), repeat=2):
        chance = binom.pmf(a, n, p) * binom.pmf(b, n, q)
        interval = newcombe(a, n, b, n)
        shown += chance * (interval.low > 0 if p > q else interval.high < 0)
    assert newcombe_power(p, q, n) == pytest.approx(shown, abs=1e-9)


@given(p=rate, q=rate, n=st.integers(1, 40))
def test_power_does_not_care_which_unit_or_what_success_is(p: float, q: float, n: int) -> None:
    power = newcombe_power(p, q, n)
    assert 0 <= power <= 1 + 1e-12
    assert newcombe_power(q, p, n) == power
    assert newcombe_power(p, q, n, alpha=0.2) >= power


@pytest.mark.parametrize(
    ("p", "q", "power", "alpha"),
    [(0.9, 0.5, 0.8, 0.05), (0.31, 0.93, 0.95, 0.01), (1.0, 0.9, 0.8, 0.05), (0.0, 1.0, 0.9, 0.1)],
)
def test_seeds_needed_are_the_fewest_that_keep_the_power(
    p: float, q: float, power: float, alpha: float
) -> None:
    n = seeds_needed(p, q, power, alpha)
    reached = [newcombe_power(p, q, m, alpha) >= power for m in range(1, n + 10)]
    assert all(reached[n - 1 :])
    assert not any(all(reached[m : m + 10]) for m in range(n - 1))
    assert seeds_needed(q, p, power, alpha) == n


def test_seeds_needed_are_near_the_normal_approximation() -> None:
    n = seeds_needed(0.5, 0.4)
    approximation = (1.96 + 0.8416) ** 2 * (0.5 * 0.5 + 0.4 * 0.6) / 0.1**2
    assert n == 392 and approximation == pytest.approx(n, rel=0.03)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kaplan_meier([], 10), "kaplan_meier: needs a list"),
        (lambda: kaplan_meier([11.0], 10), "kaplan_meier: members solve the task between"),
        (lambda: kaplan_meier([math.inf], math.inf), "kaplan_meier: members solve"),
        (lambda: restarts([-1.0], 10), "restarts: members solve the task between"),
        (lambda: restarts([[1.0]], 10), "restarts: needs a list"),
        (lambda: probability_better([1.0], [1.0, 2.0]), "1 members against 2"),
        (lambda: probability_better([], []), "probability_better: needs a list"),
        (lambda: probability_better([1.0], [2.0], 1.5), "confidence"),
        (lambda: newcombe_power(0.5, 1.1, 10), "rates in [0, 1]"),
        (lambda: newcombe_power(0.5, 0.6, 0), "needs seeds"),
        (lambda: seeds_needed(0.5, 0.5), "the rates are equal"),
        (lambda: seeds_needed(-0.1, 0.5), "rates in [0, 1]"),
        (lambda: seeds_needed(0.1, 0.5, power=1.0), "power must be between 0 and 1"),
        (lambda: seeds_needed(0.1, 0.5, alpha=0.0), "confidence must be between 0 and 1"),
        (lambda: seeds_needed(0.5, 0.501), "2000 seeds cannot tell"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        call()
    assert "\n" not in str(error.value)


def test_the_examples_are_true() -> None:
    assert doctest.testmod(survival, optionflags=doctest.ELLIPSIS).failed == 0


def test_statistics_do_without_tensorflow() -> None:
    code = "import sys, nalu_seq.evaluation.survival; sys.exit('tensorflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
