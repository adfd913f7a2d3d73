"""What the step adds to loss and gradient: penalties on their ramps, means, whole calls."""

import time
from collections.abc import Callable, Sequence

import hydra.utils
import keras
import numpy as np
import pytest
import tensorflow as tf

from nalu_seq.config.options import options, shipped_config
from nalu_seq.config.schema import Ramp, Train
from nalu_seq.models import build, encoders, heads
from nalu_seq.population.population import Population
from nalu_seq.records.members import Members
from nalu_seq.tasks.product import Product
from nalu_seq.tasks.single_module import SingleModule
from nalu_seq.training.optimizers import Adam
from nalu_seq.training.penalties import norm, penalties_of, ramp_weight
from nalu_seq.training.trainer import Trainer
from nalu_seq.units import INALU, NALU, NAU, NMU


def nmu_model() -> keras.Model:
    return build(encoders.none, heads.readout, NMU, input_size=2, output_size=1, sequence=False)


def make_trainer(
    population: Population, penalty: dict[str, Ramp], compiled: bool = False
) -> Trainer:
    return Trainer(
        population,
        Product(),
        Adam(1e-3),
        members=Members.of_seeds(population.seeds),
        model=nmu_model(),
        train=Train(batch_size=4, compile="xla" if compiled else "graph"),
        penalty=penalty,
    )


@pytest.mark.parametrize(
    ("step", "expected"), [(0, 0.0), (100, 0.0), (150, 5.0), (200, 10.0), (1000, 10.0)]
)
def test_a_ramp_rises_between_its_ends(step: int, expected: float) -> None:
    assert float(ramp_weight(Ramp(10.0, 100, 200), step)) == expected


@pytest.mark.parametrize(("step", "expected"), [(99, 0.0), (100, 3.0), (101, 3.0)])
def test_a_ramp_without_width_is_a_jump(step: int, expected: float) -> None:
    assert float(ramp_weight(Ramp(3.0, 100, 100), step)) == pytest.approx(expected)


def test_a_constant_penalty_has_its_weight_from_step_0() -> None:
    assert float(ramp_weight(Ramp(3.0), 0)) == 3.0


@pytest.mark.parametrize(
    ("step", "expected"), [(0, 1e-7), (9_999, 1e-7), (10_000, 1e-6), (25_000, 1e-5), (90_000, 1e-5)]
)
def test_a_penalty_may_grow_in_stages_up_to_its_largest(step: int, expected: float) -> None:
    # NPU's L1 on products in the Primer.
    ramp = Ramp(1e-7, growth=10.0, every=10_000, largest=1e-5)
    assert float(ramp_weight(ramp, step)) == pytest.approx(expected, rel=1e-5)


def test_a_penalty_may_wait_for_each_members_loss() -> None:
    plain, waiting = Population(nmu_model, 2), Population(nmu_model, 2)
    for population in (plain, waiting):
        # Member 0 multiplies already, member 1 is far from it.
        w = tf.constant([[[0.999], [0.999]], [[0.3], [0.3]]])
        population.trainable_variables[0].assign(w)
    make_trainer(plain, {}).run(1)
    make_trainer(waiting, {"sparsity": Ramp(-1e6, loss_below=1.0)}).run(1)
    a, b = (p.trainable_variables[0].value.numpy() for p in (plain, waiting))
    np.testing.assert_array_equal(a[1], b[1])
    assert not np.array_equal(a[0], b[0])


def test_a_penalty_pulls_weights_to_0_and_1_and_stays_out_of_the_recorded_loss() -> None:
    plain, pulled = Population(nmu_model, 2), Population(nmu_model, 2)
    for population in (plain, pulled):
        population.trainable_variables[0].assign(tf.fill([2, 2, 1], 0.3))
    first = [make_trainer(plain, {}), make_trainer(pulled, {"sparsity": Ramp(1e6)})]
    for trainer in first:
        trainer.run(1)
    # The product asks for larger weights, the penalty of weights below 1/2 for smaller ones.
    assert (plain.trainable_variables[0].value.numpy() > 0.3).all()
    assert (pulled.trainable_variables[0].value.numpy() < 0.3).all()
    np.testing.assert_array_equal(first[0].mean_loss(), first[1].mean_loss())


def test_penalties_are_summed_over_units() -> None:
    x = keras.Input((4,))
    a, b = NMU(2), NMU(1)
    model = keras.Model(x, b(NALU(2)(a(x))))
    expected = float(a.penalties()["sparsity"] + b.penalties()["sparsity"])
    assert float(penalties_of(model)["sparsity"]) == pytest.approx(expected)


def test_the_norm_of_all_weights_is_the_sum_of_each_arrays() -> None:
    arrays = [tf.constant([[3.0, 0.0], [0.0, -4.0]]), tf.constant([2.0]), tf.zeros([3])]
    with tf.GradientTape() as tape:
        tape.watch(arrays)
        total = norm(arrays)
    assert float(total) == 5 + 2
    slopes = tape.gradient(total, arrays)
    np.testing.assert_allclose(slopes[0], [[0.6, 0], [0, -0.8]], rtol=1e-6)
    np.testing.assert_array_equal(slopes[2], [0, 0, 0])


