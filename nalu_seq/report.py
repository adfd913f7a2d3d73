"""Show runs or sweeps side by side, in tables or a page: `python -m nalu_seq.report RUN...`."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nalu_seq.errors import Arguments, BadInput, command, warn

if TYPE_CHECKING:
    from nalu_seq.reports.page import LearnedWeights
    from nalu_seq.reports.summaries import Run

FORMATS = ("text", "md", "tex", "csv", "html")
REASONS = 3  # directories that an error names if none of them is a finished run


def main() -> None:
    """The command. Exit codes: 0 done, 2 bad input."""
    with command():
        _report(_arguments())


def _arguments() -> argparse.Namespace:
    parser = Arguments(prog="python -m nalu_seq.report", description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+", help="run directories or sweeps' folders")
    parser.add_argument("--format", choices=FORMATS, default="text")
    parser.add_argument(
        "--published", metavar="SOURCE", help="beside these figures: Madsen2020, iNALU2020 ..."
    )
    parser.add_argument(
        "--pairs", action="store_true", help="every two rows: who is first, seeds needed, restarts"
    )
    parser.add_argument(
        "--figure",
        type=Path,
        metavar="FILE",
        help="draw what share solved it by step (PNG, PDF, SVG ...)",
    )
    parser.add_argument(
        "--against", metavar="KEY", help="with --figure: the outcome by this key, or by case"
    )
    parser.add_argument(
        "--metric", metavar="NAME", help="with --figure: this metric by step, a line a member"
    )
    return parser.parse_args()


def _report(arguments: argparse.Namespace) -> None:
    for option in ("against", "metric"):
        if getattr(arguments, option) and not arguments.figure:
            raise BadInput(f"--{option} says what a figure shows: give --figure FILE too")
    if arguments.against and arguments.metric:
        raise BadInput("--against and --metric are two figures: give one of them")
    from nalu_seq.reports.beside import beside
    from nalu_seq.reports.formats import FORMATS as formats
    from nalu_seq.reports.pairs import pairs
    from nalu_seq.reports.published import check_source
    from nalu_seq.reports.summaries import protocols
    from nalu_seq.reports.tables import tables

    if arguments.published:
        check_source(arguments.published)
    runs = _find(arguments.runs)
    groups = protocols(runs)
    if len(groups) > 1:
        warn(f"these runs follow {len(groups)} protocols: each has tables of its own")
    shown = tables(groups)
    if arguments.published:
        shown += [t for group in groups for t in beside(group, groups, arguments.published)]
    if arguments.pairs:
        shown += [t for group in groups for t in pairs(group, groups)]
    if arguments.figure:
        from nalu_seq.reports import plots

        if arguments.against:
            plots.plot_against(runs, arguments.against, arguments.figure)
        elif arguments.metric:
            plots.plot_metric(runs, arguments.metric, arguments.figure)
        else:
            plots.plot(groups, arguments.figure)
    if arguments.format == "html":
        from nalu_seq.reports.page import page

        print(page(groups, shown, _read_learned(runs)))
    else:
        print(formats[arguments.format](shown))


def _read_learned(runs: "Sequence[Run]") -> "dict[Path, LearnedWeights]":
    """Weights and formulas of the runs that kept checkpoints; a warning for unreadable ones."""
    places = [run.place for run in runs if any((run.place / "checkpoints").glob("[0-9]*"))]
    if not places:
        return {}
    from nalu_seq.config.environment import check_environment
    from nalu_seq.distribution.startup import start_tensorflow

    check_environment()
    start_tensorflow()
    from nalu_seq.experiment.learned import learned_weights

    by_place: dict[Path, LearnedWeights] = {}
    for place in places:
        try:
            by_place[place] = learned_weights(place)
        except BadInput as error:
            warn(f"{place}: its weights are left out: {error}")
    return by_place


def _find(directories: Sequence[Path]) -> "list[Run]":
    """All finished runs in some directories, each once; a warning for each that is left out."""
    from nalu_seq.reports.summaries import find_runs

    runs: dict[Path, Run] = {}
    left_out: list[str] = []
    for directory in directories:
        try:
            runs_of_place, unfinished = find_runs(directory)
        except (OSError, ValueError) as error:
            runs_of_place, unfinished = [], [str(error)]
        runs |= {run.place: run for run in runs_of_place}
        left_out += unfinished
    if not runs:
        more = f"; and {len(left_out) - REASONS} more" if len(left_out) > REASONS else ""
        raise BadInput(f"none of these is a finished run: {'; '.join(left_out[:REASONS])}{more}")
    for line in left_out:
        warn(line)
    return list(runs.values())


if __name__ == "__main__":
    main()
