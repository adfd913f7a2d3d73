"""A benchmark's outcomes beside published ones, and which differences are more than noise."""

from collections.abc import Iterator, Sequence
from math import exp, isfinite, log, nan
from typing import NamedTuple

from nalu_seq.evaluation.intervals import Estimate, gap, ratio
from nalu_seq.reports.estimates import (
    mean_accuracy,
    mean_error,
    median_error,
    percent_of_untrained,
    solved_at_mean,
    solved_at_median,
    sparsity_error,
    success_rate,
)
from nalu_seq.reports.publications import matches
from nalu_seq.reports.published import ALL, Fact, Match, facts_of
from nalu_seq.reports.summaries import Run, case_labels, label_keys, labels, setting_keys
from nalu_seq.reports.tables import (
    Cell,
    Row,
    Table,
    describe,
    drop_equal_labels,
    estimate_facts,
    number,
    steps,
)

MARK_NOTE = (
    "ours and theirs: [95 % interval]. Success: ours − theirs in percentage points (Newcombe); "
    "means: ours / theirs (MOVER); medians without an interval are not judged. *: the interval "
    "excludes no difference."
)
SOLVED_AT_NOTE = (
    "Our mean of solved at is that of their code here (the variance held at the values' own)."
)
GAP_NOTE = "Errors: ours − theirs; accuracies: the same in percentage points (MOVER)."
RECALLED_NOTE = "recalled: from memory, not confirmed against the paper."
TRASK_NOTE = (
    "Table 1: the error in % of that of a randomly initialised model (100: no better). Ours is in "
    "% of the median error of the same members before training."
)
SPREAD_NOTE = (
    "ours: the median over the seeds, with the smallest and the largest in brackets; theirs has "
    "neither spread nor interval, so nothing is judged."
)
FIGURE_NOTE = (
    "Fig. 1 was read off a picture of it, to 0.1, at ±19.8; ours is measured at ±20, where an MLP "
    "that no longer grows errs by 0.2 more."
)
DMU_NOTE = (
    "Their unit is solved once its validation error has been below 1e-7 at 100 steps in a row; the "
    "extrapolation was not asked for. Ours is judged by the Primer's threshold on it."
)
QUANTITIES = {
    "success_rate": "success",
    "solved_at_median": "solved at: median",
    "solved_at_mean": "solved at: mean",
    "sparsity_error_mean": "sparsity error",
    "error_relative_to_random_init": "% of random",
    "MAE": "mae: median",
    "mae_mean": "mae: mean",
    "mse_median": "mse: median",
    "accuracy_mean": "accuracy: mean",
}
# Shown by their spread over the seeds: what was published has no interval.
SPREADS = ("% of random", "mae: median")
# Compared by their difference, as intervals of errors near 0 reach 0, where there is no ratio.
DIFFERENCES = ("mae: mean", "mse: median", "accuracy: mean")
# Published figures are printed to five digits at best: a relative difference below is rounding.
PRINTED = 1e-5
# Training for fewer steps alone moves our figure to this side of theirs: -1 below, 1 above.
OF_FEWER_STEPS = {
    "success": -1,
    "solved at: mean": -1,
    "sparsity error": 1,
    "mae: mean": 1,
    "mse: median": 1,
    "accuracy: mean": -1,
}


