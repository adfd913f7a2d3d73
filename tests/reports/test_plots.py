"""Figures of a report: that they are drawn, and what they refuse."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from nalu_seq.errors import BadInput
from nalu_seq.reports.figure import spread
from nalu_seq.reports.plots import plot, plot_against, plot_metric, plot_survival
from nalu_seq.reports.summaries import Run, find_runs, protocols

pytest.importorskip("matplotlib")
Write = Callable[..., Path]


@pytest.fixture
def runs(write: Write) -> list[Run]:
    directories = [
        write(f"{unit}{n}", {"U[1,2]": [1000, n * 100, None]}, unit=unit, config={"task.inputs": n})
        for unit in ("nau", "nac")
        for n in (2, 10)
    ]
    return [run for directory in directories for run in find_runs(directory)[0]]


@pytest.mark.parametrize(("name", "begins"), [("a.png", b"\x89PNG"), ("a.pdf", b"%PDF")])
def test_curves_are_drawn_by_suffix(
    runs: list[Run], tmp_path: Path, name: str, begins: bytes
) -> None:
    plot_survival(protocols(runs), tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(begins)


def test_outcomes_against_a_key_are_a_line_a_unit(runs: list[Run], tmp_path: Path) -> None:
    plot_against(runs, "task.inputs", tmp_path / "a.svg")
    drawn = (tmp_path / "a.svg").read_text()
    assert all(f"<!-- {text} -->" in drawn for text in ("nau", "nac", "10", "task.inputs"))


@pytest.mark.parametrize(
    ("key", "reason"),
    [("task.nothing", "2 protocols"), ("case", "2 protocols")],
)
def test_what_cannot_be_drawn_is_refused(
    runs: list[Run], tmp_path: Path, key: str, reason: str
) -> None:
    with pytest.raises(BadInput, match=reason):
        plot_against(runs, key, tmp_path / "a.png")
    with pytest.raises(BadInput, match="no run has such a key"):
        plot_against(runs[:1], "task.nothing", tmp_path / "a.png")
    with pytest.raises(BadInput, match="does not differ"):
        plot_against(runs[:1], "case", tmp_path / "a.png")


def test_a_metric_by_step_is_drawn_on_the_first_split_and_the_last(
    runs: list[Run], tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=r"has only a summary, no metrics\.csv"):
        plot_metric(runs, "mae", tmp_path / "a.svg")
    rows = [
        f"{step},U[1;2],{seed},{split},{metric},{step + seed}\n"
        for step in (0, 500, 1000)
        for split in ("validation", "length_10", "length_100")
        for metric in ("mae", "mse")
        for seed in (0, 1)
    ]
    for run in runs:
        (run.place / "metrics.csv").write_text("step,case,seed,split,metric,value\n")
        with pytest.raises(BadInput, match=r"has no such metric; valid: $"):
            plot_metric([run], "mae", tmp_path / "a.svg")
        with (run.place / "metrics.csv").open("a") as file:
            file.writelines(rows)
    with pytest.raises(BadInput, match="has no such metric; valid: mae, mse"):
        plot_metric(runs, "accuracy", tmp_path / "a.svg")
    assert not (tmp_path / "a.svg").exists()
    plot_metric(runs, "mae", tmp_path / "a.svg")
    drawn = (tmp_path / "a.svg").read_text()
    shown = ("validation", "length 100", "nau 2", "nac 10", "mean absolute error", "1k")
    assert all(f"<!-- {text} -->" in drawn for text in shown)
    assert "<!-- length 10 -->" not in drawn
    assert "10^{3}" in drawn  # errors have a logarithmic axis


def test_a_model_is_a_row_of_a_heat_map_against_names(write: Write, tmp_path: Path) -> None:
    cases = {"U[1,2]": [1000, 3000], "U[-1,1]": [None, 2000]}
    for unit in ("nau", "nmu"):
        write(f"named/{unit}", cases, unit=unit)
    runs = [run for unit in ("nau", "nmu") for run in find_runs(tmp_path / "named" / unit)[0]]
    plot_against(runs, "case", tmp_path / "a.svg")
    drawn = (tmp_path / "a.svg").read_text()
    assert all(f"<!-- {text} -->" in drawn for text in ("nau", "nmu", "U[-1,1]", "100", "50", "2k"))


def test_runs_without_members_show_their_errors_by_split(write: Write, tmp_path: Path) -> None:
    results = [
        {"case": "", "split": f"length_{n}", "metric": "mae", "median": 0.1 * n, "min": 0.0,
         "max": 1.0 * n, "n": 2, "success_rate": None}
        for n in (10, 1000)
    ]  # fmt: skip
    runs = find_runs(write("early", {"default": [1]}, results=results, members=None))[0]
    plot(protocols(runs), tmp_path / "a.svg")
    drawn = (tmp_path / "a.svg").read_text()
    assert all(f"<!-- {text} -->" in drawn for text in ("length 10", "length 1,000", "nau"))


def test_labels_keep_their_order_and_a_distance() -> None:
    assert spread([0.2, 0.8], 0.1) == [0.2, 0.8]
    moved = spread([1.0, 1.0, 0.0, 1.0], 0.1)
    assert moved == pytest.approx([0.0, 0.8, 0.9, 1.0])
    crowded = spread([0.5] * 20, 0.1)
    assert min(b - a for a, b in itertools.pairwise(crowded)) == pytest.approx(0.1)
