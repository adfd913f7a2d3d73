"""The arithmetic benchmark: which inputs are added up, what is drawn anew and what is shared."""

from typing import Any

import numpy as np
import pytest

from nalu_seq.population.random import Draws, Stream
from nalu_seq.tasks.arithmetic import Arithmetic
from nalu_seq.tasks.base import Batch
from nalu_seq.tasks.thresholds import OPERATIONS, two_layers

CASE = "U[1,2]"
WIDE = [[[1, 2], [2, 6]], [[-2, 2], [-6, -2], [2, 6]]]


def draws(
    seeds: list[int], step: int = 0, examples: int = 20, split: str = "train", case: str = CASE
) -> Draws:
    return Stream(seeds, [case] * len(seeds), split).at(step, examples)


def offset(task: Arithmetic, batch: Batch, member: int = 0) -> int:
    """Where the first subset begins: the one place that explains the sums (square: a^2)."""
    x, y = batch.x.numpy()[member].astype(float), batch.y.numpy()[member, :, 0]
    size = task.subsets.size
    fits = [
        start
        for start in range(task.input_size - size + 1)
        if np.allclose(x[:, start : start + size].sum(axis=1) ** 2, y, rtol=1e-4)
    ]
    assert len(fits) == 1
    return fits[0]


def test_the_published_subsets_have_25_inputs_and_share_12_of_38() -> None:
    subsets = Arithmetic().subsets
    assert (subsets.size, subsets.shared, subsets.used) == (25, 12, 38)
    assert subsets.groups(inclusive=False) == (13, 12, 13, 62)
    assert subsets.groups(inclusive=True) == (13, 13, 13, 61)


@pytest.mark.parametrize(
    ("subset", "overlap", "size", "shared"),
    [
        (0.5, 0.0, 50, 0),
        (0.1, 1.0, 10, 10),
        (0.29, 0.5, 29, 14),
        (0.07, 0.3, 7, 2),
        (1, 1, 100, 100),
    ],
)
def test_shares_are_rounded_down_and_no_further(
    subset: float, overlap: float, size: int, shared: int
) -> None:
    # In floating point 0.29 of 100 is 28.999...: it means 29.
    subsets = Arithmetic(subset=subset, overlap=overlap).subsets
    assert (subsets.size, subsets.shared) == (size, shared)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_targets_are_the_operation_on_the_sums(operation: str) -> None:
    seeds = [0, 3, 4]
    batch = Arithmetic(operation).train_batch(draws(seeds))
    starts = Arithmetic("square")
    places = starts.train_batch(draws(seeds))
    np.testing.assert_array_equal(batch.x, places.x)
    x = batch.x.numpy().astype(float)
    for member in range(len(seeds)):
        first = offset(starts, places, member)
        a = x[member, :, first : first + 25].sum(axis=1)
        b = x[member, :, first + 13 : first + 38].sum(axis=1)
        target = OPERATIONS[operation](a, b)
        np.testing.assert_allclose(batch.y[member, :, 0], target, rtol=1e-4, atol=1e-4)


def test_the_offset_is_drawn_once_a_seed_and_whatever_stands_beside_it() -> None:
    task = Arithmetic("square")
    several = [offset(task, task.train_batch(draws(list(range(8)))), m) for m in range(8)]
    assert len(set(several)) > 1
    for seed in (0, 5):
        batches = [
            task.train_batch(draws([seed])),
            task.train_batch(draws([seed], step=999)),
            task.train_batch(draws([7, seed])),
            task.split_batch("validation", draws([seed], split="validation")),
            task.split_batch("extrapolation", draws([seed], split="extrapolation")),
        ]
        offsets = [offset(task, b, member=len(b.x) - 1) for b in batches]
        assert set(offsets) == {several[seed]}


def test_offsets_reach_both_ends() -> None:
    task = Arithmetic("square", inputs=5, subset=0.4, overlap=0.5)  # 2 and 2, sharing 1 of 3
    batch = task.train_batch(draws(list(range(60))))
    offsets = {offset(task, batch, member) for member in range(60)}
    assert offsets == {0, 1, 2}


