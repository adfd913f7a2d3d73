"""Many seeds of an agent that has to arrive in time, trained together by reinforcement learning.

    python examples/grid_world.py --unit nau --core dense --seeds 100:110

In a 5 x 5 grid an agent learns a time at its first step, and is rewarded for arriving at its goal
at exactly that time (`nalu_seq/tasks/grid_world.py`). It is trained on times from 5 to 12 and
tested up to 40. An LSTM is actor and critic. With `--unit` the time goes through a pathway of an
arithmetic unit, a number in which the unit can keep the time and count it down; with `--core dense`
two layers without a state take the LSTM's place, so that nothing else can count:

    memory_t = unit(time_t, 1, memory_{t-1})          without a unit: memory_t = time_t
    h_t      = LSTM(place_t, goal, memory_t)          or dense layers of the same
    action_t ~ softmax(h_t W + b),   value_t = h_t v + c

The unit begins with the weights 1, 0 and 1, as a memory that keeps the time, and has to learn to
count. The update is advantage actor-critic (Mnih et al. 2016, arXiv 1602.01783, without its
asynchrony) over whole episodes: every step's return is the reward at the end. In a test the agent
does what it finds most probable. `scripts/draw_grid_world.py` draws what this program writes.
"""

import argparse
import csv
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import nalu_seq
from nalu_seq.population.clipping import clip_each_member
from nalu_seq.population.random import Stream
from nalu_seq.population.stacked import Stacked
from nalu_seq.tasks.grid_world import ACTIONS, SIZE, STARTS, begin, observe, step

TRAINED, TESTED = range(5, 13), range(5, 41)  # times of arrival
UNITS = {
    "none": None,
    "linear": partial(nalu_seq.Linear, bias=False),
    "nac": nalu_seq.NAC,
    "nau": nalu_seq.NAU,
}
CORES = ("lstm", "dense")
LSTM, DENSE = 32, (64, 64)  # sizes of the layers
EPISODES, TEST_EPISODES = 128, 100  # of each agent: at a step; for each tested time
RATE, NORM, CRITIC = 3e-3, 0.5, 0.5  # the rate falls to 0 along a cosine
ENTROPY, SPARSITY = 0.2, 1.0  # weights; the first falls to half, the second rises from half-time


def build(unit: str, core: str) -> keras.Model:
    """One step of an agent: what it sees and its states -> logits, value, new states."""
    seen = keras.Input((5,))
    cells = keras.ops.one_hot(keras.ops.cast(seen[:, :4], "int32"), SIZE)
    place, time = keras.ops.reshape(cells, (-1, 4 * SIZE)), seen[:, 4:]
    states, after = [], []
    if make := UNITS[unit]:
        states, pathway = [keras.Input((1,))], make(1, name="pathway")
        one = keras.ops.ones_like(time)
        time = pathway(keras.ops.concatenate([time, one, *states], axis=-1))
        keep(pathway)
        after = [time]
    y = keras.ops.concatenate([place, time / SIZE], axis=-1)
    if core == "lstm":
        recurrent = [keras.Input((LSTM,)), keras.Input((LSTM,))]
        y, new = keras.layers.LSTMCell(LSTM)(y, recurrent)
        states, after = states + recurrent, after + new
    else:
        for size in DENSE:
            y = keras.layers.Dense(size, "tanh")(y)
    logits, value = keras.layers.Dense(len(ACTIONS))(y), keras.layers.Dense(1)(y)
    return keras.Model([seen, *states], [logits, value[:, 0], *after])


def keep(pathway: keras.Layer) -> None:
    """Let a pathway begin as a memory that keeps the time, as an LSTM's forget gate begins open."""
    weights = np.array([[1.0], [0.0], [1.0]])  # of the time, 1, and the memory
    if isinstance(pathway, nalu_seq.NAC):  # tanh(5) sigmoid(5) = 0.993
        pathway.set_weights([5 * weights, np.full_like(weights, 5)])
    else:
        pathway.set_weights([weights, *pathway.get_weights()[1:]])


def no_states(agent: keras.Model, *shape: int) -> list:
    """An agent's states before its first step, zeros `[..., size]`."""
    return [tf.zeros([*shape, state.shape[-1]]) for state in agent.inputs[1:]]


def losses(agent: keras.Model, drawn: tuple) -> tuple[Any, Any]:
    """One agent's loss over fresh episodes, and its mean reward.

    Args:
        agent: the agent.
        drawn: places in `STARTS` and times of arrival, both `[B]`; uniform numbers `[B, T]` that
            choose the actions; which share of the training is over.
    """
    start, arrival, luck, progress = drawn
    episodes, states = begin(start, arrival), no_states(agent, EPISODES)
    total, steps = tf.zeros([EPISODES]), []
    for t in range(TRAINED[-1]):
        running = tf.cast(episodes.running, tf.float32)
        logits, value, *states = agent([observe(episodes), *states])
        log_p = tf.nn.log_softmax(logits)
        p = tf.exp(log_p)
        below = tf.cumsum(p, axis=-1)[:, :-1] < luck[:, t, None]
        action = tf.reduce_sum(tf.cast(below, tf.int32), axis=-1)
        episodes, reward = step(episodes, action)
        total += reward
        chosen = tf.reduce_sum(log_p * tf.one_hot(action, len(ACTIONS)), axis=-1)
        steps.append((running, chosen, -tf.reduce_sum(p * log_p, axis=-1), value))
    running, log_p, entropy, value = (tf.stack(part, axis=1) for part in zip(*steps, strict=True))

    def mean(x: Any) -> Any:  # over the steps of episodes that have not ended
        return tf.reduce_sum(running * x) / tf.reduce_sum(running)

    advantage = total[:, None] - value  # [B, T]
    scale = tf.sqrt(mean(advantage**2)) + 1e-3
    actor = -mean(log_p * tf.stop_gradient(advantage / scale))
    loss = actor + CRITIC * mean(advantage**2) - ENTROPY * (1 - progress / 2) * mean(entropy)
    for unit in agent.layers:
        if isinstance(unit, nalu_seq.NAU):  # its paper's penalty draws weights to whole numbers
            loss += SPARSITY * tf.nn.relu(2 * progress - 1) * unit.penalties()["sparsity"]
    return loss, tf.reduce_mean(total)


