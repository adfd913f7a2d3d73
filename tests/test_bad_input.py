"""What the commands refuse: one line, exit code 2, nothing written."""

import sys
from pathlib import Path

import pytest
from hydra.errors import MissingConfigException

import nalu_seq.evaluate
import nalu_seq.train
from tests.commands import TINY, copy, edited

ROW = "protocol=primer has no settings for unit=relu; valid: gnalu, inalu, mcfc, "


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["task=cuont"], "task=cuont: no such option; valid: "),
        (["unit=nope"], "unit=nope: no such option; valid: "),
        (["encoder=nope"], "encoder=nope: no such option; valid: convnet, gru, "),
        (["experiment=nope"], "experiment=nope"),
        (["trian.steps=3"], "trian: no such key; valid here: task, "),
        (["train.setps=3"], "train.setps: no such key; valid here: steps, "),
        (
            ["-m", "task=product", "unit=dmu_add,dmu_sub", "unit.norms=2"],
            "unit.norms: no such key; where unit is swept, ++unit.norms=... sets it in every job",
        ),
        (["task.lenght=3"], "task.lenght: no such key; valid here: "),
        (["+task.lenght=3"], "task.lenght: no such key; valid: alphabet, length"),
        (["+unit.unit=3"], "unit.unit: no such key; valid: "),
        (["train.steps=many"], "train.steps must be an integer, not many"),
        (["train.steps=1e3"], "train.steps must be an integer, not 1000.0: write 1000"),
        (["train.steps=null"], "train.steps must be an integer, not null"),
        (["train.clip_norm=abc"], "train.clip_norm must be a number, not abc"),
        (["train.steps=" + "9" * 5000], "a number in the input has more than 4300 digits"),
        (["cases={optimizer.learning_rate: [1]}"], "+cases={optimizer.learning_rate: [...]}"),
        (["unit=nalu\x1b[31m"], "must be quoted, \"unit='nalu\\x1b[31m'\""),
        (["encoder._partial_=[[]]"], "encoder._partial_ can't change"),
        (["train.steps=0"], "train.steps must be a positive integer, not 0"),
        (["train.steps="], "train.steps"),
        (["train.batch_size=-1"], "train.batch_size must be a positive integer"),
        (["train.clip_norm=0"], "train.clip_norm must be positive or null"),
        (["train.compile=fast"], "train.compile must be graph, xla or null"),
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
        (["task=null"], "task=null: no such option; valid: "),
        (["unit=[]"], "unit"),
        (["train.clip_norm=inf"], "train.clip_norm must be positive"),
        (["optimizer.learning_rate=abc"], "optimizer.learning_rate must be a number above 0"),
        (["optimizer.beta_1=1"], "optimizer.beta_1 must be a number from 0 and below 1"),
        (["task.lengths=5"], "lengths must be a list of positive integers, not 5"),
        (["task.lengths=[[5]]"], "lengths must be a positive integer, not [5]"),
        (["task.pattern=ab"], "pattern must be a list of symbols"),
        (["task=running_sum", "task.range=[-.inf,1]"], "two finite numbers"),
        (["task=running_product", "task.lengths=[10000]"], "take at most 1116 numbers"),
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
        (["+cases={train.steps:[1,2]}"], "cases: train.steps must be the same for all members"),
        (["restart.draw=normal"], "restart.draw must be initial or uniform"),
        (["restart.window=0"], "restart: history must not be negative"),
        (["restart.check_every=0"], "every, window and check_every at least 1"),
        (
            ["task=inalu_simple", "task.replay=true", "unit=nau"],
            "replay draws the weights w_hat, m_hat and g of NALU and iNALU, and this model has w",
        ),
        (["train.judge=test"], "train.judge must be loss or validation"),
        (["train.precision=half"], "train.precision must be float32 or bfloat16, not 'half'"),
        (["encoder=none", "train.precision=bfloat16"], "encoder=none has none: leave it"),
        (["train.initial_state=one"], "train.initial_state must be zero or random, not 'one'"),
        (["train.initial_total=[1,1]"], "train.initial_total must be [low, high] with low < high"),
        (["train.initial_deviation=0"], "train.initial_deviation must be positive, not 0"),
        (["train.initial_state=random", "head=dense"], "head=dense does not pass on"),
        (["task=product", "train.initial_state=random"], "task=product has none: use zero"),
        (["train.clip_value=0"], "train.clip_value must be positive or null"),
        (
            ["protocol_units=primer/nau"],
            "protocol_units is set by other options; ~protocol_units leaves it out",
        ),
        (
            ["strategy=mirrored", "strategy.devices=1000000000"],
            "strategy.devices must be at most 1024, not 1000000000",
        ),
        (["~unit"], "~unit: unit can't be removed, only chosen; valid: "),
        (["~task=count"], "~task=count: task can't be removed, only chosen; valid: "),
        (["~protocol"], "~protocol: protocol can't be removed, only chosen; valid: "),
        (
            ["--cfg", "all", "--resolve"],
            "hydra.sweep.subdir is not known before a job begins: --cf",
        ),
        (["task.lengths=[99999999999999]"], "lengths must be at most 2147483647"),
        (["task_units=nope"], "task_units is set by other options"),
        (["protocol=nope"], "protocol=nope: no such option; valid: "),
        (["experiment=primer_mul", "unit=relu"], ROW),
        (["experiment=primer_mul", "unit=nmu,relu"], ROW),
        (["experiment=primer_mul", "hydra.mode=RUN", "unit=relu"], ROW),
        (["-m", "experiment=primer_add,primer_sub"], "experiment=primer_add is a sweep by itself"),
        (
            ["experiment=choice(primer_sub,nope)", "-m"],
            "experiment=primer_sub is a sweep by itself",
        ),
        (["--nope"], "unrecognized arguments: --nope; --help says what is valid"),
        (["--cfg", "xyz"], "invalid choice: 'xyz'"),
        (["--config-dir"], "expected one argument"),
        (["--resolve"], "--resolve goes with --cfg"),
        (["--experimental-rerun", "x.pkl"], "unpickles a file: resume=RUN"),
        (["-m", "unit=glob(zzz)"], "unit=glob(zzz): matches no option; valid: "),
        (["output=a[b]"], "must be quoted, \"output='a[b]'\""),
        (["train.threads=0"], "train.threads must be from 1 to 4096, not 0"),
        (["train.threads=1099511627776"], "train.threads must be from 1 to 4096, not 10995"),
        (["train.steps=" + "9" * 20], "train.steps must be at most 9007199254740992, not 9999"),
        (["train.eval_every=" + "9" * 20], "train.eval_every must be at most 900719925474"),
        (["restart.deviations=nan"], "restart.deviations must be a number, not nan"),
        (["=3"], "'=3' is no override: write key=value"),
        (["hydra.run.dir="], "hydra.run.dir is empty"),
        (["-m", "unit=nau,nac", "hydra.sweep.dir="], "hydra.sweep.dir is empty"),
        (["-m", "unit=nau,nac", "hydra.sweep.subdir=same"], "gives all jobs one folder"),
        (["-m", "unit=nau,nac", "hydra.sweep.subdir=../${hydra.job.num}"], "leads out of the sw"),
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
    assert message in err and len(err) <= 301 and err.strip().isprintable()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["--cfg", "hydra"], "hydra:\n"),
        (["--cfg", "job", "-p", "task"], "# @package task\n_target_: nalu_seq.tasks.count.Count\n"),
        (
            ["--cfg", "job", "task=product", "--resolve"],
            "task:\n  _target_: nalu_seq.tasks.product.Product\n",
        ),
    ],
)
def test_the_config_is_shown_as_hydra_shows_it(main, arguments: list[str], shown: str) -> None:
    code, out, err = main(*arguments)
    assert (code, err) == (0, "") and shown in out


