"""Write what a run has learned as a formula: `python -m nalu_seq.explain RUN`."""

import argparse
import collections
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from nalu_seq.config.environment import check_environment
from nalu_seq.config.schema import Strategy, register
from nalu_seq.errors import Arguments, BadInput, command

FORMATS = ("text", "json", "latex")


def main() -> None:
    """The command. Exit codes: 0 done, 2 bad input."""
    register()
    with command():
        arguments = _arguments()
        check_environment()
        _explain(arguments)


def _arguments() -> argparse.Namespace:
    parser = Arguments(
        prog="python -m nalu_seq.explain",
        description=f"{__doc__} Weights are rounded to the values that the unit's definition "
        "favours, and the rounded model is measured: where the data contradict it, there is no "
        "formula.",
    )
    parser.add_argument("run", type=Path, help="a run directory")
    parser.add_argument("--seed", type=int, help="only the member with this seed")
    parser.add_argument("--case", help="only members of this case")
    parser.add_argument("--format", choices=FORMATS, default="text", help="what is printed")
    parser.add_argument(
        "--export",
        type=Path,
        metavar="FILE",
        help="write the rounded model as FILE.keras; with --seed, if there are several",
    )
    parser.add_argument(
        "--certify",
        action="store_true",
        help="say instead how long the counts of each member stay right",
    )
    parser.add_argument(
        "--check",
        type=int,
        metavar="LENGTH",
        help="with --certify: draw sequences of this length too, and compare",
    )
    parser.add_argument("--trust", action="store_true", help="run code of the run's own: units …")
    return parser.parse_args()


def _explain(arguments: argparse.Namespace) -> None:
    from nalu_seq.records.runs import read_run

    if arguments.certify:
        _check_certify(arguments)
    elif arguments.check is not None:
        raise BadInput("--check goes with --certify")
    else:
        from nalu_seq.explanation.sympy import symbolic

        symbolic()
    _check_export(arguments.export)
    cfg, choices = read_run(arguments.run, arguments.trust)
    from nalu_seq.distribution.startup import start_tensorflow

    cfg.strategy = Strategy()  # one device, whatever the run was trained on
    start_tensorflow()
    from nalu_seq.evaluation.measure import Evaluator
    from nalu_seq.experiment.experiment import Experiment
    from nalu_seq.experiment.session import open_trained

    OmegaConf.set_struct(cfg, True)
    if arguments.check:
        cfg.task.lengths = [arguments.check]
    experiment = Experiment(cfg, choices)
    population, step = open_trained(experiment, arguments.run)
    member_indices = _choose(experiment.members.names, arguments.seed, arguments.case)
    if arguments.export and len(member_indices) > 1:
        raise BadInput("--export writes one member: name it by --seed, and by --case if need be")
    if arguments.certify:
        _certify(arguments, experiment, population, step, member_indices)
        return
    from nalu_seq.explanation.explanation import Explainer

    explainer = Explainer(
        Evaluator(population, experiment.task, experiment.members, experiment.stateful_model())
    )
    explanations = explainer.explain()
    chosen_explanations = [explanations[i] for i in member_indices]
    if arguments.format == "json":
        report = {**choices, "step": step, "members": [_as_dict(e) for e in chosen_explanations]}
        print(json.dumps(report, indent=1, allow_nan=False))
    elif arguments.format == "latex":
        print("\n".join(_latex(chosen_explanations)))
    else:
        print("\n".join(_text(chosen_explanations, experiment.task.criterion.metric)))
    if arguments.export:
        _export(explainer, member_indices[0], arguments.export)


def _check_certify(arguments: argparse.Namespace) -> None:
    if arguments.export or arguments.format == "latex":
        raise BadInput("--certify writes no model and no LaTeX: leave out --export, --format latex")
    if arguments.check is not None and arguments.check < 1:
        raise BadInput(f"--check must be a positive number of steps, not {arguments.check}")


def _certify(
    arguments: argparse.Namespace,
    experiment: Any,
    population: Any,
    step: int,
    member_indices: Sequence[int],
) -> None:
    """Print the certificates."""
    from nalu_seq.evaluation.measure import Evaluator
    from nalu_seq.explanation.certificate import Certifier, check
    from nalu_seq.explanation.rounding import Unreadable
    from nalu_seq.explanation.statement import as_dict, header, statement

    snap = experiment.cfg.head.get("snap")
    if snap not in (None, 1):
        raise BadInput(
            "--certify needs increments near whole numbers: head.snap must be null "
            f"or 1, not {snap}"
        )
    stream = experiment.stateful_model()
    try:
        certifier = Certifier(population, experiment.task, experiment.members, _free(experiment))
    except Unreadable as error:
        raise BadInput(f"--certify: {arguments.run} has nothing to certify: {error}") from error
    certificates = certifier.certify()
    checks = []
    if arguments.check:
        evaluator = Evaluator(population, experiment.task, experiment.members, stream)
        split = f"length_{arguments.check}"
        _, course = evaluator.measure(split)
        assert course is not None
        checks = [
            check(c.snapped if snap else c.length[1], exact, experiment.task.splits[split].examples)
            for c, exact in zip(certificates, course.exact, strict=True)
        ]
        checks = [checks[i] for i in member_indices]
    certificates = [certificates[i] for i in member_indices]
    if arguments.format == "json":
        members = [as_dict(c, checks[i] if checks else None) for i, c in enumerate(certificates)]
        report = {**experiment.choices, "step": step, **header(certifier, snap), "members": members}
        print(json.dumps(report, indent=1, allow_nan=False))
    else:
        print("\n".join(statement(certifier, certificates, checks, snap)))


