"""The real command: what it leaves, where it is read, every task."""

import json
import subprocess
from pathlib import Path

import keras
import numpy as np
import pytest
from omegaconf import OmegaConf

import nalu_seq.models  # noqa: F401 - its layers are what load_model looks for
from nalu_seq.config.descriptions import describe_options
from nalu_seq.config.options import options
from nalu_seq.listeners import tensorboard
from nalu_seq.listeners.gallery import Gallery
from tests.commands import command, copy, resume

pytestmark = pytest.mark.alone


def test_a_run_leaves_what_the_design_says(run: Path) -> None:
    left = {p.name for p in run.iterdir()}
    assert left == {".hydra", "metrics.csv", "tensorboard", "checkpoints", "summary.json"}
    assert sorted(p.name for p in (run / "checkpoints").iterdir()) == ["30", "40"]
    summary = json.loads((run / "summary.json").read_text())
    assert set(summary) == {
        "schema", "status", "task", "encoder", "head", "unit", "seeds", "experiment", "cases",
        "steps", "wall_seconds", "member_steps_per_second", "strategy", "devices", "versions",
        "git_commit", "diverged", "config", "results", "members",
    }  # fmt: skip
    assert summary["schema"] == 1 and summary["status"] == "done" and summary["steps"] == 40
    assert (summary["task"], summary["encoder"], summary["head"]) == ("count", "lstm", "accumulate")
    assert set(summary["results"][0]) == {
        "case", "split", "metric", "median", "mean", "min", "max", "n", "success_rate",
        "success_low", "success_high",
    }  # fmt: skip
    recorded = {(r["split"], r["metric"]) for r in summary["results"]}
    assert {("length_10", "mae"), ("length_20", "exact"), ("train", "loss")} <= recorded
    assert ("train", "sparsity_error") in recorded
    assert [(m["case"], m["seed"]) for m in summary["members"]] == [("default", 0), ("default", 1)]
    assert summary["experiment"] is None
    assert summary["config"]["unit"] == "nalu" and summary["config"]["train.steps"] == 40
    assert summary["config"]["head.operation"] == "sum"
    lines = (run / "metrics.csv").read_text().splitlines()
    assert lines[0] == "step,case,seed,split,metric,value"
    # 2 seeds x (2 splits x 2 metrics and the sparsity error at 5 steps, the training loss at 4).
    assert len(lines) == 1 + 2 * (5 * 5 + 4)


def test_resume_makes_more_steps(run: Path, tmp_path: Path) -> None:
    directory = copy(run, tmp_path)
    resume(directory, "train.steps=50")
    assert json.loads((directory / "summary.json").read_text())["steps"] == 50
    recorded = OmegaConf.load(directory / ".hydra" / "config.yaml")
    assert recorded.train.steps == 50
    before = (run / "metrics.csv").read_text()
    assert (directory / "metrics.csv").read_text().startswith(before)


def test_a_run_that_lacks_its_summary_alone_gets_one(main, tmp_path: Path) -> None:
    # A model of units alone, whose formulas TensorBoard writes at the end.
    small = ["seeds=1", "train.steps=2", "train.eval_every=1", "train.compile=graph"]
    _, out, _ = main("task=single_module", *small, f"output={tmp_path}")
    summary = Path(out.splitlines()[-1].removeprefix("run: ")) / "summary.json"
    members = json.loads(summary.read_text())["members"]
    summary.unlink()
    code, _, err = main(f"resume={summary.parent}")
    assert code == 0, err
    assert json.loads(summary.read_text())["members"] == members


def test_a_picture_that_fails_costs_a_run_one_line(
    main, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise TypeError("no such shape\nsecond line")

    monkeypatch.setattr(tensorboard, "SHORTEST", 0)
    monkeypatch.setattr(Gallery, "formula", fails)
    small = ["seeds=1", "train.steps=2", "train.eval_every=1", "train.compile=graph"]
    code, out, err = main("task=single_module", *small, f"output={tmp_path}")
    assert code == 0, err
    assert "TensorBoard's pictures failed: TypeError: no such shape\n" in out + err
    run = Path(out.splitlines()[-1].removeprefix("run: "))
    assert json.loads((run / "summary.json").read_text())["status"] == "done"


def test_evaluate_measures_elsewhere_and_exports(run: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        command(str(run), "task.lengths=[5,300]", "--json", module="evaluate"),
        capture_output=True,
        text=True,
        check=True,
    )
    measured = json.loads(done.stdout)
    assert {r["split"] for r in measured["results"]} == {"length_10", "length_5", "length_300"}
    assert [d["seed"] for d in measured["drift"]] == [0, 1]
    # The training's own split gives the training's own last figure.
    summary = json.loads((run / "summary.json").read_text())
    figure = ("split", "metric"), ("length_10", "mae")
    ours, theirs = (
        next(r for r in s["results"] if tuple(r[k] for k in figure[0]) == figure[1])
        for s in (measured, summary)
    )
    assert ours["median"] == pytest.approx(theirs["median"], rel=1e-5)
    file = tmp_path / "model.keras"
    export = "head.snap=1", "--export", "1", str(file)
    subprocess.run(command(str(run), *export, module="evaluate"), check=True)
    counts = np.asarray(keras.models.load_model(file)(keras.ops.ones((2, 37, 10))))
    assert counts.shape == (2, 37, 10) and (counts == np.round(counts)).all()


def test_help_says_what_it_is_and_describes_every_option(main) -> None:
    code, out, _ = main("--help")
    assert code == 0
    assert out.startswith("Trains many seeds of a small network")
    assert out.count("  python -m nalu_seq.train ") == 3
    for group in ("task", "encoder", "head", "unit", "experiment"):
        assert f"{group}=" in out and describe_options(group) in out


OF_PICTURES = ("mnist_parity", "mnist_product", "mnist_sum")


@pytest.mark.parametrize(
    "task",
    [pytest.param(t, marks=[pytest.mark.slow] * (t in OF_PICTURES)) for t in options("task")],
)
def test_every_task_trains_as_it_stands(
    main, task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensorboard, "SHORTEST", 0)  # its pictures are drawn too
    small = ["seeds=2", "train.steps=2", "train.eval_every=2"]
    if task == "mnist_parity":
        small += ["data=digits", "encoder.filters=[2,2]", "encoder.hidden=4", "task.counts=[]"]
    elif task.startswith("mnist_"):
        small.insert(0, "variant=quick_digits")
    code, out, err = main(f"task={task}", f"output={tmp_path}", *small)
    assert code == 0, err
    assert "failed" not in out + err
    assert out.splitlines()[-1].startswith("run: ")


# Variations of another experiment: their composition is the same.
