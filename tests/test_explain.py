"""The command: what it prints of a run, and what it refuses."""

import functools
import json
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import nalu_seq.explain
from nalu_seq.tasks.language import ONES, TENS
from tests.commands import in_process, train


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
        (["--check", "100"], "--check goes with --certify"),
        (["--certify", "--check", "0"], "--check must be a positive number of steps, not 0"),
        (["--certify", "--format", "latex"], "--certify writes no model and no LaTeX"),
    ],
)
def test_bad_input_gets_one_line(explain, run: Path, arguments, message) -> None:
    code, _, error = explain(str(run), *arguments)
    assert code == 2
    assert message in error.splitlines()[-1]


def test_words_that_a_cell_adds_and_multiplies_are_read_and_exported(
    explain, main, tmp_path: Path
) -> None:
    run, file = tmp_path / "run", tmp_path / "rounded.keras"
    code, _, err = main(
        "task=language", "encoder=none", "head=carry_cell", "unit=linear", "unit.bias=false",
        "task.high=99", "task.train=80", "task.validation=10", "task.test=10", "task.error=log",
        "task.empty=after", "train.steps=2000", "train.batch_size=32", "train.eval_every=2000",
        "optimizer.learning_rate=0.05", "seeds=1", f"hydra.run.dir={run}",
    )  # fmt: skip
    assert code == 0, err
    code, out, _ = explain(str(run), "--seed", "0", "--export", str(file))
    assert code == 0 and "    g <- g + 13 when the symbol is thirteen" in out.splitlines(), out
    words = sorted([*ONES, *TENS])
    x = np.zeros((1, 2, len(words)), np.float32)
    x[0, [0, 1], [words.index("twenty"), words.index("seven")]] = 1
    assert np.ravel(keras.models.load_model(file)(x)) == pytest.approx([20, 27], abs=1e-4)


def test_without_sympy_one_line_says_what_to_install(explain, run: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "sympy", None)
    code, _, error = explain(str(run))
    assert (code, error) == (
        2, "nalu_seq: explain needs SymPy: pip install '.[explain]' in a clone of nalu_seq\n"
    )  # fmt: skip


def test_certify_says_how_far_and_checks_it(explain, run: Path) -> None:
    code, out, _ = explain(str(run), "--certify", "--check", "20", "--format", "json")
    assert code == 0
    report = json.loads(out)
    assert (report["probability"], report["snap"], report["word_length"]) == (0.05, None, 4)
    for member in report["members"]:  # trained for a few steps
        low, high = member["length_interval"]
        assert low <= member["length"] <= high < 100
        assert member["check"]["steps"] == 20 and len(member["increments"]) == 10
    code, out, _ = explain(str(run), "--certify", "--seed", "1")
    header, row, *rest = out.splitlines()
    assert code == 0 and header.split()[:2] == ["seed", "length"] and row.split()[0] == "1"
    assert sum(line.startswith("symbol ") for line in rest) == 10
    assert any("does not round its increments" in line for line in rest)


@pytest.mark.slow
def test_what_counts_nothing_is_refused(explain, tmp_path: Path) -> None:
    product = train(tmp_path, "task=product", "seeds=1", "train.steps=2", "train.eval_every=1")
    code, out, error = explain(str(product), "--certify")
    assert (code, out) == (2, "")
    assert "has nothing to certify: it does not count symbols" in error.splitlines()[-1]


def test_no_run_is_refused(explain, tmp_path: Path) -> None:
    code, _, error = explain(str(tmp_path))
    assert code == 2 and "is no run" in error


# What runs that trained say

PRODUCT = ["task=product", "seeds=2", "train.eval_every=2000", "optimizer.learning_rate=0.01"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "formula"),
    [
        ([*PRODUCT, "unit=nmu", "train.steps=4000"], "x0*x1"),
        (
            ["task=single_module", "task.operation=sub", "unit=nau", "seeds=2",
             "task.ranges=[[[-2,2],[-6,-2],[2,6]]]", "train.steps=6000", "train.eval_every=2000"],
            "x0 - x1",
        ),
        (
            ["task=count", "task.lengths=[10,100]", "seeds=2", "train.steps=1000",
             "train.eval_every=500"],
            "y[a] += 1 when the symbol is a, for a from 0 to 9",
        ),
    ],
    ids=["product", "difference", "count"],
)  # fmt: skip
def test_what_was_learned_is_read_and_checked(
    main, explain, tmp_path: Path, arguments, formula: str
) -> None:
    code, _, error = main(f"hydra.run.dir={tmp_path}", *arguments)
    assert code == 0, error
    code, out, _ = explain(str(tmp_path), "--format", "json")
    members = json.loads(out)["members"]
    assert code == 0 and [member["formula"] for member in members] == [[formula]] * 2
    for member in members:
        assert all(errors["rounded"] is not None for errors in member["errors"].values())


@pytest.mark.slow
def test_a_unit_that_can_t_has_no_formula(main, explain, tmp_path: Path) -> None:
    """NAC only adds: whatever it learns of a product is no product."""
    code, _, error = main(f"hydra.run.dir={tmp_path}", *PRODUCT, "unit=nac", "train.steps=4000")
    assert code == 0, error
    code, out, _ = explain(str(tmp_path))
    assert code == 0 and out.count("(not solved): no formula, rounded, it is wrong on") == 2
