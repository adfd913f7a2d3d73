"""Our figures beside published ones, and which differences are more than noise."""

from typing import Any

import pytest

from nalu_seq.evaluation.intervals import Estimate, newcombe, wilson
from nalu_seq.reports.beside import Tally, difference, tally
from nalu_seq.reports.summaries import find_runs
from tests.reports.runs import (
    RANGES,
    Write,
    compared,
    identity,
    language,
    madsen,
    primer,
    with_values,
)


def test_comparisons_are_counted_by_table(write: Write) -> None:
    cases: dict[str, Any] = {name: [21_000] * 25 for name in RANGES} | {"U[1,2]": [None] * 25}
    run = primer(write, "mcfc", "add", cases)
    # Nine rates, of which one differs, and the means of the eight others.
    assert tally([run], "Mistry2023") == [Tally("MCFC findings (2023) Fig. 1", 17, 1, 0)]
    assert tally([run], "Madsen2020") == []
    shorter = run._replace(summary={**run.summary, "steps": 20_000})
    assert tally([shorter], "Mistry2023") == [Tally("MCFC findings (2023) Fig. 1", 16, 0, 1)]


def test_madsens_cells(write: Write) -> None:
    solved = [1_000_000 + 20_000 * i for i in range(50)] + [None] * 50
    run = madsen(write, cases={"U[1,2]": solved})
    (table,) = compared(run, "Madsen2020")
    assert table.title == (
        "arithmetic, mul beside Madsen2020, Table long (App. C) = function_task_static_all"
    )
    success = table.rows[0]
    assert success.labels == ["success"]
    assert [cell.text for cell in success.cells] == [
        "50 % [40, 60]", "98 % [93, 99]", "−48* [−58, −37]",
    ]  # fmt: skip
    assert success.cells[2].facts["value"] == pytest.approx(-0.48)
    median = table.rows[1]
    assert median.labels == ["solved at: median"]
    assert [cell.text for cell in median.cells] == ["1.49M", "1.43M", "×1"]  # none is judged
    assert table.notes[-1].startswith("3 compared, 2 marked; chance alone would mark about 0.2")


def test_a_shorter_run_is_not_blamed_for_what_is_missing(write: Write) -> None:
    run = madsen(write, cases={"U[1,2]": [None] * 100}, steps=1_000_000)
    (table,) = compared(run, "Madsen2020")
    assert [cell.text for cell in table.rows[0].cells] == [
        "0 % [0, 4]", "98 % [93, 99]", "−98 [−99, −92]",
    ]  # fmt: skip
    assert "Iterations: ours 1M, theirs 5M." in table.notes
    assert any(note.startswith("1 more not marked") for note in table.notes)
    assert table.notes[-1].startswith("0 compared, 0 marked")


def test_the_paper_without_figures_has_none_at_hand(write: Write) -> None:
    run = find_runs(write("run", {"U[1,2]": [1000]}))[0][0]
    assert compared(run, "Primer2022")[0].notes == ["published: none at hand"]


def test_what_is_recalled_is_said_to_be_and_not_compared(write: Write) -> None:
    run = madsen(write, "nalu", **{"encoder.unit": "nalu"})
    (table,) = compared(run, "Trask2018")
    assert [cell.text for cell in table.rows[0].cells] == ["-", "0 (recalled)", "-"]
    assert any("not confirmed" in note for note in table.notes)
    assert any("randomly initialised" in note for note in table.notes)


def test_table_1_is_in_percent_of_the_untrained_models_errors(write: Write) -> None:
    run = madsen(write, "nalu", cases={"U[1,2]": [1000] * 3}, **{"encoder.unit": "nalu"})
    for member, error, untrained in zip(run.members, [0.5, None, 2.0], [10, 50, 30], strict=True):
        member["mse"] = {"validation": error, "extrapolation": error}  # validation is not judged
        member["initial"] = {"validation": 10.0, "extrapolation": untrained}
    (table,) = compared(run, "Trask2018")
    validation, row = table.rows
    assert validation.cells[0].facts["value"] == pytest.approx(100 * 2 / 10)
    ours = row.cells[0].facts  # 30 is the median of the untrained models
    limits = [ours["low"], ours["value"], ours["high"]]
    assert limits == pytest.approx([100 * 0.5 / 30, 100 * 2 / 30, float("inf")])
    assert [cell.text for cell in row.cells][1:] == ["0 (recalled)", "-"]


