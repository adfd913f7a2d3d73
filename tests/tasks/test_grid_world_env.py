"""The grid world as a Gymnasium environment: its checker, its pictures, its rules in a graph."""

import numpy as np
import pytest
import tensorflow as tf

gymnasium = pytest.importorskip("gymnasium")
from gymnasium.utils.env_checker import check_env  # noqa: E402

from nalu_seq.tasks.grid_world import ACTIONS, STARTS, begin, observe, step  # noqa: E402
from nalu_seq.tasks.grid_world_env import AGENT, COLOURS, ID, PIXELS, GridWorldEnv  # noqa: E402
from tests.tasks.test_grid_world import BY_HAND, STAY  # noqa: E402


@pytest.mark.filterwarnings("error")
def test_gymnasiums_checker_finds_nothing() -> None:
    check_env(gymnasium.make(ID, render_mode="rgb_array").unwrapped)
    env = gymnasium.make(ID, times=[7])
    assert env.reset(seed=0)[0][4] == 7


def at(cell: tuple[int, int], goal: tuple[int, int], arrival: int, **arguments) -> GridWorldEnv:
    env = GridWorldEnv(times=[arrival], **arguments)
    env.reset(seed=0)
    env.cell, env.goal = np.array(cell), np.array(goal)
    return env


@pytest.mark.parametrize(("actions", "rewards", "ends"), BY_HAND)
def test_episodes_by_hand(actions: list[int], rewards: list[int], ends: int) -> None:
    env = at((0, 0), (0, 2), arrival=5)
    for number, (action, expected) in enumerate(zip(actions, rewards, strict=True), start=1):
        observation, reward, ended, cut, _ = env.step(action)
        assert reward == expected and ended == (number == ends) and not cut
        assert observation[4] == 0


def test_the_time_is_seen_at_first_alone() -> None:
    env = GridWorldEnv(times=[9])
    seen, _ = env.reset(seed=3)
    assert seen[4] == 9
    seen, *_ = env.step(STAY)
    assert seen[4] == 0


def test_many_episodes_are_those_of_gymnasium() -> None:
    random = np.random.default_rng(0)
    starts = random.integers(len(STARTS), size=40, dtype=np.int32)
    arrivals = random.integers(5, 13, size=40, dtype=np.int32)
    envs = []
    for start, arrival in zip(starts, arrivals, strict=True):
        place = STARTS[start]
        envs.append(at(tuple(place[:2]), tuple(place[2:]), int(arrival)))
    many = begin(tf.constant(starts[None]), tf.constant(arrivals[None]))
    running = [True] * len(envs)
    for _ in range(12):
        actions = random.integers(len(ACTIONS), size=40)
        many, rewards = step(many, tf.constant(actions[None], tf.int32))
        seen = np.asarray(observe(many))[0]
        for i, env in enumerate(envs):
            if not running[i]:
                assert rewards[0, i] == 0
                continue
            observation, reward, ended, _, _ = env.step(actions[i])
            np.testing.assert_array_equal(seen[i], observation)
            assert reward == float(rewards[0, i])
            running[i] = not ended
        assert np.asarray(many.running)[0].tolist() == running
    assert not any(running)


def test_pictures_show_agent_goal_and_the_time_that_is_left() -> None:
    env = at((1, 2), (3, 4), arrival=10, render_mode="rgb_array")
    half = PIXELS // 2
    picture = env.render()
    assert tuple(picture[PIXELS + half, 2 * PIXELS + half]) == AGENT
    assert tuple(picture[3 * PIXELS + half, 4 * PIXELS + half]) == COLOURS["goal"]
    env.time = 5
    later = env.render()
    bars = [np.ptp(p[-1].astype(int), axis=0).any() for p in (picture, later)]
    assert bars == [False, True]


def test_text_shows_them_too() -> None:
    env = at((1, 2), (3, 4), arrival=10, render_mode="ansi")
    assert env.render() == ".....\n..A..\n.....\n....G\n.....\n10 steps left"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"times": []}, r"times must be integers of at least 5, not \[\]"),
        ({"times": [4]}, r"times must be integers of at least 5, not \[4\]"),
        ({"render_mode": "human"}, "render_mode must be rgb_array, ansi or None, not 'human'"),
    ],
)
def test_bad_arguments_are_named(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GridWorldEnv(**arguments)
