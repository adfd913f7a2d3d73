"""Every two rows of a benchmark against each other, failed runs counted: `--pairs`."""

import itertools
from collections.abc import Sequence
from math import isinf

from nalu_seq.evaluation.intervals import newcombe
from nalu_seq.evaluation.survival import newcombe_power, probability_better, restarts, seeds_needed
from nalu_seq.reports.estimates import success_rate
from nalu_seq.reports.summaries import Run, label_keys, labels
from nalu_seq.reports.tables import (
    Cell,
    Row,
    Table,
    describe,
    drop_equal_labels,
    estimate_facts,
    is_benchmark,
    rate_cell,
    steps,
)

POWER = 0.8
MOST_SEEDS = 1000
PAIRS_NOTE = (
    "A first: how likely A solves it before B on the same case and seed, ties half, never last "
    "[95 %, Wilson]. A − B: success in percentage points [95 %, Newcombe]. Seeds needed: of each, "
    "to tell such rates apart with power 80 %. All cases together."
)
RESTARTS_NOTE = (
    "Steps until a first solution if a run that has none by the cutoff is given up and a new seed "
    "begun [95 %, bootstrap]; optimistic where few solved it."
)


def pairs(runs: Sequence[Run], groups: Sequence[Sequence[Run]]) -> list[Table]:
    """Tables that compare every two runs and give the cost of a solution with restarts.

    Args:
        runs: the runs of one protocol.
        groups: the runs of each protocol of the report, which the titles tell apart.

    Returns:
        The table of pairs (none for a single run) and the table of restarts; one table that only
        has a note if the runs' summaries hold no members or cases.
    """
    title = describe(runs, groups)
    if not is_benchmark(runs):
        return [Table(f"{title}: pairs", [], [], [], ["these runs tell of no members or cases"])]
    keys = label_keys(runs)
    names = [" ".join(filter(None, line)) for line in _distinct_labels(runs, keys)]
    rows = [
        Row([names[i], names[j]], _pair(runs[i], runs[j]))
        for i, j in itertools.combinations(range(len(runs)), 2)
    ]
    columns = ["A first", "A − B", "seeds needed"]
    note = f"{PAIRS_NOTE} Judged by {runs[0].judged[-1]}."
    paired = [Table(f"{title}: pairs", ["A", "B"], columns, rows, [note])] if rows else []
    return [*paired, _restarts(runs, keys, title)]


def _distinct_labels(runs: Sequence[Run], keys: Sequence[str]) -> list[list[str]]:
    """The labels of each run, those left out that are the same for all runs."""
    table = drop_equal_labels(
        Table("", list(keys), [], [Row(labels(r, keys), []) for r in runs], [])
    )
    return [row.labels for row in table.rows]


def _pair(a: Run, b: Run) -> list[Cell]:
    split = a.judged[-1]
    first, second = ({(m["case"], m["seed"]): m["solved_at"][split] for m in r.members}
                     for r in (a, b))  # fmt: skip
    common = [member for member in first if member in second]
    better = Cell("-")
    if common:
        chance = probability_better([first[m] for m in common], [second[m] for m in common])
        text = f"{100 * chance.value:.0f} % [{100 * chance.low:.0f}, {100 * chance.high:.0f}]"
        better = Cell(text, {**estimate_facts(chance), "n": len(common)})
    (solved_a, n_a), (solved_b, n_b) = (_counts(run, split) for run in (a, b))
    gap = newcombe(solved_a, n_a, solved_b, n_b)
    interval = " [{:+.0f}, {:+.0f}]".join(["{:+.0f}", ""]).format(*(100 * x for x in gap))
    seeds = _seeds(solved_a / n_a, solved_b / n_b)
    return [better, Cell(interval.replace("-", "−"), estimate_facts(gap)), seeds]


def _counts(run: Run, split: str) -> tuple[int, int]:
    return sum(m["solved"][split] for m in run.members), len(run.members)


def _seeds(rate_a: float, rate_b: float) -> Cell:
    if rate_a == rate_b:
        return Cell("-")
    # This is checked first because `seeds_needed` tries one number of seeds after the other.
    if newcombe_power(rate_a, rate_b, MOST_SEEDS) < POWER:
        return Cell(f"> {MOST_SEEDS}")
    n = seeds_needed(rate_a, rate_b, POWER)
    return Cell(str(n), {"value": n})


def _restarts(runs: Sequence[Run], keys: Sequence[str], title: str) -> Table:
    rows = []
    for run in runs:
        split = run.judged[-1]
        for case in run.cases:
            members = run.of_case(case)
            estimate = restarts([m["solved_at"][split] for m in members], run.summary["steps"])
            facts = {"value": estimate.expected, "low": estimate.low, "high": estimate.high}
            interval = f"[{_limit(estimate.low)}, {_limit(estimate.high)}]"
            cells = [
                rate_cell(success_rate(members, split), len(members)),
                _steps(estimate.cutoff, {"value": estimate.cutoff}, estimate.expected),
                Cell(
                    f"{_limit(estimate.expected)} {interval}",
                    {name: None if isinf(value) else value for name, value in facts.items()},
                ),
            ]
            rows.append(Row([*labels(run, keys), case], cells))
    columns = ["solved", "cutoff", "steps to a solution"]
    return drop_equal_labels(
        Table(f"{title}: with restarts", [*keys, "case"], columns, rows, [RESTARTS_NOTE])
    )


def _steps(cutoff: float, facts: dict[str, float], expected: float) -> Cell:
    return Cell("-") if isinf(expected) else Cell(steps(cutoff), facts)


def _limit(value: float) -> str:
    return "∞" if isinf(value) else steps(value)
