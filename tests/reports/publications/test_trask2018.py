"""The NALU paper's figures that a run corresponds to."""

from typing import Any

import pytest
from omegaconf import OmegaConf

from nalu_seq.config.options import conf_dir
from nalu_seq.reports.publications import matches
from nalu_seq.reports.publications.trask2018 import ACTIVATIONS, ENDS
from nalu_seq.reports.published import ALL, facts, facts_of
from nalu_seq.reports.summaries import find_runs
from tests.reports.runs import Write, identity


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
    assert set(ACTIVATIONS.values()) == names and len(names) == 15
    config = OmegaConf.load(conf_dir() / "experiment" / "trask_identity.yaml")
    swept = config.hydra.sweeper.params["encoder.activation"].split(",")
    assert swept == list(ACTIVATIONS)
    ends = {f.task.removeprefix("identity ") for f in facts() if f.model == "Hardtanh"}
    assert ends == set(ENDS.values())


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
