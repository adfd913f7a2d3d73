"""A long measurement says how long it takes; one that is too long is refused."""

import pytest

from nalu_seq.errors import BadInput
from nalu_seq.experiment import feasibility
from nalu_seq.experiment.experiment import Experiment
from nalu_seq.experiment.extrapolation import _Pace
from nalu_seq.experiment.feasibility import check_lengths
from tests.distribution.replicas import compose


def of_length(length: int, seeds: int = 2) -> Experiment:
    return Experiment(
        *compose("task=count", f"seeds={seeds}", "task.length=10", f"task.lengths=[{length}]")
    )


def measured(length: int, seconds: float, pieces: int, capsys: pytest.CaptureFixture[str]) -> str:
    """What is said while so many pieces are measured, each in so many seconds."""
    clock = iter(seconds * i for i in range(10**6))
    pace = _Pace(of_length(length), lambda: next(clock))
    for _ in range(pieces):
        pace()
    return capsys.readouterr().err


def test_a_measurement_of_more_than_a_minute_says_how_long(capsys) -> None:
    assert measured(100_000, 0.001, 40, capsys) == ""
    said = measured(2_000_000, 0.1, 40, capsys).splitlines()  # 977 pieces of 2,048 steps
    assert said[0].startswith("nalu_seq: measured 0.1 %, about 0:0") and len(said) < 4
    assert said[0].endswith(" more; Ctrl-C ends it")
    assert "days more" in measured(2**31 - 1, 0.5, 2, capsys)


@pytest.mark.parametrize("length", [2**31, 10**20])
def test_a_length_that_no_draws_are_for_is_refused(length: int) -> None:
    with pytest.raises(BadInput, match=f"lengths must be at most 2147483647, not {length}"):
        _ = of_length(length).task


def test_a_length_whose_errors_do_not_fit_into_memory_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(feasibility, "available", lambda: 32 * 2**20)
    check_lengths(of_length(2**20))
    with pytest.raises(BadInput, match=r"3 members .* GiB are free: take at most 699050 steps"):
        check_lengths(of_length(2**20, seeds=3))