def test_training_draws_afresh_for_each_step_and_seed() -> None:
    task = Arithmetic()
    first, again, later = (task.train_batch(draws([0, 1], step)).x.numpy() for step in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    for one, other in ((first, later), (first[0], first[1])):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.1
    assert first.min() >= 1 and first.max() <= 2


@pytest.mark.parametrize("split", ["validation", "extrapolation"])
def test_all_seeds_are_measured_on_the_same_inputs(split: str) -> None:
    task = Arithmetic(ranges=WIDE)
    assert task.splits[split].examples == 10_000
    batch = task.split_batch(split, draws([0, 1], split=split))
    np.testing.assert_array_equal(batch.x[0], batch.x[1])
    assert not np.array_equal(batch.y[0], batch.y[1])  # their sums begin elsewhere
    # Nor do they depend on the step or on how many examples are measured at once.
    later = task.split_batch(split, draws([7], step=5, split=split, examples=10))
    np.testing.assert_array_equal(later.x[0], batch.x[0, :10])
    low, high = (1, 2) if split == "validation" else (2, 6)
    assert low <= batch.x.numpy().min() and batch.x.numpy().max() <= high


def test_the_splits_have_inputs_of_their_own() -> None:
    task = Arithmetic(ranges=[[[1, 2], [1, 2.5]]])
    near, far = (task.split_batch(s, draws([0], split=s)).x for s in task.splits)
    assert abs(np.corrcoef(near.numpy().ravel(), far.numpy().ravel())[0, 1]) < 0.1


def test_each_case_has_ranges_of_its_own_in_one_population() -> None:
    task = Arithmetic(ranges=WIDE)
    assert task.cases == ("U[1,2]", "U[-2,2]")

    def batch(split: str) -> np.ndarray:
        both = Stream([0, 0], list(task.cases), split).at(0, 200)
        drawn = task.train_batch(both) if split == "train" else task.split_batch(split, both)
        return drawn.x.numpy()

    for split in ("train", "validation"):
        x = batch(split)
        assert 1 <= x[0].min() < 1.01 and -2 <= x[1].min() < -1.9 and 1.9 < x[1].max() <= 2
    x = batch("extrapolation")
    assert x[0].min() >= 2 and (abs(x[1]) >= 2).all()
    assert 0.45 < (x[1] > 0).mean() < 0.55


def test_nested_is_all_inputs_and_their_first_half() -> None:
    task = Arithmetic("mul", inputs=4, nested=True)
    x, y = (part.numpy() for part in task.train_batch(draws([0, 1])))
    np.testing.assert_allclose(y[..., 0], x.sum(axis=2) * x[..., :2].sum(axis=2), rtol=1e-5)
    threshold = task.criterion.threshold["extrapolation"][CASE]  # type: ignore[index]
    assert threshold == pytest.approx(2.16e-6, rel=5e-3)


def test_a_divisor_is_never_exactly_0(monkeypatch: pytest.MonkeyPatch) -> None:
    class Middle(Draws):
        """The one draw of 2^24 that lies in the middle of the range."""

        def uniform(self, *args: Any, **kwargs: Any) -> Any:
            return 0 * super().uniform(*args, **kwargs) + 0.5

    task = Arithmetic("div", inputs=2, subset=0.5, overlap=0.0, ranges=[[[-2, 2], [2, 6]]])
    stream = Stream([0], ["U[-2,2]"], "train")
    batch = task.train_batch(Middle(stream, 0, 3, np.arange(3)))
    assert np.isfinite(batch.y).all() and (abs(batch.x.numpy()) < 1e-7).all()


def test_thresholds_are_the_cases_own_and_enter_the_criterion() -> None:
    task = Arithmetic("mul", ranges=WIDE)
    criterion = task.criterion
    assert (criterion.metric, criterion.selected_by) == ("mse", "validation")
    own = [two_layers("mul", r.test, (13, 13, 13, 61)) for r in task.ranges.values()]
    assert own[0] == pytest.approx(0.160011, rel=3e-3) and own[1] != pytest.approx(own[0], rel=0.1)
    between = (own[0] + own[1]) / 2
    cases = ["U[1,2]", "U[-2,2]", "U[1,2]", "U[-2,2]", "U[1,2]"]
    solved = criterion.solved([between, between, 0.0, 0.0, np.nan], "extrapolation", cases)
    assert solved is not None
    assert solved.tolist() == [own[0] > between, own[1] > between, True, True, False]
    # Strictly below.
    assert criterion.solved(own, "extrapolation", task.cases).tolist() == [False, False]  # type: ignore[union-attr]
    assert criterion.solved([0.0], "validation", [CASE]) is None


def test_a_threshold_is_published_or_exact() -> None:
    def threshold(which: str) -> float:
        return Arithmetic("add", threshold=which).criterion.threshold["extrapolation"][CASE]  # type: ignore[index]

    assert threshold("published") == pytest.approx(1.480e-5, rel=2e-3)
    assert threshold("exact") == pytest.approx(1.604e-5, rel=2e-3)


@pytest.mark.parametrize(
    ("inputs", "subset", "overlap"), [(2, 0.5, 0.0), (100, 0.5, 0.0), (8, 1, 1)]
)
def test_where_all_inputs_are_used_the_larger_subset_is_cut(
    inputs: int, subset: float, overlap: float
) -> None:
    task = Arithmetic("mul", inputs, subset, overlap)
    assert task.criterion.threshold["extrapolation"][CASE] > 0  # type: ignore[index]
    assert task.train_batch(draws([0])).x.shape == (1, 20, inputs)


def test_loss_and_metrics_are_each_members_means() -> None:
    y, prediction = np.zeros([2, 2, 1], np.float32), np.float32([[[1], [3]], [[0], [-2]]])
    task = Arithmetic()
    assert task.loss(y, prediction).numpy().tolist() == [5.0, 2.0]
    metrics = {name: v.numpy().tolist() for name, v in task.metrics(y, prediction).items()}
    assert metrics == {"mse": [5.0, 2.0], "mae": [2.0, 1.0]}


NEGATIVE = [[[1, 2], [-1, 2]]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"operation": "pow"}, "operation must be one of add, sub, mul, div, square, root, not"),
        ({"operation": None}, "operation must be one of"),
        ({"threshold": "own"}, "threshold must be published or exact, not 'own'"),
        ({"inputs": 0}, "inputs must be a positive integer, not 0"),
        ({"inputs": 2.5}, "inputs must be a positive integer, not 2.5"),
        ({"subset": 0}, "subset must be a number above 0 and at most 1, not 0"),
        ({"subset": 1.5}, "subset must be a number above 0"),
        ({"subset": True}, "subset must be a number above 0"),
        ({"subset": float("nan")}, "subset must be a number above 0"),
        ({"overlap": -0.1}, "overlap must be a number from 0 and at most 1, not -0.1"),
        ({"overlap": "half"}, "overlap must be a number from 0"),
        ({"nested": 1}, "nested must be true or false, not 1"),
        ({"nested": True, "inputs": 1}, "nested needs at least 2 inputs, not 1"),
        ({"inputs": 3, "subset": 0.25}, "subset=0.25 of 3 inputs is none: give a larger share"),
        ({"subset": 0.6, "overlap": 0.0}, "need 120 inputs, and there are 100: give a smaller"),
        ({"ranges": []}, "ranges must be a list"),
        ({"operation": "div", "ranges": NEGATIVE}, "tested where the divisor can be 0"),
        ({"operation": "div", "ranges": WIDE}, "tested where the divisor can be 0"),
        ({"operation": "root", "ranges": NEGATIVE}, "has negative numbers, which have no root"),
        ({"operation": "root", "ranges": [[[-1, 1], [2, 6]]]}, "has negative numbers"),
    ],
)
def test_bad_arguments_are_named_in_one_line(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as error:
        Arithmetic(**arguments)
    assert message in str(error.value) and "\n" not in str(error.value)