def trainer(agents: Stacked, stream: Stream, steps: int):
    """A function that makes a training step of all agents and returns their mean rewards."""
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(RATE, steps))
    variables = agents.trainable_variables
    optimizer.build(variables)

    @tf.function(autograph=False, jit_compile=True)
    def train(number):
        draws = stream.at(number, EPISODES)
        start = draws.integers(0, len(STARTS), 1)[..., 0]
        arrival = draws.integers(TRAINED.start, TRAINED.stop, 1, channel=1)[..., 0]
        luck = draws.uniform(0.0, 1.0, TRAINED[-1], channel=2)
        progress = tf.fill([len(agents)], tf.cast(number, tf.float32) / steps)
        reward, gradients = agents.gradients(losses, (start, arrival, luck, progress))
        optimizer.apply(clip_each_member(gradients, NORM), variables)
        return reward

    return train


def success(agents: Stacked) -> tf.Tensor:
    """The share of episodes in which each agent arrives in time, for each tested time: `[M, T]`."""
    stream = Stream(agents.seeds, ["default"] * len(agents), "test")
    draws = stream.at(0, len(TESTED) * TEST_EPISODES)
    arrival = tf.tile(tf.repeat(tf.constant(TESTED), TEST_EPISODES)[None], [len(agents), 1])
    episodes = begin(draws.integers(0, len(STARTS), 1)[..., 0], arrival)
    states, total = no_states(agents.model, *arrival.shape), tf.zeros(arrival.shape)

    @tf.function(autograph=False)
    def one_step(episodes, states):
        logits, _, *states = agents([observe(episodes), *states])
        return *step(episodes, tf.argmax(logits, axis=-1, output_type=tf.int32)), states

    for _ in range(TESTED[-1]):
        episodes, reward, states = one_step(episodes, states)
        total += reward
    return tf.reduce_mean(tf.reshape(total, [len(agents), len(TESTED), -1]), axis=2)


def weights(agents: Stacked) -> list[list[str]]:
    """Each agent's effective weights of the time, of 1 and of the memory."""
    units = [agents.member(i).get_layer("pathway") for i in range(len(agents))]
    return [[f"{w:.4f}" for w in np.ravel(unit.matrices()["W"])] for unit in units]


def write(rows: list, columns: list[str], path: Path) -> None:
    with path.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerows([columns, *rows])


def seeds(text: str) -> list[int]:
    """The seeds that 100:110 means: 100 to 109."""
    first, beyond = map(int, text.split(":"))
    if not 0 <= first < beyond:
        raise ValueError
    return list(range(first, beyond))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--unit", choices=UNITS, default="nac", help="on the pathway of time")
    parser.add_argument("--core", choices=CORES, default="lstm")
    parser.add_argument("--seeds", type=seeds, default="0:10", help="the first : beyond the last")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--output", type=Path, default=Path("runs/grid_world"))
    chosen = parser.parse_args()
    if (chosen.unit, chosen.core) == ("none", "dense"):
        parser.error("without a unit and without an LSTM an agent has no memory of the time")
    agents = Stacked(lambda: build(chosen.unit, chosen.core), chosen.seeds)
    stream = Stream(agents.seeds, ["default"] * len(agents), "train")
    train = trainer(agents, stream, chosen.steps)
    for number in range(1, chosen.steps + 1):
        reward = train(tf.constant(number))
        if number % 500 == 0:
            print(f"step {number}: mean reward of each seed", reward.numpy().round(2), flush=True)
    shares = success(agents).numpy()
    chosen.output.mkdir(parents=True, exist_ok=True)
    path = chosen.output / f"{chosen.core}_{chosen.unit}.csv"
    rows = [
        [seed, time, f"{share:.4g}"]
        for seed, of_seed in zip(agents.seeds, shares, strict=True)
        for time, share in zip(TESTED, of_seed, strict=True)
    ]
    write(rows, ["seed", "time", "success"], path)
    if chosen.unit != "none":
        rows = [[seed, *w] for seed, w in zip(agents.seeds, weights(agents), strict=True)]
        write(rows, ["seed", "time", "one", "memory"], path.with_stem(f"{path.stem}_weights"))
    agents.member(0).save(path.with_suffix(".keras"))  # the first seed's, for a film
    print(path)


if __name__ == "__main__":
    main()
