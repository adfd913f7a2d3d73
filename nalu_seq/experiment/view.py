"""Where TensorBoard finds a run, and what it is called there."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from nalu_seq.experiment.experiment import Experiment
from nalu_seq.listeners.hparams import Subject
from nalu_seq.records.command import job_name, recorded_overrides, train_command, varied


def view(
    experiment: Experiment, directory: Path, settings: Mapping[str, Any]
) -> tuple[Path, Subject]:
    """The folder of a run's event files, and what TensorBoard says of the run.

    The jobs of a sweep are beside each other in the sweep's folder, so that TensorBoard calls each
    by what differs and by nothing else.

    Args:
        experiment: the run.
        directory: where it is recorded.
        settings: its config under dotted names.
    """
    differing = varied(directory.parent)
    overrides = recorded_overrides(directory) or []
    name = job_name(overrides, list(differing)) or experiment.choices["unit"]
    # A setting that `settings` leaves out is shown as the command has it, if the jobs differ in it.
    settings = {**dict(o.partition("=")[::2] for o in overrides), **settings}
    config = OmegaConf.to_yaml(experiment.cfg)
    explain = shlex.join(["python", "-m", "nalu_seq.explain", str(directory)])
    subject = Subject(name, train_command(overrides), explain, config, settings, differing)
    folder = directory.parent if differing else directory
    return folder / "tensorboard" / name, subject
