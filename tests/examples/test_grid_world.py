"""The grid world's example: each agent trains as it would alone, and its results are written."""

import csv
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import tensorflow as tf

from scripts.draw_grid_world import draw, film, read, table

ROOT = Path(__file__).parents[2]


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The example with short episodes, few of them, so that it compiles fast."""
    spec = importlib.util.spec_from_file_location("grid_world", ROOT / "examples/grid_world.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, value in {"TRAINED": range(5, 6), "TESTED": range(5, 9), "EPISODES": 16}.items():
        monkeypatch.setattr(module, name, value)
    return module


@pytest.mark.slow
def test_an_agent_trains_as_it_would_alone(example: ModuleType) -> None:
    weights = []
    for seeds in ([3, 8], [8]):
        agents = example.Stacked(lambda: example.build("nau", "dense"), seeds)
        stream = example.Stream(seeds, ["default"] * len(seeds), "train")
        train = example.trainer(agents, stream, steps=10)
        before = [np.asarray(v.value)[-1] for v in agents.trainable_variables]
        for number in range(1, 4):
            train(tf.constant(number))
        weights.append([np.asarray(v.value)[-1] for v in agents.trainable_variables])
        assert all((a != b).any() for a, b in zip(before, weights[-1], strict=True))
    for together, alone in zip(*weights, strict=True):
        np.testing.assert_allclose(together, alone, atol=1e-5)


@pytest.mark.slow
def test_what_it_writes_can_be_drawn(
    example: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--unit", "nac", "--core", "lstm", "--seeds", "7:9", "--steps", "1"]
    monkeypatch.setattr(sys, "argv", ["grid_world.py", *words, "--output", str(tmp_path)])
    example.main()
    rows = list(csv.DictReader((tmp_path / "lstm_nac.csv").open()))
    assert [(int(r["seed"]), int(r["time"])) for r in rows] == [
        (seed, time) for seed in (7, 8) for time in range(5, 9)
    ]
    assert all(0 <= float(r["success"]) <= 1 for r in rows)
    (header, *weights) = csv.reader((tmp_path / "lstm_nac_weights.csv").open())
    assert header == ["seed", "time", "one", "memory"]
    np.testing.assert_allclose(np.array(weights, float), [[7, 1, 0, 1], [8, 1, 0, 1]], atol=0.01)
    pytest.importorskip("matplotlib")
    draw(read(tmp_path), tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    pytest.importorskip("gymnasium")
    pytest.importorskip("PIL")
    film(tmp_path, 6, tmp_path / "film.gif")
    assert (tmp_path / "film.gif").read_bytes().startswith(b"GIF")


def test_without_anything_that_remembers_nothing_is_trained(
    example: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--unit", "none", "--core", "dense"]
    monkeypatch.setattr(sys, "argv", ["grid_world.py", *words])
    with pytest.raises(SystemExit) as ended:
        example.main()
    assert ended.value.code == 2
    assert "no memory of the time" in capsys.readouterr().err


def test_the_page_says_what_results_say() -> None:
    shown = table(read(ROOT / "results/grid_world"))
    assert shown in (ROOT / "docs/results.md").read_text()
