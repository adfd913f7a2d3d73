"""Members that start anew: when, with which weights, and what a checkpoint keeps of it."""

import csv
import dataclasses
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import nalu_seq.train
from nalu_seq.config.schema import Restart
from nalu_seq.models import build, encoders, heads
from nalu_seq.population.population import Population
from nalu_seq.records.checkpoints import Checkpoints
from nalu_seq.training.loop import Interruption
from nalu_seq.training.restarts import Restarts
from nalu_seq.units import INALU

NAN, INF = float("nan"), float("inf")
Errors = list[float]  # one a step


def model() -> keras.Model:
    return build(encoders.none, heads.readout, INALU, input_size=2, output_size=1, sequence=False)


def weights(population: Population, member: int) -> np.ndarray:
    return np.concatenate([np.ravel(v.value[member]) for v in population.variables])


def watched(
    rule: Restart, members: list[Errors], seeds: list[int] | None = None
) -> tuple[Restarts, list[list[int]]]:
    """What watches these errors, and the steps after which each member began anew."""
    restarts = Restarts(rule, Population(model, seeds or len(members)))
    return restarts, watch(restarts, members)


def watch(restarts: Restarts, members: list[Errors], begin: int = 0) -> list[list[int]]:
    began: list[list[int]] = [[] for _ in members]
    with np.errstate(over="raise"):
        for step, errors in enumerate(np.transpose(members), start=begin + 1):
            before = restarts.count.copy()
            restarts.after(step, np.stack([np.ones(len(errors)), errors, errors**2]))
            for member in np.flatnonzero(restarts.count > before):
                began[member].append(step)
    return began


ONCE = Restart(history=9, every=10, window=1)


@pytest.mark.parametrize(
    ("errors", "begins"),
    [
        ([5.0] * 12, True),
        ([5.0] * 6 + [4.0] * 6, False),  # better, and no deviation
        ([5.0] * 6 + [4.0, 6.0] * 3, True),  # 5 <= 5 + 1
        ([5.0] * 6 + [3.0, 5.0] * 3, True),  # 5 <= 4 + 1
        ([5.0] * 6 + [2.9, 4.9] * 3, False),  # 5 > 3.9 + 1
        ([1.0] * 12, False),  # not above the threshold
        ([1.01] * 12, True),
        ([0.5] * 6 + [0.9] * 6, False),  # worse, and good enough
        ([NAN] * 12, True),
        ([5.0] * 11 + [NAN], True),
        ([5.0] * 11 + [INF], True),
        ([0.5] * 11 + [NAN], True),
        ([INF] + [5.0] * 11, False),  # the older half is the worst of all
        ([NAN] * 3 + [0.1] * 9, False),
        ([INF] * 6 + [5.0] * 6, False),
        ([1e150] + [5.0] * 11, False),
    ],
    ids=str,
)
def test_the_rule(errors: Errors, begins: bool) -> None:
    restarts, began = watched(Restart(history=11, every=1, window=1), [errors[:12]])
    assert began == [[12] if begins else []]
    assert restarts.count.tolist() == [len(began[0])]


def test_deviations_and_threshold_are_the_rules() -> None:
    errors = [5.0] * 6 + [2.9, 4.9] * 3
    rules = [
        Restart(history=11, every=1, window=1, deviations=1.2),
        Restart(history=11, every=1, window=1, deviations=1.2, threshold=4.0),
    ]
    assert [watched(rule, [errors])[1] for rule in rules] == [[[12]], [[]]]


def test_it_looks_in_the_first_steps_of_each_period_but_not_of_the_first() -> None:
    # A history of 5 is there at step 6 already.
    _, (began,) = watched(Restart(history=5, every=10, window=2), [[5.0] * 50])
    assert began == [11, 21, 31, 41]
    _, (began,) = watched(Restart(history=5, every=10, window=10), [[5.0] * 40])
    assert began == [10, 16, 22, 28, 34, 40]
    _, (began,) = watched(Restart(history=25, every=10, window=2), [[5.0] * 65])
    assert began == [31, 61]


