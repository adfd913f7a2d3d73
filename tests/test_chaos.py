"""Trainings stopped at random moments and resumed: nothing is lost, torn or there twice."""

import signal
from pathlib import Path

import pytest

from scripts.chaos import Chaos, stop_often

pytestmark = pytest.mark.alone


def quiet(_: str) -> None:
    """Say nothing of each stop."""


@pytest.mark.slow
def test_killed_three_times_it_leaves_the_same_record_and_weights(tmp_path: Path) -> None:
    _, same = stop_often(Chaos(tmp_path, seed=2), 3, signal.SIGKILL, quiet)
    assert same > 20


@pytest.mark.slow
def test_killed_25_times_it_leaves_the_same_record_and_weights(tmp_path: Path) -> None:
    stop_often(Chaos(tmp_path, seed=1), 25, signal.SIGKILL, quiet)


@pytest.mark.slow
def test_sigterm_saves_within_ten_seconds_at_any_moment(tmp_path: Path) -> None:
    stop_often(Chaos(tmp_path, seed=3), 8, signal.SIGTERM, quiet)
