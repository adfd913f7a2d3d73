"""One module on two inputs of several, with the Primer's ranges as cases."""

from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf

from nalu_seq.config.options import shipped_config
from nalu_seq.population.random import Draws, Stream
from nalu_seq.tasks.single_module import SingleModule
from nalu_seq.tasks.thresholds import OPERATIONS, single_module

CASE = "U[1,2]"


def draws(seeds: list[int], split: str = "train", case: str = CASE, examples: int = 30) -> Draws:
    return Stream(seeds, [case] * len(seeds), split).at(0, examples)


@pytest.mark.parametrize("operation", SingleModule.operations)
def test_of_two_inputs_the_first_comes_first(operation: str) -> None:
    x, y = (part.numpy() for part in SingleModule(operation).train_batch(draws([0, 1])))
    assert x.shape == (2, 30, 2)
    np.testing.assert_allclose(y[..., 0], OPERATIONS[operation](x[..., 0], x[..., 1]), rtol=1e-6)


@pytest.mark.parametrize("inputs", [3, 10])
def test_of_more_inputs_two_neighbours_count_the_same_for_all_a_seed_sees(inputs: int) -> None:
    task = SingleModule("sub", inputs)
    places = []
    for seed in range(12):
        firsts = []
        for split in ("train", *task.splits):
            drawn = draws([99, seed], split)
            batch = task.train_batch(drawn) if split == "train" else task.split_batch(split, drawn)
            x, y = batch.x.numpy()[1], batch.y.numpy()[1, :, 0]
            near = [np.allclose(x[:, i] - x[:, i + 1], y, atol=1e-5) for i in range(inputs - 1)]
            assert sum(near) == 1
            firsts.append(near.index(True))
        assert len(set(firsts)) == 1
        places.append(firsts[0])
    assert len(set(places)) > 1


def test_the_shipped_ranges_are_nine_cases_with_the_primers_thresholds() -> None:
    node = OmegaConf.to_container(shipped_config("task", "single_module"))
    assert isinstance(node, dict)
    task = SingleModule("mul", 2, node["ranges"])
    assert len(task.cases) == 9 and task.cases[4] == "U[-2,2]"
    thresholds = task.criterion.threshold["extrapolation"]  # type: ignore[index]
    assert list(thresholds) == list(task.cases)
    assert thresholds["U[-2,2]"] == pytest.approx(1.20177e-07, rel=1e-5)
    assert thresholds["U[10,20]"] == pytest.approx(3.48441e-04, rel=1e-5)
    judged = task.criterion.solved([2e-7, 2e-7], "extrapolation", ["U[-2,2]", "U[10,20]"])
    assert judged is not None and judged.tolist() == [False, True]


def test_irrelevant_inputs_raise_the_threshold() -> None:
    task = SingleModule("add", 10)
    expected = single_module("add", [(2.0, 6.0)], 10)
    assert task.criterion.threshold["extrapolation"][CASE] == expected  # type: ignore[index]
    assert expected == pytest.approx(1e-10 * (10 * 52 / 3 + 90 * 16))


def test_division_may_be_tested_on_both_sides_of_0_and_not_at_0() -> None:
    union = [[[-2, 2], [-6, -2], [2, 6]]]
    task = SingleModule("div", ranges=union)
    batch = task.split_batch("extrapolation", draws([0], "extrapolation", "U[-2,2]"))
    assert np.isfinite(batch.y).all()
    with pytest.raises(ValueError, match="a tested range must not hold 0"):
        SingleModule("div", ranges=[[[1, 2], [0, 6]]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"operation": "root"}, "operation must be one of add, sub, mul, div, not 'root'"),
        ({"inputs": 1}, "inputs must be at least 2, not 1"),
        ({"inputs": -3}, "inputs must be a positive integer, not -3"),
        ({"inputs": "two"}, "inputs must be a positive integer, not 'two'"),
        ({"inputs": None}, "inputs must be a positive integer, not None"),
        ({"inputs": True}, "inputs must be a positive integer, not True"),
        ({"ranges": [[1, 2]]}, "ranges must hold"),
    ],
)
def test_bad_arguments_are_named_in_one_line(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as error:
        SingleModule(**arguments)
    assert str(error.value).startswith(message) and "\n" not in str(error.value)