def _free(experiment: Any) -> Any:
    """The model that is fed in pieces, with increments that are not rounded."""
    snap = experiment.cfg.head.get("snap")
    if snap is None:
        return experiment.stateful_model()
    experiment.cfg.head.snap = None
    try:
        return experiment.stateful_model()
    finally:
        experiment.cfg.head.snap = snap


def _check_export(path: Path | None) -> None:
    if path is not None and path.suffix != ".keras":
        raise BadInput(f"--export: {path} must end in .keras")
    if path is not None and not path.absolute().parent.is_dir():
        raise BadInput(f"--export: {path.absolute().parent} is no directory")


def _choose(members: list[tuple[str, int]], seed: int | None, case: str | None) -> list[int]:
    """The indices of the members with a seed and a case."""
    cases, seeds = (list(dict.fromkeys(values)) for values in zip(*members, strict=True))
    if case is not None and case not in cases:
        raise BadInput(f"--case {case} is not in this run; it has {', '.join(cases)}")
    if seed is not None and seed not in seeds:
        raise BadInput(f"--seed {seed} is not in this run; it has {', '.join(map(str, seeds))}")
    return [i for i, (c, s) in enumerate(members) if case in (None, c) and seed in (None, s)]


def _groups(explanations: Sequence[Any]) -> list[tuple[Any, list[Any]]]:
    """Each formula with the members that have it, the most frequent first."""
    groups: dict[str, list[Any]] = collections.defaultdict(list)
    for explanation in explanations:
        if explanation.formula is not None:
            groups[str(explanation.formula)].append(explanation)
    groups_by_size = sorted(groups.values(), key=len, reverse=True)
    return [(group[0].formula, group) for group in groups_by_size]


def _text(explanations: Sequence[Any], metric: str) -> list[str]:
    """Each formula with the number of its members and their errors, then members without one."""
    total, lines = len(explanations), []
    for formula, group in _groups(explanations):
        solved = sum(e.solved for e in group)
        noun = "member" if total == 1 else "members"
        lines.append(f"{len(group)} of {total} {noun}, {solved} solved at the last step:")
        lines += [f"    {line}" for line in formula.lines()]
        lines += [f"  {line}" for line in _evidence(group, metric)]
    for explanation in explanations:
        if explanation.formula is None:
            case = "" if explanation.case == "default" else f", {explanation.case}"
            solved = "solved" if explanation.solved else "not solved"
            lines.append(
                f"seed {explanation.seed}{case} ({solved}): no formula, {explanation.reason}"
            )
            lines += [f"  {line}" for line in _evidence([explanation], metric)]
    return lines


def _evidence(group: Sequence[Any], metric: str) -> list[str]:
    """The members' errors as trained and as rounded, and how far rounding moved their weights."""
    lines = []
    for split in group[0].errors:
        trained, rounded = zip(*(e.errors[split] for e in group), strict=True)
        after = "not rounded" if None in rounded else f"rounded {_span(rounded)}"
        lines.append(f"{metric} on {split}: trained {_span(trained)}, {after}")
    if group[0].distances:
        farthest = ", ".join(
            f"{name} {max(e.distances[name] for e in group):.2g}" for name in group[0].distances
        )
        lines.append(f"farthest from a rounded value: {farthest}")
    return lines


def _span(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    return f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g}"


def _latex(explanations: Sequence[Any]) -> list[str]:
    """Each formula as an aligned display, with the number of its members in a comment."""
    lines = []
    for formula, group in _groups(explanations):
        lines.append(f"% {len(group)} of {len(explanations)} members")
        lines += [r"\begin{align*}"]
        lines += [rf"  {line} \\" for line in formula.lines(latex=True)]
        lines += [r"\end{align*}"]
    without = sum(e.formula is None for e in explanations)
    return [*lines, *([f"% {without} of {len(explanations)}: no formula"] if without else [])]


def _as_dict(explanation: Any) -> dict[str, Any]:
    formula = explanation.formula
    return {
        "case": explanation.case,
        "seed": explanation.seed,
        "solved": explanation.solved,
        "formula": None if formula is None else formula.lines(),
        "latex": None if formula is None else formula.lines(latex=True),
        "reason": explanation.reason or None,
        "distances": explanation.distances,
        "errors": {
            split: {"trained": _finite(trained), "rounded": _finite(rounded)}
            for split, (trained, rounded) in explanation.errors.items()
        },
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _export(explainer: Any, index: int, path: Path) -> None:
    """Write one member's rounded model."""
    from nalu_seq.explanation.formulas import Formula
    from nalu_seq.explanation.rounding import Unreadable

    explanation = explainer.explanations[index]
    formula = explanation.formula
    if formula is None:
        raise BadInput(f"--export: seed {explanation.seed} has no formula: {explanation.reason}")
    try:
        member = explainer.population.member
        model = member(index) if isinstance(formula, Formula) else formula.model()
        model.save(path)
    except Unreadable as error:
        raise BadInput(f"--export: {error}") from error
    except OSError as error:
        raise BadInput(f"--export: {path}: {error.strerror or error}") from error
    print(
        f"{path}: `import nalu_seq.models`, then keras.models.load_model opens it", file=sys.stderr
    )


if __name__ == "__main__":
    main()
