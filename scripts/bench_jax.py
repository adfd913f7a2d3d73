"""A twin of the bench's workloads in JAX alone: `vmap` over members, `scan` over steps, one `jit`.

    NALU_SEQ_CORES=0 python scripts/bench_jax.py jax WORKLOAD MEMBERS

What a JAX user would write for a population, with nothing of this package: the same shapes, units,
losses, clip and optimizer, and JAX's own generator. `scripts/bench.py` starts one on each core.
"""

import os
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

os.sched_setaffinity(0, [int(core) for core in os.environ["NALU_SEQ_CORES"].split(",")])

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
from bench_turns import Work, take_turns  # noqa: E402

STEPS = 50  # a call
Parameters = dict[str, Any]


class Twin(NamedTuple):
    """One member of a workload.

    Attributes:
        init: its parameters, of a key.
        batch: a step's inputs and targets, of a key.
        forward: outputs, of parameters and inputs.
        bounds: by a parameter's name, the magnitudes that each update clamps it to.
        rate: Adam's.
        beta_2: Adam's.
        clip: the largest norm of the gradient; None for none.
    """

    init: Callable[[Any], Parameters]
    batch: Callable[[Any], tuple[Any, Any]]
    forward: Callable[[Parameters, Any], Any]
    bounds: Mapping[str, tuple[float, float]] = MappingProxyType({})
    rate: float = 1e-3
    beta_2: float = 0.999
    clip: float | None = None


def weights(*shapes: tuple[str, tuple[int, ...]]) -> Callable[[Any], Parameters]:
    def init(key: Any) -> Parameters:
        keys = jax.random.split(key, len(shapes))
        pairs = zip(keys, shapes, strict=True)
        return {n: jax.random.uniform(k, s, minval=-0.5, maxval=0.5) for k, (n, s) in pairs}

    return init


def nalu(p: Parameters, x: Any, prefix: str = "") -> Any:
    w = jnp.tanh(p[prefix + "w_hat"]) * jax.nn.sigmoid(p[prefix + "m_hat"])
    gate = jax.nn.sigmoid(x @ p[prefix + "g"])
    m = jnp.exp(jnp.log(jnp.abs(x) + 1e-7) @ w)
    return gate * (x @ w) + (1 - gate) * m


def nalu_shapes(features: int, units: int, prefix: str = "") -> list[tuple[str, tuple[int, ...]]]:
    return [(prefix + name, (features, units)) for name in ("w_hat", "m_hat", "g")]


def nac(p: Parameters, x: Any) -> Any:
    return x @ (jnp.tanh(p["w_hat"]) * jax.nn.sigmoid(p["m_hat"]))


def nau(p: Parameters, x: Any) -> Any:
    return x @ jnp.clip(p["w"], -1, 1)


def nmu(p: Parameters, x: Any) -> Any:
    w = jnp.clip(p["w"], 0, 1)
    return jnp.prod(w * x[:, :, None] + 1 - w, axis=1)


def real_npu(p: Parameters, x: Any) -> Any:
    g = jnp.clip(p["gate"], 0, 1)
    logs = jnp.log(g * (jnp.abs(x) + 1.2e-7) + 1 - g)
    k = jnp.where(x < 0, jnp.pi * g, 0.0)
    return jnp.exp(logs @ p["w"]) * jnp.cos(k @ p["w"])


def module(unit: str) -> Twin:
    """`task=single_module`: two inputs of U[1, 2], their sum."""
    pairs = nalu_shapes(2, 1)
    modules = {
        "nac": (weights(*pairs[:2]), nac, {}),
        "nalu": (weights(*pairs), nalu, {}),
        "nau": (weights(("w", (2, 1))), nau, {"w": (-1.0, 1.0)}),
        "nmu": (weights(("w", (2, 1))), nmu, {"w": (0.0, 1.0)}),
        "real_npu": (weights(("w", (2, 1)), ("gate", (2,))), real_npu, {}),
    }
    init, forward, bounds = modules[unit]

    def batch(key: Any) -> tuple[Any, Any]:
        x = jax.random.uniform(key, (128, 2), minval=1.0, maxval=2.0)
        return x, jnp.sum(x, axis=1, keepdims=True)

    return Twin(init, batch, forward, bounds)


