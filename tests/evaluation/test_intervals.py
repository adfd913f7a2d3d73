"""Wilson's interval against the published ones."""

import pytest

from nalu_seq.evaluation.intervals import wilson


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        # stable-nalu/paper/results/sft-short.csv, 100 seeds each.
        (93, 100, 0.862505, 0.965681),
        (0, 100, 0.0, 0.0369935),
        (100, 100, 0.963007, 1.0),
        (31, 100, 0.227797, 0.406261),
        (3, 100, 0.0102545, 0.0845194),
    ],
)
def test_it_gives_the_published_intervals(successes: int, n: int, low: float, high: float) -> None:
    assert wilson(successes, n) == pytest.approx((low, high), abs=2e-6)
