"""Runs side by side, from their summaries alone."""

import csv
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nalu_seq.reports.formats import latex, markdown, text, tidy_csv
from nalu_seq.reports.page import html_table
from nalu_seq.reports.pairs import pairs
from nalu_seq.reports.summaries import Run, find_runs, protocols
from nalu_seq.reports.tables import Table, compare, steps, tables


def summary(unit: str, status: str = "done", median: float | None = 0.1234) -> dict[str, Any]:
    line = {"case": "default", "split": "length_100", "n": 10, "min": 0.05, "max": 2.0}
    rate = {"success_rate": 0.9, "success_low": 0.6, "success_high": 0.98}
    nothing = dict.fromkeys(rate)
    return {
        "status": status, "task": "count", "encoder": "lstm", "head": "accumulate", "unit": unit,
        "seeds": [3, 4, 5], "steps": 4000, "wall_seconds": 41.3,
        "results": [
            {**line, "metric": "mae", "median": median, **nothing},
            {**line, "metric": "exact", "median": 1.0, **rate},
            {**line, "metric": "solved_at", "median": 500.0, "max": 900.0, **nothing},
            {**line, "metric": "loss", "split": "train", "median": 1.0, **nothing},
        ],
    }  # fmt: skip


def write_summary(directory: Path, content: dict[str, Any]) -> Path:
    directory.mkdir(parents=True)
    (directory / "summary.json").write_text(json.dumps(content))
    return directory


def test_a_sweep_is_read_whole_and_the_unfinished_are_named(tmp_path: Path) -> None:
    write_summary(tmp_path / "0", summary("nalu"))
    write_summary(tmp_path / "1", summary("nau"))
    write_summary(tmp_path / "2", summary("nac", status="interrupted"))
    jobs = {str(i): [f"unit={u}", f"train.clip_norm={i}"] for i, u in enumerate(["nalu", "nau"])}
    jobs |= {"2": ["unit=nac"], "3": ["unit=nmu"]}
    (tmp_path / "sweep.json").write_text(json.dumps(jobs))
    runs, unfinished = find_runs(tmp_path)
    assert [line.partition(": ")[2] for line in unfinished] == [
        "left out, it is interrupted",
        "left out, it has no summary",
    ]
    assert compare(runs).texts() == [
        ["unit", "train.clip_norm", "length_100", "steps", "seconds"],
        ["nalu", "0", "0.12 [0.05, 2], 9/10 solved", "4000", "41"],
        ["nau", "1", "0.12 [0.05, 2], 9/10 solved", "4000", "41"],
    ]


def test_a_single_run_shows_all_its_parts(tmp_path: Path) -> None:
    runs, _ = find_runs(write_summary(tmp_path / "run", summary("nalu", median=None)))
    table = markdown([compare(runs)])
    assert table.splitlines()[0] == (
        "| task | encoder | head | unit | seeds | length_100 | steps | seconds |"
    )
    assert "| count | lstm | accumulate | nalu | 3 to 5 | 9/10 solved | 4000 | 41 |" in table


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="neither a run nor a sweep"):
        find_runs(tmp_path)


def read(*directories: Path) -> list[Run]:
    return [run for directory in directories for run in find_runs(directory)[0]]


@pytest.fixture
def primer(write: Callable[..., Path]) -> list[Table]:
    none = {"U[1,2]": [None, None], "U[-2,2]": [None, 9000]}
    nau = write("nau", {"U[1,2]": [1000, 3000], "U[-2,2]": [2000, 2000]})
    return tables(protocols(read(nau, write("nac", none, unit="nac"))))


def test_a_benchmark_has_a_matrix_and_a_line_a_case(primer: list[Table]) -> None:
    matrix, long = primer
    assert matrix.title == "single_module, add: extrapolation solved"
    assert matrix.texts() == [
        ["unit", "U[1,2]", "U[-2,2]", "all"],
        ["nau", "2/2 [34, 100]", "2/2 [34, 100]", "4/4 [51, 100]"],
        ["nac", "0/2 [0, 66]", "1/2 [9, 91]", "1/4 [5, 70]"],
    ]
    assert long.texts() == [
        ["unit", "case", "solved", "solved at: median", "solved at: mean", "sparsity error",
         "mse: validation → extrapolation"],
        ["nau", "U[1,2]", "2/2", "2k", "2k [757, 8.37k]", "0.015 [0.0075, 0.036]", "1e-9 → 1e-8"],
        ["nau", "U[-2,2]", "2/2", "2k", "2k [2k, 2k]", "0.015 [0.0075, 0.036]", "1e-9 → 1e-8"],
        ["nac", "U[1,2]", "0/2", "-", "-", "-", "1e-9 → 2"],
        ["nac", "U[-2,2]", "1/2", "9k", "9k [one]", "0.02 [one]", "1e-9 → 1"],
    ]  # fmt: skip


def test_settings_of_cases_are_columns(write: Callable[..., Path]) -> None:
    cases = {f"U[1,2] penalty.sparsity.weight={w}": [1000, 2000] for w in ("0", "0.1")}
    matrix, long = tables(protocols(read(write("run", cases))))
    assert matrix.columns == ["0", "0.1", "all"]
    assert [row.labels for row in long.rows] == [["0"], ["0.1"]]


