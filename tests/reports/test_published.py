"""Published figures as data, and what of them a run is put beside."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from nalu_seq.config.options import conf_dir
from nalu_seq.errors import BadInput
from nalu_seq.evaluation.intervals import Estimate, newcombe, wilson
from nalu_seq.reports.beside import Tally, beside, difference, tally
from nalu_seq.reports.publications import TRASK_ACTIVATIONS, TRASK_ENDS, matches
from nalu_seq.reports.published import ALL, check_source, facts, facts_of
from nalu_seq.reports.summaries import Run, find_runs
from nalu_seq.reports.tables import Table

MADSEN: dict[str, Any] = {
    "task.operation": "mul", "task.inputs": 100, "task.subset": 0.25, "task.overlap": 0.5,
    "task.nested": False, "task.threshold": "published", "task.ranges": "[[[1, 2], [2, 6]]]",
    "encoder.units": 2, "encoder.unit": "nau", "penalty.sparsity.weight": 10.0,
}  # fmt: skip
INALU = ["normal (-3, 3)", "normal (-2, 4)", "normal (-4, 2)", "uniform (-5, 5)",
         "uniform (-1, 1)", "exponential 0.8", "exponential 0.2"]  # fmt: skip
Write = Callable[..., Path]


def madsen(write: Write, unit: str = "nmu", **config: Any) -> Run:
    cases = config.pop("cases", {"U[1,2]": [1000]})
    steps = config.pop("steps", 5_000_000)
    settings = {**MADSEN, **config}
    directory = write("run", cases, "arithmetic", unit, settings, steps=steps)
    return find_runs(directory)[0][0]


def compared(run: Run, source: str) -> list[Table]:
    return beside([run], [[run]], source)


def test_every_figure_is_read() -> None:
    assert len(facts()) == 3160
    assert {fact.source for fact in facts() if fact.from_memory} == {"Trask2018"}
    assert any(fact.where.endswith("(10/70)") for fact in facts())


def test_a_source_that_is_none_is_refused() -> None:
    with pytest.raises(BadInput, match=r"valid: .*Madsen2020, .*iNALU2020"):
        check_source("madsen")


def test_intervals_come_from_the_figure_or_from_its_counts() -> None:
    by_key = {(f.table, f.task, f.op, f.model, f.metric): f for f in facts()}
    key = ("exp1 aggregated", "exp1 int", "add", "nalu__paperm", "success_rate(mse<1e-5)")
    assert by_key[key].estimate == Estimate(10 / 70, *wilson(10, 70))
    long = next(f for f in facts() if f.table.startswith("Table long") and f.value == 0.93)
    assert long.estimate == Estimate(0.93, 0.862505, 0.965681)


@pytest.mark.parametrize(
    ("unit", "config", "table", "place"),
    [
        ("nmu", {}, "Table long", "arithmetic datasets, 100 seeds"),
        ("nmu", {"task.inputs": 4}, "Fig. input size", "input_size=4"),
        ("nmu", {"task.overlap": 1.0}, "Fig. overlap", "overlap_ratio=1"),
        ("nmu", {"task.subset": 0.05}, "Fig. subset", "subset_ratio=0.05"),
        ("nmu", {"encoder.units": 10}, "Fig. hidden size", "hidden_size=10"),
        ("nmu", {"penalty.sparsity.weight": 0.1}, "Fig. lambda (mul)", "lambda_hat=0.1"),
        (
            "nmu",
            {"task.ranges": "[[[-2, 2], [-6, -2], [2, 6]]]", "cases": {"U[-2,2]": [1000]}},
            "Fig. range",
            "range=U[-2,2]",
        ),
    ],
)
def test_madsens_table_and_ablations_are_found(
    write: Write, unit: str, config: dict[str, Any], table: str, place: str
) -> None:
    run = madsen(write, unit, **config)
    (match,) = matches("Madsen2020", run, run.cases[0], "extrapolation")
    assert (match.table.partition(" (App")[0], match.place) == (table, place)
    assert "success_rate" in {fact.metric for fact in facts_of("Madsen2020", match)}


@pytest.mark.parametrize(
    "config",
    [
        {"task.nested": True},
        {"task.threshold": "exact"},
        {"task.inputs": 10, "task.subset": 0.5},
        {"task.ranges": "[[[1, 2], [3, 6]]]"},
        {"encoder.unit": "nalu"},
    ],
)
def test_what_is_not_theirs_matches_nothing(write: Write, config: dict[str, Any]) -> None:
    assert matches("Madsen2020", madsen(write, **config), "U[1,2]", "extrapolation") == []


RANGES = ("U[-20,-10]", "U[-2,-1]", "U[-1.2,-1.1]", "U[-0.2,-0.1]", "U[-2,2]", "U[0.1,0.2]",
          "U[1,2]", "U[1.1,1.2]", "U[10,20]")  # fmt: skip


def primer(
    write: Write, unit: str, operation: str, cases: dict[str, Any] | None = None, **config: Any
) -> Run:
    settings = {"task.operation": operation, "task.inputs": 2, **config}
    cases = cases or {name: [1000] for name in RANGES}
    path = write(f"{unit}_{operation}", cases, "single_module", unit, settings)
    return find_runs(path)[0][0]


@pytest.mark.parametrize(
    ("unit", "operation", "config", "rates"),
    [
        ("nmu", "mul", {}, [1, 0.8, 0.68, 1, 1, 1, 1, 1, 1]),
        ("mul_mcfc", "mul", {"unit.sign": "undefined"}, [0, 0, 0, 0, 0, 1, 1, 1, 1]),
        ("mcfc", "add", {}, [1] * 9),
    ],
)
def test_the_notes_on_mcfc_have_every_range(write: Write, unit, operation, config, rates) -> None:
    run = primer(write, unit, operation, **config)
    matched = [matches("Mistry2023", run, case, "extrapolation") for case in run.cases]
    facts = [facts_of("Mistry2023", match) for (match,) in matched]
    shown = [{f.metric: f.value for f in each}["success_rate"] for each in facts]
    assert shown == rates


def test_what_the_notes_on_mcfc_do_not_have(write: Write) -> None:
    # The default MulMCFC takes the logarithm of the magnitude.
    for unit, operation in (("mul_mcfc", "mul"), ("nmu", "div"), ("nalu", "mul")):
        run = primer(write, unit, operation)
        assert matches("Mistry2023", run, "U[1,2]", "extrapolation") == []


def test_comparisons_are_counted_by_table(write: Write) -> None:
    cases: dict[str, Any] = {name: [21_000] * 25 for name in RANGES} | {"U[1,2]": [None] * 25}
    run = primer(write, "mcfc", "add", cases)
    # Nine rates, of which one differs, and the means of the eight others.
    assert tally([run], "Mistry2023") == [Tally("MCFC findings (2023) Fig. 1", 17, 1, 0)]
    assert tally([run], "Madsen2020") == []
    shorter = run._replace(summary={**run.summary, "steps": 20_000})
    assert tally([shorter], "Mistry2023") == [Tally("MCFC findings (2023) Fig. 1", 16, 0, 1)]


def test_the_domain_mixed_unit_is_compared_where_its_selector_suits_and_its_gate_is_rounded(
    write: Write,
) -> None:
    run = primer(write, "dmu_sub", "div", **{"unit.hard": True})
    (match,) = matches("DMU2025", run, ALL, "extrapolation")
    (fact,) = facts_of("DMU2025", match)
    assert fact.estimate == Estimate(203 / 225, *wilson(203, 225))
    (table,) = compared(run, "DMU2025")
    assert len(table.rows) == 10
    assert any("below 1e-7 at 100 steps in a row" in note for note in table.notes)
    for unit, hard in (("dmu_add", True), ("dmu", True), ("dmu_sub", False)):
        run = run._replace(summary={**run.summary, "unit": unit})
        run.config["unit.hard"] = hard
        assert matches("DMU2025", run, "U[1,2]", "extrapolation") == []


PRODUCTS: dict[str, Any] = {
    "data": "mnist", "task.supervise": "every", "penalty.r_z.weight": 1.0,
}  # fmt: skip


def products(write: Write, unit: str = "nmu", **changed: Any) -> Run:
    path = write("run", {"default": [1000]}, "mnist_product", unit, {**PRODUCTS, **changed})
    run = find_runs(path)[0][0]
    return run._replace(summary={**run.summary, "head": "product_cell"})


@pytest.mark.parametrize(
    ("unit", "weight", "table", "rate"),
    [
        ("nmu", 1.0, "Fig. sequential MNIST product (with R_z)", 0.7),
        ("nmu", 0.0, "Fig. seq. MNIST product, no R_z", 0.9),
        ("nac_mul", 0.0, "Fig. seq. MNIST product, no R_z", 0.3),
    ],
)
def test_products_of_digits_are_found_by_length(write, unit, weight, table, rate) -> None:
    run = products(write, unit, **{"penalty.r_z.weight": weight})
    (match,) = matches("Madsen2020", run, "default", "length_12")
    assert (match.table, match.place, match.steps) == (table, "length=12", 387_000)
    values = {f.metric: f.value for f in facts_of("Madsen2020", match)}
    assert values["success_rate"] == rate


@pytest.mark.parametrize(
    "changed", [{"data": "digits"}, {"task.supervise": "last"}, {"penalty.r_z.weight": 0.5}]
)
def test_other_products_of_digits_match_nothing(write, changed) -> None:
    run = products(write, **changed)
    assert matches("Madsen2020", run, "default", "length_12") == []


def test_weights_as_cases_are_the_ablation_at_the_usual_weight_too(write: Write) -> None:
    cases = {f"U[1,2] penalty.sparsity.weight={w}": [1000] for w in ("0", "10")}
    run = madsen(write, cases=cases)
    places = [m.place for c in run.cases for m in matches("Madsen2020", run, c, "extrapolation")]
    assert places == ["lambda_hat=0", "lambda_hat=10"]


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


@pytest.mark.parametrize(
    ("unit", "model", "theirs"),
    [
        ("nalu", "nalu__paperm, nalu__paperv", "14 % [8, 24]"),
        ("inalu_shared", "nalui1", "86 % [76, 92]"),
        ("inalu", "nalui2", "100 % [95, 100]"),
    ],
)
def test_inalus_cells(write: Write, unit: str, model: str, theirs: str) -> None:
    cases = {name: [40_000] * 10 for name in INALU}
    splits = ("validation", "extrapolation")
    directory = write(
        "run", cases, "inalu_simple", unit, splits=splits, experiment="inalu_exp1", steps=100_000
    )
    each, aggregated = compared(find_runs(directory)[0][0], "iNALU2020")
    assert len(each.rows) == 14
    assert aggregated.rows[0].labels == ["validation"]
    assert aggregated.rows[0].cells[1].text == theirs
    run = find_runs(directory)[0][0]
    (match,) = matches("iNALU2020", run, ALL, "validation")
    assert facts_of("iNALU2020", match)[0].model == model


def test_replayed_runs_are_no_sample_to_compare(write: Write) -> None:
    directory = write(
        "run", {INALU[0]: [40_000]}, "inalu_simple", "inalu", {"task.replay": True},
        splits=("validation",), experiment="inalu_exp1", steps=100_000,
    )  # fmt: skip
    assert matches("iNALU2020", find_runs(directory)[0][0], INALU[0], "validation") == []


def test_inalus_grid_of_initial_values(write: Write) -> None:
    cases = {"g_mean=0 m_mean=0 w_mean=0 stddev=0.1": [200_000] * 20, "default": [200_000] * 20}
    directory = write(
        "run", cases, "inalu_simple", "inalu", splits=("validation", "extrapolation"),
        config={"task.operation": "sub"}, experiment="inalu_exp3", steps=200_000,
    )  # fmt: skip
    run = find_runs(directory)[0][0]
    grid, other = run.cases
    values = [facts_of("iNALU2020", m)[0].value for split in ("validation", "extrapolation")
              for m in matches("iNALU2020", run, grid, split)]  # fmt: skip
    assert values == pytest.approx([12 / 12, 11 / 12], abs=1e-5)
    assert matches("iNALU2020", run, other, "validation") == []


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
        member["mse"] = {"extrapolation": error}
        member["initial"] = {"extrapolation": untrained}
    (table,) = compared(run, "Trask2018")
    (row,) = table.rows
    ours = row.cells[0].facts  # 30 is the median of the untrained models
    limits = [ours["low"], ours["value"], ours["high"]]
    assert limits == pytest.approx([100 * 0.5 / 30, 100 * 2 / 30, float("inf")])
    assert [cell.text for cell in row.cells][1:] == ["0 (recalled)", "-"]


@pytest.mark.parametrize(
    ("task", "parts", "config", "split", "values"),
    [
        ("arithmetic_recurrent", ("lstm", "dense", "linear"), {}, "length_1000", [96.1]),
        ("arithmetic_recurrent", ("hidden_cell", "readout", "nac"), {}, "length_10", [0.0]),
        ("arithmetic_recurrent", ("hidden_cell", "readout", "nac"), {}, "length_100", []),
        ("arithmetic_recurrent", ("hidden_cell", "readout", "nau"), {}, "length_10", []),
        (
            "arithmetic_recurrent", ("rnn", "dense", "linear"),
            {"encoder.activation": "relu"}, "length_1000", [85.5],
        ),
        (
            "arithmetic_recurrent", ("rnn", "dense", "linear"),
            {"encoder.activation": "tanh"}, "length_1000", [],
        ),
        ("mnist_count", ("convnet", "accumulate", "nalu"), {}, "length_1000", [4.18]),
        ("mnist_count", ("convnet", "gru", "nau"), {}, "length_100", [18.0]),
        ("mnist_count", ("convnet", "accumulate", "nau"), {}, "length_100", []),
        ("mnist_count", ("convnet", "accumulate", "nac"), {}, "length_1", []),
        ("mnist_sum", ("convnet", "rnn", "nau"), {"head.activation": "relu"}, "length_10", [19.8]),
        ("language", ("lstm", "readout", "nalu"), {}, "test", [0.41]),
        ("language", ("lstm", "readout", "linear"), {}, "train_numbers", [0.003]),
        ("language", ("lstm", "accumulate", "linear"), {}, "test", []),
    ],
)  # fmt: skip
def test_trasks_tables_by_task_parts_and_split(write, task, parts, config, split, values) -> None:
    encoder, head, unit = parts
    place = write("run", {"default": [1000]}, task, unit, config, encoder=encoder, head=head)
    run = find_runs(place)[0][0]
    places = matches("Trask2018", run, "default", split)
    assert [fact.value for match in places for fact in facts_of("Trask2018", match)] == values
    assert matches("Trask2018", run, ALL, split) == []


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


IDENTITY: dict[str, Any] = {
    "encoder.activation": "hard_tanh", "encoder.units": 8, "encoder.layers": 3,
    "task.range": "[-5.0, 5.0]",
}  # fmt: skip


def identity(write: Write, errors: list[float | None], **changed: Any) -> Run:
    cases, config = {"default": [None] * len(errors)}, {**IDENTITY, **changed}
    run = find_runs(write("run", cases, "identity_autoencoder", "linear", config))[0][0]
    for member, error in zip(run.members, errors, strict=True):
        member["mae"] = {"at_0": 0.1, "at_20": error}
        member["solved"] = {"at_0": True, "at_20": False}
        del member["mse"]
    return run


def test_the_experiment_trains_what_the_figure_of_the_identity_has() -> None:
    names = {f.model for f in facts() if (f.source, f.table) == ("Trask2018", "Fig. 1")}
    assert set(TRASK_ACTIVATIONS.values()) == names and len(names) == 15
    config = OmegaConf.load(conf_dir() / "experiment" / "trask_identity.yaml")
    swept = config.hydra.sweeper.params["encoder.activation"].split(",")
    assert swept == list(TRASK_ACTIVATIONS)
    ends = {f.task.removeprefix("identity ") for f in facts() if f.model == "Hardtanh"}
    assert ends == set(TRASK_ENDS.values())


def test_mean_errors_are_beside_those_of_the_figure(write: Write) -> None:
    (table,) = compared(identity(write, [15.0, 16.0, 17.0, 18.0]), "Trask2018")
    assert table.title.endswith("beside Trask2018, Fig. 1")
    (row,) = table.rows
    assert [cell.facts["value"] for cell in row.cells] == pytest.approx([16.5, 15.71, 16.5 / 15.71])
    assert [cell.text for cell in row.cells] == ["16 [15, 18]", "15.71", "×1.1"]
    assert len(table.notes) == 1 and "±19.8" in table.notes[0]


@pytest.mark.parametrize(
    "changed",
    [
        {"encoder.units": 16},
        {"encoder.layers": 1},
        {"task.range": "[-4, 4]"},
        {"encoder.activation": "linear"},
    ],
)
def test_another_identity_is_not_the_figures(write: Write, changed: dict[str, Any]) -> None:
    assert matches("Trask2018", identity(write, [1.0], **changed), "default", "at_20") == []


def test_an_error_of_0_has_its_part_in_the_mean(write: Write) -> None:
    (table,) = compared(identity(write, [0.0, 4.0, 5.0, 6.0]), "Trask2018")
    assert table.rows[0].cells[0].facts["value"] == pytest.approx(15 / 4, rel=1e-6)


def test_where_a_member_diverged_there_is_no_mean_error(write: Write) -> None:
    (table,) = compared(identity(write, [15.0, None]), "Trask2018")
    assert [cell.text for cell in table.rows[0].cells] == ["-", "15.71", "-"]


def test_the_difference_of_intervals_is_newcombes() -> None:
    rates = [Estimate(k / n, *wilson(k, n)) for k, n in ((56, 70), (48, 80))]
    assert difference(*rates) == pytest.approx(newcombe(56, 70, 48, 80))


def with_values(run: Run, metric: str, split: str, values: list[float | None]) -> Run:
    """The same run, judged by another metric, with these values on a split."""
    for member, value in zip(run.members, values, strict=True):
        member.pop("mse")
        member[metric] = {split: value}
        member["solved"] = {split: False}
    return run


@pytest.mark.parametrize(
    ("unit", "encoder", "config", "split", "model", "value"),
    [
        ("linear", "hidden", {"encoder.unit": "npu"}, "add", "NPU", 0.2),
        ("linear", "hidden", {"encoder.unit": "real_npu"}, "root", "RealNPU", 0.004),
        ("linear", "hidden", {"encoder.unit": "nmu_heim"}, "div", "NMU", 11.399),
        ("nalu", "hidden", {"encoder.unit": "null"}, "mul", "NALU", 4.55),
        (
            "linear", "mlp",
            {"encoder.units": 10, "encoder.layers": 2, "encoder.activation": "sigmoid"},
            "add", "Dense", 2.103,
        ),
    ],
)  # fmt: skip
def test_heims_simple_task_has_a_row_for_each_operation(
    write: Write, unit: str, encoder: str, config: dict[str, Any], split: str, model: str,
    value: float,
) -> None:  # fmt: skip
    path = write("run", {"default": [None]}, "npu_simple", unit, config, encoder=encoder)
    (match,) = matches("Heim2020", find_runs(path)[0][0], "default", split)
    (fact,) = facts_of("Heim2020", match)
    assert (fact.model, fact.metric, fact.value) == (model, "mae_mean", value)


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


@pytest.mark.parametrize(
    ("operation", "unit", "split", "value", "steps"),
    [
        ("add", "nmu", "extrapolation", 0.00602, 10_000),
        ("mul", "npu", "extrapolation", 4.28, 100_000),
        ("inverse", "real_npu", "validation", 1.3e-6, 100_000),
    ],
)
def test_heims_large_task_is_compared_by_the_median(
    write: Write, operation: str, unit: str, split: str, value: float, steps: int
) -> None:
    config = {"task.operation": operation, "encoder.unit": "nau_heim"}
    path = write("run", {"default": [None] * 10}, "npu_large", unit, config, steps=steps)
    run = find_runs(path)[0][0]
    (match,) = matches("Heim2020", run, "default", split)
    (fact,) = facts_of("Heim2020", match)
    assert (fact.metric, fact.value, match.steps) == ("mse_median", value, steps)
    run = with_values(run, "mse", split, [value * (0.9 + 0.02 * i) for i in range(10)])
    (row,) = compared(run, "Heim2020")[0].rows
    assert row.cells[0].facts["low"] == pytest.approx(value * 0.92)  # the second of ten
    assert "*" not in row.cells[2].text


MDLRNN: dict[str, Any] = {
    "task.multiples": "[1, 1]", "task.strings": 100, "encoder.units": 2, "encoder.initial": "torch",
}  # fmt: skip


def language(write: Write, encoder: str = "gru", task: str = "anbn", **config: Any) -> Run:
    path = write(
        "run", {"default": [None] * 3}, task, "linear", MDLRNN | config, encoder=encoder, steps=1000
    )
    return with_values(find_runs(path)[0][0], "accuracy", "test", [0.9, 0.99806, 0.99806])


def test_mdlrnns_networks_are_found_by_language_size_and_kind(write: Write) -> None:
    (table,) = compared(language(write), "MDLRNN2022")
    ours, theirs, difference = (cell.text for cell in table.rows[0].cells)
    assert (ours.split()[:2], theirs) == (["96.5", "%"], "99.8 % [99.8, 99.8]")
    assert difference.startswith("−3.3 [")


def test_mdlrnns_addition_is_found_by_its_largest_number(write: Write) -> None:
    config = {"task.below": 20, "encoder.units": 4, "encoder.activation": "tanh"}
    run = language(write, "rnn", "binary_addition", **config)
    (match,) = matches("MDLRNN2022", run, "default", "test")
    assert [fact.value for fact in facts_of("MDLRNN2022", match)] == [0.716756]


@pytest.mark.parametrize(("accuracy", "marked"), [(0.998060107, False), (0.9985, True)])
def test_a_difference_of_rounding_is_none(write: Write, accuracy: float, marked: bool) -> None:
    run = language(write)
    for member in run.members:
        member["accuracy"]["test"] = accuracy
    (table,) = compared(run, "MDLRNN2022")  # three equal ones are published, 0.99806
    assert table.rows[0].cells[2].facts["marked"] == marked


@pytest.mark.parametrize(
    ("measure", "published"), [("next", [(0.526946 + 0.523532 + 0.520118) / 3]), ("possible", [])]
)
def test_mdlrnns_brackets_are_found_by_the_accuracy_of_the_next_symbol(
    write: Write, measure: str, published: list[float]
) -> None:
    config = {"task.strings": 500, "encoder.units": 4, "task.measure": measure}
    places = matches("MDLRNN2022", language(write, "lstm", "dyck1", **config), "default", "test")
    values = [fact.value for match in places for fact in facts_of("MDLRNN2022", match)]
    assert values == pytest.approx(published, abs=1e-6)


@pytest.mark.parametrize("changed", [{"encoder.initial": "keras"}, {"encoder.activation": "relu"}])
def test_another_network_is_not_mdlrnns(write: Write, changed: dict[str, Any]) -> None:
    assert matches("MDLRNN2022", language(write, **changed), "default", "test") == []