class Comparison(NamedTuple):
    """One figure of our run beside the published one.

    Attributes:
        run: our run.
        case: the case of the run that the figure is of, or ALL for its cases together.
        split: the split that the figure was measured on.
        match: what the paper calls the run's model, task and operation.
        fact: the published figure.
        ours: the same quantity of our run; None if the run does not have it.
        contrast: the difference of two success rates, errors or accuracies, or the ratio of two
            other means or medians (that of medians of steps, and of errors published without an
            interval, has none); None if one of the two is unknown.
    """

    run: Run
    case: str
    split: str
    match: Match
    fact: Fact
    ours: Estimate | None
    contrast: Estimate | None

    @property
    def cells(self) -> tuple[Cell, Cell, Cell]:
        """Our figure, the published one and their difference, as in `beside`'s tables."""
        return _our_cell(self), _their_cell(self), _difference_cell(self)

    @property
    def quantity(self) -> str:
        """The quantity that is compared, in words: `success`, `solved at: mean`."""
        return QUANTITIES[_metric(self.fact)]

    @property
    def subtracted(self) -> bool:
        """Whether the contrast is a difference; otherwise it is a ratio."""
        if self.quantity in DIFFERENCES:
            return self.fact.estimate is not None
        return self.quantity == "success"

    @property
    def has_interval(self) -> bool:
        """Whether the difference has an interval."""
        return self.contrast is not None and isfinite(self.contrast.low)

    @property
    def side(self) -> int:
        """1 if the whole interval lies above no difference, -1 if below.

        0 if it contains no difference, or if the difference is one of rounding.
        """
        if not self.has_interval:
            return 0
        assert self.contrast is not None
        same = 0.0 if self.subtracted else 1.0
        size = abs(self.fact.value) if self.subtracted else 1.0
        if abs(self.contrast.value - same) < PRINTED * size:
            return 0
        return (self.contrast.low > same) - (self.contrast.high < same)

    @property
    def shorter(self) -> bool:
        """Whether our run was trained for fewer steps than the published one."""
        return self.match.steps is not None and self.run.summary["steps"] < self.match.steps

    @property
    def explained_by_steps(self) -> bool:
        """Whether fewer training steps alone would explain the difference."""
        return self.shorter and self.side != 0 and self.side == OF_FEWER_STEPS[self.quantity]


class Tally(NamedTuple):
    """How many figures of a published table our runs were compared with.

    Attributes:
        table: the published table or figure.
        compared: the figures that were judged, without those that shorter training explains.
        marked: those of them whose difference is more than noise.
        by_steps: figures that differ as fewer training steps alone would make them differ.
    """

    table: str
    compared: int
    marked: int
    by_steps: int


def tally(runs: Sequence[Run], source: str) -> list[Tally]:
    """The comparisons with each table of a publication, counted.

    Args:
        runs: the runs that are compared.
        source: the name of a publication in `published.csv`, such as `Madsen2020`.

    Returns:
        A count for each table with at least one figure that was judged.
    """
    by_table: dict[str, list[Comparison]] = {}
    for comparison in compare([run for run in runs if run.judged], source):
        if comparison.has_interval:
            by_table.setdefault(comparison.fact.table, []).append(comparison)
    return [Tally(table, *_counts(comparisons)) for table, comparisons in by_table.items()]


def beside(runs: Sequence[Run], groups: Sequence[Sequence[Run]], source: str) -> list[Table]:
    """A table for each published table or figure that runs of a protocol correspond to.

    Args:
        runs: the runs of one protocol.
        groups: the runs of each protocol of the report, which the titles tell apart.
        source: the name of a publication in `published.csv`, such as `Madsen2020`.

    Returns:
        Tables with our figure, the published one and their difference in each row; one table that
        only has a note if nothing that was published corresponds to the runs.
    """
    title = f"{describe(runs, groups)} beside {source}"
    by_table: dict[str, list[Comparison]] = {}
    for comparison in compare(runs, source) if all(run.judged for run in runs) else ():
        by_table.setdefault(comparison.fact.table, []).append(comparison)
    if not by_table:
        return [Table(title, [], [], [], ["published: none at hand"])]
    return [_table(f"{title}, {table}", runs, by_table[table]) for table in by_table]


def compare(runs: Sequence[Run], source: str) -> Iterator[Comparison]:
    """Each figure of some runs that was published, beside the published one.

    Args:
        runs: runs whose members are judged.
        source: the name of a publication in `published.csv`, such as `Madsen2020`.
    """
    for run in runs:
        for case in [*run.cases, ALL]:
            for split in run.members[0][run.metric]:
                for match in matches(source, run, case, split):
                    for fact in facts_of(source, match):
                        if _metric(fact) in QUANTITIES:
                            yield _comparison(run, case, split, match, fact)


