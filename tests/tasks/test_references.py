"""Thresholds from a solved accumulator's record."""

from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from nalu_seq.errors import BadInput
from nalu_seq.tasks.references import reference_thresholds


def record(directory: Path, read: list[float], errors: list[float]) -> str:
    lines = ["step,case,seed,split,metric,value"]
    for seed, (share, error) in enumerate(zip(read, errors, strict=True)):
        lines += [
            f"5,default,{seed},length_3,mse,99",  # an earlier step says nothing
            f"9,default,{seed},validation,digit_accuracy,{share}",
            f"9,default,{seed},length_3,mse,{error}",
        ]
    (directory / "metrics.csv").write_text("\n".join(lines) + "\n")
    return str(directory)


def test_the_threshold_is_the_upper_end_of_the_solved_members_mean(tmp_path: Path) -> None:
    place = record(tmp_path, [0.98, 0.97, 0.5, 0.99], [1.0, 2.0, 70.0, 3.0])
    thresholds = reference_thresholds(place, ["length_3"])
    expected = 2 + scipy.stats.t.ppf(0.99, 2) * np.std([1, 2, 3], ddof=1) / np.sqrt(3)
    assert thresholds == {"length_3": {"default": pytest.approx(expected)}}


def test_the_kept_reference_of_the_products_serves_all_their_lengths() -> None:
    place = Path(__file__).parents[2] / "results" / "mnist_product_reference"
    splits = ["validation", *(f"length_{n}" for n in range(1, 21))]
    thresholds = reference_thresholds(str(place), splits)
    assert set(thresholds) == set(splits)
    # Its README's five seeds that read, by hand.
    rows = [line.split(",") for line in (place / "metrics.csv").read_text().splitlines()]
    errors = [float(r[-1]) for r in rows if r[3:5] == ["length_2", "mse"] and r[2] in "13679"]
    margin = scipy.stats.t.ppf(0.99, 4) * np.std(errors, ddof=1) / np.sqrt(5)
    assert thresholds["length_2"]["default"] == pytest.approx(np.mean(errors) + margin)


@pytest.mark.parametrize(
    ("read", "message"),
    [(None, "it has no metrics.csv"), ([0.99, 0.5, 0.5], "1 of its 3 members read 90%")],
)
def test_a_reference_that_says_too_little_is_refused(read, message, tmp_path: Path) -> None:
    place = str(tmp_path) if read is None else record(tmp_path, read, [1.0] * len(read))
    with pytest.raises(BadInput, match=message):
        reference_thresholds(place, ["length_3"])


def test_every_split_must_have_been_measured(tmp_path: Path) -> None:
    place = record(tmp_path, [0.98, 0.97], [1.0, 2.0])
    with pytest.raises(BadInput, match="it was not measured on length_4"):
        reference_thresholds(place, ["length_3", "length_4"])
