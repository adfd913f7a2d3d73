"""Experiments and their sweeps: jobs, rows, protocols, as composed and as run."""

import json
import re
from pathlib import Path

import hydra
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from nalu_seq.config.options import conf_dir, options
from nalu_seq.config.schema import register
from tests.commands import TINY, train


@pytest.mark.slow
def test_a_sweep_over_tasks_has_one_folder(tmp_path: Path) -> None:
    small = ["seeds=1", "train.steps=1", "train.eval_every=1"]
    sweep = train(tmp_path, "-m", "task=product,running_sum", *small)
    assert sorted(p.name for p in sweep.iterdir() if p.name.isdigit()) == ["0", "1"]
    assert [p for p in tmp_path.glob("*/*") if p != sweep] == []


def test_a_sweep_ends_with_its_folder_and_its_jobs(tmp_path: Path) -> None:
    sweep = train(tmp_path, "-m", *TINY, "unit=nau,nalu", "train.steps=2", "train.eval_every=1")
    assert json.loads((sweep / "sweep.json").read_text()).keys() == {"0", "1"}
    for job, unit in ("0", "nau"), ("1", "nalu"):
        summary = json.loads((sweep / job / "summary.json").read_text())
        assert summary["status"] == "done" and summary["unit"] == unit


# These differ from mnist_count in what is told of the pictures alone.


ABLATIONS = re.compile(
    r"inalu_exp[234]|madsen_(?!arithmetic|ten).*|trask_mnist_sum|program(_add_whole)?"
    r"|heim_(?!simple$).*|mdlrnn_.*"
)


@pytest.mark.parametrize(
    "experiment",
    [
        pytest.param(name, marks=[pytest.mark.slow] if ABLATIONS.fullmatch(name) else [])
        for name in options("experiment")
    ],
)
def test_every_experiment_trains_a_row_alone(main, experiment: str, tmp_path: Path) -> None:
    opening = (conf_dir() / "experiment" / f"{experiment}.yaml").read_text().splitlines()[1]
    assert opening == f"# python -m nalu_seq.train experiment={experiment}"
    # As a graph: compiling takes seconds, and is tested with the step.
    small = ["hydra.mode=RUN", "seeds=2", "train.steps=2", "train.eval_every=2"]
    small += ["train.compile=graph", *(f"{key}={o[0]}" for key, o in swept(experiment).items())]
    if "_mnist_" in experiment:
        small.insert(0, "variant=quick_digits")
    if experiment == "inalu_exp3":  # 108 members of 100 inputs each
        small.append("task.examples=640")
    code, out, err = main(f"experiment={experiment}", f"output={tmp_path}", *small)
    assert code == 0, err
    directory = Path(out.splitlines()[-1].removeprefix("run: "))
    assert directory.parent == tmp_path / experiment


def swept(experiment: str) -> dict[str, list[str]]:
    """What an experiment goes through by itself: options by key."""
    node = OmegaConf.load(conf_dir() / "experiment" / f"{experiment}.yaml")
    params = OmegaConf.select(node, "hydra.sweeper.params", default={})
    parsed = OverridesParser.create().parse_overrides([f"{k}={v}" for k, v in params.items()])
    return {
        o.key_or_group: [*o.sweep_string_iterator()]
        if o.is_sweep_override()
        else [o.get_value_string()]
        for o in parsed
    }


PRIMER = [name for name in options("experiment") if name.startswith("primer_")]


@pytest.mark.parametrize(
    ("experiment", "unit"),
    [
        pytest.param(name, unit, marks=() if i == 0 else pytest.mark.slow)
        for name in PRIMER
        for i, unit in enumerate(swept(name)["unit"])
    ],
)
def test_an_experiments_row_runs_quickly(main, experiment: str, unit: str, tmp_path: Path) -> None:
    quick = ["variant=quick", "hydra.mode=RUN", "train.compile=graph", f"unit={unit}"]
    code, out, err = main(f"experiment={experiment}", f"output={tmp_path}", *quick)
    assert code == 0, err
    directory = Path(out.splitlines()[-1].removeprefix("run: "))
    summary = json.loads((directory / "summary.json").read_text())
    assert (summary["experiment"], summary["unit"]) == (experiment, unit)
    assert (summary["steps"], summary["seeds"], len(summary["cases"])) == (20, [0, 1], 9)
    assert len(summary["members"]) == 18
    rows = [line.split(",")[0] for line in (directory / "metrics.csv").read_text().splitlines()[1:]]
    assert set(rows) == {"0", "10", "20"}


def composed(*overrides: str) -> DictConfig:
    register()
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return hydra.compose("config", ["task=single_module", *overrides])


