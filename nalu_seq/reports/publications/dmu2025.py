"""The domain mixed unit (2025), measured by the Primer's protocol."""

from collections.abc import Iterator

from nalu_seq.reports.publications.mistry2023 import of_primer
from nalu_seq.reports.published import ALL, Match, facts
from nalu_seq.reports.summaries import Run

# (unit, operation) that the domain mixed unit was published with: its frozen selector suits it.
MODELS = {
    ("dmu_add", "add"): "DMU_add",
    ("dmu_add", "mul"): "DMU_add",
    ("dmu_sub", "sub"): "DMU_sub",
    ("dmu_sub", "div"): "DMU_sub",
}
STEPS = 2_000


def _dmu(run: Run, case: str, split: str) -> Iterator[Match]:
    """The domain mixed unit, measured with its gate rounded, in the table of its own repository."""
    operation = str(run.value("task.operation"))
    model = MODELS.get((run.summary["unit"], operation))
    rounded = run.has("unit.hard", True)
    if not of_primer(run, split) or model is None or not rounded:
        return
    ranges = {fact.task for fact in facts() if fact.source == "DMU2025"} - {ALL}
    if case != ALL or set(run.cases) == ranges:
        yield Match("NALM benchmark, 25 seeds", case, operation, (model,), STEPS)


FINDERS = (_dmu,)
