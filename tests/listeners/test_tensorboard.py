"""TensorBoard's view of runs, read back by TensorBoard itself."""

import contextlib
import json
import socket
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata
from tensorboard.util import tensor_util

from nalu_seq.listeners import tensorboard as tensorboard_module
from nalu_seq.listeners.budget import Budget
from nalu_seq.listeners.hparams import BASIC, Subject, columns, shown_settings
from nalu_seq.records.command import job_name, recorded_command, varying_settings
from tests.commands import TINY, wait_for

SWEEP = ["task=product", "unit=nmu", "train.compile=graph", "seeds=2", "train.steps=6"]
SWEEP += ["train.eval_every=2", "train.clip_norm=null,0.01,0.1", "hydra.mode=MULTIRUN"]
DIGITS = [
    "task=mnist_count",
    "variant=quick_digits",
    "seeds=2",
    "train.steps=4",
    "train.eval_every=2",
]


def scalars(events: EventAccumulator, tag: str) -> dict[int, float]:
    return {e.step: float(tensor_util.make_ndarray(e.tensor_proto)) for e in events.Tensors(tag)}


def test_a_run_has_its_figures_in_one_place(run: Path) -> None:
    """The error is a logarithm, on the record's steps and on some more; the loss is on more yet."""
    (folder,) = (run / "tensorboard").iterdir()
    assert folder.name == "nalu"
    events = EventAccumulator(str(folder)).Reload()
    rows = [line.split(",") for line in (run / "metrics.csv").read_text().splitlines()[1:]]
    for step in (0, 10, 20, 30, 40):
        of_step = [
            float(r[5]) for r in rows if (int(r[0]), r[3], r[4]) == (step, "length_20", "mae")
        ]
        median = np.median(np.log10(of_step))
        assert scalars(events, "error/length_20")[step] == pytest.approx(median, abs=1e-4)
    assert {0, 10, 20, 30, 40} <= {*scalars(events, "solved/length_20")}
    assert len(scalars(events, "loss")) > 5  # four of them on the grid
    lower, middle, upper = (
        scalars(events, f"spread/error/length_20/{name}") for name in ("lower", "median", "upper")
    )
    assert all(lower[s] <= middle[s] <= upper[s] for s in middle)
    tags = events.Tags()
    assert tags["graph"]
    assert {"weights/raw/accumulate_unit_w_hat", "weights/NALU W", "run/1 command"} <= {
        *tags["tensors"]
    }


def test_settings_that_are_null_somewhere_are_texts_everywhere() -> None:
    rates = {"train.clip_norm": ["null", "0.01"], "optimizer.learning_rate": ["0.1", "1e-3"]}
    settings = {"train.clip_norm": 0.01, "optimizer.learning_rate": 0.1, "unit": "nau", "x": 1}
    shown = shown_settings(Subject("a", "", "", "", settings, rates))
    assert shown == {"train.clip_norm": "0.01", "optimizer.learning_rate": 0.1, "unit": "nau"}
    assert list(shown)[:2] == list(rates)  # what differs comes first


def test_a_setting_that_the_config_s_groups_lack_is_shown_as_the_command_has_it() -> None:
    subject = Subject("a", "", "", "", {"seeds": "20", "unit": "nau"}, {"seeds": ["10", "20"]})
    assert shown_settings(subject) == {"seeds": "20", "unit": "nau"}


def test_columns_that_differ_are_marked_so_that_tensorboard_puts_them_first() -> None:
    settings = {"task": "count", "unit": "nau", "train.clip_norm": 0.1}
    subject = Subject("a", "", "", "", settings, {"train.clip_norm": ["0.1", "1"]})
    content = columns(subject, {"loss": "log10 loss"}).value[0].metadata.plugin_data.content
    infos = metadata.parse_experiment_plugin_data(content).hparam_infos
    assert {info.name: info.differs for info in infos} == {
        "train.clip_norm": True, "task": False, "unit": False,
    }  # fmt: skip


