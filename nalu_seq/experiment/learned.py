"""The weights and formulas of a run's members, from its last checkpoint."""

from pathlib import Path

import numpy as np

from nalu_seq.errors import BadInput
from nalu_seq.evaluation.measure import Evaluator
from nalu_seq.evaluation.weights import effective_weights
from nalu_seq.experiment.experiment import Experiment
from nalu_seq.experiment.session import open_run
from nalu_seq.population.population import Population
from nalu_seq.records.checkpoints import NoCheckpoint
from nalu_seq.records.runs import read_run
from nalu_seq.reports.page import LearnedWeights


def learned_weights(directory: Path) -> LearnedWeights:
    """The effective weights of each member of a run, and their formulas.

    Args:
        directory: the run's directory.

    Raises:
        BadInput: the run has no checkpoint that can be read, or names code of its own.
    """
    cfg, choices = read_run(directory)
    experiment = Experiment(cfg, choices)
    population, _, checkpoints = open_run(experiment, directory)
    try:
        checkpoints.restore()
    except NoCheckpoint as error:
        raise BadInput(str(error)) from error
    several = len(experiment.cases) > 1
    members = [
        f"seed {seed}, {case.name}" if several else f"seed {seed}"
        for case, seed in experiment.members
    ]
    # The weights are read first, because an explanation leaves the members with rounded ones.
    weights = {name: np.asarray(w) for name, w in effective_weights(population).items()}
    return LearnedWeights(members, weights, formulas(experiment, population))


def formulas(experiment: Experiment, population: Population) -> list[str]:
    """The formulas of a population as text, those that most members share first.

    The members are left with rounded weights.

    Args:
        experiment: the experiment that the population was trained in.
        population: the trained members.

    Returns:
        A block of lines for each formula; empty without SymPy.
    """
    from nalu_seq.explanation.formulas import symbolic

    try:
        symbolic()
    except BadInput:
        return []
    from nalu_seq.explanation.explanation import Explainer, agreement

    task, members = experiment.task, experiment.members
    evaluator = Evaluator(population, task, members, experiment.stateful_model())
    return agreement(Explainer(evaluator).explain())
