"""Stateless random numbers: a draw depends on member, split, step, channel and place alone.

    key(member, split) = threefry((seed, crc32(case)), (crc32(split), 0))
    key(step, channel) = threefry(key(member, split), (step, channel))
    word(example, draw) = threefry(key(step, channel), (example, draw // 2))[draw % 2]

So the samples of a member do not depend on which other members train beside it, on how many
replicas share its batch, or on whether the run was interrupted. The generator is Threefry-2x32 with
20 rounds (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"), integer operations
only, compiled by XLA wherever it is called from, so that the words are the same everywhere.

Changing anything here breaks every recorded result: make it faster, never different.
"""

import copy
import zlib
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA
_FEISTEL_ROUNDS = 6


def _rotate_left(x: Any, bits: int) -> Any:
    return tf.bitwise.bitwise_or(
        tf.bitwise.left_shift(x, tf.constant(bits, tf.uint32)),
        tf.bitwise.right_shift(x, tf.constant(32 - bits, tf.uint32)),
    )


@tf.function(jit_compile=True, autograph=False)
def threefry2x32(key0: Any, key1: Any, counter0: Any, counter1: Any) -> tuple[Any, Any]:
    """Two words for each counter under each key, elementwise with broadcasting.

    Args:
        key0: uint32 tensors that broadcast against each other, as do all four.
        key1: see `key0`.
        counter0: see `key0`.
        counter1: see `key0`.

    Returns:
        Two uint32 tensors of the broadcast shape.
    """
    xor = tf.bitwise.bitwise_xor
    keys = key0, key1, xor(xor(key0, key1), tf.constant(_PARITY, tf.uint32))
    x0, x1 = counter0 + keys[0], counter1 + keys[1]
    for group in range(5):
        for bits in _ROTATIONS[group % 2]:
            x0 = x0 + x1
            x1 = xor(_rotate_left(x1, bits), x0)
        x0 = x0 + keys[(group + 1) % 3]
        x1 = x1 + keys[(group + 2) % 3] + tf.constant(group + 1, tf.uint32)
    return x0, x1


@tf.function(jit_compile=True, autograph=False)
def _words(key0: Any, key1: Any, counter0: Any, counter1: Any) -> Any:
    """The two words of `threefry2x32` side by side: `[..., 2]`."""
    first, second = threefry2x32(key0, key1, counter0, counter1)
    # The words are joined as halves of a 64-bit word, the first the lower half: for a stack XLA
    # would compute each word by itself, and so the rounds twice.
    second = tf.bitwise.left_shift(tf.cast(second, tf.uint64), tf.constant(32, tf.uint64))
    return tf.bitcast(tf.bitwise.bitwise_or(tf.cast(first, tf.uint64), second), tf.uint32)


@tf.function(jit_compile=True, autograph=False)
def _uniform(key0: Any, key1: Any, counter0: Any, counter1: Any, low: Any, width: Any) -> Any:
    """Two numbers of U[low, low + width), from the upper 24 bits of each word: `[..., 2]`."""
    words = _words(key0, key1, counter0, counter1)
    unit = tf.cast(tf.bitwise.right_shift(words, tf.constant(8, tf.uint32)), tf.float32)
    # The minimum keeps the product and the sum from being fused into one rounding by XLA, so that
    # compiled and plain code give the same bits; it changes no value.
    return low + tf.minimum(width * (unit * 2.0**-24), width)


def _word(value: Any) -> Any:
    return tf.cast(value, tf.uint32)