def test_a_job_is_called_by_what_differs(tmp_path: Path) -> None:
    overrides = ["encoder=lstm", "unit=nau", "optimizer.learning_rate=0.01", "train.steps=5"]
    assert job_name(overrides, ["encoder", "unit"]) == "lstm, nau"
    assert job_name(overrides, ["unit", "optimizer.learning_rate"]) == "nau, learning_rate 0.01"
    assert "/" not in job_name(["task.x=../../etc"], ["task.x"])
    assert job_name(overrides, []) == "" and varying_settings(tmp_path) == {}
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra" / "overrides.yaml").write_text(
        "- task=count\n- seeds=[1,2]\n- output=/x\n"
    )
    assert recorded_command(tmp_path) == "python -m nalu_seq.train task=count 'seeds=[1,2]'"
    for odd in ("{a: 1}", "- [1]", "[", '- "\\e[31m"'):
        (tmp_path / ".hydra" / "overrides.yaml").write_text(odd)
        assert recorded_command(tmp_path) is None
        (tmp_path / "multirun.yaml").write_text(odd)
        assert varying_settings(tmp_path) == {}


class Served:
    """A TensorBoard server's answers."""

    def __init__(self, port: int) -> None:
        self._address = f"http://127.0.0.1:{port}/data"

    def get(self, path: str, **query: str) -> Any:
        url = f"{self._address}/{path}?{urllib.parse.urlencode(query)}"
        return json.load(urllib.request.urlopen(url))

    def post(self, path: str, body: dict[str, Any]) -> Any:
        request = urllib.request.Request(
            f"{self._address}/{path}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        return json.load(urllib.request.urlopen(request))


@contextlib.contextmanager
def tensorboard(directory: Path) -> Iterator[Served]:
    """The real server on a folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = ["-m", "tensorboard.main", "--logdir", str(directory), "--host", "127.0.0.1"]
    with subprocess.Popen(
        [sys.executable, *server, "--port", str(port), "--reload_interval", "1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield Served(port)
        finally:
            process.terminate()


def columns_of(served: Served) -> tuple[list[str], list[str]]:
    """The settings and the metrics that HParams shows, in its order."""
    shown = served.post("plugin/hparams/experiment", {"experimentName": ""})
    metrics = [info["name"]["tag"] for info in shown["metricInfos"]]
    return [info["name"] for info in shown["hparamInfos"]], metrics


def rows_of(served: Served, names: list[str], tags: list[str]) -> dict[str, dict[str, Any]]:
    """The rows of HParams that are done, by their names."""
    params: list[dict[str, Any]] = [{"hparam": name} for name in names]
    params += [{"metric": {"tag": tag, "group": ""}} for tag in tags]
    body = {
        "experimentName": "", "allowedStatuses": ["STATUS_SUCCESS"], "startIndex": 0,
        "sliceSize": 100, "colParams": params,
    }  # fmt: skip
    groups = served.post("plugin/hparams/session_groups", body)["sessionGroups"]
    return {group["name"]: group for group in groups}


@pytest.mark.slow
def test_the_real_tensorboard_serves_all_of_it(
    main: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The main job's run, a run on digits and a sweep with a null among its settings."""
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(Budget, "allows", lambda *_: True)
    monkeypatch.setattr(tensorboard_module, "SHORTEST", 0)
    count = [*TINY, "train.steps=40", "train.eval_every=10"]
    for name, arguments in (("run", count), ("sweep", SWEEP), ("digits", DIGITS)):
        where = "hydra.sweep.dir" if name == "sweep" else "hydra.run.dir"
        code, _, err = main(f"{where}={tmp_path / name}", *arguments)
        assert code == 0, err
    jobs = [f"sweep/tensorboard/clip_norm {value}" for value in ("null", "0.01", "0.1")]
    counts, digits = "run/tensorboard/nalu", "digits/tensorboard/nau"
    names = {*jobs, digits, counts}
    with tensorboard(tmp_path) as served:
        tags: dict[str, Any] = {}

        def loaded() -> bool:
            with contextlib.suppress(OSError):
                tags.update(served.get("plugin/scalars/tags"))
            return all("hardest/error" in tags.get(name, {}) for name in names)

        wait_for(loaded)
        assert {*tags} == names, "one run a job, called by what differs"
        assert {"error/length_20", "hardest/solved"} <= {*tags[counts]}
        assert all(
            {"loss", "error/range_9_99", "solved/range_9_99"} <= {*tags[job]} for job in jobs
        )
        images = served.get("plugin/images/tags")
        assert {
            "pictures/weights NMU W",
            "pictures/predictions range_9_99",
            "pictures/spread range_9_99",
        } <= {*images[jobs[0]]}
        assert {
            "pictures/weights NALU W",
            "pictures/gates NALU gate",
            "pictures/events",
            "pictures/predictions length_20",
        } <= {*images[counts]}
        assert "pictures/digits" in images[digits]
        texts = served.get("plugin/text/tags")
        assert {"run/1 command", "run/3 config", "run/2 formula"} <= {*texts[jobs[0]]}
        command = served.get("plugin/text/text", run=jobs[1], tag="run/1 command")[0]["text"]
        assert "train.clip_norm=0.01" in command and "task=product" in command
        learned = served.get("plugin/text/text", run=jobs[1], tag="run/2 formula")[-1]
        assert learned["step"] == 6 and "2 of 2 members, 0 of them solved" in learned["text"]
        assert "nalu_seq.explain" in learned["text"]
        histograms = served.get("plugin/histograms/tags")
        assert "weights/NMU W" in histograms[jobs[0]]
        events = served.get("plugin/histograms/histograms", run=counts, tag="events/increments")
        gates = served.get("plugin/histograms/histograms", run=counts, tag="gates/NALU gate")
        assert [e[1] for e in events] == [e[1] for e in gates] == [0, 10, 20, 30, 40]
        assert sum(count for *_, count in events[-1][2]) == 2 * 64 * 10 * 10
        assert all(0 <= low <= high <= 1 for low, high, _ in gates[-1][2])
        graphs = served.get("plugin/graphs/info")
        assert all(graphs[job]["run_graph"] for job in jobs)
        assert graphs[digits]["tags"]["keras"]["conceptual_graph"]
        layout = served.get("plugin/custom_scalars/layout")
        charts = layout["category"][0]["chart"]
        assert charts[0]["margin"]["series"][0]["lower"].startswith("spread/error/")
        _, metrics = columns_of(served)
        assert metrics[:2] == ["hardest/solved", "hardest/error"]
        rows = rows_of(served, ["unit"], metrics[:2])
        assert {*rows} == {"nalu", "nau", "clip_norm null", "clip_norm 0.01", "clip_norm 0.1"}
        for row in rows.values():  # of whatever task
            shown = [m["name"]["tag"] for m in row["metricValues"]]
            assert {*metrics[:2]} <= {*shown}

    with tensorboard(tmp_path / "run") as served:
        wait_for(lambda: "metricInfos" in asked(served))
        keys, metrics = columns_of(served)
        assert keys == sorted(BASIC)
        assert metrics == [
            "hardest/solved", "hardest/error", "solved/length_10", "error/length_10", "loss",
        ]  # fmt: skip
        wait_for(lambda: rows_of(served, keys, metrics))
        (row,) = rows_of(served, keys, metrics).values()
        assert row["sessions"][0]["status"] == "STATUS_SUCCESS"
        assert (
            row["hparams"]["optimizer.learning_rate"] == 0.05 and row["hparams"]["unit"] == "nalu"
        )
        assert len(row["metricValues"]) == len(metrics)

    with tensorboard(tmp_path / "sweep") as served:
        wait_for(lambda: "metricInfos" in asked(served))
        keys, metrics = columns_of(served)
        assert keys[0] == "train.clip_norm", "what differs comes first"
        wait_for(lambda: len(rows_of(served, keys, metrics)) == 3)
        rows = rows_of(served, keys, metrics)
        assert [row["hparams"]["train.clip_norm"] for row in rows.values()] == [
            {"clip_norm null": "None"}.get(name, name.split()[-1]) for name in rows
        ]
        assert {row["hparams"]["optimizer.learning_rate"] for row in rows.values()} == {0.001}


def asked(served: Served) -> dict[str, Any]:
    """What HParams has by now; nothing where the server does not answer yet."""
    with contextlib.suppress(OSError):
        return served.post("plugin/hparams/experiment", {"experimentName": ""})
    return {}
