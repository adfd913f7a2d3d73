"""Sums by hand: how they are written, and what they give."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import nalu_seq.evaluate
from nalu_seq.tasks.addition import Addition
from tests.commands import in_process


@pytest.mark.parametrize("written", ["digits", "whole"])
def test_sums_by_hand(written: str) -> None:
    task = Addition(written=written)
    first, second = tf.constant([[37, 0, 9, 9999]]), tf.constant([[52, 0, 90, 1]])
    places, sums = task.add(first, second, digits=4)
    steps = np.asarray(task.steps(places, task.longest(4)))[0]
    assert [task.text(x) for x in steps] == ["37+52", "0+0", "9+90", "9999+1"]
    np.testing.assert_array_equal(sums, [[89, 0, 99, 10_000]])


def test_a_sum_takes_a_step_for_each_character_or_number() -> None:
    digits, whole = Addition(), Addition(written="whole")
    assert [s.length for s in digits.splits.values()] == [5, 7, 9] and digits.length == 5
    assert [s.length for s in whole.splits.values()] == [3, 3, 3] and whole.length == 3
    assert (digits.input_size, digits.numbers) == (11, 0)
    assert (whole.input_size, whole.numbers) == (3, 1)


@pytest.mark.slow
def test_whole_numbers_around_an_lstm_are_added_at_any_size(
    main, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    routed = ["task.written=whole", "encoder=routed", "head=accumulate", "unit=nau"]
    small = ["seeds=3", "train.steps=600", "train.eval_every=300", "train.compile=graph"]
    code, _, err = main("task=addition", *routed, *small, f"output={tmp_path}")
    assert code == 0, err
    (summary,) = tmp_path.rglob("summary.json")
    results = json.loads(summary.read_text())["results"]
    exact = {r["split"]: r["median"] for r in results if r["metric"] == "exact"}
    assert exact["digits_2"] == 1 and exact["digits_4"] == 1, exact
    words = [str(summary.parent), "task.test_digits=[5]"]
    code, out, err = in_process(nalu_seq.evaluate, monkeypatch, capfd, *words)
    assert code == 0 and "digits 5 100%" in out, (out, err)
