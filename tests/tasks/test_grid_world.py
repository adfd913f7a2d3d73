"""The grid world's rules, by hand."""

import numpy as np
import pytest
import tensorflow as tf

from nalu_seq.tasks.grid_world import ACTIONS, SIZE, STARTS, begin, observe, step

STAY, UP, DOWN, LEFT, RIGHT = range(len(ACTIONS))
# From row 0, column 0 to row 0, column 2, to arrive at step 5: actions, rewards, the last step.
BY_HAND = [
    pytest.param([STAY, STAY, STAY, RIGHT, RIGHT], [0, 0, 0, 0, 1], 5, id="in time"),
    pytest.param([RIGHT, RIGHT], [0, 0], 2, id="too early"),
    pytest.param([STAY] * 5, [0] * 5, 5, id="too late"),
    pytest.param([UP, UP, LEFT, RIGHT, RIGHT], [0, 0, 0, 0, 1], 5, id="the edge holds it"),
    pytest.param([DOWN, UP, RIGHT, LEFT, RIGHT], [0] * 5, 5, id="beside the goal at the end"),
]


def test_every_start_can_reach_its_goal_by_the_earliest_time() -> None:
    distances = np.abs(STARTS[:, :2] - STARTS[:, 2:]).sum(axis=1)
    assert distances.min() == 1 and distances.max() == 5
    assert len(np.unique(STARTS, axis=0)) == len(STARTS)
    assert STARTS.min() == 0 and STARTS.max() == SIZE - 1


@pytest.mark.parametrize(("actions", "rewards", "ends"), BY_HAND)
def test_episodes_by_hand(actions: list[int], rewards: list[int], ends: int) -> None:
    episodes = begin(tf.constant([0]), tf.constant([5]))
    episodes = episodes._replace(cell=tf.constant([[0, 0]]), goal=tf.constant([[0, 2]]))
    assert observe(episodes)[0].numpy().tolist() == [0, 0, 0, 2, 5]
    for number, (action, expected) in enumerate(zip(actions, rewards, strict=True), start=1):
        episodes, reward = step(episodes, tf.constant([action]))
        assert float(reward[0]) == expected
        assert bool(episodes.running[0]) == (number < ends)
        assert observe(episodes)[0, 4] == 0  # the time is shown at first alone


def test_an_episode_that_has_ended_stays_as_it_is() -> None:
    episodes = begin(tf.constant([0]), tf.constant([5]))
    episodes = episodes._replace(cell=tf.constant([[0, 0]]), goal=tf.constant([[0, 1]]))
    for action, cell in ((RIGHT, [0, 1]), (DOWN, [0, 1]), (STAY, [0, 1])):
        episodes, reward = step(episodes, tf.constant([action]))
        assert episodes.cell[0].numpy().tolist() == cell and reward[0] == 0
