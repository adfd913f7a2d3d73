"""Parts of a run into the run: `python -m nalu_seq.merge RUN PART...`, trained with shard=i/n."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from nalu_seq.config.schema import Strategy, register
from nalu_seq.errors import BadInput, fail, first_line, heard, refuse
from nalu_seq.records.folder import check_output
from nalu_seq.records.runs import read_run

OWN = ("shard", "strategy", "output", "resume")  # what parts of one run need not share


def main() -> None:
    """The command. Exit codes: 0 done, 1 what the machine refused, 2 bad input."""
    parser = argparse.ArgumentParser(prog="python -m nalu_seq.merge", description=__doc__)
    parser.add_argument("run", type=Path, help="the directory to be made")
    parser.add_argument("parts", type=Path, nargs="+", help="the parts' run directories")
    parser.add_argument("--trust", action="store_true", help="run code of the runs' own: units …")
    arguments = parser.parse_args()
    register()
    try:
        with heard():
            _merge(arguments.run, arguments.parts, arguments.trust)
    except (OmegaConfBaseException, YAMLError) as error:
        refuse(first_line(error))
    except BadInput as error:
        refuse(error)
    except OSError as error:
        fail(error)


def _merge(directory: Path, parts: Sequence[Path], trust: bool) -> None:
    if directory.exists():
        raise BadInput(f"{directory} exists: give a directory to be made")
    configs = {part: read_run(part, trust)[0] for part in parts}
    ordered = _in_order(configs)
    cfg, choices = read_run(ordered[0], trust)
    cfg.shard, cfg.strategy = None, Strategy(name="members")
    from nalu_seq.distribution.startup import start_tensorflow

    start_tensorflow()
    from rich.console import Console

    from nalu_seq.experiment.experiment import Experiment
    from nalu_seq.experiment.merge import check_done, merge

    experiment = Experiment(cfg, choices)
    check_done(experiment, ordered)
    check_output(directory)
    (directory / ".hydra").mkdir(parents=True)
    (directory / ".hydra" / "config.yaml").write_text(OmegaConf.to_yaml(cfg))
    recorded = ordered[0] / ".hydra" / "hydra.yaml"
    (directory / ".hydra" / "hydra.yaml").write_text(recorded.read_text())
    merge(experiment, directory, ordered, Console())


def _in_order(configs: dict[Path, DictConfig]) -> list[Path]:
    """The parts by the members that they have.

    Raises:
        BadInput: they are not all the parts of one run.
    """
    by_shard: dict[str, Path] = {}
    first = next(iter(configs))
    for part, cfg in configs.items():
        if cfg.shard is None:
            raise BadInput(f"{part} is no part of a run: it was not trained with shard=i/n")
        if cfg.shard in by_shard:
            raise BadInput(f"{part} and {by_shard[cfg.shard]} are both shard={cfg.shard}")
        for key in map(str, cfg):
            if key not in OWN and cfg[key] != configs[first][key]:
                raise BadInput(f"{part} and {first} are parts of different runs: {key} differs")
        by_shard[cfg.shard] = part
    count = configs[first].shard.partition("/")[2]
    shards = [f"{i}/{count}" for i in range(int(count))]
    missing = [shard for shard in shards if shard not in by_shard]
    if missing or len(by_shard) > len(shards):
        raise BadInput(
            f"these are shards {', '.join(by_shard)}: give each of {', '.join(shards)} once"
        )
    return [by_shard[shard] for shard in shards]


if __name__ == "__main__":
    main()
