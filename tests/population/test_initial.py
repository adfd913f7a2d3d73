"""Initial values without a model for each seed: to the bit those of a model that is built."""

from collections.abc import Callable, Sequence
from functools import partial

import hydra.utils
import keras
import numpy as np
import pytest

from nalu_seq.config.options import options, shipped_config
from nalu_seq.models import build, encoders, heads
from nalu_seq.population import initial
from nalu_seq.population.initial import initial_values, seeded
from nalu_seq.population.population import Population
from nalu_seq.units import NALU

HEAD = partial(heads.accumulate, operation="sum")
SEEDS = [0, 5, 2**32 - 1, 7, 123_456_789]


def recurrent(encoder: Callable[..., keras.layers.Layer]) -> Callable[[], keras.Model]:
    def model() -> keras.Model:
        return build(encoder, HEAD, NALU, input_size=3, output_size=2, sequence=True, length=4)

    return model


def of_unit(name: str) -> Callable[[], keras.Model]:
    unit = hydra.utils.instantiate(shipped_config("unit", name), _convert_="all")

    def model() -> keras.Model:
        return build(
            encoders.none, heads.readout, unit, input_size=2, output_size=3, sequence=False
        )

    return model


def convnet() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(4, 3, kernel_initializer="he_normal"),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dense(3, bias_initializer=keras.initializers.RandomNormal(seed=3)),
        ]
    )


def alone(build: Callable[[], keras.Model], seed: int) -> list[np.ndarray]:
    with seeded(seed):
        return [v.value.numpy() for v in build().variables]


def check(build: Callable[[], keras.Model], seeds: Sequence[int] = SEEDS) -> None:
    _, values, _ = initial_values([build] * len(seeds), seeds)
    for seed, own in zip(seeds, values, strict=True):
        for value, expected in zip(own, alone(build, seed), strict=True):
            np.testing.assert_array_equal(value, expected)


def counting(build: Callable[[], keras.Model]) -> tuple[Callable[[], keras.Model], list[int]]:
    calls: list[int] = []

    def counted() -> keras.Model:
        calls.append(1)
        return build()

    return counted, calls


@pytest.mark.parametrize(
    "build",
    [
        recurrent(partial(encoders.lstm, 8)),
        recurrent(partial(encoders.gru, 8)),
        convnet,
        *(of_unit(name) for name in options("unit")),
    ],
    ids=["lstm", "gru", "convnet", *options("unit")],
)
def test_they_are_those_of_a_model_built_with_each_seed(build: Callable[[], keras.Model]) -> None:
    counted, calls = counting(build)
    initial_values([counted] * len(SEEDS), SEEDS)
    assert len(calls) == 2  # of the first seed, and of the last to compare with
    check(build)


def test_a_model_that_draws_in_its_own_way_is_built_for_each_seed() -> None:
    def own_way() -> keras.Model:
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
        model.layers[0].bias.assign(np.random.random(3))
        return model

    counted, calls = counting(own_way)
    initial_values([counted] * len(SEEDS), SEEDS)
    assert len(calls) > len(SEEDS)
    check(own_way)


def test_each_builder_has_its_own_and_equal_members_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(initial, "FEW", 1)
    other = of_unit("nau")
    builders = [other, convnet, convnet, other, convnet]
    _, values, _ = initial_values(builders, [1, 1, 2, 3, 1])
    for builder, seed, own in zip(builders, [1, 1, 2, 3, 1], values, strict=True):
        for value, expected in zip(own, alone(builder, seed), strict=True):
            np.testing.assert_array_equal(value, expected)


def test_building_leaves_other_random_numbers_alone() -> None:
    np.random.seed(3)
    expected = np.random.random()
    np.random.seed(3)
    Population(convnet, 5)
    assert np.random.random() == expected
