"""Replicas on devices and machines: what they come to together is what one comes to alone."""

import contextlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nalu_seq.distribution.cluster import Cluster, find_cluster, meet
from nalu_seq.errors import BadInput
from tests.distribution.clusters import addresses, environments
from tests.distribution.replicas import CASES, train

pytestmark = pytest.mark.alone

BRIEF = ("product",)  # the other cases are slow ones
MIRRORED = ["strategy=mirrored", "strategy.devices=2"]
WORKERS = ["strategy=multi_worker", "strategy.wait=120"]
SCRIPT = Path(__file__).parent / "replicas.py"


def check(replicated: dict[str, Any], alone: dict[str, Any]) -> None:
    assert replicated.keys() == alone.keys()
    for name, value in alone.items():
        if "sample" in name or "restarts" in name or "diverged" in name:
            np.testing.assert_array_equal(replicated[name], value, err_msg=name)
        else:
            np.testing.assert_allclose(replicated[name], value, rtol=1e-4, atol=1e-6, err_msg=name)


@pytest.mark.parametrize(
    "cases", [BRIEF, pytest.param(sorted({*CASES} - {*BRIEF}), marks=pytest.mark.slow)]
)
def test_replicas_and_workers_come_to_what_one_does(cases: list[str], tmp_path: Path) -> None:
    outs = [tmp_path / f"{name}.npz" for name in ("mirrored", "worker0", "worker1")]
    strategies = [MIRRORED, WORKERS, WORKERS]
    with contextlib.ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, str(SCRIPT), str(out), *strategy, *cases], env=env
                )
            )
            for out, strategy, env in zip(outs, strategies, [None, *environments(2)], strict=True)
        ]
        alone: dict[str, Any] = {}
        for case in cases:
            alone |= train(case, [])
        assert [process.wait(600) for process in processes] == [0, 0, 0]
    mirrored, first, second = (dict(np.load(out)) for out in outs)
    check(mirrored, alone)
    for name in first:
        if "sample" in name:
            first[name] = np.concatenate([first[name], second[name]], axis=1)
        else:
            np.testing.assert_array_equal(first[name], second[name], err_msg=name)
    check(first, alone)
    restarts = [value for name, value in alone.items() if "restarts" in name]
    assert all(value.any() for value in restarts)


def test_a_worker_that_does_not_come_is_named() -> None:
    a, b, c = addresses(3)
    lonely = Cluster((a, b, c), 0)
    with ThreadPoolExecutor() as pool:
        leader = pool.submit(meet, lonely, 1.0)
        meeting = pool.submit(meet, lonely._replace(place=2), 5.0)
        for waiting in (leader, meeting):
            with pytest.raises(BadInput, match=rf"worker 1 \({b}\) did not connect within"):
                waiting.result(20)
    with pytest.raises(BadInput, match=r"worker 0 \(.*\) did not connect within 0.2 s: start"):
        meet(lonely._replace(place=1), 0.2)


def test_all_workers_meet() -> None:
    cluster = Cluster(tuple(addresses(3)), 0)
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(meet, cluster._replace(place=i), 20.0) for i in (1, 2, 0)]:
            done.result(30)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "set TF_CONFIG on each worker, or start them by Slurm's srun"),
        ({"TF_CONFIG": "{"}, "strategy=multi_worker: "),
        ({"TF_CONFIG": '{"cluster": {"ps": ["a:1"]}}'}, "TF_CONFIG must be"),
        (
            {
                "TF_CONFIG": '{"cluster": {"worker": ["a:1"]}, '
                '"task": {"type": "worker", "index": 3}}'
            },
            "with an index into the list",
        ),
    ],
)
def test_workers_need_to_know_each_other(
    variables: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TF_CONFIG", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(BadInput, match=message):
        find_cluster()


def test_slurm_tells_the_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    for name, value in {
        "PROCID": "2",
        "NTASKS": "4",
        "STEP_NUM_TASKS": "4",
        "STEP_NODELIST": "node[1-2]",
        "STEP_TASKS_PER_NODE": "2(x2)",
        "LOCALID": "0",
    }.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    cluster = find_cluster()
    assert cluster.addresses == ("node1:8888", "node1:8889", "node2:8888", "node2:8889")
    assert cluster.place == 2
