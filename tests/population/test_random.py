"""The generator: its published vectors, its independence, and that it depends on nothing else."""

import zlib

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from nalu_seq.population.random import Stream, threefry2x32


def words(*values: int) -> list[tf.Tensor]:
    return [tf.constant(v, tf.uint32) for v in values]


@pytest.mark.parametrize(
    ("key", "counter", "expected"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((2**32 - 1,) * 2, (2**32 - 1,) * 2, (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_published_vectors_of_threefry_2x32_20(
    key: tuple[int, int], counter: tuple[int, int], expected: tuple[int, int]
) -> None:
    # The known-answer file of the Random123 distribution (Salmon et al. 2011).
    assert tuple(int(w) for w in threefry2x32(*words(*key, *counter))) == expected


def plain_threefry(key: tuple[int, int], counter: tuple[int, int]) -> tuple[int, int]:
    """The generator in Python's own integers, written down from its paper."""
    mask = 2**32 - 1
    keys = (*key, 0x1BD11BDA ^ key[0] ^ key[1])
    x0, x1 = (counter[0] + keys[0]) & mask, (counter[1] + keys[1]) & mask
    for r in range(20):
        bits = (13, 15, 26, 6, 17, 29, 16, 24)[r % 8]
        x0 = (x0 + x1) & mask
        x1 = (((x1 << bits) | (x1 >> (32 - bits))) & mask) ^ x0
        if r % 4 == 3:
            s = r // 4 + 1
            x0, x1 = (x0 + keys[s % 3]) & mask, (x1 + keys[(s + 1) % 3] + s) & mask
    return x0, x1


def test_draws_are_what_the_modules_docstring_says() -> None:
    # Every recorded result rests on this: a change here is a break, not an improvement.
    draws = Stream([0, 7], ["default", "other"], "validation").at(3, 2).bits(5, channel=4).numpy()
    crc = {name: zlib.crc32(name.encode()) for name in ("default", "other", "validation")}
    for member, (seed, case) in enumerate([(0, "default"), (7, "other")]):
        split_key = plain_threefry((seed, crc[case]), (crc["validation"], 0))
        step_key = plain_threefry(split_key, (3, 4))
        for example in range(2):
            plain = [plain_threefry(step_key, (example, d // 2))[d % 2] for d in range(5)]
            assert draws[member, example].tolist() == plain
    uniform = Stream([0], ["default"], "train").at(0, 1).uniform(0.0, 1.0, 1)
    word = Stream([0], ["default"], "train").at(0, 1).bits(1)
    assert uniform.numpy().item() == (word.numpy().item() >> 8) / 2**24


def test_a_member_draws_the_same_alone_as_in_company() -> None:
    together = Stream(range(10), ["default"] * 10, "train").at(5, 16)
    few = Stream(range(5), ["default"] * 5, "train").at(5, 16)
    alone = Stream([3], ["default"], "train").at(5, 16)
    np.testing.assert_array_equal(together.bits(9)[:5], few.bits(9))
    np.testing.assert_array_equal(together.bits(9)[3:4], alone.bits(9))


def test_part_of_a_batch_is_the_part_of_the_whole() -> None:
    whole = Stream([1, 2], ["default"] * 2, "train").at(5, 16)
    half = whole.at(5, tf.range(8, 16))
    np.testing.assert_array_equal(whole.uniform(-1.0, 1.0, 5)[:, 8:], half.uniform(-1.0, 1.0, 5))


@pytest.mark.parametrize("start", [0, 1, 6, 7])
def test_a_sequence_drawn_in_pieces_is_the_sequence_drawn_at_once(start: int) -> None:
    draws = Stream([1, 2], ["default"] * 2, "train").at(0, 4)
    np.testing.assert_array_equal(
        draws.integers(0, 10, 12)[:, :, start:], draws.integers(0, 10, 12 - start, start)
    )


def test_graph_eager_and_compiled_draw_the_same_bits() -> None:
    stream = Stream(range(4), ["default"] * 4, "train")

    # Fused with what consumes it, XLA might round once where plain code rounds twice.
    def draw(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        x = stream.at(step, 8).uniform(-1.3, 1.7, 101)
        return x, tf.reduce_sum(x * 1.1 + 0.3)

    step = tf.constant(9)
    eager = draw(step)[0]
    np.testing.assert_array_equal(tf.function(draw)(step)[0], eager)
    np.testing.assert_array_equal(tf.function(draw, jit_compile=True)(step)[0], eager)


@pytest.mark.parametrize("what", ["seed", "case", "split", "step", "channel"])
def test_every_coordinate_changes_the_draw(what: str) -> None:
    def bits(seed: int = 0, case: str = "a", split: str = "s", step: int = 0, channel: int = 0):
        return Stream([seed], [case], split).at(step, 4).bits(8, channel=channel).numpy()

    other = {"seed": 1, "case": "b", "split": "t", "step": 1, "channel": 1}[what]
    assert not np.any(bits() == bits(**{what: other}))


def test_uniform_numbers_are_uniform_and_in_range() -> None:
    x = Stream([0], ["default"], "train").at(0, 100).uniform(-2.0, 3.0, 2000).numpy().ravel()
    assert x.min() >= -2 and x.max() < 3
    assert stats.kstest((x + 2) / 5, "uniform").pvalue > 1e-3


def test_integers_are_uniform() -> None:
    x = Stream([0], ["default"], "train").at(0, 100).integers(3, 13, 2000).numpy().ravel()
    counts = np.bincount(x, minlength=13)
    assert counts[:3].sum() == 0
    assert stats.chisquare(counts[3:]).pvalue > 1e-3


@pytest.mark.parametrize("axis", ["members", "steps", "examples", "lanes"])
def test_neighbours_are_independent(axis: str) -> None:
    stream = Stream(range(50), ["default"] * 50, "train")
    x = np.stack([stream.at(t, 20).uniform(0.0, 1.0, 50) for t in range(10)])  # [T, M, B, N]
    axes = ["steps", "members", "examples", "lanes"]
    x = np.moveaxis(x, axes.index(axis), 0)
    correlation = stats.pearsonr(x[:-1].ravel(), x[1:].ravel())
    assert correlation.pvalue > 1e-3
    pairs = np.histogram2d(x[:-1].ravel(), x[1:].ravel(), bins=8)[0]
    assert stats.chisquare(pairs.ravel()).pvalue > 1e-3


@pytest.mark.parametrize("size", [1, 2, 5, 64, 1000])
def test_shuffled_places_are_a_permutation_for_each_member_and_step(size: int) -> None:
    draws = Stream([0, 1], ["default"] * 2, "train").at(0, size)
    places = tf.tile(tf.range(size), [2])
    steps = tf.repeat([3, 4], size)
    put = draws.shuffled(places, size, steps).numpy().reshape(2, 2, size)
    for member in put:
        for step in member:
            assert sorted(step) == list(range(size))
    if size > 5:
        assert len({tuple(order) for member in put for order in member}) == 4
    alone = Stream([1], ["default"], "train").at(0, 1).shuffled([size - 1], size, [4])
    assert int(alone[0, 0]) == put[1, 1, -1]


def test_shuffling_is_even() -> None:
    draws = Stream([0], ["default"], "train").at(0, 1)
    steps = tf.range(6000)
    first = draws.shuffled(tf.zeros_like(steps), 6, steps).numpy()[0]
    # Each of six places 1,000 times: a chi-square of 5 degrees of freedom, 0.1 % beyond 20.5.
    counts = np.bincount(first, minlength=6)
    assert np.sum((counts - 1000) ** 2 / 1000) < 20.5
