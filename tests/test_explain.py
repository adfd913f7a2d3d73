"""The command: what it prints of a run, and what it refuses."""

import functools
import json
import sys
from pathlib import Path

import pytest

import nalu_seq.explain
from tests.commands import in_process


@pytest.fixture
def explain(monkeypatch, capfd):
    return functools.partial(in_process, nalu_seq.explain, monkeypatch, capfd)


def test_members_that_learned_nothing_say_so(explain, run: Path, tmp_path: Path) -> None:
    code, out, _ = explain(str(run))
    assert code == 0
    assert out.count("(not solved): no formula, ") == 2
    assert "exact on length_20: trained " in out
    code, out, _ = explain(str(run), "--seed", "1", "--format", "json")
    (member,) = json.loads(out)["members"]
    assert (code, member["seed"], member["formula"]) == (0, 1, None)
    file = tmp_path / "rounded.keras"
    code, _, error = explain(str(run), "--seed", "1", "--export", str(file))
    assert code == 2 and not file.exists()
    assert "seed 1 has no formula" in error.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seed", "7"], "--seed 7 is not in this run; it has 0, 1"),
        (["--case", "other"], "--case other is not in this run; it has default"),
        (["--export", "model.h5"], "--export: model.h5 must end in .keras"),
        (["--export", "no/such/model.keras"], "is no directory"),
        (["--export", "all.keras"], "--export writes one member"),
    ],
)
def test_bad_input_gets_one_line(explain, run: Path, arguments, message) -> None:
    code, _, error = explain(str(run), *arguments)
    assert code == 2
    assert message in error.splitlines()[-1]


def test_without_sympy_one_line_says_what_to_install(explain, run: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "sympy", None)
    code, _, error = explain(str(run))
    assert (code, error) == (
        2, "nalu_seq: explain needs SymPy: pip install 'nalu-seq[explain]'\n"
    )  # fmt: skip


def test_no_run_is_refused(explain, tmp_path: Path) -> None:
    code, _, error = explain(str(tmp_path))
    assert code == 2 and "is no run" in error
