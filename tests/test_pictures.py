"""The commands on pictures: a run on digits from the first step to the picture of what is read."""

import csv
import json
import shutil
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

import nalu_seq.evaluate
import nalu_seq.train
from nalu_seq.records.runs import read_run
from tests.commands import in_process

CONVNET = ["encoder.filters=[8,16]", "encoder.hidden=32"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that learns to read scikit-learn's digits from labels, in sequences of one."""
    output = tmp_path_factory.mktemp("runs")
    overrides = [
        "task=mnist_count", "data=digits", "task.length=1", "task.lengths=[20]", *CONVNET,
        "seeds=2", "train.steps=120", "train.batch_size=64", "train.eval_every=120",
        "optimizer.learning_rate=0.003", f"output={output}",
    ]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["nalu_seq.train", *overrides])
        nalu_seq.train.main()
    (directory,) = output.glob("mnist_count/*")
    return directory


def test_it_learns_to_read_and_the_record_tells(run: Path) -> None:
    rows = list(csv.DictReader((run / "metrics.csv").open()))
    read = {
        (r["split"], r["step"], r["seed"]): float(r["value"])
        for r in rows
        if r["metric"] == "digit_accuracy"
    }
    for split in ("validation", "length_20"):
        for seed in "01":
            assert read[split, "0", seed] < 0.3 < 0.5 < read[split, "120", seed]
    summary = json.loads((run / "summary.json").read_text())
    metrics = {r["metric"] for r in summary["results"] if r["split"] == "length_20"}
    assert metrics == {"mae", "mse", "exact", "digit_accuracy", "rounded_mae", "solved_at"}


def test_what_is_read_can_be_drawn(run: Path, monkeypatch, capfd, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "digits.png"
    code, _, err = in_process(
        nalu_seq.evaluate, monkeypatch, capfd, str(run), "--digits", str(picture)
    )
    assert code == 0, err
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["task.lengths=[398]"], "is longer than the test part, which has 397"),
        (["task.reference=nowhere"], "task.reference=nowhere: it has no metrics.csv"),
        (["data.dir=here"], "Key 'dir' is not in struct"),
    ],
)
def test_bad_input_gets_one_line(run, overrides, message, monkeypatch, capfd) -> None:
    code, _, err = in_process(nalu_seq.evaluate, monkeypatch, capfd, str(run), *overrides)
    assert code == 2 and len(err.splitlines()) == 1 and message in err, err


def test_a_run_from_elsewhere_names_shipped_data_alone(run, monkeypatch, capfd, tmp_path) -> None:
    cfg = OmegaConf.load(run / ".hydra" / "config.yaml")
    cfg.data["_target_"] = "os.system"
    (tmp_path / ".hydra").mkdir()
    OmegaConf.save(cfg, tmp_path / ".hydra" / "config.yaml")
    recorded = (run / ".hydra" / "hydra.yaml").read_text()
    (tmp_path / ".hydra" / "hydra.yaml").write_text(recorded)
    code, _, err = in_process(nalu_seq.evaluate, monkeypatch, capfd, str(tmp_path))
    assert code == 2 and "data=digits asks for 'os.system'" in err


def test_a_run_of_an_experiment_is_read_with_its_data(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run / ".hydra", tmp_path / ".hydra")
    recorded = tmp_path / ".hydra" / "hydra.yaml"
    hydra = OmegaConf.load(recorded)
    hydra.hydra.runtime.choices.experiment = "trask_mnist_count"
    OmegaConf.save(hydra, recorded)
    _, chosen = read_run(tmp_path)
    assert (chosen["data"], chosen["experiment"]) == ("digits", "trask_mnist_count")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["task=mnist_sum", "data=null"], "data=null: no such option; valid: digits, mnist"),
        (["task=count", "data=digits"], "data is set, and task=count uses no pictures"),
        (["task=mnist_sum", "data=digits", "task.digits=[9,10]"], "digits from 0 to 9"),
        (["task=mnist_sum", "data=digits", "data.size=8"], "8 x 8 are too small"),
        (["task=mnist_count", "data=digits", "encoder.activation=tanh"], "linear, sigmoid"),
        (["task=mnist_sum", "data=digits", "unit=nac", "head=solved"], "encoder.outputs=1"),
        (["task=count", "encoder=convnet"], "Convnet needs pictures"),
        (["task=mnist_sum", "data=digits", "data.size=2"], "data.size must be an integer from 8"),
    ],
)
def test_a_training_that_cannot_be_makes_no_directory(
    overrides, message, monkeypatch, capfd, tmp_path
) -> None:
    short = ["task.lengths=[1]"] if "task=count" not in overrides else []
    output = tmp_path / "runs"
    code, _, err = in_process(
        nalu_seq.train, monkeypatch, capfd, *overrides, *short, f"output={output}"
    )
    assert code == 2 and len(err.splitlines()) == 1 and message in err, err
    assert not output.exists()


@pytest.mark.parametrize("head", ["solved", "lstm"])
def test_products_have_a_reference_and_baselines(head: str, main, tmp_path: Path) -> None:
    operation = ["head.operation=product"] if head == "solved" else []
    code, _, err = main(
        "task=mnist_product", "protocol=madsen_mnist", "unit=nac", f"head={head}", *operation,
        "data=digits", "encoder.padding=same", *CONVNET, "seeds=1", "task.lengths=[2]",
        "train.steps=1", "train.eval_every=1", f"output={tmp_path}",
    )  # fmt: skip
    assert code == 0, err


def test_a_run_is_judged_by_a_reference_afterwards(run: Path, main, tmp_path: Path) -> None:
    directory, reference = tmp_path / "run", tmp_path / "reference"
    shutil.copytree(run, directory)
    reference.mkdir()
    rows = [f"9,default,{seed},validation,digit_accuracy,0.99" for seed in (0, 1)]
    for split in ("validation", "length_1", "length_20"):
        rows += [f"9,default,{seed},{split},mse,{1e9 + seed}" for seed in (0, 1)]
    record = "\n".join(["step,case,seed,split,metric,value", *rows]) + "\n"
    (reference / "metrics.csv").write_text(record)
    before = (directory / "metrics.csv").read_text()
    code, _, err = main(f"resume={directory}", f"task.reference={reference}")
    assert code == 0, err
    assert (directory / "metrics.csv").read_text() == before
    results = json.loads((directory / "summary.json").read_text())["results"]
    judged = {(r["split"], r["metric"]): r["success_rate"] for r in results if r["success_rate"]}
    assert judged == {(split, "mse"): 1.0 for split in ("validation", "length_1", "length_20")}
    code, _, err = main(f"resume={directory}", f"task.reference={reference}")
    assert code == 2 and "has made 120 steps already" in err
