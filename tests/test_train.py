"""The real command: what it leaves, what it refuses, how it stops and goes on."""

import contextlib
import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import hydra
import keras
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import nalu_seq.evaluate
import nalu_seq.models  # its layers are what load_model looks for
import nalu_seq.train
from nalu_seq.config import conf_dir, options, register
from tests.commands import TINY, command, copy, resume, saved, train, wait_for


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
    found = {(r["split"], r["metric"]) for r in summary["results"]}
    assert {("length_10", "mae"), ("length_20", "exact"), ("train", "loss")} <= found
    assert ("train", "sparsity_error") in found
    assert [(m["case"], m["seed"]) for m in summary["members"]] == [("default", 0), ("default", 1)]
    assert summary["experiment"] is None
    assert summary["config"]["unit"] == "nalu" and summary["config"]["train.steps"] == 40
    lines = (run / "metrics.csv").read_text().splitlines()
    assert lines[0] == "step,case,seed,split,metric,value"
    # 2 seeds x (2 splits x 2 metrics and the sparsity error at 5 steps, the training loss at 4).
    assert len(lines) == 1 + 2 * (5 * 5 + 4)


def test_tensorboard_can_read_it(run: Path) -> None:
    main = EventAccumulator(str(run / "tensorboard")).Reload()
    tags = main.Tags()
    assert tags["graph"]
    assert "weights/accumulate_unit_w_hat" in tags["tensors"]
    assert "_hparams_/session_start_info" in main.summary_metadata
    assert [e.step for e in main.Tensors("success_rate/length_20")] == [0, 10, 20, 30, 40]
    for quantile in ("lower_quartile", "median", "upper_quartile"):
        view = EventAccumulator(str(run / "tensorboard" / quantile)).Reload()
        assert [e.step for e in view.Tensors("mae/length_20")] == [0, 10, 20, 30, 40]


