"""The recipes of docs/population.md run as they stand, one after the other."""

import re
from pathlib import Path

import matplotlib
import numpy as np
import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "population.md"


@pytest.mark.slow
def test_the_recipes_run(tmp_path, monkeypatch):
    matplotlib.use("Agg")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.S)
    assert len(blocks) == 11  # what all share, and ten
    names: dict = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    assert (tmp_path / "band.png").stat().st_size > 1000
    assert len(names["models"]) == 8
    assert names["scores"].shape == (5,)
    assert names["mean"].shape == (10, 10)
    assert 0 < np.isnan(names["history"]["loss"][-1]).sum() < 8
