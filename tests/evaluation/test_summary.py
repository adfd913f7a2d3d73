"""Statistics over members from the rows of a record."""

from typing import Any

from nalu_seq.config.cases import Case
from nalu_seq.evaluation.summary import Outcome
from nalu_seq.records.members import Members
from nalu_seq.records.record import Row
from nalu_seq.tasks.base import Criterion

BELOW = Criterion("error", 0.5, above=False)
NAN = float("nan")


def results(record: list[Row], criterion: Criterion) -> list[dict[str, Any]]:
    return Outcome(record, criterion, Members.of_seeds(range(4))).results()


def rows(values: dict[int, list[float]], metric: str = "error", split: str = "far") -> list[Row]:
    return [
        Row(step, "default", seed, split, metric, value)
        for step, members in values.items()
        for seed, value in enumerate(members)
    ]


def test_the_last_step_counts_and_nan_is_a_failure() -> None:
    out = results(rows({0: [9.0] * 4, 10: [0.1, 0.3, 7.0, NAN]}), BELOW)
    error, solved_at = out
    assert error["metric"] == "error" and error["n"] == 4
    assert (error["median"], error["min"], error["max"]) == (0.3, 0.1, 7.0)
    assert error["success_rate"] == 0.5
    assert 0.1 < error["success_low"] < 0.5 < error["success_high"] < 0.9
    assert solved_at["n"] == 2


def test_solved_at_is_the_first_step_even_if_lost_again() -> None:
    out = results(rows({0: [9.0, 9.0], 10: [0.1, 9.0], 20: [9.0, 0.2], 30: [9.0, 0.2]}), BELOW)
    solved_at = next(r for r in out if r["metric"] == "solved_at")
    assert (solved_at["min"], solved_at["median"], solved_at["max"]) == (10.0, 15.0, 20.0)
    assert solved_at["success_rate"] is None
    assert next(r for r in out if r["metric"] == "error")["success_rate"] == 0.5


def test_nothing_solved_and_nothing_finite_are_null() -> None:
    error, solved_at = results(rows({0: [NAN, NAN]}), BELOW)
    assert error["median"] is None and error["success_rate"] == 0.0
    assert solved_at["n"] == 0 and solved_at["median"] is None


def test_a_metric_without_a_criterion_has_no_success_rate() -> None:
    (mae,) = results(rows({0: [1.0, 2.0, 3.0]}, metric="mae"), BELOW)
    assert mae["median"] == 2.0 and mae["mean"] == 2.0 and mae["success_rate"] is None
    (train,) = results(rows({0: [1.0]}, split="train"), BELOW)
    assert train["success_rate"] is None


def test_a_criterion_may_ask_for_at_least() -> None:
    exact = Criterion("exact", 1.0, above=True)
    out = results(rows({0: [1.0, 0.99, NAN]}, metric="exact"), exact)
    assert out[0]["success_rate"] == 1 / 3


# By validation: two cases of the task, "near" is what selects and "far" what is judged.
SELECTED = Criterion("mse", {"far": {"low": 0.1, "high": 10.0}}, selected_by="near")
TASK_CASES = {"low rate=1": "low", "low rate=2": "low", "high rate=1": "high"}
MEMBERS = Members.product([Case(name, own, {}) for name, own in TASK_CASES.items()], [0, 1, 7])


def judged(
    near: dict[int, float], far: dict[int, float], case: str = "low rate=1", seed: int = 0
) -> list[Row]:
    return [
        Row(step, case, seed, split, "mse", value)
        for split, series in (("near", near), ("far", far))
        for step, value in series.items()
    ]


def test_the_step_is_selected_by_validation() -> None:
    # Not the last, not the best of what is judged, not step 0.
    record = judged(
        near={0: 1e-9, 10: 0.5, 20: 0.2, 30: 0.3}, far={0: 0.0, 10: 0.01, 20: 0.2, 30: 0.02}
    )
    outcome = Outcome(record, SELECTED, MEMBERS)
    member = ("low rate=1", 0)
    assert outcome.selected == {member: 20}
    assert outcome.solved == {"far": {member: False}}
    # The first step at which what is judged is solved, step 0 included, wherever it is selected.
    assert outcome.solved_at == {"far": {member: 0}}
    far = next(r for r in outcome.results() if (r["split"], r["metric"]) == ("far", "mse"))
    assert far["median"] == 0.2 and far["success_rate"] == 0.0