def test_the_real_tensorboard_serves_it(run: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = ["-m", "tensorboard.main", "--logdir", str(run), "--host", "127.0.0.1"]
    with subprocess.Popen(
        [sys.executable, *server, "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        served: dict[str, dict[str, object]] = {}

        def loaded() -> bool:
            with contextlib.suppress(OSError):
                url = f"http://127.0.0.1:{port}/data/plugin/scalars/tags"
                served.update(json.load(urllib.request.urlopen(url)))
            return "tensorboard/median" in served

        try:
            wait_for(loaded)
        finally:
            process.terminate()
    assert "mae/length_20" in served["tensorboard/median"]
    assert "success_rate/length_20" in served["tensorboard"]


TERM = pytest.param(signal.SIGTERM, marks=pytest.mark.slow)


@pytest.mark.parametrize("number", [signal.SIGINT, TERM])
def test_interrupted_it_saves_and_goes_on(number: int, tmp_path: Path) -> None:
    with subprocess.Popen(
        command(f"output={tmp_path}", *TINY, "train.steps=100000", "train.eval_every=1000"),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        wait_for(lambda: saved(tmp_path, "*/*"))
        process.send_signal(number)
        asked = time.monotonic()
        out, _ = process.communicate()
    assert process.returncode == 128 + number and time.monotonic() - asked < 10
    (directory,) = tmp_path.glob("*/*")
    told = re.search(r"interrupted at step (\d+); go on with: (.+)", out)
    assert told and told[2] == f"python -m nalu_seq.train resume={directory}"
    assert out.splitlines()[-1] == f"run: {directory}"
    summary = json.loads((directory / "summary.json").read_text())
    assert summary["status"] == "interrupted" and summary["steps"] == int(told[1])
    assert (directory / "checkpoints" / told[1]).is_dir()


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        [*TINY, "train.steps=4000", "train.eval_every=2000"],
        ["task=product", "seeds=3", "train.steps=60000", "train.eval_every=30000"],
    ],
    ids=["graph", "compiled"],
)
def test_interrupted_within_an_interval_it_goes_on_to_the_bit(
    arguments: list[str], tmp_path: Path
) -> None:
    whole = train(tmp_path / "whole", *arguments)
    with subprocess.Popen(command(f"output={tmp_path}/cut", *arguments)) as process:
        wait_for(lambda: saved(tmp_path, "cut/*/*"))
        time.sleep(3)  # past the first call, which compiles
        process.send_signal(signal.SIGTERM)
    assert process.returncode == 128 + signal.SIGTERM
    (cut,) = tmp_path.glob("cut/*/*")
    resume(cut)
    assert (cut / "metrics.csv").read_bytes() == (whole / "metrics.csv").read_bytes()


@pytest.mark.slow
def test_a_damaged_checkpoint_is_passed_over_and_said(run: Path, tmp_path: Path) -> None:
    directory = copy(run, tmp_path)
    index = directory / "checkpoints" / "40" / "state.index"
    index.write_bytes(index.read_bytes()[:10])
    done = subprocess.run(
        command(f"resume={directory}"), capture_output=True, text=True, check=True
    )
    assert "checkpoint 40 is damaged: going on from step 30" in done.stdout
    assert (directory / "metrics.csv").read_bytes() == (run / "metrics.csv").read_bytes()


def test_resume_makes_more_steps(run: Path, tmp_path: Path) -> None:
    directory = copy(run, tmp_path)
    resume(directory, "train.steps=50")
    assert json.loads((directory / "summary.json").read_text())["steps"] == 50
    recorded = OmegaConf.load(directory / ".hydra" / "config.yaml")
    assert recorded.train.steps == 50
    before = (run / "metrics.csv").read_text()
    assert (directory / "metrics.csv").read_text().startswith(before)


def test_evaluate_measures_elsewhere_and_exports(run: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        command(str(run), "task.lengths=[5,300]", "--json", module="evaluate"),
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert {r["split"] for r in found["results"]} == {"length_10", "length_5", "length_300"}
    assert [d["seed"] for d in found["drift"]] == [0, 1]
    # The training's own split gives the training's own last figure.
    summary = json.loads((run / "summary.json").read_text())
    figure = ("split", "metric"), ("length_10", "mae")
    ours, theirs = (
        next(r for r in s["results"] if tuple(r[k] for k in figure[0]) == figure[1])
        for s in (found, summary)
    )
    assert ours["median"] == pytest.approx(theirs["median"], rel=1e-5)
    file = tmp_path / "model.keras"
    subprocess.run(command(str(run), "--export", "1", str(file), module="evaluate"), check=True)
    assert keras.models.load_model(file)(keras.ops.ones((2, 37, 10))).shape == (2, 37, 10)


ROW = "protocol=primer says nothing of unit=relu; valid: gnalu, inalu, mcfc, "


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["task=cuont"], "task=cuont: no such option; valid: arithmetic, "),
        (["unit=nope"], "unit=nope: no such option; valid: "),
        (["encoder=nope"], "encoder=nope: no such option; valid: convnet, gru, "),
        (["experiment=nope"], "experiment=nope"),
        (["trian.steps=3"], "trian: no such key; valid here: task, "),
        (["train.setps=3"], "train.setps: no such key; valid here: steps, "),
        (["task.lenght=3"], "task.lenght: no such key; valid here: "),
        (["+task.lenght=3"], "task.lenght: no such key; valid: alphabet, length"),
        (["+unit.unit=3"], "unit.unit: no such key; valid: "),
        (["train.steps=many"], "many"),
        (["train.steps=0"], "train.steps must be a positive integer, not 0"),
        (["train.steps="], "train.steps"),
        (["train.batch_size=-1"], "train.batch_size must be a positive integer"),
        (["train.clip_norm=0"], "train.clip_norm must be positive or null"),
        (["train.compile=fast"], "train.compile must be graph or xla"),
        (["task.length=-3"], "task: length must be a positive integer, not -3"),
        (["task.lengths=[]", "task.length=x"], "task: length must be a positive integer"),
        (["seeds=[]"], "seeds=[] leaves no member"),
        (["seeds=0"], "seeds=0 leaves no member"),
        (["seeds=[1,1]"], "names a seed twice"),
        (["seeds=[a]"], "a seed must be an integer"),
        (["strategy=warp"], "strategy=warp: no such option; valid: auto, members, "),
        (["strategy.name=warp"], "strategy must be one of auto"),
        (["strategy.devices=2"], "strategy.devices goes with strategy=mirrored"),
        (["encoder.units=-1"], "encoder.units must be a positive integer, not -1"),
        (["encoder.units=2.5"], "encoder.units must be a positive integer, not 2.5"),
        (["encoder=rnn", "encoder.activation=foo"], "encoder.activation must be tanh or relu"),
        (["head=unit_cell", "head.initial_state=x"], "initial_state must be a number"),
        (["head.operation=mean"], "operation must be sum or product"),
        (["unit.eps=x"], "eps must be positive"),
        (["+unit.dtype=float16"], "unit.dtype: no such key"),
        (["+task._partial_=true"], "task._partial_ can't change"),
        (["task=null"], "task=null: no such option; valid: arithmetic, "),
        (["unit=[]"], "unit"),
        (["train.clip_norm=inf"], "train.clip_norm must be positive"),
        (["optimizer.learning_rate=abc"], "optimizer.learning_rate must be a number above 0"),
        (["optimizer.beta_1=1"], "optimizer.beta_1 must be a number from 0 and below 1"),
        (["task.lengths=5"], "lengths must be a list of positive integers, not 5"),
        (["task.lengths=[[5]]"], "lengths must be a positive integer, not [5]"),
        (["task.pattern=ab"], "pattern must be a list of symbols"),
        (["task=running_sum", "task.range=[-.inf,1]"], "two finite numbers"),
        (["task=product", "task.extrapolate=[9,99999999999]"], "at most 16777216"),
        (["seeds=???"], "seeds"),
        (["seeds=4000000000"], "is more than 1048576, the most at once"),
        (["output="], "output is empty"),
        (["output=/proc/x"], "/proc/x"),
        (["++resume=x"], "resume=RUN"),
        (["hydra.output_subdir=null"], "a run keeps its config in .hydra"),
        (["optimizer.schedule=linear"], "schedule must be constant or cosine"),
        (["penalty.sparsity.weight=1"], "penalty.sparsity: unit=nalu"),
        (["penalty.l1.every=0"], "every must be at least 1"),
        (["+penalty.l1.weights=1"], "penalty.l1.weights: no such key; valid: weight, start"),
        (["unit=[1]"], "unit=[1]: no such option; valid: "),
        (["task=product", "encoder=lstm"], "use encoder=none"),
        (["task=product", "head=accumulate"], "head=readout or head=dense"),
        (["output=/dev/null/x"], "/dev/null is a file"),
        (["resume=/nonexistent"], "/nonexistent is no run"),
        (["task=count", "task=product", "+task=count"], "task"),
        (["nonsense"], "nonsense"),
        (["task=arithmetic", "encoder.unit=nope"], "encoder.unit=nope: no such option; valid: "),
        (["task=single_module", "task.operation=root"], "operation must be one of add, sub, mul"),
        (["task=single_module", "task.ranges=[[1,2]]"], "ranges must hold the range"),
        (["+cases={train.steps:[1,2]}"], "cases: train.steps can't differ within one program"),
        (["restart.draw=normal"], "restart.draw must be initial or uniform"),
        (["restart.window=0"], "restart: history must not be negative"),
        (["train.judge=test"], "train.judge must be loss or validation"),
        (["train.precision=half"], "train.precision must be float32 or bfloat16, not 'half'"),
        (["encoder=none", "train.precision=bfloat16"], "encoder=none has no products of its own"),
        (["train.clip_value=0"], "train.clip_value must be positive or null"),
        (["protocol=nope"], "protocol=nope: no such option; valid: "),
        (["experiment=primer_mul", "unit=relu"], ROW),
        (["experiment=primer_mul", "unit=nmu,relu"], ROW),
        (["experiment=primer_mul", "hydra.mode=RUN", "unit=relu"], ROW),
        (["-m", "experiment=primer_add,primer_sub"], "experiment=primer_add is a sweep by itself"),
        (
            ["experiment=choice(primer_sub,nope)", "-m"],
            "experiment=primer_sub is a sweep by itself",
        ),
        (["-m", "experiment=glob(primer_a*)"], "experiment=primer_add is a sweep by itself"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_gets_one_line_and_leaves_nothing(
    main, arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = main(*arguments)
    assert code == 2, (out, err)
    assert out == ""
    assert len(err.splitlines()) == 1 and err.startswith("nalu_seq: "), err
    assert message in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("train: {setps: 3}", "train.setps"),
        ("sedes: 3", "sedes"),
        ("train: {steps: many}", "many"),
        ("task: {lenght: 3}", "task.lenght: no such key; valid: alphabet"),
        ("defaults: [override /task: nope]", "task=nope: no such option"),
        ("train: [", "bad.yaml"),
        ("# \udcff", "utf-8"),
    ],
)
def test_typos_inside_an_experiment_file_are_caught(
    main, content: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    (tmp_path / "mine" / "experiment" / "bad.yaml").write_text(
        f"# @package _global_\n{content}\n", errors="surrogateescape"
    )
    code, out, err = main("--config-dir", "mine", "experiment=bad")
    assert code == 2, (out, err)
    assert len(err.splitlines()) == 1 and message in err, err
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]


def test_resume_changes_nothing_but_steps_and_strategy(main, run: Path) -> None:
    code, _, err = main(f"resume={run}", "seeds=3")
    assert code == 2 and "seeds can't change, only train.steps, strategy, " in err


def test_a_finished_run_is_not_resumed_without_more_steps(main, run: Path) -> None:
    code, _, err = main(f"resume={run}")
    assert code == 2 and "give a larger train.steps" in err


def test_a_runs_directory_is_not_used_twice(main, run: Path) -> None:
    code, _, err = main(*TINY, f"hydra.run.dir={run}")
    assert code == 2 and f"go on with it by resume={run}" in err


def test_help_lists_every_option(main) -> None:
    code, out, _ = main("--help")
    assert code == 0
    for group in ("task", "encoder", "head", "unit"):
        assert f"{group}: {', '.join(options(group))}" in out


@pytest.mark.slow
def test_a_sweep_over_tasks_has_one_folder(tmp_path: Path) -> None:
    small = ["seeds=1", "train.steps=1", "train.eval_every=1"]
    sweep = train(tmp_path, "-m", "task=product,running_sum", *small)
    assert sorted(p.name for p in sweep.iterdir() if p.is_dir()) == ["0", "1"]
    assert [p for p in tmp_path.glob("*/*") if p != sweep] == []


def test_a_run_that_trains_is_not_trained_twice(main, run: Path) -> None:
    descriptor = os.open(run, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        code, _, err = main(f"resume={run}", "train.steps=50")
    finally:
        os.close(descriptor)
    assert code == 2 and "another process is training in it" in err


def test_a_run_with_links_is_not_written_through(main, run: Path, tmp_path: Path) -> None:
    directory = copy(run, tmp_path)
    (tmp_path / "victim").write_text("mine")
    (directory / ".summary.json.partial").symlink_to(tmp_path / "victim")
    code, _, err = main(f"resume={directory}", "train.steps=50")
    assert code == 2 and "is a link" in err
    assert (tmp_path / "victim").read_text() == "mine"


@pytest.mark.parametrize(
    ("find", "replacement", "message"),
    [
        ("nalu_seq.units.NALU", "keras.config.enable_unsafe_deserialization", "asks for"),
        ("nalu_seq.tasks.count.Count", "keras.utils.get_file", "asks for"),
        ("eps: 1.0e-07", "eps: {_target_: os.system}", "not a plain value"),
        ("operation: sum", "operation: ${oc.env:HOME}", "interpolation"),
        ("seeds: 2", "seeds: [", "can't be read"),
    ],
)
def test_a_run_from_elsewhere_is_data(
    main, run: Path, tmp_path: Path, find: str, replacement: str, message: str
) -> None:
    directory = copy(run, tmp_path)
    config = directory / ".hydra" / "config.yaml"
    text = config.read_text()
    assert find in text
    config.write_text(text.replace(find, replacement))
    code, _, err = main(f"resume={directory}", "train.steps=50")
    assert code == 2 and len(err.splitlines()) == 1 and message in err, err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["task.lengths=[10"], "while parsing"),
        (["seeds=3"], "can only change where it measures"),
        (["task.lengths"], "write key=value"),
        (["--export", "7", "m.keras"], "seed 7 is not in this run; it has [0, 1]"),
        (["--export", "0", "m.h5"], "must end in .keras"),
        (["--export", "0", "/nowhere/m.keras"], "/nowhere is no directory"),
        (["--export", "0", "m.keras", "--json"], "--export measures nothing"),
        (["task.lengths=[-3]"], "lengths must be a positive integer, not -3"),
    ],
)
def test_evaluates_bad_input_gets_one_line(
    run: Path, arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capfd
) -> None:
    monkeypatch.setattr(sys, "argv", ["nalu_seq.evaluate", str(run), *arguments])
    with pytest.raises(SystemExit) as leave:
        nalu_seq.evaluate.main()
    err = capfd.readouterr().err
    assert leave.value.code == 2 and len(err.splitlines()) == 1 and message in err, err


