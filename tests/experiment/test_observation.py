"""The two doors of a training: one more measurer, one more listener, and runs from before them."""

import csv
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import nalu_seq.evaluate
import nalu_seq.report
from nalu_seq.experiment import session as sessions
from nalu_seq.experiment.observation import Session, listeners, measurers
from nalu_seq.population.clipping import member_norms
from nalu_seq.records.observers import Listener, Measurement, Measurer
from nalu_seq.training.trainer import Trainer
from tests.commands import in_process

TINY = ["task=product", "train.compile=graph", "train.batch_size=4", "seeds=[3,8]"]
TINY += ["train.eval_every=10", "task.pairs=64", "unit=nmu"]
STEP_20 = "checkpoint 20 has no largest_gradient, which is measured from here on: "


class GradientNorm(Measurer):
    """What a file that logs one more number has in it; it also keeps the largest so far."""

    def __init__(self, trainer: Trainer) -> None:
        self._norms = tf.function(lambda step: member_norms(trainer.gradients(step)[1]))
        self._trainer, self._largest = trainer, tf.Variable(tf.zeros([len(trainer.members)]))

    def __call__(self) -> list[Measurement]:
        norms = self._norms(self._trainer.step)
        self._largest.assign(tf.maximum(self._largest, norms))
        return [Measurement("train", "gradient_norm", norms.numpy())]

    def trackables(self) -> dict[str, tf.Variable]:
        return {"largest_gradient": self._largest}


class Heard(Listener):
    """Notes what it hears."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    def open(self) -> None:
        self.heard.append("open")

    def advance(self, step: int) -> None:
        self.heard += [] if step % 10 else [step]

    def __call__(self, step: int, measurements: Sequence[Measurement]) -> None:
        self.heard.append((step, "gradient_norm" in [m.metric for m in measurements]))

    def close(self) -> None:
        self.heard.append("close")


def rows(run: Path) -> list[list[str]]:
    with (run / "metrics.csv").open() as file:
        return list(csv.reader(file))


def test_one_more_number_is_logged_and_older_runs_go_on(
    main, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    older, whole, heard = tmp_path / "older", tmp_path / "whole", Heard()
    assert main(*TINY, "train.steps=20", f"hydra.run.dir={older}")[0] == 0
    assert main(*TINY, "train.steps=40", f"hydra.run.dir={whole}")[0] == 0

    with monkeypatch.context() as more:
        more.setattr(
            sessions, "measurers", lambda parts: [*measurers(parts), GradientNorm(parts.trainer)]
        )
        more.setattr(sessions, "listeners", lambda *parts: [*listeners(*parts), heard])
        code, out, err = main(f"resume={older}", "train.steps=30")
        assert code == 0 and STEP_20 + "going on from step 20" in " ".join(out.split()), out + err
        assert heard.heard == ["open", 30, (30, True), "close"]
        code, out, _ = main(f"resume={older}", "train.steps=40")
        assert code == 0 and "has no" not in out  # its variable is in the checkpoint by now
    norms = [row for row in rows(older) if row[4] == "gradient_norm"]
    assert [row[:4] for row in norms] == [
        [str(step), "default", str(seed), "train"] for step in (30, 40) for seed in (3, 8)
    ]
    assert all(0 < float(row[5]) < np.inf for row in norms)
    # What is measured besides changes nothing else.
    assert [row for row in rows(older) if row not in norms] == rows(whole)

    # Whoever has no such measurer reads the run, and goes on with it.
    for module, name in ((nalu_seq.report, "range_9_99"), (nalu_seq.evaluate, "inputs 9 to 99")):
        code, out, err = in_process(module, monkeypatch, capfd, str(older))
        assert code == 0 and name in out, err
    assert main(f"resume={older}", "train.steps=50")[0] == 0
    shutil.rmtree(older / "checkpoints")


def test_gradients_are_those_of_each_member(main, monkeypatch, tmp_path: Path) -> None:
    seen: dict[str, Session] = {}

    def kept(session: Session) -> list[Measurer]:
        seen["session"] = session
        return measurers(session)

    monkeypatch.setattr(sessions, "measurers", kept)
    assert main(*TINY, "train.steps=10", f"hydra.run.dir={tmp_path / 'run'}")[0] == 0
    session = seen["session"]
    trainer, task = session.trainer, session.experiment.task
    loss, gradients = trainer.gradients(trainer.step)
    batch = task.train_batch(
        trainer.members.stream("train").at(trainer.step, session.experiment.cfg.train.batch_size)
    )
    for i in range(2):
        model = session.population.member(i)
        with tf.GradientTape() as tape:
            expected = task.loss(batch.y[i : i + 1], model(batch.x[i])[None])[0]
        alone = tape.gradient(expected, [v.value for v in model.trainable_variables])
        np.testing.assert_allclose(loss[i], expected, rtol=1e-5)
        for ours, theirs in zip(gradients, alone, strict=True):
            np.testing.assert_allclose(ours[i], theirs, rtol=1e-4)
        norm = np.sqrt(sum(np.sum(np.square(g)) for g in alone))
        np.testing.assert_allclose(member_norms(gradients)[i], norm, rtol=1e-4)
