"""Hydra's callback: refuses bad input before a directory is made, and lists a sweep's jobs."""

import contextlib
import fcntl
import json
import os
import shutil
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from nalu_seq.config.options import options
from nalu_seq.config.schema import Strategy, Train, as_dataclass
from nalu_seq.config.values import check_row
from nalu_seq.errors import BadInput, first_line, refuse
from nalu_seq.records.files import replace
from nalu_seq.records.folder import check_output, release, reserve
from nalu_seq.records.runs import state
from nalu_seq.records.sweeps import check_same_sweep, quote, read_jobs
from nalu_seq.reports.formats import text
from nalu_seq.reports.summaries import find_runs, protocols
from nalu_seq.reports.tables import tables


class CheckBeforeRun(Callback):
    """Builds everything once before a run's directory is made, and keeps a sweep's list of jobs."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check a single run, and lock its directory.

        Args:
            config: the composed config, with Hydra's own node.
            **kwargs: Hydra's other arguments, which are not used.
        """
        with _refusing():
            _start(config)
            from nalu_seq.experiment.experiment import Experiment
            from nalu_seq.experiment.feasibility import check

            directory = Path(config.hydra.run.dir)
            check_output(directory)
            _check_empty(directory)
            # The config of a job has no node `hydra`.
            cfg = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
            experiment = Experiment(cfg, dict(config.hydra.runtime.choices))
            check(experiment)
            _train_as_follower(experiment, directory)
            # After this callback Hydra writes into the directory.
            reserve(directory)
            _check_empty(directory)

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check what all jobs of a sweep share; each job checks the rest itself.

        Args:
            config: the config of the sweep, with Hydra's own node.
            **kwargs: Hydra's other arguments, which are not used.
        """
        with _refusing():
            _refuse_sweeps_of_sweeps(config)
            _check_launcher(config)
            _check_subdir(config)
            if config.strategy.name == "multi_worker":
                raise BadInput("strategy=multi_worker trains one run at a time: no sweep with it")
            _start(config)
            choices = config.hydra.runtime.choices
            protocol = None if _swept_options(config, "protocol", []) else choices["protocol"]
            for unit in _swept_options(config, "unit", options("unit")) or [choices["unit"]]:
                check_row(protocol, unit)
            directory = str(config.hydra.sweep.dir)
            check_output(Path(directory))
            reserve(Path(directory))
            _check_empty(Path(directory))
            check_same_sweep(Path(directory), list(config.hydra.overrides.task))
        # Each job would derive the folder's name from its own options, but all share this folder.
        OmegaConf.set_readonly(config.hydra, False)
        config.hydra.overrides.hydra.append(f"hydra.sweep.dir={quote(directory)}")

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Add a sweep's job and its overrides to sweep.json, before the job begins.

        Args:
            config: the composed config, with Hydra's own node.
            **kwargs: Hydra's other arguments, which are not used.
        """
        if config.hydra.mode != RunMode.MULTIRUN:
            return
        directory = Path(config.hydra.sweep.dir)
        with _listing(directory):  # a launcher starts several jobs at once
            jobs = read_jobs(directory)
            jobs[config.hydra.sweep.subdir] = list(config.hydra.overrides.task)
            replace(directory / "sweep.json", json.dumps(jobs, indent=1) + "\n")

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Print a table of the jobs that are done, and the sweep's folder.

        Args:
            config: the config of the sweep, with Hydra's own node.
            **kwargs: Hydra's other arguments, which are not used.
        """
        directory = Path(config.hydra.sweep.dir)
        release(directory)
        with contextlib.suppress(ValueError):  # no job has begun
            finished_runs, _ = find_runs(directory)
            if finished_runs:
                print(text(tables(protocols(finished_runs))), flush=True)
                print(f"watch it: tensorboard --logdir {directory / 'tensorboard'}", flush=True)
        print(f"run: {config.hydra.sweep.dir}", flush=True)


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    """Bad input ends the program; Hydra would turn an exception into a warning and go on."""
    try:
        yield
    except BadInput as error:
        refuse(error)
    except (HydraException, OmegaConfBaseException) as error:
        refuse(first_line(error))
    except Exception as error:
        traceback.print_exc()
        raise SystemExit(1) from error


@contextlib.contextmanager
def _listing(directory: Path) -> Iterator[None]:
    """Lock the list of a sweep's jobs within a block, after other jobs have released it."""
    descriptor = os.open(directory / ".sweep.lock", os.O_CREAT | os.O_RDWR, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _check_empty(directory: Path) -> None:
    """Make sure that a directory holds no run that another would write over.

    Raises:
        BadInput: the directory holds a run.
    """
    if state(directory) != "new":
        raise BadInput(f"{directory} holds a run: go on with it by resume={directory}")


def _train_as_follower(experiment: Any, directory: Path) -> None:
    """Train and exit, in a worker that does not lead: the run's directory is the leader's."""
    from nalu_seq.distribution.workers import Workers
    from nalu_seq.experiment.session import train

    if Workers(experiment.strategy).index > 0:
        train(experiment, directory)
        raise SystemExit(0)


def _check_launcher(config: DictConfig) -> None:
    """Refuse to launch jobs by Slurm without its commands; Submitit would print a traceback."""
    if config.hydra.launcher._target_.endswith("SlurmLauncher") and shutil.which("srun") is None:
        raise BadInput(
            "hydra/launcher=slurm: there is no srun on the PATH: start it where Slurm is, or take "
            "hydra/launcher=cores for jobs side by side on this machine"
        )


def _check_subdir(config: DictConfig) -> None:
    """Refuse a pattern that gives all jobs of a sweep one folder, or one outside the sweep's."""
    pattern = str(OmegaConf.to_container(config.hydra.sweep, resolve=False)["subdir"])  # type: ignore[index, call-overload]
    advice = "leave it out, or take '${hydra.job.num}'"
    if "${" not in pattern:
        raise BadInput(f"hydra.sweep.subdir={pattern} gives all jobs one folder: {advice}")
    if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
        raise BadInput(f"hydra.sweep.subdir={pattern} leads out of the sweep's folder: {advice}")


def _refuse_sweeps_of_sweeps(config: DictConfig) -> None:
    """Refuse an experiment that is a sweep as a job of another sweep: see hydra#2807."""
    sources = [s.path for s in config.hydra.runtime.config_sources if s.schema == "file"]
    valid = {p.stem: p for s in reversed(sources) for p in Path(s).glob("experiment/*.yaml")}
    for name in _swept_options(config, "experiment", list(valid)):
        node = OmegaConf.load(valid[name]) if name in valid else OmegaConf.create()
        if OmegaConf.select(node, "hydra.mode") == RunMode.MULTIRUN.name:
            raise BadInput(
                f"experiment={name} is a sweep by itself, which can't be one job of another: "
                "give it a command of its own"
            )


def _swept_options(config: DictConfig, key: str, valid: list[str]) -> list[str]:
    """The options of a group that a sweep varies; empty if it does not vary the group."""
    params = [f"{k}={v}" for k, v in (config.hydra.sweeper.params or {}).items()]
    command_overrides = [*params, *config.hydra.overrides.task]
    key_overrides = [
        o
        for o in OverridesParser.create().parse_overrides(command_overrides)
        if o.key_or_group == key
    ]
    if not key_overrides or not key_overrides[-1].is_sweep_override():
        return []
    value = key_overrides[-1].value()
    return (
        value.filter(valid)
        if isinstance(value, Glob)
        else [*key_overrides[-1].sweep_string_iterator()]
    )


def _start(config: DictConfig) -> None:
    """Start TensorFlow, and set Hydra's config, from which directories get their names."""
    if config.hydra.output_subdir != ".hydra":
        raise BadInput("hydra.output_subdir: a run keeps its config in .hydra")
    if not config.output:
        raise BadInput("output is empty: give the directory that runs go into, or leave it out")
    from nalu_seq.distribution.startup import start_tensorflow

    start_tensorflow(as_dataclass(Strategy, config.strategy), as_dataclass(Train, config.train))
    HydraConfig.instance().set_config(config)
    for kind in ("run", "sweep"):
        if not str(config.hydra[kind].dir):
            raise BadInput(f"hydra.{kind}.dir is empty: give a directory, or leave it out")
