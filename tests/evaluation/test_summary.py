"""Statistics over members from the rows of a record."""

from typing import Any

from nalu_seq.evaluation.summary import Outcome
from nalu_seq.reporting.record import Row
from nalu_seq.tasks.base import Criterion

BELOW = Criterion("error", 0.5, above=False)
NAN = float("nan")


def results(record: list[Row], criterion: Criterion) -> list[dict[str, Any]]:
    return Outcome(record, criterion, {"default": "default"}).results()


def rows(values: dict[int, list[float]], metric: str = "error", split: str = "far") -> list[Row]:
    return [
        Row(step, "default", seed, split, metric, value)
        for step, members in values.items()
        for seed, value in enumerate(members)
    ]


def test_the_last_step_counts_and_nan_is_a_failure() -> None:
    out = results(rows({0: [9.0] * 4, 10: [0.1, 0.3, 7.0, NAN]}), BELOW)
    error, solved_at = out
    assert error["metric"] == "error" and error["n"] == 4
    assert (error["median"], error["min"], error["max"]) == (0.3, 0.1, 7.0)
    assert error["success_rate"] == 0.5
    assert 0.1 < error["success_low"] < 0.5 < error["success_high"] < 0.9
    assert solved_at["n"] == 2


def test_solved_at_is_the_first_step_even_if_lost_again() -> None:
    out = results(rows({0: [9.0, 9.0], 10: [0.1, 9.0], 20: [9.0, 0.2], 30: [9.0, 0.2]}), BELOW)
    solved_at = next(r for r in out if r["metric"] == "solved_at")
    assert (solved_at["min"], solved_at["median"], solved_at["max"]) == (10.0, 15.0, 20.0)
    assert solved_at["success_rate"] is None
    assert next(r for r in out if r["metric"] == "error")["success_rate"] == 0.5


def test_nothing_solved_and_nothing_finite_are_null() -> None:
    error, solved_at = results(rows({0: [NAN, NAN]}), BELOW)
    assert error["median"] is None and error["success_rate"] == 0.0
    assert solved_at["n"] == 0 and solved_at["median"] is None


def test_a_metric_without_a_criterion_has_no_success_rate() -> None:
    (mae,) = results(rows({0: [1.0, 2.0, 3.0]}, metric="mae"), BELOW)
    assert mae["median"] == 2.0 and mae["mean"] == 2.0 and mae["success_rate"] is None
    (train,) = results(rows({0: [1.0]}, split="train"), BELOW)
    assert train["success_rate"] is None


def test_a_criterion_may_ask_for_at_least() -> None:
    exact = Criterion("exact", 1.0, above=True)
    out = results(rows({0: [1.0, 0.99, NAN]}, metric="exact"), exact)
    assert out[0]["success_rate"] == 1 / 3
