"""Which published figures a run corresponds to."""

from typing import Any

import pytest
from omegaconf import OmegaConf

from nalu_seq.config.options import conf_dir
from nalu_seq.evaluation.intervals import Estimate, wilson
from nalu_seq.reports.publications import TRASK_ACTIVATIONS, TRASK_ENDS, matches
from nalu_seq.reports.published import ALL, facts, facts_of
from nalu_seq.reports.summaries import find_runs
from tests.reports.runs import (
    INALU,
    Write,
    compared,
    identity,
    language,
    madsen,
    primer,
    products,
    with_values,
)


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


def test_the_experiment_trains_what_the_figure_of_the_identity_has() -> None:
    names = {f.model for f in facts() if (f.source, f.table) == ("Trask2018", "Fig. 1")}
    assert set(TRASK_ACTIVATIONS.values()) == names and len(names) == 15
    config = OmegaConf.load(conf_dir() / "experiment" / "trask_identity.yaml")
    swept = config.hydra.sweeper.params["encoder.activation"].split(",")
    assert swept == list(TRASK_ACTIVATIONS)
    ends = {f.task.removeprefix("identity ") for f in facts() if f.model == "Hardtanh"}
    assert ends == set(TRASK_ENDS.values())


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


def test_mdlrnns_addition_is_found_by_its_largest_number(write: Write) -> None:
    config = {"task.below": 20, "encoder.units": 4, "encoder.activation": "tanh"}
    run = language(write, "rnn", "binary_addition", **config)
    (match,) = matches("MDLRNN2022", run, "default", "test")
    assert [fact.value for fact in facts_of("MDLRNN2022", match)] == [0.716756]


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
