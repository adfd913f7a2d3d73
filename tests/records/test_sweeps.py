"""A sweep's folder from elsewhere says what its jobs are, and nothing else is taken from it."""

import json
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from nalu_seq.errors import BadInput
from nalu_seq.records.command import recorded_command
from nalu_seq.records.files import Unreadable
from nalu_seq.records.sweeps import check_same_sweep, quote, read_jobs, read_sweep


def sweep(directory: Path, hydra: tuple[str, ...] = (), task: tuple[str, ...] = ()) -> Path:
    """A sweep's folder whose multirun.yaml records these overrides."""
    recorded = {
        "hydra": ["hydra.sweep.dir=/x", "hydra.mode=MULTIRUN", *hydra],
        "task": ["task=count", "unit=nau,nmu", *task],
    }
    (directory / "multirun.yaml").write_text(json.dumps({"hydra": {"overrides": recorded}}))
    return directory


@pytest.mark.parametrize(
    "override",
    [
        "--experimental-rerun=/evil/x.pkl", "--config-dir=/evil", "-cn=x", "\n--config-dir=/evil",
        "hydra.searchpath=[/evil]", "+hydra.x=1", "hydra.run.dir=/x", "unit@hydra=x",
        "unit=../../x", "unit=nau,'../../x'", "+experiment=/x", "task_units=../x",
        "unit={_target_: os}", "unit={a: b}", "unit.eps={a: {_target_: os.system}}",
        "unit._target_=os.system", "cases={_target_: [os.system]}", "resume=/x", "+x.y=1",
        "train.steps=${oc.env:HOME}", "train.judge=a/../../../b", "data.dir=a,b",
        "x" * 10**6, "[" * 5000, "train.steps=" + "[" * 5000, "train.steps=[", "",
    ],
)  # fmt: skip
def test_a_recorded_override_that_says_more_is_refused(override: str, tmp_path: Path) -> None:
    for where in "hydra", "task":
        with pytest.raises(BadInput, match="which is more than a plain setting"):
            read_sweep(sweep(tmp_path, **{where: (override,)}))


@pytest.mark.parametrize(
    "override",
    [
        "hydra.launcher.setup=[touch x]", "hydra.launcher.submitit_folder=/x",
        "hydra.launcher._target_=3", "hydra/launcher=../../x", "hydra/launcher=nope",
        "hydra.sweep.subdir=../../x", "hydra.sweep.subdir=${oc.env:HOME}", "hydra.mode=x",
        "hydra.job_logging.handlers.file.filename=/x", "hydra.callbacks.x._target_=os.system",
        "hydra.job.env_set.LD_PRELOAD=/x", "hydra/job_logging=../../x", "hydra/output=x",
    ],
)  # fmt: skip
def test_hydra_is_told_of_a_known_launcher_and_numbers_alone(override: str, tmp_path) -> None:
    with pytest.raises(BadInput, match="which is more than a plain setting"):
        read_sweep(sweep(tmp_path, hydra=(override,)))
    assert override in read_sweep(sweep(tmp_path, hydra=(override,)), trust=True)


@pytest.mark.parametrize(
    ("where", "override"),
    [
        ("hydra", "hydra/launcher=slurm"),
        ("hydra", "hydra/launcher=submitit_local"),
        ("hydra", "hydra.launcher.n_jobs=3"),
        ("hydra", "hydra.sweep.subdir=${hydra.job.override_dirname}"),
        ("hydra", "hydra.sweep.subdir='${hydra:job.num}'"),
        ("task", "+cases={optimizer.learning_rate: [0.01, 0.001]}"),
        ("task", "task.lengths=[10,20],[30]"),
        ("task", "experiment=primer_add"),
        ("task", "head=choice(readout,dense)"),
        ("task", "unit=glob(n*)"),
        ("task", "train.steps=range(1,3)"),
        ("task", "~task_units"),
        ("task", "unit=null"),
        ("task", "train.clip_norm=null,0.01"),
    ],
)
def test_what_a_sweep_goes_through_is_taken(where: str, override: str, tmp_path: Path) -> None:
    taken = read_sweep(sweep(tmp_path, **{where: (override,)}))
    assert {override, "hydra.mode=MULTIRUN", "task=count", "unit=nau,nmu"} == set(taken)


