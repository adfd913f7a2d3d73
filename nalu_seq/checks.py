"""What runs before Hydra makes a directory: bad input ends here, with one line and exit code 2."""

import sys
from pathlib import Path
from typing import Any, NoReturn

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from nalu_seq.config import BadInput


def refuse(error: Exception | str) -> NoReturn:
    """Say what is wrong in one line and leave with exit code 2."""
    line = " ".join(str(error).split())
    print(f"nalu_seq: {line}", file=sys.stderr)
    raise SystemExit(2)


class CheckBeforeRun(Callback):
    """Builds everything once before the run's directory is made."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check a single run."""
        from nalu_seq.startup import start_tensorflow

        start_tensorflow()
        from nalu_seq.recipe import Recipe, check_output

        HydraConfig.instance().set_config(config)  # the directory's name is made from it
        try:
            check_output(Path(config.hydra.run.dir))
            Recipe(config, dict(config.hydra.runtime.choices))
        except BadInput as error:
            refuse(error)

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check what all jobs of a sweep share; each job checks itself again."""
        from nalu_seq.startup import start_tensorflow

        start_tensorflow()
        from nalu_seq.recipe import check_output

        HydraConfig.instance().set_config(config)
        try:
            check_output(Path(config.hydra.sweep.dir))
        except BadInput as error:
            refuse(error)
