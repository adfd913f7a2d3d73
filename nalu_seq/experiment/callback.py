"""Around Hydra's jobs: bad input ends before a directory is made, a sweep knows its jobs."""

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
from nalu_seq.config.schema import Strategy, Train, typed
from nalu_seq.config.values import check_row
from nalu_seq.errors import BadInput, first_line, refuse
from nalu_seq.records.files import replace
from nalu_seq.records.folder import check_output, release, reserve
from nalu_seq.records.runs import state
from nalu_seq.records.sweeps import check_same_sweep, quoted, read_jobs
from nalu_seq.reports.formats import text
from nalu_seq.reports.summaries import find_runs, protocols
from nalu_seq.reports.tables import tables


class CheckBeforeRun(Callback):
    """Builds everything once before a run's directory is made, and keeps a sweep's list of jobs."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check a single run."""
        with _refusing():
            _start(config)
            from nalu_seq.experiment.experiment import Experiment
            from nalu_seq.experiment.feasibility import check

            directory = Path(config.hydra.run.dir)
            check_output(directory)
            _check_empty(directory)
            # What a job is given has no hydra in it.
            cfg = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
            experiment = Experiment(cfg, dict(config.hydra.runtime.choices))
            check(experiment)
            _assist(experiment, directory)
            # Hydra writes into it from now on.
            reserve(directory)
            _check_empty(directory)

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check what all jobs of a sweep share; each job checks itself again."""
        with _refusing():
            _refuse_sweeps_of_sweeps(config)
            _check_launcher(config)
            if config.strategy.name == "multi_worker":
                raise BadInput("strategy=multi_worker trains one run at a time: no sweep with it")
            _start(config)
            choices = config.hydra.runtime.choices
            protocol = None if _swept(config, "protocol", []) else choices["protocol"]
            for unit in _swept(config, "unit", options("unit")) or [choices["unit"]]:
                check_row(protocol, unit)
            directory = str(config.hydra.sweep.dir)
            check_output(Path(directory))
            reserve(Path(directory))
            _check_empty(Path(directory))
            check_same_sweep(Path(directory), list(config.hydra.overrides.task))
        # Each job would make the folder's name from its own options: all shall have this one.
        OmegaConf.set_readonly(config.hydra, False)
        config.hydra.overrides.hydra.append(f"hydra.sweep.dir={quoted(directory)}")

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Note a sweep's job in its sweep.json, job -> overrides, before it begins."""
        if config.hydra.mode != RunMode.MULTIRUN:
            return
        directory = Path(config.hydra.sweep.dir)
        with _listing(directory):  # a launcher starts several jobs at once
            jobs = read_jobs(directory)
            jobs[config.hydra.sweep.subdir] = list(config.hydra.overrides.task)
            replace(directory / "sweep.json", json.dumps(jobs, indent=1) + "\n")

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Compare the jobs that are done, and say where the sweep is."""
        directory = Path(config.hydra.sweep.dir)
        release(directory)
        with contextlib.suppress(ValueError):  # no job has begun
            done, _ = find_runs(directory)
            if done:
                print(text(tables(protocols(done))), flush=True)
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
    """Wait until no other job of a sweep writes into its list, then keep the others from it."""
    descriptor = os.open(directory / ".sweep.lock", os.O_CREAT | os.O_RDWR, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _check_empty(directory: Path) -> None:
    """Make sure that a directory holds no run that another would write over.

    Raises:
        BadInput: it does.
    """
    if state(directory) != "new":
        raise BadInput(f"{directory} holds a run: go on with it by resume={directory}")


def _assist(experiment: Any, directory: Path) -> None:
    """A worker that does not lead trains here and leaves no directory: the run is the leader's."""
    from nalu_seq.distribution.workers import Workers
    from nalu_seq.experiment.session import train

    if Workers(experiment.strategy).index > 0:
        train(experiment, directory)
        raise SystemExit(0)


def _check_launcher(config: DictConfig) -> None:
    """Jobs for Slurm need its commands; Submitit would end with a traceback."""
    if config.hydra.launcher._target_.endswith("SlurmLauncher") and shutil.which("srun") is None:
        raise BadInput(
            "hydra/launcher=slurm: there is no srun on the PATH: start it where Slurm is, or take "
            "hydra/launcher=cores for jobs side by side on this machine"
        )


def _refuse_sweeps_of_sweeps(config: DictConfig) -> None:
    """Of an experiment that is a sweep, another sweep would run one job alone (hydra#2807)."""
    sources = [s.path for s in config.hydra.runtime.config_sources if s.schema == "file"]
    known = {p.stem: p for s in reversed(sources) for p in Path(s).glob("experiment/*.yaml")}
    for name in _swept(config, "experiment", list(known)):
        node = OmegaConf.load(known[name]) if name in known else OmegaConf.create()
        if OmegaConf.select(node, "hydra.mode") == RunMode.MULTIRUN.name:
            raise BadInput(
                f"experiment={name} is a sweep by itself, which can't be one job of another: "
                "give it a command of its own"
            )


def _swept(config: DictConfig, key: str, known: list[str]) -> list[str]:
    """The options of a group that a sweep goes through; none if it stays with one."""
    params = [f"{k}={v}" for k, v in (config.hydra.sweeper.params or {}).items()]
    written = [*params, *config.hydra.overrides.task]
    parsed = [o for o in OverridesParser.create().parse_overrides(written) if o.key_or_group == key]
    if not parsed or not parsed[-1].is_sweep_override():
        return []
    value = parsed[-1].value()
    return value.filter(known) if isinstance(value, Glob) else [*parsed[-1].sweep_string_iterator()]


def _start(config: DictConfig) -> None:
    """Start TensorFlow, and make the names of directories, which Hydra's config gives, readable."""
    if config.hydra.output_subdir != ".hydra":
        raise BadInput("hydra.output_subdir: a run keeps its config in .hydra")
    if not config.output:
        raise BadInput("output is empty: give the directory that runs go into, or leave it out")
    from nalu_seq.distribution.startup import start_tensorflow

    start_tensorflow(typed(Strategy, config.strategy), typed(Train, config.train))
    HydraConfig.instance().set_config(config)
