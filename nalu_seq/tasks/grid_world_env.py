"""The grid world as a Gymnasium environment; needs the extra `grid`."""

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np

from nalu_seq.tasks.grid_world import ACTIONS, EARLIEST, MOVES, SIZE, STARTS

ID = "nalu_seq/GridWorld-v0"  # for `gymnasium.make`, once this module is imported
RENDERED = ["rgb_array", "ansi"]
PIXELS = 32  # the side of a cell in a picture
COLOURS = {"floor": (245, 245, 240), "line": (200, 200, 195), "goal": (80, 160, 90)}
AGENT, CLOCK = (60, 100, 190), (210, 120, 60)


class GridWorldEnv(gymnasium.Env[np.ndarray, np.int64]):
    """A 5 x 5 grid in which the reward is for arriving at an exact time.

        observation = (row, column, goal row, goal column, time of arrival)
        reward = 1 for arriving at that time, 0 for anything else

    The agent learns the time from the first observation alone: in later ones it is 0, so that the
    agent has to remember it and to count. A move beyond the edge leaves the agent where it is. The
    episode ends when the agent reaches the goal, and at the time of arrival at the latest. Start
    and goal are drawn among those that are at most five steps apart, so that every time can be
    kept.

    Args:
        times: the times of arrival that are drawn from, each at least 5.
        render_mode: "rgb_array" for pictures, "ansi" for text, or None.

    Example:
        >>> env = GridWorldEnv(times=[7])
        >>> observation, _ = env.reset(seed=0)
        >>> int(observation[4])
        7
        >>> observation, reward, ended, _, _ = env.step(0)  # stays
        >>> int(observation[4]), reward, ended
        (0, 0.0, False)

    Raises:
        ValueError: `times` or `render_mode` is not valid; says what is.

    Source: Trask et al. 2018 (arXiv 1808.00508), section 4.5. The grid's size, the reward, the
    time as a further input and training on times from 5 to 12 are recalled, not confirmed; the
    rest is ours. We show the time once, as what is tested is whether an agent keeps time by itself:
    all that it knows of the time then is what it has kept, and of a time that it was not trained on
    it sees one number, not one at each step.
    """

    metadata: dict[str, Any] = {"render_modes": RENDERED, "render_fps": 4}  # noqa: RUF012

    def __init__(
        self, times: Sequence[int] = tuple(range(5, 13)), render_mode: str | None = None
    ) -> None:
        if not times or not all(isinstance(t, int) and t >= EARLIEST for t in times):
            raise ValueError(f"times must be integers of at least {EARLIEST}, not {times!r}")
        if render_mode not in (None, *RENDERED):
            raise ValueError(f"render_mode must be rgb_array, ansi or None, not {render_mode!r}")
        self.times, self.render_mode = list(times), render_mode
        last = SIZE - 1
        high = np.array([last, last, last, last, max(times)], np.float32)
        self.observation_space = gymnasium.spaces.Box(np.zeros(5, np.float32), high)
        self.action_space = gymnasium.spaces.Discrete(len(ACTIONS))
        self.cell = self.goal = np.zeros(2, np.int32)
        self.arrival = self.time = 0

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin an episode.

        Args:
            seed: the seed of the draws from here on; None goes on with the draws.
            options: without effect.

        Returns:
            The first observation, which has the time of arrival, and nothing further.
        """
        super().reset(seed=seed)
        del options
        start = STARTS[self.np_random.integers(len(STARTS))]
        self.cell, self.goal = start[:2], start[2:]
        self.arrival = self.times[self.np_random.integers(len(self.times))]
        self.time = 0
        return self._observation(), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Make a step.

        Args:
            action: the index of the action: stay, up, down, left, right.

        Returns:
            The observation, the reward, whether the episode has ended, False, as it is never cut
            short, and nothing further.
        """
        self.cell = np.clip(self.cell + MOVES[action], 0, SIZE - 1)
        self.time += 1
        arrived = bool((self.cell == self.goal).all())
        in_time = self.time == self.arrival
        return self._observation(), float(arrived and in_time), arrived or in_time, False, {}

    def render(self) -> Any:
        """The grid: the agent, the goal, and how much of the time is left."""
        if self.render_mode == "ansi":
            rows = [["."] * SIZE for _ in range(SIZE)]
            rows[self.goal[0]][self.goal[1]] = "G"
            rows[self.cell[0]][self.cell[1]] = "A"
            left = self.arrival - self.time
            return "\n".join(["".join(row) for row in rows] + [f"{left} steps left"])
        return self._picture() if self.render_mode == "rgb_array" else None

    def _observation(self) -> np.ndarray:
        arrival = 0 if self.time else self.arrival
        return np.array([*self.cell, *self.goal, arrival], np.float32)

    def _picture(self) -> np.ndarray:
        """The grid above a bar of the time that is left, uint8 `[height, width, 3]`."""
        side = SIZE * PIXELS
        picture = np.full((side + PIXELS // 2, side, 3), COLOURS["floor"], np.uint8)
        for place in range(0, side + 1, PIXELS):
            picture[min(place, side - 1), :] = picture[:side, min(place, side - 1)] = COLOURS[
                "line"
            ]
        for (row, column), colour, edge in (
            (self.goal, COLOURS["goal"], 2),
            (self.cell, AGENT, PIXELS // 4),
        ):
            top, left = row * PIXELS, column * PIXELS
            picture[top + edge : top + PIXELS - edge, left + edge : left + PIXELS - edge] = colour
        remaining = side * (self.arrival - self.time) // max(self.arrival, 1)
        picture[side + 4 :, :remaining] = CLOCK
        return picture


gymnasium.register(ID, entry_point=f"{__name__}:GridWorldEnv")