def test_a_sweep_ends_with_its_folder_and_its_jobs(tmp_path: Path) -> None:
    sweep = train(tmp_path, "-m", *TINY, "unit=nau,nalu", "train.steps=2", "train.eval_every=1")
    assert json.loads((sweep / "sweep.json").read_text()).keys() == {"0", "1"}
    for job, unit in ("0", "nau"), ("1", "nalu"):
        summary = json.loads((sweep / job / "summary.json").read_text())
        assert summary["status"] == "done" and summary["unit"] == unit


# These differ from mnist_count in what is told of the pictures alone.
OF_PICTURES = ("mnist_parity", "mnist_product", "mnist_sum")


@pytest.mark.parametrize(
    "task",
    [pytest.param(t, marks=[pytest.mark.slow] * (t in OF_PICTURES)) for t in options("task")],
)
def test_every_task_trains_as_it_stands(main, task: str, tmp_path: Path) -> None:
    small = ["seeds=2", "train.steps=2", "train.eval_every=2"]
    if task == "mnist_parity":
        small += ["data=digits", "encoder.filters=[2,2]", "encoder.hidden=4", "task.counts=[]"]
    elif task.startswith("mnist_"):
        small.insert(0, "variant=quick_digits")
    code, out, err = main(f"task={task}", f"output={tmp_path}", *small)
    assert code == 0, err
    assert out.splitlines()[-1].startswith("run: ")


# Variations of another experiment: their composition is the same.
ABLATIONS = re.compile(r"inalu_exp[24]|madsen_(?!arithmetic|ten).*|trask_mnist_sum")


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
    assert sorted(p.name for p in sweep.iterdir()) == ["1", "multirun.yaml", "sweep.json"]
    assert json.loads((sweep / "1" / "summary.json").read_text())["status"] == "done"
