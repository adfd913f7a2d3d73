"""What a person reads in a terminal of 80 columns."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from nalu_seq.reports.console import closing, header, results_table

RESULTS = Path(__file__).parents[2] / "results"


def shown(table: Any) -> str:
    out = io.StringIO()
    Console(file=out, width=80).print(table)
    return out.getvalue()


def row(split: str, metric: str, median: float | None, rate: float | None = None) -> dict[str, Any]:
    return {
        "case": "default", "split": split, "metric": metric, "median": median, "min": median,
        "max": None if median is None else 2 * median, "n": 2, "success_rate": rate,
        "success_low": 0.1, "success_high": 1.0,
    }  # fmt: skip


def summary(encoder: str) -> dict[str, Any]:
    results = [
        row("length_1000", "mae", 0.021, 1.0),
        row("length_1000", "solved_at", 4000.0),
        row("length_1000", "exact", 0.97),
        row("train", "loss", 4.9e-7),
        row("train", "sparsity_error", 0.02),
    ]
    return {
        "task": "count", "encoder": encoder, "head": "accumulate", "unit": "nalu",
        "cases": ["default"], "results": results, "steps": 4000, "wall_seconds": 38.9,
    }  # fmt: skip


def test_the_closing_table_has_a_line_a_split_and_whole_steps() -> None:
    text = shown(results_table(summary("lstm")))
    assert "length 1,000" in text and "100% [10%, 100%]" in text and "4,000" in text
    assert "0.021" in text and "[0.021, 0.042]" in text and "train" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_the_lines_below_say_the_time_and_the_next_command() -> None:
    lines = closing(summary("lstm"), Path("runs/a b"))
    assert "4,000 steps in 39 s" in lines
    assert lines[-1] == (
        "one page of it: python -m nalu_seq.report 'runs/a b' --format html > page.html"
    )
    # Behind an LSTM weights need not be whole, so that their distance from it says nothing.
    assert not any("worst weight" in line for line in lines)
    assert any(
        "worst weight from -1, 0 and 1: 0.02" in line for line in closing(summary("none"), Path())
    )


def test_the_header_says_what_on_what_and_how_to_look_at_it() -> None:
    first, second = header(
        "count (lstm, accumulate, nalu)",
        [0, 1, 2],
        3,
        4000,
        ["/device:CPU:0"],
        Path("x/tensorboard"),
    )
    assert first == (
        "count (lstm, accumulate, nalu): 3 networks, seeds 0 to 2; 4,000 steps on CPU:0"
    )
    assert second == "watch it: tensorboard --logdir x/tensorboard"


def test_two_ranges_of_small_errors_stand_side_by_side() -> None:
    results = [
        row("extrapolation", m, 2.048e-11, rate) for m, rate in (("mse", 1.0), ("mae", None))
    ]
    results += [row("extrapolation", "solved_at", 5000.0)]
    text = shown(results_table({**summary("hidden"), "results": results}))
    assert text.count("[2.0e-11, 4.1e-11]") == 2 and "…" not in text
    assert "extrapolation" in text and "5,000" in text


@pytest.mark.parametrize("name", ["mnist_count", "product", "count_units/0", "primer_mul/0"])
def test_no_name_is_broken_at_80_columns(name: str) -> None:
    recorded = json.loads((RESULTS / name / "summary.json").read_text())
    text = shown(results_table(recorded))
    cases = recorded["cases"]
    assert all(case in text for case in cases) or cases == ["default"]
    assert max(map(len, text.splitlines())) <= 80 and "…" not in text