def test_a_protocol_says_a_units_settings_and_the_command_line_has_the_last_word() -> None:
    plain, row = composed("unit=inalu"), composed("unit=inalu", "protocol=primer")
    assert plain.train.clip_value is None and plain.restart.history == 0
    assert (row.train.clip_value, row.train.judge, row.unit.w_mean) == (0.1, "validation", 0.88)
    assert (row.penalty.inalu.start, row.penalty.inalu.loss_below) == (10_000, 1.0)
    assert (row.restart.history, row.restart.every, row.restart.draw) == (5000, 10, "initial")
    own = composed(
        "unit=inalu", "protocol=primer", "train.clip_value=0.7", "unit.w_mean=1", "restart.every=3"
    )
    assert (own.train.clip_value, own.unit.w_mean, own.restart.every) == (0.7, 1, 3)
    assert own.train.judge == "validation"


@pytest.mark.parametrize(
    ("protocol", "unit", "expected"),
    [
        ("primer", "nau", {"penalty.sparsity.weight": 0.01, "optimizer.learning_rate": 0.001}),
        ("primer", "nmu", {"penalty.sparsity.weight": 10.0, "penalty.sparsity.end": 35000}),
        ("primer", "npu", {"penalty.l1.largest": 1e-5, "optimizer.learning_rate": 0.005}),
        ("primer_div", "npu", {"penalty.l1.weight": 1e-9, "penalty.l1.largest": 1e-7}),
        ("primer", "mcfc", {"penalty.mcfc.weight": 10.0, "penalty.sparsity.weight": 0.0}),
    ],
)
def test_the_rows_are_the_published_ones(
    protocol: str, unit: str, expected: dict[str, float]
) -> None:
    cfg = composed(f"unit={unit}", f"protocol={protocol}")
    assert {key: OmegaConf.select(cfg, key) for key in expected} == expected


def test_a_task_says_what_one_unit_needs_and_a_protocol_takes_it_back() -> None:
    own = composed("task=mnist_sum")
    assert (own.unit.w_initializer, own.encoder.outputs) == ("ones", 9)
    assert "w_initializer" not in composed("task=mnist_sum", "unit=nac").unit
    assert composed("task=mnist_count", "unit=nau").unit.w_initializer is None
    assert composed("task=mnist_sum", "unit.w_initializer=zeros").unit.w_initializer == "zeros"
    theirs = composed("experiment=madsen_mnist_sum", "task=mnist_sum", "unit=nau")
    assert (theirs.unit.w_initializer, theirs.encoder.outputs) == (None, 1)
    assert theirs.encoder.activation == "linear"
    assert composed("task=mnist_sum", "protocol=madsen_mnist").unit.w_initializer is None
    table = composed("experiment=trask_mnist_sum", "task=mnist_sum", "unit=nau")
    assert (table.unit.w_initializer, table.encoder.outputs) == (None, 1)
    assert (table.train.batch_size, table.optimizer.learning_rate) == (16, 0.002)


def test_the_sum_s_reference_is_measured_where_the_experiment_is() -> None:
    reference = composed("experiment=madsen_mnist_sum", "unit=nac", "head=solved")
    judged = composed("experiment=madsen_mnist_sum", "unit=nau")
    assert reference.task == judged.task and reference.train == judged.train


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One's own experiments: two plain ones and a sweep."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "mine" / "experiment"
    folder.mkdir(parents=True)
    small = "task: {pairs: 10}\nseeds: 1\ntrain: {steps: 1, eval_every: 1}\n"
    head = f"# @package _global_\ndefaults: [override /task: product]\n{small}"
    (folder / "one.yaml").write_text(head)
    (folder / "two.yaml").write_text(head)
    sweep = "hydra: {mode: MULTIRUN, sweeper: {params: {unit: 'nau,nmu'}}}\n"
    (folder / "sweep.yaml").write_text(head + sweep)
    return folder


def test_ones_own_sweeping_experiment_is_no_job_of_another(main, mine: Path) -> None:
    code, out, err = main("--config-dir", "mine", "-m", "experiment=one,sweep")
    assert (code, out) == (2, "") and len(err.splitlines()) == 1, err
    assert "experiment=sweep is a sweep by itself" in err
    assert [p.name for p in mine.parent.parent.iterdir()] == ["mine"]


def test_plain_experiments_may_be_jobs_of_a_sweep(main, mine: Path) -> None:
    code, out, err = main("--config-dir", "mine", "-m", "experiment=one,two")
    assert code == 0, err
    sweep = Path(out.splitlines()[-1].removeprefix("run: "))
    jobs = json.loads((sweep / "sweep.json").read_text())
    assert jobs == {"0": ["experiment=one"], "1": ["experiment=two"]}


def test_a_sweeps_job_with_bad_input_leaves_no_folder(main, tmp_path: Path) -> None:
    small = ["task=product", "seeds=1", "train.compile=graph", "train.eval_every=1"]
    code, _, err = main("-m", f"output={tmp_path}", *small, "train.steps=0,1")
    job, line = err.splitlines()  # Hydra says which job it was
    assert code == 2 and "train.steps=0" in job
    assert line == "nalu_seq: train.steps must be a positive integer, not 0"
    (sweep,) = tmp_path.glob("*/*")
    assert not (sweep / "0").exists() and (sweep / "1").exists()
    assert json.loads((sweep / "1" / "summary.json").read_text())["status"] == "done"