def test_errors_without_an_interval_are_beside_the_spread_of_ours(write: Write) -> None:
    line = {"case": "default", "split": "test", "metric": "mae", "success_rate": None}
    results = [{**line, "median": 2.0, "min": 0.5, "max": 30.0, "n": 3}]
    place = write("run", {"default": [1000]}, "language", "nalu", encoder="lstm", results=results)
    run = find_runs(place)[0][0]
    run.members[0]["mse"] = {"test": 4.0}
    run.members[0]["solved"] = {"test": False}
    (table,) = compared(run, "Trask2018")
    assert [c.text for c in table.rows[0].cells] == ["2 [0.5, 30]", "0.41 (recalled)", "-"]
    assert any("smallest and the largest" in note for note in table.notes)
    assert tally([run], "Trask2018") == []


def test_mean_errors_are_beside_those_of_the_figure(write: Write) -> None:
    (table,) = compared(identity(write, [15.0, 16.0, 17.0, 18.0]), "Trask2018")
    assert table.title.endswith("beside Trask2018, Fig. 1")
    (row,) = table.rows
    assert [cell.facts["value"] for cell in row.cells] == pytest.approx([16.5, 15.71, 16.5 / 15.71])
    assert [cell.text for cell in row.cells] == ["16 [15, 18]", "15.71", "×1.1"]
    assert len(table.notes) == 1 and "±19.8" in table.notes[0]


def test_an_error_of_0_has_its_part_in_the_mean(write: Write) -> None:
    (table,) = compared(identity(write, [0.0, 4.0, 5.0, 6.0]), "Trask2018")
    assert table.rows[0].cells[0].facts["value"] == pytest.approx(15 / 4, rel=1e-6)


def test_where_a_member_diverged_there_is_no_mean_error(write: Write) -> None:
    (table,) = compared(identity(write, [15.0, None]), "Trask2018")
    assert [cell.text for cell in table.rows[0].cells] == ["-", "15.71", "-"]


def test_the_difference_of_intervals_is_newcombes() -> None:
    rates = [Estimate(k / n, *wilson(k, n)) for k, n in ((56, 70), (48, 80))]
    assert difference(*rates) == pytest.approx(newcombe(56, 70, 48, 80))


def test_mean_errors_with_published_intervals_are_subtracted(write: Write) -> None:
    config = {"encoder.unit": "real_npu"}
    path = write("run", {"default": [None] * 4}, "npu_simple", "linear", config, steps=20_000)
    run = with_values(find_runs(path)[0][0], "mae", "add", [0.5, 0.5, 0.6, 0.6])
    (table,) = compared(run, "Heim2020")
    (row,) = table.rows
    # 0.55 - 0.08, published with 2.093 x 0.021 to each side.
    assert row.cells[2].facts["value"] == pytest.approx(0.47)
    assert row.cells[1].text == "0.08 [0.036, 0.12]" and row.cells[2].text.startswith("+0.47* [")
    assert any(note.startswith("Errors: ours − theirs") for note in table.notes)
    assert table.notes[-1].startswith("1 compared, 1 marked")


def test_mdlrnns_networks_are_found_by_language_size_and_kind(write: Write) -> None:
    (table,) = compared(language(write), "MDLRNN2022")
    ours, theirs, difference = (cell.text for cell in table.rows[0].cells)
    assert (ours.split()[:2], theirs) == (["96.5", "%"], "99.8 % [99.8, 99.8]")
    assert difference.startswith("−3.3 [")


@pytest.mark.parametrize(("accuracy", "marked"), [(0.998060107, False), (0.9985, True)])
def test_a_difference_of_rounding_is_none(write: Write, accuracy: float, marked: bool) -> None:
    run = language(write)
    for member in run.members:
        member["accuracy"]["test"] = accuracy
    (table,) = compared(run, "MDLRNN2022")  # three equal ones are published, 0.99806
    assert table.rows[0].cells[2].facts["marked"] == marked
