"""Around Hydra's jobs: bad input ends before a directory is made, a sweep knows its jobs."""

import json
import sys
from pathlib import Path
from typing import Any, NoReturn

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from nalu_seq.config import BadInput


def refuse(error: Exception | str) -> NoReturn:
    """Say what is wrong in one line and leave with exit code 2."""
    line = " ".join(str(error).split())
    print(f"nalu_seq: {line}", file=sys.stderr)
    raise SystemExit(2)


class CheckBeforeRun(Callback):
    """Builds everything once before a run's directory is made, and keeps a sweep's list of jobs."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check a single run."""
        recipe = _start(config)
        directory = Path(config.hydra.run.dir)
        try:
            recipe.check_output(directory)
            if (directory / "metrics.csv").exists():
                raise BadInput(f"{directory} holds a run: go on with it by resume={directory}")
            recipe.Recipe(config, dict(config.hydra.runtime.choices))
        except BadInput as error:
            refuse(error)

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check what all jobs of a sweep share; each job checks itself again."""
        try:
            _start(config).check_output(Path(config.hydra.sweep.dir))
        except BadInput as error:
            refuse(error)

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Note a sweep's job in its sweep.json, job -> overrides, before it begins."""
        if config.hydra.mode != RunMode.MULTIRUN:
            return
        path = Path(config.hydra.sweep.dir) / "sweep.json"
        jobs = json.loads(path.read_text()) if path.exists() else {}
        jobs[config.hydra.sweep.subdir] = OmegaConf.to_container(config.hydra.overrides.task)
        partial = path.with_name(".sweep.json.partial")
        partial.write_text(json.dumps(jobs, indent=1) + "\n")
        partial.replace(path)

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Say where the sweep is."""
        print(f"run: {config.hydra.sweep.dir}", flush=True)


def _start(config: DictConfig) -> Any:
    """Start TensorFlow, and make the names of directories, which Hydra's config gives, readable."""
    from nalu_seq.startup import start_tensorflow

    start_tensorflow()
    HydraConfig.instance().set_config(config)
    from nalu_seq import recipe

    return recipe
