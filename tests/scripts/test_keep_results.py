"""What is kept of a run: the command that makes it again, without the places of its machine."""

import json
from pathlib import Path

from omegaconf import OmegaConf

from scripts.keep_results import _command


def test_a_sweeps_command_has_its_own_options(tmp_path: Path) -> None:
    jobs = {"0": ["experiment=program", "unit=nau"], "1": ["experiment=program", "unit=nmu"]}
    (tmp_path / "sweep.json").write_text(json.dumps(jobs))
    task = ["experiment=program", "unit=nau,nmu", "output=/somewhere", "seeds=5"]
    OmegaConf.save({"hydra": {"overrides": {"task": task}}}, tmp_path / "multirun.yaml")
    command = "python -m nalu_seq.train -m experiment=program unit=nau,nmu seeds=5"
    assert _command(tmp_path) == command


def test_a_row_of_an_experiment_is_run_alone(tmp_path: Path) -> None:
    (tmp_path / ".hydra").mkdir()
    OmegaConf.save(["experiment=language", "seeds=[0,1]"], tmp_path / ".hydra" / "overrides.yaml")
    command = "python -m nalu_seq.train experiment=language 'seeds=[0,1]' hydra.mode=RUN"
    assert _command(tmp_path) == command