def test_solved_at_and_the_selected_step_are_different_things() -> None:
    record = judged(
        near={0: 9.0, 10: 0.5, 20: 0.4, 30: 0.3}, far={0: 9.0, 10: 0.01, 20: 9.0, 30: 0.02}
    )
    (line,) = Outcome(record, SELECTED, MEMBERS).members()
    assert (line["selected_step"], line["solved"], line["solved_at"]) == (
        30,
        {"far": True},
        {"far": 10},
    )


def test_what_is_not_finite_is_never_selected() -> None:
    record = judged(near={0: 1.0, 10: NAN, 20: 0.5, 30: float("inf")}, far={20: 0.05, 30: 0.05})
    record += judged(near={0: 1.0, 10: NAN}, far={0: 0.0, 10: NAN}, seed=1)
    outcome = Outcome(record, SELECTED, MEMBERS)
    first, lost = ("low rate=1", 0), ("low rate=1", 1)
    # Without any finite value it is the last step that counts, and it fails.
    assert outcome.selected == {first: 20, lost: 10}
    assert outcome.solved["far"] == {first: True, lost: False}


def test_ties_go_to_the_first_step() -> None:
    record = judged(near={0: 0.0, 10: 0.5, 20: 0.5}, far={10: 0.05, 20: 9.0})
    assert Outcome(record, SELECTED, MEMBERS).selected == {("low rate=1", 0): 10}


def test_each_case_has_the_threshold_of_its_case_of_the_task() -> None:
    record = [
        row
        for case in TASK_CASES
        for seed, far in enumerate([1.0, 0.05])
        for row in judged({10: 0.5}, {10: far}, case, seed)
    ]
    out = Outcome(record, SELECTED, MEMBERS).results()
    rates = {
        r["case"]: r["success_rate"] for r in out if (r["split"], r["metric"]) == ("far", "mse")
    }
    assert rates == {"low rate=1": 0.5, "low rate=2": 0.5, "high rate=1": 1.0}
    counts = {r["case"]: r["n"] for r in out if r["metric"] == "solved_at"}
    assert counts == {"low rate=1": 1, "low rate=2": 1, "high rate=1": 2}


def test_a_split_without_a_threshold_is_not_judged() -> None:
    outcome = Outcome(judged({10: 0.0}, {10: 0.0}), SELECTED, MEMBERS)
    assert list(outcome.solved) == list(outcome.solved_at) == ["far"]
    near = [r for r in outcome.results() if r["split"] == "near"]
    assert [(r["metric"], r["success_rate"]) for r in near] == [("mse", None)]


def test_other_metrics_are_taken_at_the_selected_step() -> None:
    record = judged(near={0: 1.0, 10: 0.2, 20: 0.3}, far={0: 9.0, 10: 0.05, 20: 0.2})
    record += [Row(s, "low rate=1", 0, "train", "loss", float(s)) for s in (10, 20)]
    record += [Row(s, "low rate=1", 0, "train", "sparsity_error", s / 100) for s in (0, 10, 20)]
    outcome = Outcome(record, SELECTED, MEMBERS)
    medians = {r["metric"]: r["median"] for r in outcome.results() if r["split"] == "train"}
    assert medians == {"loss": 10.0, "sparsity_error": 0.1}
    (line,) = outcome.members()
    assert line["sparsity_error"] == 0.1


def test_members_say_what_became_of_each() -> None:
    record = judged(near={0: 1.0, 10: 0.2}, far={0: 9.0, 10: 0.05})
    record += judged(near={0: 1.0, 10: NAN}, far={0: 9.0, 10: NAN}, case="high rate=1", seed=7)
    solved, lost = Outcome(record, SELECTED, MEMBERS).members()
    assert (
        solved.items()
        >= {
            "case": "low rate=1",
            "seed": 0,
            "selected_step": 10,
            "mse": {"near": 0.2, "far": 0.05},
            "solved": {"far": True},
            "solved_at": {"far": 10},
        }.items()
    )
    # 9 is below the other case's threshold, at step 0.
    assert (lost["case"], lost["seed"], lost["mse"]) == (
        "high rate=1",
        7,
        {"near": None, "far": None},
    )
    assert (lost["solved"], lost["solved_at"]) == ({"far": False}, {"far": 0})
    assert "sparsity_error" not in solved


def test_a_member_says_how_often_it_was_restarted() -> None:
    record = rows({0: [9.0, 9.0], 10: [0.1, 9.0]})
    record += rows({0: [0.0, 0.0], 10: [0.0, 3.0]}, metric="restarts", split="train")
    members = Outcome(record, BELOW, Members.of_seeds(range(2))).members()
    assert [member["restarts"] for member in members] == [0, 3]
    assert "restarts" not in Outcome(rows({0: [1.0]}), BELOW, Members.of_seeds([0])).members()[0]