def test_paths_are_not_taken_and_this_is_said(tmp_path: Path, capsys) -> None:
    directory = sweep(tmp_path, task=("data.dir=/x", "output=/x", "task.reference=/x"))
    assert not any("/x" in override for override in read_sweep(directory))
    lines = capsys.readouterr().err.splitlines()
    assert [line.rpartition(": ")[2] for line in lines] == [
        f"give {key}= yourself, or --trust to use it" for key in ("data.dir", "task.reference")
    ]
    read_sweep(directory, instead=["data.dir=/y", "task.reference=/y"])
    assert capsys.readouterr().err == ""
    assert "data.dir=/x" in read_sweep(directory, trust=True)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "hydra: 3",
        "hydra: {overrides: {hydra: 3, task: null}}",
        "a: &a []\nb: *a",
        "{" * 9999,
    ],
)
def test_another_file_is_none_of_a_sweep(content: str, tmp_path: Path) -> None:
    (tmp_path / "multirun.yaml").write_text(content)
    with pytest.raises(BadInput, match=r"multirun.yaml can't be read"):
        read_sweep(tmp_path)


@pytest.mark.parametrize(
    "text", ["/a b", "a'b", "a\\", "a\\'b", "a${b}", "a\\${b}", "x,y[z]", "é=~"]
)
def test_a_quoted_text_stands_for_itself(text: str) -> None:
    value = OverridesParser.create().parse_override(f"k={quote(text)}").value()
    assert OmegaConf.create({"k": value}).k == text


@pytest.mark.parametrize("content", [None, "", "[]", "null", '{"0": "unit', '{"0": 3}', "{" * 9999])
def test_a_list_of_jobs_that_is_cut_is_made_again_from_the_jobs(content, tmp_path: Path) -> None:
    jobs = {"0": ["unit=nau"], "1": ["unit=nmu", "seeds=[1,2]"]}
    for job, overrides in jobs.items():
        (tmp_path / job / ".hydra").mkdir(parents=True)
        OmegaConf.save(overrides, tmp_path / job / ".hydra" / "overrides.yaml")
    if content is None:
        (tmp_path / "sweep.json").symlink_to("/etc/passwd")
    else:
        (tmp_path / "sweep.json").write_text(content)
    assert read_jobs(tmp_path) == jobs


def test_a_list_of_jobs_that_can_not_be_opened_is_refused_where_there_are_no_jobs(
    tmp_path: Path,
) -> None:
    (tmp_path / "sweep.json").symlink_to("sweep.json")
    with pytest.raises(Unreadable, match="can't be read: Too many levels of symbolic links"):
        read_jobs(tmp_path)


def test_a_job_that_leads_out_of_the_sweep_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sweep").mkdir()
    for job in ("../run", "/etc", "link"):
        (tmp_path / "sweep" / "sweep.json").write_text(json.dumps({job: []}))
        if job == "link":
            (tmp_path / "sweep" / job).symlink_to(tmp_path)
        with pytest.raises(Unreadable, match="has a job outside its folder"):
            read_jobs(tmp_path / "sweep")


@pytest.mark.parametrize("override", ["--experimental-rerun=/x", "unit._target_=os.system", "a=b"])
def test_no_command_is_shown_that_says_more(override: str, tmp_path: Path) -> None:
    (tmp_path / ".hydra").mkdir()
    for overrides in (["unit=nau"], ["unit=nau", override]):
        OmegaConf.save(overrides, tmp_path / ".hydra" / "overrides.yaml")
        command = "python -m nalu_seq.train unit=nau" if override not in overrides else None
        assert recorded_command(tmp_path) == command


def test_a_folder_of_another_sweep_is_refused(tmp_path: Path) -> None:
    check_same_sweep(tmp_path / "new", ["unit=nau"])
    sweep(tmp_path, task=("output=/x", "data.dir=/x"))
    check_same_sweep(tmp_path, ["task=count", "unit=nau,nmu", "data.dir=/y"])
    for others in (["task=count", "unit=nmu,nau"], ["task=count"], []):
        with pytest.raises(BadInput, match="holds another sweep, of task=count unit=nau,nmu: give"):
            check_same_sweep(tmp_path, others)


def test_a_search_is_not_gone_on_with(tmp_path: Path) -> None:
    """Optuna's sweeper leaves no multirun.yaml; its jobs stand in our own list."""
    (tmp_path / "sweep.json").write_text('{"0": ["optimizer.learning_rate=0.0123"]}')
    for goes_on in (read_sweep, lambda directory: check_same_sweep(directory, [])):
        with pytest.raises(BadInput, match="is a sweep that searched, as by Optuna: its settings"):
            goes_on(tmp_path)


@pytest.mark.parametrize("prefix", ["", "+", "++"])
@pytest.mark.parametrize("key", ["data.dir", "task.reference", "output"])
def test_a_path_is_not_taken_however_it_is_set(prefix: str, key: str, tmp_path: Path) -> None:
    taken = read_sweep(sweep(tmp_path, task=(f"{prefix}{key}=/victim",)))
    assert not any("victim" in override for override in taken)
