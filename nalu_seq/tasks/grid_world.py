"""A grid in which an agent has to arrive at an exact time: the rules, for many episodes at once."""

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

SIZE = 5
ACTIONS = ("stay", "up", "down", "left", "right")
MOVES = np.array([(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)], np.int32)  # rows, columns
EARLIEST = 5  # the earliest time of arrival, and so the largest distance from start to goal
OBSERVATION = ("row", "column", "goal row", "goal column", "time of arrival")


def _starts() -> np.ndarray:
    """Every start with every goal that can be reached by the earliest time, `[N, 4]`."""
    cells = [(row, column) for row in range(SIZE) for column in range(SIZE)]
    return np.array(
        [
            (*cell, *goal)
            for cell in cells
            for goal in cells
            if 0 < abs(cell[0] - goal[0]) + abs(cell[1] - goal[1]) <= EARLIEST
        ],
        np.int32,
    )


STARTS = _starts()


class Episodes(NamedTuple):
    """Many episodes after the same number of steps, of any shape `[...]`, such as `[M, B]`.

    Attributes:
        cell: the agent's row and column, int32 `[..., 2]`.
        goal: the goal's row and column, int32 `[..., 2]`.
        arrival: the step at which the agent has to arrive, int32 `[...]`.
        time: how many steps have been made, int32.
        running: which episodes have not ended, bool `[...]`.
    """

    cell: Any
    goal: Any
    arrival: Any
    time: Any
    running: Any


def begin(start: Any, arrival: Any) -> Episodes:
    """Episodes before their first step.

    Args:
        start: the place of each episode's start and goal in `STARTS`, int32 `[...]`.
        arrival: the step at which the agent has to arrive, int32 `[...]`.
    """
    places = tf.gather(tf.constant(STARTS), start)
    running = tf.ones_like(arrival, tf.bool)
    return Episodes(places[..., :2], places[..., 2:], arrival, tf.constant(0), running)


def observe(episodes: Episodes) -> Any:
    """What the agent sees: where it is, where the goal is, and at first when to arrive.

    After the first step the last number is 0: the agent has to remember the time, and to count.

    Args:
        episodes: the episodes.

    Returns:
        float32 `[..., 5]`, in the order of `OBSERVATION`.
    """
    arrival = tf.where(episodes.time == 0, episodes.arrival, 0)
    seen = tf.concat([episodes.cell, episodes.goal, arrival[..., None]], axis=-1)
    return tf.cast(seen, tf.float32)


def step(episodes: Episodes, action: Any) -> tuple[Episodes, Any]:
    """One step of every episode; one that has ended stays as it is.

    A move beyond the edge leaves the agent where it is. An episode ends when the agent arrives, and
    at its time of arrival at the latest. The reward is 1 for arriving at that time, and 0 for
    anything else.

    Args:
        episodes: the episodes before the step.
        action: the index of the action in `ACTIONS`, int32 `[...]`.

    Returns:
        The episodes after the step, and the rewards, float32 `[...]`.
    """
    move = tf.where(episodes.running[..., None], tf.gather(tf.constant(MOVES), action), 0)
    cell = tf.clip_by_value(episodes.cell + move, 0, SIZE - 1)
    time = episodes.time + 1
    arrived = tf.reduce_all(cell == episodes.goal, axis=-1)
    in_time = time == episodes.arrival
    reward = tf.cast(episodes.running & arrived & in_time, tf.float32)
    running = episodes.running & ~arrived & ~in_time
    return Episodes(cell, episodes.goal, episodes.arrival, time, running), reward
