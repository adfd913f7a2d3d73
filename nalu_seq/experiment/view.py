"""The folder and the name of a run in TensorBoard."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from nalu_seq.experiment.experiment import Experiment
from nalu_seq.listeners.hparams import Subject
from nalu_seq.records.command import job_name, recorded_overrides, train_command, varying_settings


def view(
    experiment: Experiment, directory: Path, settings: Mapping[str, Any]
) -> tuple[Path, Subject]:
    """The folder of a run's event files, and the facts that TensorBoard shows of the run.

    The event files of a sweep's jobs are side by side in the sweep's folder, so that TensorBoard
    names each job by the settings that differ alone.

    Args:
        experiment: the experiment of the run.
        directory: the run's directory.
        settings: the run's config by dotted keys.
    """
    differing = varying_settings(directory.parent)
    overrides = recorded_overrides(directory) or []
    name = job_name(overrides, list(differing)) or experiment.choices["unit"]
    # A setting that `settings` leaves out is shown as the command has it, if the jobs differ in it.
    settings = {**dict(o.partition("=")[::2] for o in overrides), **settings}
    config = OmegaConf.to_yaml(experiment.cfg)
    explain = shlex.join(["python", "-m", "nalu_seq.explain", str(directory)])
    subject = Subject(name, train_command(overrides), explain, config, settings, differing)
    folder = directory.parent if differing else directory
    return folder / "tensorboard" / name, subject
