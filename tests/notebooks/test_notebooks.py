"""The notebooks, cell by cell: shortened trainings, the same code."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ROOT / "notebooks"
# What makes a notebook short: its constants.
SHORT = {
    "nalu": {"EPOCHS": 2, "SEEDS": 2, "COUNT_STEPS": 4},
    "layer_in_your_model": {"EPOCHS": 60},
}


def code(name: str) -> list[str]:
    cells = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def test_every_notebook_is_executed() -> None:
    assert {path.stem for path in NOTEBOOKS.glob("*.ipynb")} == {*SHORT}


@pytest.mark.parametrize("name", SHORT)
def test_a_notebook_holds_what_its_cells_gave(name: str) -> None:
    """A stranger reads it without executing it: whole, small, and of no one's machine."""
    path = NOTEBOOKS / f"{name}.ipynb"
    assert path.stat().st_size < 500_000
    cells = [c for c in json.loads(path.read_text())["cells"] if c["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == [*range(1, len(cells) + 1)]
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert len(outputs) >= 5
    for output in outputs:
        assert output["output_type"] != "error" and output.get("name") != "stderr"
    assert not re.search(r"/(home|work|tmp|Users|root)/", json.dumps(outputs))
    if name == "nalu":
        text = json.dumps(outputs)
        assert "epoch 200: accuracy 1.0000" in text and "100% [96%, 100%]" in text
        assert "image/png" in text and "y[a] += 1 when the symbol is a" in text


@pytest.mark.slow
@pytest.mark.parametrize("name", SHORT)
def test_a_notebook_runs_from_its_first_cell_to_its_last(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    pytest.importorskip("sympy")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("MPLBACKEND", "Agg")
    names: dict[str, Any] = {"__name__": "__main__"}
    for i, cell in enumerate(code(name)):
        for constant, value in SHORT[name].items():
            cell = re.sub(rf"^{constant} = \d+", f"{constant} = {value}", cell, flags=re.MULTILINE)
        exec(compile(cell, f"{name}.ipynb, code cell {i}", "exec"), names)
    shown = capsys.readouterr().out
    if name == "nalu":
        assert "epoch 2: accuracy" in shown and Path(names["count"], "summary.json").is_file()
        return
    dense, unit = (float(far) for far in re.findall(r"([\d.]+) on sides 5 to 10", shown))
    assert unit < 0.01 < dense, "the multiplication holds beyond the data, dense layers do not"
