"""Cases: a grid of settings in one program, each member as it would be alone."""

import re
from typing import Any

import hydra
import numpy as np
import pytest

from nalu_seq.config.cases import Case, cross
from nalu_seq.config.options import conf_dir
from nalu_seq.config.schema import register
from nalu_seq.errors import BadInput
from nalu_seq.experiment.experiment import Experiment
from nalu_seq.experiment.feasibility import check
from nalu_seq.population.population import Population
from nalu_seq.tasks.base import Batch

STEPS = 200


def experiment(*overrides: str) -> Experiment:
    """A small single module, put together as the command does it."""
    register()
    small = [
        "task=single_module",
        "task.ranges=[[[1,2],[2,6]],[[-2,-1],[-6,-2]]]",
        "train.batch_size=8",
        "train.compile=graph",
        "seeds=[0,3]",
    ]
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        cfg = hydra.compose("config", [*small, *overrides], return_hydra_config=True)
        choices = dict(cfg.hydra.runtime.choices)
        cfg = hydra.compose("config", [*small, *overrides])
    return Experiment(cfg, choices)


def test_without_a_grid_the_cases_are_the_tasks_own() -> None:
    assert cross(["default"], {}) == [Case("default", "default", {})]
    assert cross(["U[1,2]", "U[1,3]"], {}) == [
        Case("U[1,2]", "U[1,2]", {}),
        Case("U[1,3]", "U[1,3]", {}),
    ]


def test_each_case_of_the_task_meets_each_setting() -> None:
    grid = {"optimizer.learning_rate": [0.01, 1e-5], "penalty.sparsity.start": [0, 20000]}
    cases = cross(["a", "b"], grid)
    assert len(cases) == 8 and len({c.name for c in cases}) == 8
    assert [c.task_case for c in cases] == ["a"] * 4 + ["b"] * 4
    assert cases[1] == Case(
        "a learning_rate=0.01 sparsity.start=20000",
        "a",
        {"optimizer.learning_rate": 0.01, "penalty.sparsity.start": 20000},
    )
    assert cases[2].settings == {"optimizer.learning_rate": 1e-5, "penalty.sparsity.start": 0}


def test_a_name_leaves_out_the_tasks_only_case() -> None:
    assert [c.name for c in cross(["U[1,2]"], {"unit.stddev": [1]})] == ["stddev=1"]


def test_names_tell_near_numbers_apart() -> None:
    cases = cross(["default"], {"optimizer.beta_2": [0.9999991, 0.9999999, 0.99]})
    assert [c.name for c in cases] == [
        "beta_2=0.9999991",
        "beta_2=0.9999999",
        "beta_2=0.99",
    ]


@pytest.mark.parametrize(
    "key",
    [
        "optimizer.epsilon",
        "penalty.l1.growth",
        "penalty.inalu.loss_below",
        "unit.w_mean",
        "unit.stddev",
        "unit.w_hat_initializer",
    ],
)
def test_what_changes_no_shape_may_vary(key: str) -> None:
    assert len(cross(["default"], {key: [1, 2]})) == 2


@pytest.mark.parametrize(
    "key",
    [
        "optimizer.schedule",
        "train.batch_size",
        "penalty.weight",
        "penalty.sparsity.wieght",
        "unit.eps",
        "unit.a.stddev",
        "task.operation",
        "seeds",
        "",
    ],
)
def test_what_changes_the_program_may_not(key: str) -> None:
    with pytest.raises(
        BadInput, match=f"^cases: {key} must be the same for all members; these can differ:"
    ):
        cross(["default"], {key: [1, 2]})


@pytest.mark.parametrize("values", [[], 0.1, "0.1", None, {"a": 1}])
def test_values_are_a_list(values: Any) -> None:
    with pytest.raises(BadInput, match="must have a list of values, not"):
        cross(["default"], {"optimizer.beta_1": values})


def test_a_grid_of_too_many_is_refused_before_it_is_listed() -> None:
    grid = {f"penalty.{name}.weight": list(range(1000)) for name in "abcdef"}
    with pytest.raises(
        BadInput, match=r"cases: 10{18} combinations are more than 1048576, the most"
    ):
        cross(["default"], grid)


