"""Measure a run at other lengths: `python -m nalu_seq.evaluate RUN 'task.lengths=[10,10000]'`."""

import argparse
import json
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from nalu_seq.config.environment import check_environment
from nalu_seq.config.schema import Strategy, register
from nalu_seq.errors import Arguments, BadInput, command

CHANGEABLE = (
    "task.lengths", "task.range", "task.ranges", "task.extrapolate", "task.counts",
    "task.replacement", "task.reference", "task.test_digits", "task.measure", "data.dir",
    "head.snap", "head.snap_factor",
)  # fmt: skip


def main() -> None:
    """The command. Exit codes: 0 done, 2 bad input."""
    register()
    with command():
        arguments = _arguments()
        check_environment()
        _evaluate(arguments)


def _arguments() -> argparse.Namespace:
    parser = Arguments(prog="python -m nalu_seq.evaluate", description=__doc__)
    parser.add_argument("run", type=Path, help="a run directory")
    parser.add_argument(
        "overrides", nargs="*", help=f"where to measure: {', '.join(CHANGEABLE)}, as key=value"
    )
    parser.add_argument(
        "--export",
        nargs=2,
        metavar=("SEED", "FILE"),
        help="write the member with this seed as a Keras model, FILE.keras, and measure nothing",
    )
    parser.add_argument("--case", help="with --export: the member's case, if there are several")
    parser.add_argument("--plot", type=Path, help="draw the error along the longest split (PNG …)")
    parser.add_argument(
        "--digits", type=Path, help="draw pictures with what is read in them (PNG …), no more"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--trust", action="store_true", help="run code of the run's own: units …")
    return parser.parse_args()


def _evaluate(arguments: argparse.Namespace) -> None:
    from nalu_seq.records.runs import read_run

    where = [override for override in arguments.overrides if not override.startswith("head.")]
    if arguments.export and (arguments.json or arguments.plot or where):
        raise BadInput("--export measures nothing: no --json, --plot or task. override beside it")
    if arguments.case and not arguments.export:
        raise BadInput("--case goes with --export")
    overrides = _overrides(arguments.overrides)
    changed_keys = [override.partition("=")[0] for override in arguments.overrides]
    cfg, choices = read_run(arguments.run, arguments.trust, instead=changed_keys)
    from nalu_seq.distribution.startup import start_tensorflow

    cfg.strategy = Strategy()  # one device, whatever the run was trained on
    start_tensorflow()
    from nalu_seq.experiment.experiment import Experiment
    from nalu_seq.experiment.extrapolation import extrapolate
    from nalu_seq.experiment.session import open_trained

    OmegaConf.set_struct(cfg, True)
    OmegaConf.set_struct(cfg.head, False)  # it may be older than snap; what it takes is checked
    cfg.merge_with(overrides)
    experiment = Experiment(cfg, choices)
    population, step = open_trained(experiment, arguments.run)
    if arguments.export:
        seed, file = arguments.export
        _export(experiment, population, seed, file, arguments.case)
        return
    if arguments.digits:
        from nalu_seq.reports.pictures import plot_digits

        parts = ", ".join(experiment.choices[group] for group in ("head", "unit"))
        title = f"{experiment.choices['task']}: {parts}"
        plot_digits(experiment.task, experiment.members, population, title, arguments.digits)
        return
    extrapolation = extrapolate(experiment, population, step)
    if arguments.plot:
        from nalu_seq.reports.plots import plot_course

        plot_course(extrapolation, arguments.plot)
    if arguments.json:
        print(json.dumps(extrapolation.as_dict(), indent=1, allow_nan=False))
        return
    from rich.console import Console

    from nalu_seq.reports.console import drift_table, results_table

    console = Console()
    console.print(results_table(extrapolation.as_dict()))
    if extrapolation.drift:
        console.print(drift_table(extrapolation.drift))


def _overrides(overrides: list[str]) -> Any:
    for override in overrides:
        key, equals, _ = override.partition("=")
        if not equals:
            raise BadInput(f"{override!r} is no override: write key=value")
        if key not in CHANGEABLE:
            raise BadInput(
                f"{key}: evaluate can only change where it measures: {', '.join(CHANGEABLE)}"
            )
    return OmegaConf.from_dotlist(overrides)


def _export(experiment: Any, population: Any, seed: str, file: str, case: str | None) -> None:
    """Write one member as a `.keras` file."""
    path = Path(file)
    if path.suffix != ".keras":
        raise BadInput(f"--export: {file} must end in .keras")
    if not path.absolute().parent.is_dir():
        raise BadInput(f"--export: {path.absolute().parent} is no directory")
    if seed not in map(str, experiment.seeds):
        raise BadInput(f"--export: seed {seed} is not in this run; it has {experiment.seeds}")
    cases = [c.name for c in experiment.cases]
    if case is None and len(cases) > 1:
        raise BadInput(f"--export: this run has several cases, name one: --case {'|'.join(cases)}")
    if case is not None and case not in cases:
        raise BadInput(f"--case {case} is not in this run; it has {', '.join(cases)}")
    try:
        population.member(experiment.members.names.index((case or cases[0], int(seed)))).save(path)
    except OSError as error:
        raise BadInput(f"--export: {path}: {error.strerror or error}") from error
    print(f"{path}: seed {seed}; `import nalu_seq.models`, then keras.models.load_model opens it")


if __name__ == "__main__":
    main()
