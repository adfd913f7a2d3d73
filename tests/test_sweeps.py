"""Sweeps: gone on with after a cut, reported on whole, their jobs side by side."""

import contextlib
import fcntl
import json
import math
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import nalu_seq.report
import nalu_seq.train

pytestmark = pytest.mark.alone

SMALL = ["task=product", "unit=nmu,nau", "train.compile=graph", "seeds=1", "train.steps=4"]
SMALL += ["train.eval_every=2", "hydra.mode=MULTIRUN"]


def jobs(sweep: Path) -> dict[str, list[str]]:
    return json.loads((sweep / "sweep.json").read_text())


def statuses(sweep: Path) -> dict[str, str]:
    return {
        p.parent.name: json.loads(p.read_text())["status"] for p in sweep.glob("*/summary.json")
    }


@contextlib.contextmanager
def held_by_another(directory: Path) -> Iterator[None]:
    """As if another process was training in a directory."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def test_a_sweep_that_was_cut_off_goes_on(
    main, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    code, out, err = main(f"output={tmp_path}", *SMALL)
    assert code == 0, err
    sweep = Path(out.splitlines()[-1].removeprefix("run: "))
    whole = {i: (sweep / i / "metrics.csv").read_text() for i in "01"}
    # As if killed in its second job, after a checkpoint.
    done, cut = (sweep / i / "summary.json" for i in "01")
    cut.unlink()
    # Whoever trains the sweep, or a job of it that has no checkpoint yet, loses nothing.
    shutil.move(sweep / "1" / "checkpoints", tmp_path / "aside")
    for held in sweep, sweep / "1":
        with held_by_another(held):
            code, _, err = main(f"sweep.resume={sweep}")
        assert code == 2 and f"{held}: another process is training in it" in err, err
        assert (sweep / "1" / "metrics.csv").read_text() == whole["1"]
    shutil.move(tmp_path / "aside", sweep / "1" / "checkpoints")
    before = done.stat().st_mtime_ns
    code, out, err = main(f"sweep.resume={sweep}")
    assert code == 0, err
    assert out.splitlines()[-1] == f"run: {sweep}"
    assert statuses(sweep) == {"0": "done", "1": "done"}
    assert done.stat().st_mtime_ns == before
    assert {i: (sweep / i / "metrics.csv").read_text() for i in "01"} == whole
    assert [o[1] for o in jobs(sweep).values()] == ["unit=nmu", "unit=nau"] or len(jobs(sweep)) == 2
    monkeypatch.setattr(sys, "argv", ["nalu_seq.report", str(sweep)])
    nalu_seq.report.main()
    table = capfd.readouterr().out
    assert "nmu" in table and "nau" in table

    # Another sweep in its folder would record its settings beside these results.
    configs = [(sweep / i / ".hydra" / "config.yaml").read_text() for i in "01"]
    code, _, err = main(
        *(o.replace("nmu,nau", "nac,nau") for o in SMALL), f"hydra.sweep.dir={sweep}"
    )
    assert code == 2 and f"{sweep} holds another sweep, of task=product" in err
    assert [(sweep / i / ".hydra" / "config.yaml").read_text() for i in "01"] == configs
    code, _, err = main(f"sweep.resume={sweep}", "seeds=3")
    assert code == 2 and "sweep.resume keeps the sweep's own command: seeds=3 can't change" in err
    code, _, err = main(f"sweep.resume={tmp_path}")
    assert code == 2 and "is no sweep: it has no multirun.yaml" in err
    recorded = sweep / "multirun.yaml"
    text = recorded.read_text()
    for hostile in ("hydra.callbacks.x._target_=os.system", "+unit._target_=os.system"):
        recorded.write_text(text.replace("    task:\n", f"    task:\n    - {hostile}\n"))
        code, _, err = main(f"sweep.resume={sweep}")
        assert code == 2 and "which is more than a plain setting" in err, hostile


def test_a_search_minimises_the_judged_error_on_the_last_split(tmp_path: Path) -> None:
    def result(split: str, median: float | None, rate: float | None = 0.5) -> dict[str, object]:
        return {"split": split, "median": median, "success_rate": rate}

    def minimised(*results: dict[str, object]) -> float | None:
        (tmp_path / "summary.json").write_text(json.dumps({"results": results}))
        return nalu_seq.train._objective(tmp_path)

    near, far = result("length_10", 0.1), result("length_1000", 3.0)
    assert minimised(near, far, result("train", 0.01, rate=None)) == 3.0
    assert minimised(near, far, near, result("length_1000", 5.0)) == 4.0  # two cases
    assert minimised(near, result("length_1000", None)) == math.inf  # it diverged


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["cores", "submitit_local"])
def test_jobs_run_side_by_side(main, launcher: str, tmp_path: Path) -> None:
    code, out, err = main(f"output={tmp_path}", *SMALL, f"hydra/launcher={launcher}")
    assert code == 0, err
    sweep = Path(out.splitlines()[-1].removeprefix("run: "))
    assert statuses(sweep) == {"0": "done", "1": "done"}
    assert sorted(jobs(sweep)) == ["0", "1"]
    (sweep / "1" / "summary.json").unlink()
    code, _, err = main(f"sweep.resume={sweep}")
    assert code == 0, err
    assert statuses(sweep) == {"0": "done", "1": "done"}