class Draws:
    """The random numbers of one training step, for every member and every example.

    Args:
        stream: the members' streams.
        step: the training step.
        batch_size: how many examples the step has, over all replicas.
        examples: `[B]`, the indices of the examples that are drawn here.

    Attributes:
        stream: the members' streams.
        step: the training step.
        batch_size: how many examples the step has, over all replicas.
        examples: `[B]` indices of the examples that are drawn here.
    """

    def __init__(self, stream: "Stream", step: Any, batch_size: int, examples: Any) -> None:
        self.stream = stream
        self.step = step
        self.batch_size = batch_size
        self.examples = examples

    @property
    def cases(self) -> tuple[str, ...]:
        """Each member's case, by name."""
        return self.stream.cases

    def at(self, step: Any, examples: Any) -> "Draws":
        """The draws of the same members at another step, for other examples.

        Args:
            step: the step; a fixed set of examples is drawn at step 0.
            examples: `[B]`, the indices of the examples.
        """
        return Draws(self.stream, step, self.batch_size, examples)

    def share(self, index: Any, parts: int) -> "Draws":
        """The draws of one part of a batch that is split into equal parts, such as a replica's.

        Args:
            index: the index of the part, from 0.
            parts: how many parts there are; they divide `batch_size`.
        """
        size = self.batch_size // parts
        return Draws(self.stream, self.step, self.batch_size, index * size + tf.range(size))

    def elsewhere(self, split: str) -> "Draws":
        """Draws that each member keeps for the whole run, from a stream with a name of its own.

        Args:
            split: the name of the stream, in the place of a split's.

        Returns:
            Draws for one example, at step 0.
        """
        return Stream(self.stream.seeds, self.cases, split).at(0, 1)

    def bits(self, count: Any, start: Any = 0, channel: int = 0) -> Any:
        """Random 32-bit words of each example.

        A sequence that is drawn in pieces is the sequence that is drawn at once.

        Args:
            count: how many words, a number or a tensor.
            start: the index of the first word, a number or a tensor.
            channel: a number for each quantity that a task draws, so that they are independent.

        Returns:
            uint32 `[M, B, count]`.
        """
        return self._draw(_words, count, start, channel)

    def uniform(self, low: Any, high: Any, count: Any, start: Any = 0, channel: int = 0) -> Any:
        """Uniform numbers in [low, high), on a grid of 2^24 values.

        Args:
            low: the lower limit, a number or `[M, 1, 1]`.
            high: the upper limit, a number or `[M, 1, 1]`.
            count: as for `bits`.
            start: as for `bits`.
            channel: as for `bits`.

        Returns:
            float32 `[M, B, count]`.
        """
        low = tf.reshape(tf.cast(low, tf.float32), [-1, 1, 1, 1])
        width = tf.reshape(tf.cast(high, tf.float32), [-1, 1, 1, 1]) - low
        return self._draw(_uniform, count, start, channel, low, width)

    def _draw(self, draw: Any, count: Any, start: Any, channel: int, *arguments: Any) -> Any:
        """The words `start` to `start + count` of each example, drawn by the compiled `draw`."""
        key0, key1 = threefry2x32(*self.stream.keys, _word(self.step), _word(channel))  # [M]
        first = start // 2
        pairs = (start + count + 1) // 2 - first
        samples = draw(
            key0[:, None, None],
            key1[:, None, None],
            _word(self.examples)[None, :, None],
            _word(first + tf.range(pairs))[None, None, :],
            *arguments,
        )  # [M, B, pairs, 2]
        shape = tf.shape(samples)
        samples = tf.reshape(samples, [shape[0], shape[1], 2 * shape[2]])
        offset = start - 2 * first
        samples = samples[:, :, offset : offset + count]
        if isinstance(count, int):
            samples.set_shape([None, None, count])
        return samples

    def shuffled(self, places: Any, size: int, steps: Any, channel: int = 0) -> Any:
        """Where permutations of `0 .. size - 1` put some places: int32 `[M, B]`.

        Each member has a permutation for each step. Nothing is sorted: a Feistel network permutes
        the numbers below the next power of four; a place that it puts at `size` or beyond is
        permuted again (Black & Rogaway 2002, "Ciphers with arbitrary finite domains").

        Args:
            places: `[B]`, from 0 to `size - 1`.
            size: how many places there are.
            steps: `[B]`, the step whose permutation moves each place.
            channel: as for `bits`.

        Returns:
            int32 `[M, B]`, from 0 to `size - 1`.
        """
        key0, key1 = (key[:, None] for key in self.stream.keys)
        keys = threefry2x32(key0, key1, _word(steps)[None], _word(channel))  # [M, B]
        half = tf.constant(max(1, (size - 1).bit_length() + 1 >> 1), tf.uint32)
        mask = tf.bitwise.left_shift(tf.constant(1, tf.uint32), half) - 1

        def permuted(x: Any) -> Any:
            left, right = tf.bitwise.right_shift(x, half), tf.bitwise.bitwise_and(x, mask)
            for number in range(_FEISTEL_ROUNDS):
                word, _ = threefry2x32(*keys, right, _word(number))
                right_mix = tf.bitwise.bitwise_xor(left, tf.bitwise.bitwise_and(word, mask))
                left, right = right, right_mix
            return tf.bitwise.bitwise_or(tf.bitwise.left_shift(left, half), right)

        def beyond(x: Any) -> Any:
            return tf.cast(x, tf.int64) >= size

        (x,) = tf.while_loop(
            lambda x: tf.reduce_any(beyond(x)),
            lambda x: (tf.where(beyond(x), permuted(x), x),),
            (permuted(tf.broadcast_to(_word(places)[None], tf.shape(keys[0]))),),
        )
        return tf.cast(x, tf.int32)

    def integers(self, low: int, high: int, count: Any, start: Any = 0, channel: int = 0) -> Any:
        """Uniform integers from `low` to `high - 1`.

        Args:
            low: the smallest integer.
            high: the integer above the largest.
            count: as for `bits`.
            start: as for `bits`.
            channel: as for `bits`.

        Returns:
            int32 `[M, B, count]`.
        """
        words = tf.cast(self.bits(count, start, channel), tf.int64)
        # Multiply and shift: exact in 64 bits, with a bias of at most (high - low) / 2^32.
        products = tf.bitwise.right_shift(words * (high - low), tf.constant(32, tf.int64))
        return low + tf.cast(products, tf.int32)


class Stream:
    """Every member's stream of draws for one split.

    Args:
        seeds: each member's seed.
        cases: each member's case, by name.
        split: the split's name.

    Attributes:
        keys: the members' keys, uint32 `[M]` twice.
    """

    def __init__(self, seeds: Sequence[int], cases: Sequence[str], split: str) -> None:
        self.seeds = tuple(seeds)
        self.cases = tuple(cases)
        self.keys = threefry2x32(
            tf.constant(list(seeds), tf.uint32),
            tf.constant([zlib.crc32(case.encode()) for case in cases], tf.uint32),
            tf.constant(zlib.crc32(split.encode()), tf.uint32),
            tf.constant(0, tf.uint32),
        )

    def with_keys(self, keys: tuple[Any, Any]) -> "Stream":
        """The same members with other keys, such as the traced ones of another split.

        Args:
            keys: two uint32 tensors `[M]`.
        """
        stream = copy.copy(self)
        stream.keys = keys
        return stream

    def at(self, step: Any, batch_size: int) -> Draws:
        """The draws of a step.

        Args:
            step: the training step, a number or a tensor.
            batch_size: how many examples the step has.
        """
        return Draws(self, step, batch_size, tf.range(batch_size))
