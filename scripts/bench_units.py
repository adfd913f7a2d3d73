#!/usr/bin/env python
"""Time forms of NMU's product and NPU's power, as a population runs them.

`.venv/bin/python scripts/bench_units.py [--rounds 15]`: 100 members, inputs [128, 100], 2 outputs,
forward and backward, mapped over members in a graph. The forms take turns, so that they share
whatever else the machine does; the medians' ratios to the first form are printed as Markdown.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

from nalu_seq.units.nmu import gated_product
from nalu_seq.units.real_npu import log_and_phase

MEMBERS, BATCH, IN, OUT = 100, 128, 100, 2


def factors(x: tf.Tensor, w: tf.Tensor) -> tf.Tensor:
    return x[..., None, :] * tf.transpose(w) + tf.transpose(1 - w)  # [B, units, in]


def log_and_sign(x: tf.Tensor, w: tf.Tensor) -> tf.Tensor:
    z = factors(x, w)
    negative = tf.reduce_sum(tf.cast(z < 0, z.dtype), axis=-1)
    return tf.exp(tf.reduce_sum(tf.math.log(tf.abs(z)), axis=-1)) * (1 - 2 * (negative % 2))


def one_by_one(x: tf.Tensor, w: tf.Tensor) -> tf.Tensor:
    y = tf.ones((), x.dtype)
    for x_i, w_i in zip(tf.unstack(x, axis=-1), tf.unstack(w), strict=True):
        y *= x_i[..., None] * w_i + (1 - w_i)
    return y


def blocks(x: tf.Tensor, w: tf.Tensor) -> tf.Tensor:
    z = tf.ones((), x.dtype)
    for x_b, w_b in zip(tf.split(x, 4, axis=-1), tf.split(w, 4), strict=True):
        z *= factors(x_b, w_b)
    return tf.reduce_prod(z, axis=-1)


def four_products(x: tf.Tensor, w_r: tf.Tensor, w_i: tf.Tensor) -> tf.Tensor:
    logs, k = log_and_phase(x, tf.fill((IN,), 0.5), 1e-7)
    return tf.exp(logs @ w_r - k @ w_i) * tf.cos(k @ w_r + logs @ w_i)


def one_product(x: tf.Tensor, w_r: tf.Tensor, w_i: tf.Tensor) -> tf.Tensor:
    both = tf.concat(log_and_phase(x, tf.fill((IN,), 0.5), 1e-7), axis=-1)
    w = tf.concat([tf.concat([w_r, w_i], 1), tf.concat([-w_i, w_r], 1)], 0)
    size, phase = tf.split(both @ w, 2, axis=-1)
    return tf.exp(size) * tf.cos(phase)


def complex_product(x: tf.Tensor, w_r: tf.Tensor, w_i: tf.Tensor) -> tf.Tensor:
    z = tf.complex(*log_and_phase(x, tf.fill((IN,), 0.5), 1e-7))
    return tf.math.real(tf.exp(z @ tf.complex(w_r, w_i)))


PRODUCTS = {
    "`reduce_prod` over [B, in, units]": lambda x, w: tf.reduce_prod(
        x[..., None] * w + (1 - w), -2
    ),
    "`reduce_prod`, [B, units, in]": lambda x, w: tf.reduce_prod(factors(x, w), -1),
    "last of `cumprod`": lambda x, w: tf.math.cumprod(factors(x, w), -1)[..., -1],
    "4 blocks multiplied, then `reduce_prod`": blocks,
    "one input after the other": one_by_one,
    "log of magnitudes, and sign (NaN gradient at 0)": log_and_sign,
    "**halves of halves: the unit's**": gated_product,
    "floor: a sum in the product's place": lambda x, w: tf.reduce_sum(factors(x, w), -1),
}
POWERS = {
    "**as published, four matrix products: the unit's**": four_products,
    "one product of twice the size": one_product,
    "complex64": complex_product,
}


def measure(forms: dict[str, Callable], inputs: tuple[tf.Tensor, ...], rounds: int) -> None:
    def step(form: Callable) -> Callable:
        def one_member(args: tuple[tf.Tensor, ...]) -> list[tf.Tensor]:
            with tf.GradientTape() as tape:
                tape.watch(args)
                y = tf.reduce_sum(form(*args))
            return tape.gradient(y, list(args))

        return tf.function(
            lambda: tf.vectorized_map(one_member, inputs, fallback_to_while_loop=False)
        )

    steps = {name: step(form) for name, form in forms.items()}
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(rounds + 2):
        for name, run in steps.items():
            start = time.perf_counter()
            _ = [gradient.numpy() for gradient in run()]
            if turn > 1:
                seconds[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    first = next(iter(medians.values()))
    print("| form | ms | of the first |\n| --- | --- | --- |")
    for name, value in medians.items():
        print(f"| {name} | {1e3 * value:.0f} | {value / first:.2f} |")
    print()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    x = tf.random.stateless_uniform((MEMBERS, BATCH, IN), (0, 1), -1.5, 1.5)
    w = tf.random.stateless_uniform((2, MEMBERS, IN, OUT), (0, 2))
    measure(PRODUCTS, (x, w[0]), rounds)
    measure(POWERS, (x, w[0] / 10, w[1] / 10), rounds)
