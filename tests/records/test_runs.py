"""Runs read as data: no path that one names is opened, and what is not there says so."""

from pathlib import Path

import hydra
import pytest
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from nalu_seq.config.options import conf_dir, options, shipped_config
from nalu_seq.config.schema import Config
from nalu_seq.errors import BadInput
from nalu_seq.records.runs import PATHS, check_plain_files, read_run


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """A run's recorded config that names places of another machine."""
    overrides = ["task=mnist_sum", "data=mnist", "data.dir=/victim", "task.reference=/victim/run"]
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        cfg = hydra.compose("config", overrides, return_hydra_config=True)
        HydraConfig.instance().set_config(cfg)
    choices = OmegaConf.to_container(cfg.hydra.runtime.choices)
    (tmp_path / ".hydra").mkdir()
    plain = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
    OmegaConf.save(plain, tmp_path / ".hydra" / "config.yaml")
    OmegaConf.save(
        OmegaConf.create({"hydra": {"runtime": {"choices": choices}}}),
        tmp_path / ".hydra" / "hydra.yaml",
    )
    return tmp_path


def test_paths_of_a_run_are_not_taken_and_this_is_said(digits: Path, capsys) -> None:
    cfg, _ = read_run(digits)
    assert (cfg.data.dir, cfg.task.reference) == (None, None)
    warnings = capsys.readouterr().err
    assert (
        "its recorded data.dir is ignored: give data.dir= yourself, or --trust to use it"
        in warnings
    )
    assert "its recorded task.reference is ignored" in warnings and len(warnings.splitlines()) == 2
    read_run(digits, instead=["data.dir", "task.reference"])
    assert capsys.readouterr().err == ""
    assert read_run(digits, trust=True)[0].data.dir == "/victim"


UNIFORM = {"class_name": "RandomUniform", "config": {"minval": 0.0, "maxval": 0.1}}


@pytest.mark.parametrize(
    "more",
    [
        {"class_name": "Lambda"},
        {"class_name": "__lambda__"},
        {"module": "os"},
        {"config": {"minval": {"class_name": "Constant"}}},
        {"config": "rm"},
    ],
)
def test_of_dictionaries_keras_own_initializers_alone_are_taken(
    digits: Path, more: dict[str, object]
) -> None:
    path = digits / ".hydra" / "config.yaml"
    cfg = OmegaConf.load(path)
    OmegaConf.update(cfg, "unit.w_initializer", UNIFORM)
    OmegaConf.save(cfg, path)
    assert read_run(digits)[0].unit.w_initializer == UNIFORM
    OmegaConf.update(cfg, "unit.w_initializer", {**UNIFORM, **more}, merge=False)
    OmegaConf.save(cfg, path)
    with pytest.raises(BadInput, match=r"unit\.w_initializer is not a plain value"):
        read_run(digits)


def test_no_other_key_of_the_config_is_a_path() -> None:
    groups = {"task", "data", "encoder", "head", "unit", "optimizer", "strategy"}
    named = {f"{group}.{key}" for group in groups for o in options(group) for key in keys(group, o)}
    named |= {str(key) for key in OmegaConf.structured(Config)}
    words = ("dir", "path", "file", "reference", "folder", "output", "resume")
    paths = {key for key in named if key.rpartition(".")[2] in words}
    assert paths == {*PATHS, "resume"}  # a recorded resume is refused


def keys(group: str, option: str) -> list[str]:
    if group == "strategy":
        return []  # numbers alone
    node = shipped_config(group, option)
    assert isinstance(node, DictConfig)
    return [str(key) for key in node]


def test_links_are_refused_but_for_those_that_a_launcher_leaves(tmp_path: Path) -> None:
    (tmp_path / "sweep" / ".submitit").mkdir(parents=True)
    (tmp_path / "sweep" / ".submitit" / "1_submission.sh").touch()
    link = tmp_path / "sweep" / ".submitit" / "submission_file.sh"
    link.symlink_to(link.with_name("1_submission.sh"))
    check_plain_files(tmp_path / "sweep")
    for place, target in ((link, tmp_path), (tmp_path / "sweep" / "0", link.parent)):
        place.unlink(missing_ok=True)
        place.symlink_to(target)
        with pytest.raises(BadInput, match="is a link"):
            check_plain_files(tmp_path / "sweep")
        place.unlink()
