"""Cases: settings that change no shape, so that a whole grid of them trains in one program.

A case of the config, such as a learning rate, combines with each case of the task, such as a range
of inputs. It does not enter the key of a member's samples, so that a member of a grid draws the
same samples as a member that trains alone.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from nalu_seq.errors import BadInput

# Keys whose values may differ between members of one program; the unit's initial values may too.
VARYING = ("optimizer.learning_rate", "optimizer.beta_1", "optimizer.beta_2", "optimizer.epsilon")
RAMP = ("weight", "start", "end", "growth", "every", "largest", "loss_below")
MOST_MEMBERS = 2**20  # cases times seeds: checked before they are listed in memory
INITIAL = ("_mean", "stddev", "_initializer")


class Case(NamedTuple):
    """One setting of everything that may differ between members.

    Attributes:
        name: its name in metrics.csv: `default`, or the settings in which the cases differ.
        task_case: the task's own case, which enters the key of the samples.
        settings: values by config key.
    """

    name: str
    task_case: str
    settings: dict[str, Any]


def cross(task_cases: Sequence[str], grid: Mapping[str, Any]) -> list[Case]:
    """Every combination of the task's cases with a grid of settings.

    Args:
        task_cases: the task's own cases.
        grid: for each config key the list of its values.

    Raises:
        BadInput: a key changes a shape or a formula, values are no list, or there are too many.
    """
    for key, values in grid.items():
        if not _may_vary(key):
            raise BadInput(
                f"cases: {key} must be the same for all members; these can differ: "
                f"{', '.join(VARYING)}, "
                "penalty.<name>.<field>, and the initial values of the unit"
            )
        if not isinstance(values, list) or not values:
            raise BadInput(f"cases: {key} must have a list of values, not {values!r}")
        if len({_text(value) for value in values}) < len(values):
            raise BadInput(f"cases: {key} names a value twice: each may stand once")
    count = math.prod(map(len, grid.values())) * len(task_cases)
    if count > MOST_MEMBERS:
        raise BadInput(
            f"cases: {count} combinations are more than {MOST_MEMBERS}, the most at once"
        )
    cases = []
    for task_case in task_cases:
        for values in itertools.product(*grid.values()):
            settings = dict(zip(grid, values, strict=True))
            texts = [f"{key.partition('.')[2]}={_text(v)}" for key, v in settings.items()]
            own = [task_case] if len(task_cases) > 1 or not texts else []
            cases.append(Case(" ".join([*own, *texts]), task_case, settings))
    return cases


def _may_vary(key: str) -> bool:
    group, _, rest = key.partition(".")
    if group == "penalty":
        return rest.partition(".")[2] in RAMP
    if group == "unit":
        return "." not in rest and rest.endswith(INITIAL)
    return key in VARYING


def _text(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    short = f"{value:g}"
    return short if float(short) == value else repr(value)
