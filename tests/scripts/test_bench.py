"""The benchmark runs, and its figures are those of what it says."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.alone

BENCH = Path(__file__).parents[2] / "scripts" / "bench.py"


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, BENCH, *arguments], capture_output=True, text=True)


def test_an_unknown_workload_is_refused() -> None:
    done = bench("single_modul", "nothing")
    assert done.returncode == 2
    assert "no workload nothing; valid: single_module_nac" in done.stderr


def test_keras_step_and_its_loop_over_frames_are_for_pictures_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(BENCH.parent)
    import bench as contests

    for name in ("keras", "frames"):
        assert {w for w in contests.WORKLOADS if contests.takes_part(name, w)} == {
            "mnist_count_1", "mnist_count_4",
        }  # fmt: skip


@pytest.mark.slow
def test_all_contestants_take_their_turns() -> None:
    done = bench("single_module_nau", "--rounds", "2", "--seconds", "0.1", "--json")
    (result,) = json.loads(done.stdout)["results"]
    assert result["members"] == 225
    for name in ("population", "users", "best", "floor"):
        assert len(result[name]["rounds_ms"]) == 2
        assert result[name]["peak_mib"] > 100
    users, own = (result[n]["rounds_ms"] for n in ("users", "population"))
    pairs = sorted(other / mine for other, mine in zip(users, own, strict=True))
    assert result["against_users"] == pytest.approx(sum(pairs) / 2)
