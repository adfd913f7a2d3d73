"""Pictures in sequences: each once an epoch, the targets they make, and what is read in them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from nalu_seq.data.digits import digits
from nalu_seq.data.images import Data, Images
from nalu_seq.population.random import Draws, Stream
from nalu_seq.tasks.base import Batch
from nalu_seq.tasks.digit_sequences import DigitSequences
from nalu_seq.tasks.mnist_count import MnistCount
from nalu_seq.tasks.mnist_product import MnistProduct
from nalu_seq.tasks.mnist_sum import MnistSum

MEMBERS = 2


def numbered(pictures: int = 60) -> Data:
    """Pictures whose one pixel is their number."""
    pixels = np.arange(pictures, dtype=np.uint8)[:, None, None, None]
    images = Images(pixels, (np.arange(pictures) % 10).astype(np.int32))
    return Data("numbered", dict.fromkeys(("train", "validation", "test"), images), 0.0, 1 / 255)


def draws(step: int, batch: int, split: str = "train", seeds: Any = (0, 1)) -> Draws:
    return Stream(seeds, ["default"] * len(seeds), split).at(step, batch)


def pictures_of(batch: Batch) -> np.ndarray:
    return np.rint(batch.x[..., 0, 0, 0]).astype(int)  # [M, B, T]


def labels_of(batch: Batch) -> np.ndarray:
    return pictures_of(batch) % 10


def test_an_epoch_shows_each_picture_once_and_the_next_in_another_order() -> None:
    task = MnistSum(numbered(), length=3)  # 20 sequences
    batches = [pictures_of(task.train_batch(draws(step, 8))) for step in range(5)]
    shown = np.concatenate(batches, axis=1)  # [M, 40, 3]: two epochs, one batch in both
    for member in shown:
        first, second = member[:20], member[20:]
        assert sorted(first.ravel()) == sorted(second.ravel()) == list(range(60))
        # The sequences stay what they are; their order is new.
        assert {tuple(s) for s in first.tolist()} == {tuple(s) for s in second.tolist()}
        assert first.tolist() != second.tolist()
    assert shown[0].tolist() != shown[1].tolist()


def test_a_batch_larger_than_an_epoch_holds_several() -> None:
    shown = pictures_of(MnistSum(numbered(), length=20).train_batch(draws(0, 7)))  # 3 sequences
    for member in shown:
        assert sorted(member[:3].ravel()) == sorted(member[3:6].ravel()) == list(range(60))


def test_a_member_draws_the_same_in_company_and_alone() -> None:
    task = MnistSum(numbered(), length=3)
    both = pictures_of(task.train_batch(draws(7, 4)))
    alone = pictures_of(task.train_batch(draws(7, 4, seeds=(1,))))
    np.testing.assert_array_equal(both[1], alone[0])


def test_the_targets_are_running_totals() -> None:
    for task, total in (
        (MnistSum(numbered(), length=4), np.cumsum),
        (MnistProduct(numbered(), length=4), np.cumprod),
    ):
        batch = task.train_batch(draws(0, 5))
        np.testing.assert_allclose(batch.y[..., 0], total(labels_of(batch), axis=2))
    batch = MnistCount(numbered(), length=4).train_batch(draws(0, 5))
    expected = np.cumsum(np.eye(10)[labels_of(batch)], axis=2)
    np.testing.assert_array_equal(batch.y, expected)


@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize("make", [MnistCount, MnistSum, MnistProduct])
def test_pieces_make_up_the_whole(make: type[DigitSequences], replacement: bool) -> None:
    task = make(digits(8), length=2, lengths=[12], replacement=replacement)
    split, where = task.splits["length_12"], draws(0, 3, "length_12")
    whole, _ = task.piece(split, where, 0, 12, task.target_state(MEMBERS, 3))
    state, parts = task.target_state(MEMBERS, 3), []
    for start, count in ((0, 5), (5, 1), (6, 6)):
        part, state = task.piece(split, where, start, count, state)
        parts.append(part)
    np.testing.assert_array_equal(tf.concat([p.x for p in parts], 2), whole.x)
    np.testing.assert_array_equal(tf.concat([p.y for p in parts], 2), whole.y)


def test_what_is_measured_shows_no_picture_twice() -> None:
    task = MnistSum(numbered(), length=3, lengths=[1, 7, 60])
    assert {n: (s.examples, s.length) for n, s in task.splits.items()} == {
        "validation": (20, 3), "length_3": (20, 3), "length_1": (60, 1), "length_7": (8, 7),
        "length_60": (1, 60),
    }  # fmt: skip
    for name, split in task.splits.items():
        where = draws(0, split.examples, name)
        batch, _ = task.piece(
            split, where, 0, split.length, task.target_state(MEMBERS, split.examples)
        )
        for member in pictures_of(batch):
            assert len(set(member.ravel())) == split.examples * split.length


def test_pictures_are_normalised() -> None:
    data = digits(16)
    x = MnistSum(data, length=10).train_batch(draws(0, 100)).x
    assert x.shape == (MEMBERS, 100, 10, 16, 16, 1)
    np.testing.assert_allclose([np.mean(x), np.std(x)], [0, 1], atol=0.05)


def test_only_the_last_step_is_told_or_every_one() -> None:
    y = tf.zeros([1, 1, 2, 1])
    wrong_early = tf.constant([[[[1.0], [0.0]]]])
    every = MnistSum(numbered(), length=2, supervise="every")
    assert float(every.loss(y, wrong_early)[0]) == 0.5
    assert float(MnistSum(numbered(), length=2).loss(y, wrong_early)[0]) == 0.0


def tallied(task: DigitSequences, y: Any, prediction: Any, pieces: list[int]) -> dict[str, Any]:
    tally, start = task.tally_start(1, 1), 0
    for count in pieces:
        part = slice(start, start + count)
        tally = task.tally(y[:, :, part], prediction[:, :, part], tally)
        start += count
    return {name: float(value[0]) for name, value in task.tally_metrics(tally).items()}


@pytest.mark.parametrize("pieces", [[4], [1, 3], [1, 1, 1, 1]], ids=str)
def test_what_each_step_changes_is_read_as_a_digit(pieces: list[int]) -> None:
    def column(*values: float) -> Any:
        return tf.constant(values, tf.float32)[None, None, :, None]

    # It adds 3.2, 4.4, 0.6, 9.2, where 3, 5, 1, 9 would be right.
    metrics = tallied(
        MnistSum(numbered()), column(3, 8, 9, 18), column(3.2, 7.6, 8.2, 17.4), pieces
    )
    assert metrics["digit_accuracy"] == 0.75
    assert metrics["rounded_mae"] == pytest.approx(1)  # 3 + 4 + 1 + 9
    # It multiplies by 1.8, 3.2, 2.9, 1.1, where 2, 3, 3, 2 would be right.
    prediction = np.cumprod([1.8, 3.2, 2.9, 1.1])
    metrics = tallied(
        MnistProduct(numbered(), length=2), column(2, 6, 18, 36), column(*prediction), pieces
    )
    assert metrics["digit_accuracy"] == 0.75
    assert metrics["rounded_mae"] == pytest.approx(18)  # 2 * 3 * 3 * 1


@pytest.mark.parametrize("pieces", [[2], [1, 1]], ids=str)
def test_of_several_counts_the_largest_change_is_read(pieces: list[int]) -> None:
    y = np.cumsum(np.eye(10)[[7, 2]], axis=0)[None, None].astype("float32")
    changes = np.zeros((2, 10), "float32")
    changes[0, 7], changes[0, 1], changes[1, 4], changes[1, 2] = 0.8, 0.1, 0.6, 0.4
    metrics = tallied(MnistCount(numbered()), y, np.cumsum(changes, 0)[None, None], pieces)
    assert metrics["digit_accuracy"] == 0.5
    assert metrics["rounded_mae"] == pytest.approx(0.2)  # a 4 too many, a 2 too few, of ten counts


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (MnistSum, {"digits": [0, 10]}, "digits must be a list of digits from 0 to 9"),
        (MnistSum, {"digits": []}, "digits must be a list"),
        (MnistSum, {"digits": [1, 1]}, "digits must be a list"),
        (MnistProduct, {"digits": [0, 1]}, "digits must be from 1 to 9"),
        (MnistSum, {"lengths": [0]}, "lengths must be a positive integer"),
        (MnistSum, {"length": 61}, "61 pictures is longer than the train part, which has 60"),
        (MnistSum, {"lengths": [61]}, "test part, which has 60: take at most 60, or .*replacement"),
        (MnistCount, {"supervise": "some"}, "supervise must be every or last"),
        (MnistCount, {"replacement": "yes"}, "replacement must be true or false"),
    ],
)
def test_bad_arguments_are_named(make: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(numbered(), **arguments)


def test_with_replacement_any_length_can_be_measured() -> None:
    task = MnistSum(numbered(), lengths=[20_000], replacement=True)
    assert task.splits["length_20000"].examples == 1


def test_a_reference_sets_the_thresholds(tmp_path: Path) -> None:
    lines = ["step,case,seed,split,metric,value"]
    for split in ("validation", "length_2"):
        lines += [f"1,default,{seed},{split},digit_accuracy,0.99" for seed in (0, 1)]
        lines += [f"1,default,{seed},{split},mse,4" for seed in (0, 1)]
    (tmp_path / "metrics.csv").write_text("\n".join(lines) + "\n")
    criterion = MnistSum(numbered(), length=2, reference=str(tmp_path)).criterion
    assert (criterion.metric, criterion.selected_by) == ("mse", "validation")
    solved = criterion.solved([3.9, 4.1], "length_2", ["default"] * 2)
    assert solved is not None and solved.tolist() == [True, False]
