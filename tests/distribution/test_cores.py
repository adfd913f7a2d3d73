"""How a training uses what a machine has."""

import pytest

from nalu_seq.config.schema import Train
from nalu_seq.distribution import cores


@pytest.mark.parametrize(("gpu", "by_itself"), [(False, "graph"), (True, "xla")])
def test_a_gpu_compiles_unless_the_config_says_otherwise(
    gpu: bool, by_itself: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cores, "_gpus", lambda: gpu)
    assert cores.compiler(Train(compile=None)) == by_itself
    assert cores.compiler(Train(compile="graph")) == "graph"
    assert cores.compiler(Train(compile="xla")) == "xla"


def test_a_gpu_trains_all_members_in_one_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "_gpus", lambda: True)
    assert cores.parts(Train(parts=None), members=100, replicas=1) == 1
    assert cores.parts(Train(parts=3), members=100, replicas=1) == 3