@pytest.mark.parametrize(
    ("rule", "lengths"),
    [
        (Restart(every=100, window=20), [10] * 30),
        (Restart(every=100, window=20, check_every=5), [10] * 10 + ([5] * 4 + [10] * 8) * 2),
        (Restart(every=25, window=2, check_every=1), [10, 10, 5] + [1, 1, 10, 10, 3] * 11),
        (Restart(every=10, window=10, check_every=10), [10] * 30),
    ],
    ids=["every tenth", "some", "each", "always"],
)
def test_calls_end_where_a_check_is_due(rule: Restart, lengths: list[int]) -> None:
    restarts, step, calls = Restarts(rule, Population(model, 1)), 0, []
    while step < 300:
        calls.append(restarts.call_length(step, 10))
        step += calls[-1]
    assert calls == lengths


def test_halves_are_of_errors_whatever_the_lengths_of_calls() -> None:
    # 40 errors of 5 in calls of 10, then 21 of 4 in calls of 1: the newer half begins with the last
    # call of 10, and has a mean of 4.32 and a deviation of 0.47.
    rule = Restart(history=50, every=60, window=1, check_every=1, deviations=1.5)
    for deviations, count in ((1.5, 1), (1.3, 0)):
        restarts = Restarts(dataclasses.replace(rule, deviations=deviations), Population(model, 1))
        for step in (10, 20, 30, 40):
            restarts.after(step, np.array([[10.0], [50.0], [250.0]]))
        for step in range(41, 61):
            restarts.after(step, np.array([[1.0], [4.0], [16.0]]))
        restarts.after(61, np.array([[1.0], [4.0], [16.0]]))
        assert restarts.count.tolist() == [count]


def test_weights_of_a_task_replace_uniform_ones() -> None:
    class Counted:
        def initial(self, seed: int, variables: Any) -> list[np.ndarray]:
            raise AssertionError

        def restarted(self, seed: int, variables: Any, count: int, reach: float) -> list:
            return [np.full(v.shape, seed + 10 * count + reach) for v in variables]

    rule = Restart(history=9, every=10, window=1, draw="uniform", reach=0.5)
    restarts = Restarts(rule, Population(model, [3, 4]), Counted())
    watch(restarts, [[5.0] * 21, [0.1] * 21])
    assert set(weights(restarts.population, 0)) == {23.5}
    np.testing.assert_array_equal(
        weights(restarts.population, 1), weights(Population(model, [4]), 0)
    )


def test_a_member_is_judged_by_what_came_after_it_began() -> None:
    # From 1e20 it begins anew; then it is stuck at 5, which 1e20 would drown; then it improves.
    errors = [1e20] * 11 + [5.0] * 10 + [0.1] * 10
    _, (began,) = watched(Restart(history=8, every=10, window=1), [errors])
    assert began == [11, 21]


def test_after_nan_it_begins_as_if_nothing_had_been() -> None:
    restarts, (began,) = watched(ONCE, [[NAN] * 11 + [0.1] * 40])
    assert began == [11] and restarts.count.tolist() == [1]


def test_a_member_is_what_it_would_be_alone() -> None:
    stuck, fine, late = [5.0] * 40, [0.1] * 40, [9.0] * 10 + [3.0] * 30
    members, seeds = [stuck, fine, [NAN] * 40, late], [3, 4, 5, 3]
    together, began = watched(ONCE, members, seeds)
    for i, (errors, seed) in enumerate(zip(members, seeds, strict=True)):
        alone, own = watched(ONCE, [errors], seeds=[seed])
        assert own[0] == began[i]
        np.testing.assert_array_equal(weights(together.population, i), weights(alone.population, 0))
    assert began[0] and not began[1] and began[2]
    untouched = Population(model, [4])
    np.testing.assert_array_equal(weights(together.population, 1), weights(untouched, 0))


