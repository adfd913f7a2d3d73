"""A formula is what the data bear out, whatever the weights are."""

import functools

import keras
import numpy as np
import pytest

from nalu_seq.evaluation.measure import Evaluator
from nalu_seq.explanation.explanation import Explainer
from nalu_seq.models import build, build_stateful, encoders, heads
from nalu_seq.population.population import Population
from nalu_seq.records.members import Members
from nalu_seq.tasks.arithmetic import Arithmetic
from nalu_seq.tasks.count import Count
from nalu_seq.tasks.product import Product
from nalu_seq.tasks.running_sum import RunningSum
from nalu_seq.tasks.single_module import SingleModule
from nalu_seq.units import NALU, NAU, NMU
from tests.units.layers import partial

SEEDS = 12


def explainer(task, unit, seeds=SEEDS, encoder=encoders.none, head=heads.readout) -> Explainer:
    sizes = task.input_size, task.output_size
    make = functools.partial(build, encoder, head, unit, *sizes, sequence=task.sequence)
    stream = build_stateful(encoder, head, unit, *sizes) if task.sequence else None
    members = Members.of_seeds(range(seeds), task.cases)
    return Explainer(Evaluator(Population(make, members.seeds), task, members, stream))


def assign(population: Population, *weights: np.ndarray) -> None:
    for variable, values in zip(population.variables, weights, strict=True):
        variable.assign(np.broadcast_to(values, variable.shape))


def texts(explained: Explainer) -> list[str | None]:
    return [e.formula and str(e.formula) for e in explained.explain()]


# Never a formula that the data contradict


def truth(task) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    x = rng.uniform(1, 9, (200, 2))
    y = x[:, 0] * x[:, 1] if isinstance(task, Product) else x[:, 0] - x[:, 1]
    return x, y[:, None]


@pytest.mark.parametrize(
    ("option", "operation"),
    [
        ("nmu", "mul"), ("nalu", "mul"), ("nalu_nmu", "mul"), ("real_npu", "mul"), ("nru", "mul"),
        ("mul_mcfc_inalu", "mul"), ("nau", "sub"), ("inalu", "sub"), ("nac", "sub"),
    ],
)  # fmt: skip
def test_no_formula_contradicts_the_data(option, operation):
    task = Product(extrapolate=[9, 99]) if operation == "mul" else SingleModule("sub")
    explained = explainer(task, partial(option))
    rng = np.random.default_rng(0)
    for variable in explained.population.variables:
        # Half of the members near what the unit is drawn to, the others anywhere.
        near = rng.choice([-50.0, -1.0, 0.0, 1.0, 50.0], variable.shape)
        near += rng.normal(0, 0.01, variable.shape)
        wide = rng.normal(0, 2, variable.shape)
        half = np.arange(SEEDS).reshape(-1, *[1] * (len(variable.shape) - 1)) < SEEDS // 2
        variable.assign(np.where(half, near, wide))
    explanations = explained.explain()
    x, y = truth(task)
    for explanation in explanations:
        assert (explanation.formula is None) == bool(explanation.reason)
        if explanation.formula is not None:
            np.testing.assert_allclose(explanation.formula.predict(x), y, rtol=1e-3)


# What it must find


def test_a_product_by_nalu_with_its_gate_shut():
    explained = explainer(Product(extrapolate=[9, 99]), NALU, seeds=3)
    gate = np.array([-8.0, -9.0]).reshape(1, 2, 1)
    assign(explained.population, np.float32(9), np.float32(9), gate)
    assert texts(explained) == ["x0*x1"] * 3
    (explanation, *_) = explained.explanations
    assert explanation.errors["range_9_99"] == (pytest.approx(1.0, abs=1), 1.0)
    assert explanation.distances["unit/W"] < 1e-3


def test_a_product_of_sums_in_any_order_and_sign():
    task = Arithmetic("mul", inputs=4, nested=True)
    encoder = functools.partial(encoders.hidden, 2, NAU)
    explained = explainer(task, NMU, seeds=3, encoder=encoder)
    sums = np.array([[1, 1], [1, 1], [1, 0], [1, 0]])
    hidden = np.stack([sums, sums[:, ::-1], -sums]) * 0.999
    assign(explained.population, hidden, np.float32(0.998))
    assert texts(explained) == ["(x0 + x1)*(x0 + x1 + x2 + x3)"] * 3


def test_a_difference_has_its_signs():
    explained = explainer(SingleModule("sub"), NAU, seeds=2)
    assign(explained.population, np.array([[[0.99], [-0.98]], [[0.99], [0.98]]]))
    solved, failed = explained.explain()
    assert str(solved.formula) == "x0 - x1" and not solved.solved
    assert failed.formula is None and failed.reason == "rounded, it is wrong on validation"


def test_a_sum_over_time_and_one_by_a_cell():
    accumulate = functools.partial(heads.accumulate, operation="sum")
    explained = explainer(RunningSum(length=5, lengths=[20]), NAU, seeds=1, head=accumulate)
    assign(explained.population, np.float32(0.97))
    assert texts(explained) == ["y0 <- x0 + y0"]
    cell = functools.partial(heads.unit_cell, initial_state=0.0)
    explained = explainer(RunningSum(length=5, lengths=[20]), NAU, seeds=1, head=cell)
    assign(explained.population, np.float32(0.97))
    assert texts(explained) == ["y0 <- x0 + y0"]


def test_weights_that_are_not_finite_have_no_formula_and_disturb_no_other():
    explained = explainer(Product(), NMU, seeds=2)
    assign(explained.population, np.array([1.0, np.nan]).reshape(2, 1, 1))
    fine, broken = explained.explain()
    assert str(fine.formula) == "x0*x1"
    assert broken.formula is None and broken.reason == "its weights are not finite"


# Events of an encoder that is not made of units


def counting(pattern: list[int] | None, encoder) -> Explainer:
    head = functools.partial(heads.accumulate, operation="sum")
    task = Count(alphabet=3, length=8, lengths=[50], pattern=pattern)
    return explainer(task, NAU, seeds=1, encoder=encoder, head=head)


def test_an_untrained_encoder_adds_no_whole_numbers():
    explained = counting(None, functools.partial(encoders.lstm, 4))
    (explanation,) = explained.explain()
    assert explanation.formula is None
    assert "not a whole number" in explanation.reason or "is wrong on" in explanation.reason


def test_a_dense_encoder_s_events_are_read():
    explained = counting(
        None, lambda **_: keras.Sequential([keras.layers.Dense(3, use_bias=False)], name="mlp")
    )
    kernel, w = np.eye(3)[[1, 0, 2]], np.eye(3)[[1, 0, 2]] * 0.98
    assign(explained.population, kernel, w)
    assert texts(explained) == ["y[a] += 1 when the symbol is a, for a from 0 to 2"]
    assert explained.explanations[0].distances["increment"] == pytest.approx(0.02, abs=1e-5)
    assign(explained.population, np.eye(3), w)  # counts the wrong symbols
    assert texts(explained) == [None]


def test_an_unreadable_model_says_which_layer():
    explained = explainer(Product(), NMU, encoder=functools.partial(encoders.mlp, 2, 1, "tanh"))
    assert {e.reason for e in explained.explain()} == {
        "its layer mlp is made of no units that could be rounded"
    }
    explained = explainer(Product(), partial("linear"), seeds=1)
    assert explained.explain()[0].reason.startswith("Linear names no weights to round to")
