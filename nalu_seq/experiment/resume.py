"""Resuming a run from its newest checkpoint that fits its record and its config."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from nalu_seq.config.schema import Config
from nalu_seq.errors import BadInput
from nalu_seq.experiment.experiment import Experiment
from nalu_seq.records.checkpoints import Checkpoints, NoCheckpoint, reasons
from nalu_seq.records.files import WRONG, read_json
from nalu_seq.records.record import Record
from nalu_seq.records.runs import RESUMABLE
from nalu_seq.training.trainer import Trainer

# Keys that may differ from the config that a run was trained with: none of them changes a step.
FREE = (*RESUMABLE, "output", "resume")


def notes(experiment: Experiment, record: Record) -> dict[str, Any]:
    """The notes of a checkpoint beside its variables: the length of the record, and the config.

    Args:
        experiment: the experiment that is trained.
        record: the run's metrics.csv.

    Returns:
        Values for JSON; `restore` reads them.
    """
    return {"record": record.mark(), "config": settings(experiment.cfg)}


def restore(
    checkpoints: Checkpoints, record: Record, trainer: Trainer, experiment: Experiment
) -> str:
    """Read the newest checkpoint that fits, and cut the record to its length at that checkpoint.

    Args:
        checkpoints: the checkpoints of the run, with the trainer's variables.
        record: the run's metrics.csv, which is cut to the checkpoint's rows.
        trainer: the trainer, which gets the checkpoint's values.
        experiment: the experiment of the run's current config.

    Returns:
        A line for the user on checkpoints that can't be used and on values that one lacks, or "".

    Raises:
        BadInput: no checkpoint fits, the config was changed since, or all steps are made.
    """

    def objection(notes: Mapping[str, Any]) -> str | None:
        check_unchanged(notes.get("config"), settings(experiment.cfg))
        whole = record.holds(notes.get("record"))
        return None if whole else f"is of rows that {record.path.name} no longer holds"

    try:
        step, skipped = checkpoints.restore(objection)
    except NoCheckpoint as error:
        raise BadInput(f"nothing to resume: {error}") from error
    record.truncate(checkpoints.notes(step)["record"])
    directory, steps = record.path.parent, experiment.cfg.train.steps
    # A run without a summary was killed after its last checkpoint: the summary is left to be made.
    is_finished = _has_current_summary(directory / "summary.json", experiment.cfg) and record.has(
        step
    )
    if step > steps or (step == steps and is_finished):
        raise BadInput(f"{directory} has made {step} steps already: give a larger train.steps=")
    checkpoints.discard(skipped)
    if trainer.restarts:
        trainer.restarts.load()
    lines = [reasons(skipped)] if skipped else []
    if checkpoints.lacking:
        names = ", ".join(checkpoints.lacking)
        lines.append(f"checkpoint {step} has no {names}, which is measured from here on")
    return f"{'; '.join(lines)}: going on from step {step}" if lines else ""


def _has_current_summary(summary: Path, cfg: DictConfig) -> bool:
    """Whether a run has a summary that was made with the reference of its current config."""
    if not summary.exists():
        return False
    try:
        reference = read_json(summary.parent, summary.name)["config"].get("task.reference")
    except (OSError, *WRONG, KeyError):  # an unreadable summary is written again
        return False
    return reference in (None, str(cfg.task.get("reference")))


def settings(cfg: DictConfig) -> dict[str, Any]:
    """The config by dotted keys, without those that may change when a run is resumed.

    Args:
        cfg: the composed config.
    """
    settings: dict[str, Any] = {}

    def add(path: str, node: Any) -> None:
        if isinstance(node, dict):
            for key, value in node.items():
                add(f"{path}.{key}" if path else str(key), value)
        elif not path.startswith(FREE):
            settings[path] = node

    add("", OmegaConf.to_container(cfg, resolve=True))
    return settings


def check_unchanged(recorded_settings: Any, now: Mapping[str, Any]) -> None:
    """Check that the config in a checkpoint's notes is the run's.

    Args:
        recorded_settings: the settings in the checkpoint's notes.
        now: the settings of the run's config.

    Raises:
        BadInput: a key differs.
    """
    if not isinstance(recorded_settings, dict):
        return  # then its record does not fit either
    # A key that came with a later version has the value that it had when there was no such key. One
    # that may change by now could not when an earlier version recorded it.
    defaults = settings(OmegaConf.structured(Config))
    keys = [key for key in {*recorded_settings, *now} if not key.startswith(FREE)]
    for key in sorted(keys):
        before, after = recorded_settings.get(key, defaults.get(key)), now.get(key)
        if repr(before) != repr(after):  # as text: nan equals nan
            raise BadInput(
                f"{key} is {after!r} in the run's config, but it was trained with {before!r}: "
                "put that back, resume keeps the run's own config"
            )