@pytest.mark.parametrize("values", [[0.1, 0.1], [1, 1.0]])
def test_a_value_stands_once(values: list[float]) -> None:
    with pytest.raises(BadInput, match="names a value twice"):
        cross(["default"], {"optimizer.learning_rate": values})


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["+cases={train.steps:[1,2]}"], "cases: train.steps must be the same"),
        (["+cases={optimizer.learning_rate:[0.1,-1]}"], "learning_rate must be a number above 0"),
        (["+cases={optimizer.learning_rate:[0.1,x]}"], "learning_rate must be a number above 0"),
        (["+cases={penalty.nope.weight:[0.1]}"], "cases: penalty.nope.weight: no such penalty"),
        (["+cases={penalty.l1.weight:[0.1]}"], "penalty.l1: unit=nau has no l1 penalty; it has: "),
        (["+cases={penalty.sparsity.weight:[a]}"], "a penalty's values must be numbers"),
        (["+cases={penalty.sparsity.start:[-1]}", "penalty.sparsity.weight=1"], "not be negative"),
        (["+cases={unit.nope_mean:[0]}"], "unit.nope_mean: no such key; valid: "),
        (["unit=inalu", "+cases={unit.stddev:[1,-1]}"], "stddev must be positive"),
        (
            ["+cases={optimizer.learning_rate:[0.1,0.2]}", "seeds=600000"],
            "4 cases of 600000 seeds are 2400000 members, more than 1048576, the most at once",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_cases_get_one_line(overrides: list[str], message: str) -> None:
    with pytest.raises(BadInput, match=re.escape(message)) as error:
        check(experiment(*overrides))
    assert "\n" not in str(error.value)


def trained(composed: Experiment) -> tuple[Population, list[np.ndarray], Batch]:
    """The population after its steps, its mean losses on the way, and the batch of step 150."""
    population = composed.population()
    trainer = composed.trainer(population)
    losses = []
    for _ in range(4):
        trainer.run(STEPS // 4)
        losses.append(trainer.mean_loss())
    return (
        population,
        losses,
        composed.task.train_batch(composed.members.stream("train").at(150, 8)),
    )


@pytest.mark.parametrize(
    ("fixed", "grid"),
    [
        (["unit=nau"], {"optimizer.learning_rate": [0.01, 0.001], "optimizer.beta_2": [0.9, 0.99]}),
        (
            ["unit=nau"],
            {"penalty.sparsity.weight": [0.0, 3.0], "penalty.sparsity.start": [0, 100]},
        ),
        (["unit=inalu"], {"unit.w_mean": [1.0, 0.88], "unit.stddev": [0.1, 0.2]}),
    ],
    ids=["optimizer", "penalty", "initial values"],
)
def test_a_member_of_a_grid_is_its_lone_run(fixed: list[str], grid: dict[str, list[float]]) -> None:
    cases = ",".join(f"{key}:{values}" for key, values in grid.items())
    together = experiment(*fixed, f"+cases={{{cases}}}")
    assert len(together.members) == 2 * 4 * 2
    population, losses, batch = trained(together)
    settings = together.cases[3].settings  # the last of each
    alone = experiment(*fixed, *(f"{key}={value}" for key, value in settings.items()))
    lone_population, lone_losses, lone_batch = trained(alone)
    for i, (case, seed) in enumerate(alone.members):
        identities = [(c.task_case, c.settings, s) for c, s in together.members]
        member = identities.index((case.task_case, settings, seed))
        np.testing.assert_array_equal(batch.x[member], lone_batch.x[i])
        np.testing.assert_array_equal(batch.y[member], lone_batch.y[i])
        for loss, lone in zip(losses, lone_losses, strict=True):
            np.testing.assert_allclose(loss[member], lone[i], rtol=1e-4, atol=1e-6)
        for ours, own in zip(population.variables, lone_population.variables, strict=True):
            np.testing.assert_allclose(ours.value[member], own.value[i], rtol=1e-4, atol=1e-6)
    # The grid is not without effect: no two settings of one range and seed end alike.
    w = np.concatenate([np.reshape(v.value, [16, -1]) for v in population.variables], axis=1)
    ends = w[0:8:2]
    apart = [(a, b) for a in range(4) for b in range(a)]
    if "penalty.sparsity.start" in grid:  # without a weight, its start makes no difference
        apart.remove((1, 0))
        np.testing.assert_array_equal(ends[0], ends[1])
    assert all(not np.allclose(ends[a], ends[b], rtol=1e-3) for a, b in apart)
