"""Each example's members train as they would by Keras' own `fit`."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from nalu_seq import Population

EXAMPLES = Path(__file__).parents[2] / "examples"
LOSS = "sparse_categorical_crossentropy"


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("lstm", "convnet")]


@pytest.mark.parametrize("name", ["mlp", *SLOW])
def test_an_example_is_fit_one_by_one(name):
    example = runpy.run_path(str(EXAMPLES / f"{name}.py"))
    build, x, y = example["build"], example["x"][:320], example["y"][:320]
    population = Population(build, seeds=2, loop=name == "convnet")
    alone = population.member(1)
    population.compile("adam", LOSS, metrics=["accuracy"])
    alone.compile("adam", LOSS, metrics=["accuracy"])
    stacked = population.fit(x, y, epochs=2, shuffle=False, verbose=0).history
    own = alone.fit(x, y, epochs=2, shuffle=False, verbose=0).history
    for figure in own:
        np.testing.assert_allclose(stacked[figure][:, 1], own[figure], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["mlp", "lstm", "convnet"])
def test_an_example_is_short(name):
    code = (EXAMPLES / f"{name}.py").read_text().splitlines()
    data = code.index("train, _, test = digits(8).parts.values()")
    assert sum(bool(line) for line in code[data:]) <= 13