def arithmetic(unit: str) -> Twin:
    """`task=arithmetic`: a hundred inputs, the product of the sums of two subsets."""

    def batch(key: Any) -> tuple[Any, Any]:
        x = jax.random.uniform(key, (128, 100), minval=1.0, maxval=2.0)
        a, b = jnp.sum(x[:, :25], axis=1), jnp.sum(x[:, 13:38], axis=1)
        return x, (a * b)[:, None]

    if unit == "nalu":
        init = weights(*nalu_shapes(100, 2), *nalu_shapes(2, 1, "out_"))
        return Twin(init, batch, lambda p, x: nalu(p, nalu(p, x), "out_"))
    init = weights(("w", (2, 1)), ("hidden", (100, 2)))
    bounds = {"w": (0.0, 1.0), "hidden": (-1.0, 1.0)}
    return Twin(init, batch, lambda p, x: nmu(p, nau({"w": p["hidden"]}, x)), bounds)


def count() -> Twin:
    """`task=count`: an LSTM of 32 under a NALU of ten units, whose outputs are added up."""
    length, units, symbols = 10, 32, 10
    gates = 4 * units
    init = weights(
        ("kernel", (symbols, gates)),
        ("recurrent", (units, gates)),
        ("bias", (gates,)),
        *nalu_shapes(units, symbols),
    )

    def batch(key: Any) -> tuple[Any, Any]:
        x = jax.nn.one_hot(jax.random.randint(key, (32, length), 0, symbols), symbols)
        return x, jnp.cumsum(x, axis=1)

    def forward(p: Parameters, x: Any) -> Any:
        inputs = jnp.swapaxes(x @ p["kernel"] + p["bias"], 0, 1)  # [T, B, 4 units]

        def cell(state: Any, projected: Any) -> tuple[Any, Any]:
            h, c = state
            i, f, g, o = jnp.split(projected + h @ p["recurrent"], 4, axis=1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        zeros = jnp.zeros((x.shape[0], units))
        _, hs = jax.lax.scan(cell, (zeros, zeros), inputs, unroll=length)
        return jnp.cumsum(nalu(p, jnp.swapaxes(hs, 0, 1)), axis=1)

    return Twin(init, batch, forward, rate=0.05, beta_2=0.99, clip=0.01)


def twin(workload: str) -> Twin:
    """The twin of a workload of `scripts/bench.py`."""
    if workload.startswith("count"):
        return count()
    task, unit = workload.split("_", 1)
    if task == "arithmetic":
        return arithmetic(unit)
    return module(unit.removeprefix("module_"))


def work(workload: str, members: int) -> Work:
    """What trains a twin's members, `STEPS` steps a call."""
    own = twin(workload)

    def one(state: Any, key: Any) -> tuple[Any, Any]:
        parameters, m, v, t = state
        x, y = own.batch(key)

        def loss(p: Parameters) -> Any:
            return jnp.mean(jnp.square(own.forward(p, x) - y))

        value, gradients = jax.value_and_grad(loss)(parameters)
        if own.clip is not None:
            norm = jnp.sqrt(sum(jnp.sum(g * g) for g in gradients.values()))
            gradients = {
                n: g * own.clip / jnp.maximum(norm, own.clip) for n, g in gradients.items()
            }
        t = t + 1
        new = {}
        for name, g in gradients.items():
            m = {**m, name: 0.9 * m[name] + 0.1 * g}
            v = {**v, name: own.beta_2 * v[name] + (1 - own.beta_2) * g * g}
            root = jnp.sqrt(v[name] / (1 - own.beta_2**t)) + 1e-8
            new[name] = parameters[name] - own.rate * m[name] / (1 - 0.9**t) / root
            if name in own.bounds:
                new[name] = jnp.clip(new[name], *own.bounds[name])
        return (new, m, v, t), value

    @jax.jit
    def call(states: Any, keys: Any) -> tuple[Any, Any, Any]:
        def all_members(carry: Any, _: Any) -> tuple[Any, Any]:
            states, keys = carry
            split = jax.vmap(jax.random.split)(keys)  # [M, 2, 2]
            states, losses = jax.vmap(one)(states, split[:, 1])
            return (states, split[:, 0]), losses

        (states, keys), losses = jax.lax.scan(all_members, (states, keys), length=STEPS)
        return states, keys, losses[-1]

    parameters = jax.vmap(own.init)(jax.random.split(jax.random.key(0), members))
    zeros = jax.tree.map(jnp.zeros_like, parameters)
    held = [
        (parameters, zeros, zeros, jnp.zeros(members)),
        jax.random.split(jax.random.key(1), members),
    ]

    def steps(count: int) -> None:
        for _ in range(max(1, count // STEPS)):
            held[0], held[1], losses = call(*held)
        losses.block_until_ready()

    steps.steps = STEPS  # type: ignore[attr-defined]
    return steps


if __name__ == "__main__":
    workload, members = sys.argv[2], int(sys.argv[3])
    take_turns(lambda: work(workload, members), members)