def difference(a: Estimate, b: Estimate) -> Estimate:
    """The difference a - b of two rates as `newcombe`'s, from their intervals alone.

    It is the logarithm of the ratio of their exponentials: the intervals of both follow from MOVER.

    Args:
        a: a rate with its interval, as shares from 0 to 1.
        b: the rate that is subtracted.

    Returns:
        The difference with its interval, from -1 to 1.
    """
    of_exp = ratio(Estimate(*map(exp, a)), Estimate(*map(exp, b)))
    return Estimate(*map(log, of_exp))


def _comparison(run: Run, case: str, split: str, match: Match, fact: Fact) -> Comparison:
    members = run.of_case(None if case == ALL else case)
    ours: Estimate | None = None
    if fact.metric == "error_relative_to_random_init":
        ours = percent_of_untrained(members, split, run.metric)
    elif fact.metric == "MAE":
        ours = run.spread(case, split, "mae")
    elif split in run.judged:
        if _metric(fact) == "success_rate":
            ours = success_rate(members, split)
        elif fact.metric == "solved_at_mean":
            ours = solved_at_mean(members, split, hold_variance=True)
        elif fact.metric == "solved_at_median":
            ours = solved_at_median(members, split)
        elif fact.metric == "sparsity_error_mean":
            ours = sparsity_error(members, split)
        elif fact.metric == "mae_mean":
            ours = mean_error(members, split, run.metric)
        elif fact.metric == "mse_median":
            ours = median_error(members, split, run.metric)
        elif fact.metric == "accuracy_mean":
            ours = mean_accuracy(members, split, run.metric)
    return Comparison(run, case, split, match, fact, ours, _contrast(fact, ours))


def _contrast(fact: Fact, ours: Estimate | None) -> Estimate | None:
    theirs = fact.estimate
    if QUANTITIES[_metric(fact)] in SPREADS:
        return None
    unjudged = fact.metric == "solved_at_median" or (fact.metric == "mae_mean" and theirs is None)
    if ours is not None and unjudged:
        return Estimate(ours.value / fact.value, nan, nan)
    if ours is None or theirs is None or not all(isfinite(x) for x in (*ours, *theirs)):
        return None
    if _metric(fact) == "success_rate":
        return difference(ours, theirs)
    if QUANTITIES[_metric(fact)] in DIFFERENCES:
        return gap(ours, theirs)
    # A mean whose interval reaches 0 has no ratio.
    return ratio(ours, theirs) if min(*ours, *theirs) > 0 else None


def _metric(fact: Fact) -> str:
    """`success_rate` for `success_rate(mse<1e-5)`."""
    return fact.metric.partition("(")[0]


def _table(title: str, runs: Sequence[Run], comparisons: Sequence[Comparison]) -> Table:
    # The published name of a model says which unit its hidden layer is made of.
    keys = [key for key in label_keys(runs) if key != "encoder.unit"]
    settings = setting_keys(c.case for c in comparisons)
    rows = [
        Row(
            [
                *labels(c.run, keys),
                *case_labels(c.case, settings),
                c.split,
                c.fact.model,
                c.quantity,
            ],
            list(c.cells),
        )
        for c in comparisons
    ]
    label_names = [*keys, "case", *settings, "split", "published as", "figure"]
    table = Table(title, label_names, ["ours", "theirs", "difference"], rows, _notes(comparisons))
    return drop_equal_labels(table)


def _our_cell(c: Comparison) -> Cell:
    return Cell("-") if c.ours is None else _estimate_cell(c.quantity, c.ours)


def _their_cell(c: Comparison) -> Cell:
    estimate = c.fact.estimate
    memory_fact = {"recalled": c.fact.from_memory}
    if estimate is None:
        format_value = steps if c.quantity.startswith("solved at") else "{:g}".format
        text = f"{format_value(c.fact.value)}{' (recalled)' if c.fact.from_memory else ''}"
        return Cell(text, {"value": c.fact.value, **memory_fact})
    cell = _estimate_cell(c.quantity, estimate)
    return Cell(cell.text, {**cell.facts, **memory_fact})