def test_a_launcher_for_slurm_needs_slurm(main, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("shutil.which", lambda _: None)
    code, out, err = main("-m", "hydra/launcher=slurm", "unit=nau,nmu")
    assert (code, out) == (2, "") and list(tmp_path.iterdir()) == []
    assert "hydra/launcher=slurm: there is no srun on the PATH" in err


def test_a_launcher_whose_plugin_is_missing_names_the_extra() -> None:
    error = MissingConfigException("", "hydra/launcher/joblib", ["basic"])
    assert nalu_seq.train._explain(error).endswith("pip install '.[joblib]' in a clone of nalu_seq")


def test_a_home_directory_is_one_quoted_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    for override in ("output=~/runs", "output='~/runs'", 'output="~/runs"'):
        assert nalu_seq.train._expand_home(override) == "output='/home/me/runs'"
    for override in ("output=runs", "unit=~", "~task_units", "output=a~"):
        assert nalu_seq.train._expand_home(override) == override


def test_a_config_dir_stands_beside_sweep_resume() -> None:
    for flag in (["--config-dir", "mine"], ["-cd", "mine"], ["--config-dir=mine"]):
        split = nalu_seq.train._config_dir(["sweep.resume=x", *flag, "data.dir=y"])
        assert split == (flag, ["sweep.resume=x", "data.dir=y"])


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
    assert code == 2 and "seeds can't change, only train.steps, train.parts, " in err


def test_a_finished_run_is_not_resumed_without_more_steps(main, run: Path) -> None:
    code, _, err = main(f"resume={run}")
    assert code == 2 and "give a larger train.steps" in err


def test_a_runs_directory_is_not_used_twice(main, run: Path) -> None:
    code, _, err = main(*TINY, f"hydra.run.dir={run}")
    assert code == 2 and f"go on with it by resume={run}" in err


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
    directory = edited(run, tmp_path, find, replacement)
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
        (["task.lengths=[5]", "--export", "0", "m.keras"], "--export measures nothing"),
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