def test_protocols_are_apart_and_sweeps_together(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    for i, operation in enumerate(("add", "sub")):
        write(f"sweep/{i}", {"U[1,2]": [1000]}, config={"task.operation": operation})
    jobs = {str(i): [f"task.operation={op}"] for i, op in enumerate(("add", "sub"))}
    runs = read(tmp_path / "sweep" / "0", tmp_path / "sweep" / "1")
    assert [len(group) for group in protocols(runs)] == [1, 1]
    (tmp_path / "sweep" / "sweep.json").write_text(json.dumps(jobs))
    (group,) = protocols(read(tmp_path / "sweep"))
    assert [row.labels for row in tables([group])[0].rows] == [["add"], ["sub"]]


def test_namesakes_are_told_apart(write: Callable[..., Path]) -> None:
    rates = [{"optimizer.learning_rate": rate} for rate in (0.1, 0.2)]
    runs = read(*(write(f"{i}", {"U[1,2]": [1000]}, config=c) for i, c in enumerate(rates)))
    (long,) = tables(protocols(runs))
    assert (long.labels, long.rows[1].labels) == (["optimizer.learning_rate"], ["0.2"])


def test_a_command_that_ran_twice_is_told_apart_by_its_folders(write: Callable[..., Path]) -> None:
    runs = [run for n in ("a", "b") for run in find_runs(write(n, {"default": [1]}))[0]]
    table = compare(runs)
    assert table.labels == ["run"] and [row.labels for row in table.rows] == [["a"], ["b"]]
    assert compare(runs[:1]).labels[:1] == ["task"]


def test_formats(primer: list[Table]) -> None:
    assert r"nau & 2/2 [34, 100] & 2/2 [34, 100] & 4/4 [51, 100] \\" in latex(primer)
    page = "".join(map(html_table, primer))
    assert re.search(r"<tr><td>nac</td><td [^>]*>0/2 \[0,\u00a066\]</td>", page)
    assert all(len(line) <= 100 for line in text(primer).splitlines())
    first = next(csv.DictReader(tidy_csv(primer).splitlines()))
    assert (first["unit"], first["column"], float(first["value"]), first["n"]) == (
        "nau", "U[1,2]", 1.0, "2",
    )  # fmt: skip


def test_pairs_count_failed_runs(write: Callable[..., Path]) -> None:
    a = write("a", {"U[1,2]": [1000, 2000, None, None]}, unit="a")
    b = write("b", {"U[1,2]": [3000, None, None, 4000]}, unit="b")
    compared, restarts = pairs(read(a, b), [])
    assert [cell.text for cell in compared.rows[0].cells] == ["62 % [22, 91]", "+0 [−49, +49]", "-"]
    assert [row.cells[1].text for row in restarts.rows] == ["2k", "4k"]
    # (1000 + 3 * 2000) / 2 and (3000 + 3 * 4000) / 2
    assert [row.cells[2].facts["value"] for row in restarts.rows] == [3500.0, 7500.0]


@pytest.mark.parametrize(
    ("value", "text"), [(950, "950"), (6100, "6.1k"), (999_600, "1M"), (1_523_000, "1.52M")]
)
def test_steps(value: float, text: str) -> None:
    assert steps(value) == text


def report(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nalu_seq.report", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_command_goes_on_without_what_it_cannot_read(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    run = write("run", {"U[1,2]": [1000, None]})
    bad = write("bad", {"U[1,2]": [1000]}, results=[])
    done = report(tmp_path / "nothing", bad, run)
    assert done.returncode == 0 and "1/2 [9, 91]" in done.stdout
    assert "nothing is neither a run nor a sweep" in done.stderr
    assert "bad: left out, it has no measurements" in done.stderr


def test_the_command_refuses_in_one_line(write: Callable[..., Path], tmp_path: Path) -> None:
    run = write("run", {"U[1,2]": [1000]})
    for arguments in ([tmp_path], [run, "--published", "Nobody"], [run, "--against", "case"],
                      [run, "--metric", "mae"]):  # fmt: skip
        done = report(*arguments)
        assert done.returncode == 2 and len(done.stderr.splitlines()) == 1


def test_reports_do_without_tensorflow() -> None:
    code = (
        "import sys, nalu_seq.report, nalu_seq.reports.beside, nalu_seq.reports.formats, "
        "nalu_seq.reports.pairs, nalu_seq.reports.plots; sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_large_summary_is_kept_with_a_line_a_member(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    code = (
        "import sys; sys.path.insert(0, 'scripts'); import keep_results; "
        "keep_results.LARGE = 0; print(keep_results._compact(open(sys.argv[1]).read()), end='')"
    )
    run = write("run", {"U[1,2]": [1000, None]})
    command = [sys.executable, "-c", code, str(run / "summary.json")]
    kept = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert json.loads(kept) == json.loads((run / "summary.json").read_text())
    assert sum(line.startswith('{"case":"U[1,2]","seed":') for line in kept.splitlines()) == 2


def test_any_metric_is_shown_and_named(tmp_path: Path) -> None:
    nothing = dict.fromkeys(("success_rate", "success_low", "success_high"))
    line = {"case": "default", "n": 4, "min": 0.5, "max": 3.0, "median": 2.0}
    content = summary("nau") | {
        "results": [
            {**line, "split": "near", "metric": "rank", **nothing},
            {**line, "split": "far", "metric": "rank", **nothing, "success_rate": 0.25},
            {**line, "split": "far", "metric": "solved_at", **nothing},
        ]
    }
    runs, _ = find_runs(write_summary(tmp_path / "run", content))
    table = compare(runs)
    cells = dict(zip(table.columns, table.rows[0].cells, strict=True))
    assert cells["near"].text == "2 [0.5, 3]" and cells["far"].text == "2 [0.5, 3], 1/4 solved"
    assert table.notes[0].startswith("Shown: rank. Each cell: median over the seeds")