def test_the_norm_shrinks_each_members_weights() -> None:
    plain, pulled = Population(nmu_model, 2), Population(nmu_model, 2)
    for population, penalty in ((plain, {}), (pulled, {"norm": Ramp(1e6)})):
        make_trainer(population, penalty).run(1)
    lengths = [
        np.linalg.norm(p.trainable_variables[0].value.numpy(), axis=(1, 2)) for p in (plain, pulled)
    ]
    assert (lengths[1] < lengths[0]).all()


@pytest.mark.parametrize("compiled", [False, True])
def test_it_makes_every_step_it_is_asked_for(compiled: bool) -> None:
    whole, parts = Population(nmu_model, 2), Population(nmu_model, 2)
    trainers = [make_trainer(p, {}, compiled) for p in (whole, parts)]
    trainers[0].run(25)
    for steps in (9, 12, 4):
        trainers[1].run(steps)
    assert [int(t.step.numpy()) for t in trainers] == [25, 25]
    for a, b in zip(whole.variables, parts.variables, strict=True):
        np.testing.assert_array_equal(a.value, b.value)


def test_the_mean_loss_starts_anew_when_it_is_read() -> None:
    trainer = make_trainer(Population(nmu_model, 2), {})
    trainer.run(3)
    assert trainer.mean_loss().shape == (2,)
    assert np.isnan(trainer.mean_loss()).all()
    assert int(trainer.step.numpy()) == 3


def single_trainer(
    unit: Callable[..., keras.layers.Layer],
    operation: str,
    penalty: dict[str, Ramp],
    compiled: bool,
    judge: str = "loss",
    parts: int = 1,
    seeds: Sequence[int] = (0, 0, 0),
) -> Trainer:
    def model() -> keras.Model:
        return build(
            encoders.none, heads.readout, unit, input_size=2, output_size=1, sequence=False
        )

    population = Population(model, seeds)
    return Trainer(
        population,
        SingleModule(operation),
        Adam(1e-3),
        members=Members.of_seeds(seeds, ["U[1,2]"]),
        model=model(),
        train=Train(
            batch_size=16,
            clip_value=100.0,
            judge=judge,
            compile="xla" if compiled else "graph",
            parts=parts,
        ),
        penalty=penalty,
    )


# Member 1 is never pulled: by its own weight, its own limit, or its own validation error.
OWN_WEIGHT = Ramp(np.float32([0.5, 0.0, 0.5]), 10, 40)  # type: ignore[arg-type]
OWN_LIMIT = Ramp(2.0, 10, 10, loss_below=np.float32([1.2, 0.0, 1.2]))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("unit", "operation", "penalty", "judge"),
    [
        (NAU, "add", {"sparsity": OWN_WEIGHT}, "loss"),
        (INALU, "mul", {"inalu": OWN_LIMIT}, "loss"),
        (INALU, "mul", {"inalu": Ramp(2.0, 10, 10, loss_below=1.2)}, "validation"),
    ],
    ids=["nau", "inalu by loss", "inalu by validation"],
)
def test_compiled_with_gradients_within_the_map_is_the_graph_with_them_around(
    unit: type[keras.layers.Layer], operation: str, penalty: dict[str, Ramp], judge: str
) -> None:
    losses, ends = [], []
    for compiled in (False, True):
        trainer = single_trainer(unit, operation, penalty, compiled, judge)
        trainer.judged.assign([0.5, 3.0, 0.5])
        for _ in range(5):
            trainer.run(10)
            losses.append(trainer.mean_loss())
        ends.append([v.numpy() for v in trainer.population.variables])
    np.testing.assert_allclose(losses[5:], losses[:5], rtol=1e-4, atol=1e-6)
    for graph, compiled_end in zip(*ends, strict=True):
        np.testing.assert_allclose(compiled_end, graph, rtol=1e-4, atol=1e-6)
        # All have one seed: only the penalty sets them apart.
        np.testing.assert_array_equal(graph[0], graph[2])
    assert any(not np.allclose(graph[0], graph[1], rtol=1e-3) for graph in ends[0])


IN_BRIEF = ("nau", "nmu", "inalu", "mcfc")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in IN_BRIEF else pytest.mark.slow)
        for name in options("unit")
    ],
)
def test_the_compiled_step_is_compiled_once(name: str) -> None:
    unit = hydra.utils.instantiate(shipped_config("unit", name), _convert_="all")
    plain = build(encoders.none, heads.readout, unit, input_size=2, output_size=1, sequence=False)
    penalty = {p: Ramp(0.01) for p in penalties_of(plain)}
    trainer = single_trainer(unit, "mul", penalty, compiled=True)
    seconds = []
    for _ in range(4):
        begun = time.perf_counter()
        trainer.run(1)
        seconds.append(time.perf_counter() - begun)
    # Compiling takes seconds, a call milliseconds; compiled each time, it took a seventh or more.
    assert min(seconds[1:]) < seconds[0] / 20
