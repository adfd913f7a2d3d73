"""A trace of some steps, as TensorBoard's profiler reads it."""

from pathlib import Path
from typing import Any

import pytest

from nalu_seq.listeners import profiler

PRODUCT = ["task=product", "unit=nmu", "seeds=2", "train.steps=8", "train.eval_every=4"]
PRODUCT += ["train.compile=graph"]


def test_the_steps_of_profile_are_traced(tmp_path: Path, main: Any) -> None:
    code, _, err = main(f"hydra.run.dir={tmp_path}", *PRODUCT, "profile=[4,6]")
    assert code == 0, err
    (trace,) = tmp_path.glob("tensorboard/nmu/plugins/profile/*/*.xplane.pb")
    assert b"while" in trace.read_bytes()  # the loop over steps is among what TensorFlow did


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("[6,4]", "profile must be two steps [start, stop], 0 <= start < stop, not [6, 4]"),
        ("[4]", "profile must be two steps"),
        ("[4,9]", "profile=[4, 9] goes beyond the last step, train.steps=8"),
    ],
)
def test_steps_that_can_t_be_traced_are_refused(
    tmp_path: Path, main: Any, value: str, said: str
) -> None:
    code, _, err = main(f"hydra.run.dir={tmp_path / 'run'}", *PRODUCT, f"profile={value}")
    assert code == 2 and said in err
    assert not (tmp_path / "run").exists()


def test_a_trace_begins_after_a_measurement_and_ends_with_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    did: list[str] = []
    monkeypatch.setattr(profiler.tf.profiler.experimental, "start", lambda _: did.append("start"))
    monkeypatch.setattr(profiler.tf.profiler.experimental, "stop", lambda: did.append("stop"))
    listener = profiler.Profiler(tmp_path, [10, 15], eval_every=5)
    listener.advance(10)
    assert did == []
    listener(10, [])
    listener.advance(12)
    listener.close()
    listener.close()
    assert did == ["start", "stop"]
    listener = profiler.Profiler(tmp_path, [10, 15], eval_every=5)
    for step in (12, 15):  # a training that goes on from step 11
        listener.advance(step)
    listener(15, [])
    assert did == ["start", "stop"] * 2
