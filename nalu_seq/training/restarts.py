"""Restarts of members that make no progress, as iNALU has them.

    mean(older) <= mean(newer) + deviations * sd(newer)    and    mean(newer) > threshold

`older` and `newer` are the older and the newer half of the errors since the member last began.
"""

import bisect
import zlib
from typing import Any

import numpy as np
import tensorflow as tf

from nalu_seq.config.schema import Restart
from nalu_seq.population.population import Population
from nalu_seq.tasks.base import Weights


class Restarts:
    """Watches the members' errors, and draws new weights for those that make no progress.

    The errors are kept as sums over blocks, one for each call of the training step. The optimizer's
    moments stay, as in the source.

    Args:
        rule: when a member is restarted, and how its weights are drawn.
        population: the members.
        weights: draws uniform weights in the place of a generator of this class's own; or None.

    Attributes:
        count: `[M]`, how often each member has been restarted.

    Source: Schlör et al. 2020 (arXiv 2003.07629), section 4.
    """

    def __init__(
        self, rule: Restart, population: Population, weights: Weights | None = None
    ) -> None:
        self.rule, self.population, self._weights = rule, population, weights
        members = len(population)
        self.count = np.zeros(members, np.int64)
        self._starts = np.zeros(members, np.int64)  # the block at which each member last began
        # Running totals before each block, since a member began: the number of errors, their sum,
        # the sum of their squares, and the number of blocks that were not finite, whose errors are
        # not in the sums.
        self._totals: list[np.ndarray] = [np.zeros([4, members])]
        any_blocks = tf.TensorShape([None, 4, members])
        self._saved_totals = tf.Variable(
            np.stack(self._totals), shape=any_blocks, name="restart_totals"
        )
        self._saved_counts = tf.Variable(
            np.stack([self.count, self._starts]), name="restart_counts"
        )

    def trackables(self) -> dict[str, Any]:
        """The variables of a checkpoint, by name; `save` writes them, and `load` reads them."""
        return {"restart_totals": self._saved_totals, "restart_counts": self._saved_counts}

    def save(self) -> None:
        """Copy the current state into the variables of the checkpoint."""
        self._saved_totals.assign(np.stack(self._totals))
        self._saved_counts.assign(np.stack([self.count, self._starts]))

    def load(self) -> None:
        """Set the state from the variables of a checkpoint."""
        self._totals = list(self._saved_totals.numpy())
        self.count, self._starts = self._saved_counts.numpy()

    def call_length(self, step: int, most: int) -> int:
        """How many steps the next call of the training step may make, so that no check is missed.

        Args:
            step: how many steps have been made.
            most: the largest number of steps of a call.
        """
        rule = self.rule
        if rule.check_every >= most:
            return most
        place = step % rule.every
        if step + 1 >= rule.every and place < rule.window:
            return rule.check_every
        return min(most, rule.every - place)

    def after(self, step: int, errors: np.ndarray) -> None:
        """Note the errors of a call, and restart members by the rule.

        Args:
            step: how many steps have been made.
            errors: `[3, M]`: the number of errors in the call, their sum, the sum of their squares.
        """
        finite = np.isfinite(errors).all(axis=0)
        block = np.vstack([errors, ~finite])
        block[1:3, ~finite] = 0
        self._totals.append(self._totals[-1] + block)
        if step < self.rule.every or (step - 1) % self.rule.every >= self.rule.window:
            return
        for member in np.flatnonzero(self._makes_no_progress()):
            self._draw(int(member))
            self.count[member] += 1
            self._starts[member] = len(self._totals) - 1
            # Sums of old, large errors would hide new, small ones.
            self._totals[-1][:, member] = 0

    def _makes_no_progress(self) -> np.ndarray:
        """Whether each member makes no progress, `[M]`."""
        last = len(self._totals) - 1
        result = np.zeros(len(self.count), bool)
        for start in np.unique(self._starts):
            members = self._starts == start
            half = self._half(int(start), last, int(np.argmax(members)))
            first, middle, newest = (
                self._totals[block][:, members] for block in (start, half, last)
            )
            (n, older, _, before), (k, newer, squares, since) = middle - first, newest - middle
            with np.errstate(all="ignore"):
                older, newer, squares = older / n, newer / k, squares / k
                deviation = np.sqrt(np.maximum(squares - newer**2, 0))
                worse = (before == 0) & (older <= newer + self.rule.deviations * deviation)
                # An error that is not finite counts as no progress.
                no_progress = (since > 0) | (worse & (newer > self.rule.threshold))
            result[members] = no_progress & (n + k > self.rule.history)
        return result

    def _half(self, start: int, last: int, member: int) -> int:
        """The last block before which a member had at most half of its errors."""

        def errors(block: int) -> float:
            return float(self._totals[block][0, member])

        half = errors(start) + (errors(last) - errors(start)) // 2
        return start + bisect.bisect_right(range(start, last + 1), half, key=errors) - 1

    def _draw(self, member: int) -> None:
        """Draw new weights for a member, by its seed and by how often it was restarted."""
        population, reach = self.population, self.rule.reach
        if self._weights and self.rule.draw == "uniform":
            seed, count = population.seeds[member], int(self.count[member]) + 1
            variables = population.model.trainable_variables
            values = self._weights.restarted(seed, variables, count, reach)
            for variable, value in zip(population.trainable_variables, values, strict=True):
                population.assign(variable, member, value)
            return
        seed = zlib.crc32(f"{self.population.seeds[member]} {self.count[member] + 1}".encode())
        if self.rule.draw == "initial":
            population.redraw(member, seed)
            return
        generator = np.random.default_rng(seed)
        for variable in population.trainable_variables:
            values = generator.uniform(-reach, reach, variable.shape[1:])
            population.assign(variable, member, values)
