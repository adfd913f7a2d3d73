"""Make one run of parts trained with shard=i/n: `python -m nalu_seq.merge RUN PART...`."""

import os
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from nalu_seq.config.environment import check_environment
from nalu_seq.config.schema import Strategy, register
from nalu_seq.errors import Arguments, BadInput, command
from nalu_seq.records.files import leads_outside, read_text
from nalu_seq.records.folder import check_output, staged_directory
from nalu_seq.records.runs import read_run

OWN = ("shard", "strategy", "output", "resume")  # keys in which parts of a run may differ


def main() -> None:
    """The command. Exit codes: 0 done, 1 what the machine refused, 2 bad input."""
    register()
    with command():
        parser = Arguments(prog="python -m nalu_seq.merge", description=__doc__)
        parser.add_argument("run", type=Path, help="the directory to be made")
        parser.add_argument("parts", type=Path, nargs="+", help="the parts' run directories")
        parser.add_argument("--trust", action="store_true", help="run code of the runs' own")
        arguments = parser.parse_args()
        check_environment()
        _merge(arguments.run, arguments.parts, arguments.trust)


def _merge(directory: Path, parts: Sequence[Path], trust: bool) -> None:
    check_output(directory)
    if os.path.lexists(directory):
        raise BadInput(f"{directory} exists already: give a new directory for the merged run")
    if inside := [part for part in parts if not leads_outside(directory, part)]:
        raise BadInput(f"{directory} is inside {inside[0]}, a part: give a directory outside")
    configs = {part: read_run(part, trust)[0] for part in parts}
    ordered = _in_order(configs)
    cfg, choices = read_run(ordered[0], trust)
    cfg.shard, cfg.strategy = None, Strategy(name="members")
    from nalu_seq.distribution.startup import start_tensorflow

    start_tensorflow()
    from rich.console import Console

    from nalu_seq.experiment.experiment import Experiment
    from nalu_seq.experiment.merge import check_done, merge, read_parts

    experiment = Experiment(cfg, choices)
    check_done(experiment, ordered)
    hydra_yaml = read_text(ordered[0], ".hydra/hydra.yaml")
    with staged_directory(directory) as place:
        checked_parts = read_parts(experiment, place, ordered)
        (place / ".hydra").mkdir()
        (place / ".hydra" / "config.yaml").write_text(OmegaConf.to_yaml(cfg))
        (place / ".hydra" / "hydra.yaml").write_text(hydra_yaml)
        merge(experiment, place, checked_parts, Console())
    print(f"run: {directory}", flush=True)


def _in_order(configs: dict[Path, DictConfig]) -> list[Path]:
    """The parts in the order of their members.

    Raises:
        BadInput: the folders are not all the parts of one run.
    """
    by_shard: dict[str, Path] = {}
    first = next(iter(configs))
    for part, cfg in configs.items():
        if cfg.shard is None:
            raise BadInput(f"{part} is no part of a run: it was not trained with shard=i/n")
        if cfg.shard in by_shard:
            raise BadInput(f"{part} and {by_shard[cfg.shard]} are both shard={cfg.shard}: give one")
        for key in map(str, cfg):
            if key not in OWN and cfg[key] != configs[first][key]:
                raise BadInput(f"{part} and {first} are parts of different runs: {key} differs")
        by_shard[cfg.shard] = part
    count = configs[first].shard.partition("/")[2]
    # As many as there are parts: a run from elsewhere may speak of a thousand million.
    shards = [f"{i}/{len(configs)}" for i in range(len(configs))]
    if count != str(len(configs)) or set(by_shard) != set(shards):
        raise BadInput(
            f"these are shards {', '.join(by_shard)}: give each of 0/n to n-1/n of one run once"
        )
    return [by_shard[shard] for shard in shards]


if __name__ == "__main__":
    main()