@pytest.mark.parametrize("draw", ["initial", "uniform"])
def test_new_weights_are_drawn_once_for_each_seed_and_beginning(draw: str) -> None:
    rule = Restart(history=9, every=10, window=1, draw=draw, reach=2.0)
    ends = {}
    for steps in (0, 11, 21):
        first, _ = watched(rule, [[5.0] * steps] * 2, seeds=[0, 7])
        again, _ = watched(rule, [[5.0] * steps] * 2, seeds=[0, 7])
        for member in range(2):
            ends[steps, member] = weights(first.population, member)
            np.testing.assert_array_equal(ends[steps, member], weights(again.population, member))
    values = list(ends.values())
    for i, one in enumerate(values):
        assert not any(np.isclose(one, other).any() for other in values[:i])


def test_uniform_weights_fill_their_reach_and_initial_ones_are_the_units_own() -> None:
    drawn = {}
    for draw in ("uniform", "initial"):
        rule = Restart(history=9, every=10, window=1, draw=draw, reach=2.0)
        restarts, _ = watched(rule, [[5.0] * 11] * 10)
        (w_hat,) = (v for v in restarts.population.variables if v.name.endswith("w_hat_a"))
        drawn[draw] = np.ravel(w_hat.value)
    assert abs(drawn["uniform"]).max() <= 2 and drawn["uniform"].std() > 0.8
    # Normal with mean 1 and deviation 0.1.
    assert abs(drawn["initial"].mean() - 1) < 0.1 and drawn["initial"].std() < 0.2


def test_a_checkpoint_keeps_what_it_knows(tmp_path: Path) -> None:
    rule = Restart(history=5, every=5, window=3)
    members = [[5.0] * 60, [4.0 - 0.05 * i for i in range(60)], [NAN] * 7 + [2.0] * 53]
    whole, began = watched(rule, members)
    first, early = watched(rule, [errors[:23] for errors in members])
    first.save()
    checkpoints = Checkpoints(tmp_path, first.trackables())
    checkpoints.save(23)
    later = Restarts(rule, Population(model, 3))
    assert Checkpoints(tmp_path, later.trackables()).restore() == (23, {})
    later.load()
    assert later.count.tolist() == [len(steps) for steps in early]
    late = watch(later, [errors[23:] for errors in members], begin=23)
    assert [a + b for a, b in zip(early, late, strict=True)] == began
    assert early[0] and late[0] and later.count.tolist() == whole.count.tolist()


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["nalu_seq.train", *arguments])
    try:
        nalu_seq.train.main()
    except SystemExit as leave:
        return int(leave.code or 0)
    return 0


def test_an_interrupted_run_goes_on_as_one_that_never_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        "task=single_module", "task.operation=mul", "unit=inalu", "seeds=2", "train.batch_size=8",
        "task.ranges=[[[10,20],[20,40]],[[1,2],[2,6]]]", "train.compile=graph",
        "restart.history=5", "restart.every=5", "restart.window=5", "restart.draw=uniform",
        "train.steps=40", "train.eval_every=10",
    ]  # fmt: skip
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert run(monkeypatch, *arguments, f"hydra.run.dir={whole}") == 0

    checks = []

    def check(interruption: Interruption) -> None:
        checks.append(0)
        if len(checks) == 12:
            interruption.signal = 15
        original(interruption)

    original = Interruption.check
    with monkeypatch.context() as patch:
        patch.setattr(Interruption, "check", check)
        assert run(monkeypatch, *arguments, f"hydra.run.dir={cut}") == 128 + 15
    assert run(monkeypatch, f"resume={cut}") == 0
    assert "interrupted at step" in capfd.readouterr().out
    assert (cut / "metrics.csv").read_bytes() == (whole / "metrics.csv").read_bytes()
    with (whole / "metrics.csv").open() as file:
        rows = [r for r in csv.DictReader(file) if r["metric"] == "restarts"]
    assert {r["split"] for r in rows} == {"train"} and len(rows) == 4 * 5
    counts = {(r["case"], r["seed"], int(r["step"])): float(r["value"]) for r in rows}
    assert counts["U[10,20]", "0", 0] == 0 and counts["U[10,20]", "0", 40] > 1