def _estimate_cell(quantity: str, estimate: Estimate) -> Cell:
    if quantity == "success":
        figures = [f"{100 * x:.0f}" for x in estimate]
        figures[0] += " %"
    elif quantity == "accuracy: mean":
        figures = [f"{100 * x:.1f}" for x in estimate]
        figures[0] += " %"
    else:
        figures = [(steps if quantity.startswith("solved at") else number)(x) for x in estimate]
    if quantity == "solved at: median":
        return Cell(figures[0], estimate_facts(estimate))
    limits = f"[{figures[1]}, {figures[2]}]" if isfinite(estimate.low) else "[one]"
    return Cell(f"{figures[0]} {limits}", estimate_facts(estimate))


def _difference_cell(c: Comparison) -> Cell:
    if c.contrast is None:
        return Cell("-")
    marked = c.side != 0 and not c.explained_by_steps
    if c.quantity == "success":
        value, low, high = (f"{100 * x:+.0f}".replace("-", "−") for x in c.contrast)
    elif c.quantity == "accuracy: mean":
        value, low, high = (f"{100 * x:+.1f}".replace("-", "−") for x in c.contrast)
    elif c.subtracted:
        value, low, high = (f"{x:+.2g}".replace("-", "−") for x in c.contrast)
    else:
        value, low, high = (number(x) if x < 100 else f"{x:.0f}" for x in c.contrast)
        value = f"×{value}"
    if not c.has_interval:
        return Cell(value, {**estimate_facts(c.contrast), "kind": "ratio", "marked": 0})
    text = f"{value}{'*' if marked else ''} [{low}, {high}]"
    kind = "difference" if c.subtracted else "ratio"
    return Cell(text, {**estimate_facts(c.contrast), "kind": kind, "marked": int(marked)})


def _counts(with_interval: Sequence[Comparison]) -> tuple[int, int, int]:
    """How many are compared, marked, and explained by fewer steps."""
    by_steps = sum(c.explained_by_steps for c in with_interval)
    marked = sum(c.side != 0 for c in with_interval) - by_steps
    return len(with_interval) - by_steps, marked, by_steps


def _notes(comparisons: Sequence[Comparison]) -> list[str]:
    with_interval = [c for c in comparisons if c.has_interval]
    n, marked, by_steps = _counts(with_interval)
    notes = [MARK_NOTE] if with_interval else []
    if any(c.quantity == "solved at: mean" for c in with_interval):
        notes.append(SOLVED_AT_NOTE)
    if any(c.subtracted and c.quantity != "success" for c in with_interval):
        notes.append(GAP_NOTE)
    notes += _iterations(comparisons)
    if by_steps:
        notes.append(
            f"{by_steps} more not marked: ours made fewer iterations, which alone lowers success "
            "and solved at and raises the sparsity error."
        )
    notes += [RECALLED_NOTE] if any(c.fact.from_memory for c in comparisons) else []
    notes += [SPREAD_NOTE] if any(c.quantity in SPREADS for c in comparisons) else []
    notes += [TRASK_NOTE] if any(c.quantity == "% of random" for c in comparisons) else []
    notes += [DMU_NOTE] if any(c.fact.source == "DMU2025" for c in comparisons) else []
    notes += [FIGURE_NOTE] if any(c.match.table == "Fig. 1" for c in comparisons) else []
    if with_interval:
        notes.append(
            f"{n} compared, {marked} marked; chance alone would mark about {0.05 * n:.1f} (5 %)."
        )
    return notes


def _iterations(comparisons: Sequence[Comparison]) -> list[str]:
    differences = dict.fromkeys(
        (c.run.summary["steps"], c.match.steps)
        for c in comparisons
        if c.match.steps not in (None, c.run.summary["steps"])
    )
    return [f"Iterations: ours {steps(a)}, theirs {steps(b or 0)}." for a, b in differences]
