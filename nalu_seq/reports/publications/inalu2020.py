"""Schlör et al. 2020 (iNALU): experiments 1 to 4."""

import re
from collections.abc import Iterable, Iterator

from nalu_seq.reports.published import ALL, Match, facts
from nalu_seq.reports.summaries import Run

MODELS = {
    "nalu": ("nalu__paperm", "nalu__paperv"),
    "inalu_shared": ("nalui1",),
    "inalu": ("nalui2",),
}
STEPS = 100_000  # 100 epochs of 1,000 batches


def _simple(run: Run, case: str, split: str) -> Iterator[Match]:
    """Experiment 1, 2 or 4 of iNALU, one input distribution or all of an experiment together."""
    experiment = re.fullmatch(r"inalu_(exp[124])(_rmsprop)?", str(run.summary.get("experiment")))
    known = {"validation": "int", "extrapolation": "ext"}
    if run.summary["task"] != "inalu_simple" or experiment is None or split not in known:
        return
    if run.has("task.replay", True):  # the published runs again, no sample of their own
        return
    unit = run.summary["unit"]
    if unit == "inalu" and run.has("unit.tied", True):
        unit = "inalu_shared"
    place = f"{experiment[1]} {known[split]}"
    each = {name for name in _distributions(place) if name}
    if case == ALL and set(run.cases) != each:
        return
    table = f"{experiment[1]} {'aggregated' if case == ALL else 'per distribution'}"
    place = place if case == ALL else f"{place} {case}"
    models = MODELS.get(unit, ())
    yield Match(table, place, str(run.value("task.operation")), models, STEPS)


def _initial_values(run: Run, case: str, split: str) -> Iterator[Match]:
    """Experiment 3 of iNALU, at one setting of the initial values."""
    known = {"validation": "int", "extrapolation": "ext"}
    values = re.fullmatch(r"g_mean=(\S+) m_mean=(\S+) w_mean=(\S+) stddev=(\S+)", case)
    if run.summary.get("experiment") != "inalu_exp3" or values is None or split not in known:
        return
    g, m, w, deviation = map(float, values.groups())
    place = f"exp3 {known[split]} init g={g:.1f} m={m:.1f} w={w:.1f} sd={deviation:.1f}"
    operation = str(run.value("task.operation"))
    yield Match("exp3 init grid", place, operation, ("iNALU",), 2 * STEPS)


def _distributions(place: str) -> Iterable[str]:
    tasks = {fact.task for fact in facts() if fact.source == "iNALU2020"}
    return (task.removeprefix(place).strip() for task in tasks if task.startswith(place))


FINDERS = (_simple, _initial_values)
