"""A whole population in one file: 25 seeds of a NAU learn to add, in one program.

    python examples/one_file.py

The same losses as `python -m nalu_seq.train task=single_module 'task.ranges=[[[1,2],[2,6]]]'`: to
read, to copy, to start a new idea from. Needs tensorflow and keras alone.
"""

import zlib

import keras
import numpy as np
import tensorflow as tf

SEEDS = list(range(25))
CASE, TRAINED, TESTED = "U[1,2]", (1.0, 2.0), (2.0, 6.0)
BATCH, STEPS, STEPS_PER_CALL = 128, 6000, 10
RATE, BETA_1, BETA_2, EPSILON = 1e-3, 0.9, 0.999, 1e-8


# 1. The sampler: numbers are a function of where they stand, and of nothing else. So a member's
# samples do not depend on its company, nor on whether the run was interrupted.


def rotate(x, bits):
    left = tf.bitwise.left_shift(x, tf.constant(bits, tf.uint32))
    return tf.bitwise.bitwise_or(left, tf.bitwise.right_shift(x, tf.constant(32 - bits, tf.uint32)))


def threefry(key0, key1, counter0, counter1):
    """Threefry-2x32 with 20 rounds (Salmon et al. 2011): two words for each counter and key."""
    xor = tf.bitwise.bitwise_xor
    keys = key0, key1, xor(xor(key0, key1), tf.constant(0x1BD11BDA, tf.uint32))
    x0, x1 = counter0 + keys[0], counter1 + keys[1]
    for group in range(5):
        for bits in ((13, 15, 26, 6), (17, 29, 16, 24))[group % 2]:
            x0 += x1
            x1 = xor(rotate(x1, bits), x0)
        x0 += keys[(group + 1) % 3]
        x1 += keys[(group + 2) % 3] + tf.constant(group + 1, tf.uint32)
    return x0, x1


def word(value):
    return tf.cast(value, tf.uint32)


def stream(seeds, case, split):
    """The key of each member's draws on a split, `[M]` twice."""
    first = word(seeds), word(zlib.crc32(case.encode()))
    return threefry(*first, word(zlib.crc32(split.encode())), word(0))


def uniform(keys, step, examples, low, high):
    """Two inputs for each example of each member: U[low, high), `[M, B, 2]`."""
    key0, key1 = threefry(*keys, word(step), word(0))
    counters = word(tf.range(examples))[None, :], word(0)
    words = tf.stack(threefry(key0[:, None], key1[:, None], *counters), axis=-1)
    unit = tf.cast(tf.bitwise.right_shift(words, tf.constant(8, tf.uint32)), tf.float32) * 2.0**-24
    # The minimum changes no value: it keeps XLA from rounding product and sum at once.
    return low + tf.minimum((high - low) * unit, high - low)


# 2. The unit, NAU (Madsen & Johansen 2020): sums of its inputs, weights clamped to [-1, 1]. Every
# variable has a leading axis of members, and so does everything that is made of it.


def initial_weights(seed):
    keras.utils.set_random_seed(seed)
    return keras.initializers.RandomUniform(-0.5, 0.5)((2, 1))


def nau(x, w):
    return tf.matmul(x, tf.clip_by_value(w, -1.0, 1.0))  # [M, B, 2] x [M, 2, 1]


def errors(x, w):
    """Each member's mean squared error, `[M]`."""
    y = tf.reduce_sum(x, axis=-1, keepdims=True)
    return tf.reduce_mean(tf.square(nau(x, w) - y), axis=[1, 2])


# 3. The step of all members at once, many in one compiled call.

keys = stream(SEEDS, CASE, "train")
w = tf.Variable(tf.stack([initial_weights(seed) for seed in SEEDS]))  # [M, 2, 1]
m, v = tf.Variable(tf.zeros_like(w)), tf.Variable(tf.zeros_like(w))


@tf.function(jit_compile=True)
def train(first):
    """`STEPS_PER_CALL` steps of Adam; the mean loss of each member over them, `[M]`."""
    losses = []
    for step in range(STEPS_PER_CALL):
        x = uniform(keys, first + step, BATCH, *TRAINED)
        with tf.GradientTape() as tape:
            loss = errors(x, w)
            # The sum, not the mean: so each member's gradient is its own.
            total = tf.reduce_sum(loss)
        gradient = tape.gradient(total, w)
        t = tf.cast(first + step + 1, tf.float32)
        m.assign(BETA_1 * m + (1 - BETA_1) * gradient)
        v.assign(BETA_2 * v + (1 - BETA_2) * tf.square(gradient))
        root = tf.sqrt(v / (1 - BETA_2**t)) + EPSILON
        w.assign(tf.clip_by_value(w - RATE * (m / (1 - BETA_1**t)) / root, -1.0, 1.0))
        losses.append(loss)
    return tf.reduce_mean(losses, axis=0)


# 4. The evaluation: success is an error on a range that was never seen, below that of weights which
# are right to 1e-5. The 10,000 inputs are the same for all members.


def extrapolation():
    x = uniform(stream([0], "shared", "extrapolation"), 0, 10_000, *TESTED)
    return errors(x, w).numpy()


def threshold():
    low, high = TESTED
    square, mean = (high**3 - low**3) / (3 * (high - low)), (low + high) / 2
    return 1e-5**2 * (2 * square + 2 * mean**2)


def main():
    for first in range(0, STEPS, STEPS_PER_CALL):
        loss = train(tf.constant(first)).numpy()
        if (first + STEPS_PER_CALL) % 1000 == 0:
            tested = extrapolation()
            print(
                f"step {first + STEPS_PER_CALL}: loss {np.median(loss):.2e}, extrapolation "
                f"{np.median(tested):.2e}, solved {(tested < threshold()).sum()} of {len(SEEDS)}"
            )


if __name__ == "__main__":
    main()
