"""Files of runs and sweeps drawn at random from what hostile ones hold: one line, or a result.

Each draw damages a run, a sweep or a checkpoint somewhere and reads it as the commands do, within
20 seconds: what comes is a result in which nothing of it is live, or one printable line.
"""

import contextlib
import copy
import json
import os
import random
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from omegaconf.errors import OmegaConfBaseException
from tensorflow.core.protobuf import tensor_bundle_pb2

import nalu_seq.report
from nalu_seq.errors import BadInput, one_line
from nalu_seq.records.checkpoints import Checkpoints, NoCheckpoint
from nalu_seq.records.record import read_record
from nalu_seq.records.runs import read_run, state
from nalu_seq.records.sweeps import read_jobs, read_sweep
from tests.sstable import read_table, write_table

pytestmark = pytest.mark.alone

ROOT = Path(__file__).parent.parent
SECONDS = 20  # more is a hang
FORMATS = ("text", "md", "tex", "csv", "html")
LIVE = {
    "tex": "\\input{",
    "md": "<script",
    "html": "<script>alert(1)",
    "csv": "\n=cmd",
    "text": "\x1b",
}
ODD = [
    None, True, -1, 0, 2**63, 10**400, 1e308, -0.5, "", "x" * 5000, "\x1b]0;x\x07", "a\nb", "~^",
    "\\input{/etc/passwd}", "<script>alert(1)</script>", "a|b", "](javascript:x)", "@SUM(A1)",
    "=cmd|'/c'!A1", "é\u202e", "../../x", "/etc", "${oc.env:HOME}", "{x}", "%s", [], {},
    [[]], {"_target_": "os.system"},
]  # fmt: skip
RAW = [
    "1e999",
    "NaN",
    "-Infinity",
    "9" * 5000,
    "[" * 20_000,
    '{"a":' * 20_000,
    "\x00",
    "\udcff",
    "&a [*a]",
]


def nodes(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a JSON value that holds another: (container, key)."""
    keys = list(value) if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from nodes(value[key])


def damaged(value: Any, draw: random.Random) -> str:
    """JSON with a few of its values replaced, removed or renamed, or its text cut or torn."""
    value = copy.deepcopy(value)
    marker = "5f0c"
    for _ in range(draw.choice([1, 1, 2, 4])):
        container, key = draw.choice(list(nodes(value)) or [([0], 0)])
        change = draw.random()
        if change < 0.6:
            container[key] = copy.deepcopy(draw.choice(ODD))
        elif change < 0.7:
            container[key] = marker
        elif change < 0.85 or isinstance(container, list):
            del container[key]
        else:
            container[str(draw.choice(ODD))] = container.pop(key)
    text = json.dumps(value).replace(f'"{marker}"', draw.choice(RAW))
    return torn(text, draw) if draw.random() < 0.15 else text


def torn(text: str, draw: random.Random) -> str:
    """A text cut, with a piece left out, or with something put in."""
    at, more = draw.randrange(len(text) + 1), draw.randrange(1, 40)
    return draw.choice(
        [text[:at], text[:at] + text[at + more :], text[:at] + draw.choice(RAW) + text[at:]]
    )


def put(path: Path, text: str, draw: random.Random) -> None:
    """Write a text as a file, or something that is no file in its place."""
    kind = draw.random()
    shutil.rmtree(path, ignore_errors=True)
    path.unlink(missing_ok=True)
    if kind < 0.04:
        os.mkfifo(path)
    elif kind < 0.06:
        path.mkdir()
    elif kind < 0.08:
        path.symlink_to(draw.choice(["/etc/passwd", "/dev/zero", "nowhere", path.name]))
    elif kind < 0.1:
        with path.open("wb") as file:
            file.truncate(200 * 2**30)
    else:
        path.write_text(text, errors="surrogateescape")


def tell(*arguments: object) -> tuple[int, str]:
    """The report of something, in this process: its exit code and what it printed."""
    sys.argv = ["nalu_seq.report", *map(str, arguments)]
    try:
        nalu_seq.report.main()
    except SystemExit as left:
        return int(left.code or 0), ""
    return 0, ""


def summary(place: Path, draw: random.Random, capsys: Any) -> None:
    """A summary, alone or as a sweep's job, in a report."""
    base = json.loads(draw.choice(SUMMARIES).read_text())
    put(place / "summary.json", damaged(base, draw), draw)
    form = draw.choice(FORMATS)
    code, _ = tell(place, "--format", form)
    out, err = capsys.readouterr()
    assert code in (0, 2) and "Traceback" not in err
    assert all(len(line) <= 300 and line.isprintable() for line in err.splitlines()), err[:500]
    assert "\x1b" not in out and LIVE[form] not in out, out[:3000]


def sweep(place: Path, draw: random.Random, capsys: Any) -> None:
    """A sweep's list of jobs and its command."""
    jobs = {"0": ["unit=nau", "task=count"], "1": ["unit=nmu", "task=count"]}
    shutil.copy(draw.choice(SUMMARIES), (place / "0").mkdir() or place / "0" / "summary.json")
    put(place / "sweep.json", damaged(jobs, draw), draw)
    overrides = {"hydra": ["hydra.mode=MULTIRUN"], "task": jobs["0"]}
    put(place / "multirun.yaml", damaged({"hydra": {"overrides": overrides}}, draw), draw)
    code, _ = tell(place)
    assert code in (0, 2) and "Traceback" not in capsys.readouterr().err
    for override in read_sweep(place):
        assert not override.startswith(("-", "hydra.searchpath")) and "_target_" not in override
    read_jobs(place)


def record(place: Path, draw: random.Random, capsys: Any) -> None:
    """A metrics.csv."""
    lines = [
        "step,case,seed,split,metric,value",
        *(f"{i},a,{i % 3},train,mse,{i}.5" for i in range(40)),
    ]
    for _ in range(draw.choice([1, 2, 5])):
        i = draw.randrange(len(lines))
        cells = lines[i].split(",")
        cells[draw.randrange(len(cells))] = str(draw.choice([*ODD, *RAW]))
        lines[i] = ",".join(cells)
    text = "\n".join(lines)
    put(place / "metrics.csv", torn(text, draw) if draw.random() < 0.3 else text, draw)
    for row in read_record(place / "metrics.csv"):
        assert f"{row.case}{row.split}{row.metric}".isprintable()


def config(place: Path, draw: random.Random, capsys: Any) -> None:
    """What a run recorded of its config."""
    (place / ".hydra").mkdir()
    for name in ("config.yaml", "hydra.yaml"):
        put(place / ".hydra" / name, damaged(CONFIG[name], draw), draw)
    state(place)
    cfg, _ = read_run(place)
    assert cfg.task._target_.startswith("nalu_seq.tasks.")


def checkpoint(place: Path, draw: random.Random, capsys: Any) -> None:
    """A checkpoint's manifest, notes, index with other entries, and graph of objects."""
    variables = {
        "variables": [tf.Variable([1.0, 2.0]), tf.Variable([[3.0]])],
        "step": tf.Variable(4),
    }
    checkpoints = Checkpoints(place / "checkpoints", variables)
    checkpoints.save(4, {"record": {"bytes": 1, "sha256": "x"}, "config": {"a": 1}})
    folder = place / "checkpoints" / "4"
    if draw.random() < 0.6:
        entries = damaged_entries(read_table((folder / "state.index").read_bytes()), draw)
        (folder / "state.index").write_bytes(write_table(entries))
    if draw.random() < 0.3:
        put(
            folder / "notes.json",
            damaged(json.loads((folder / "notes.json").read_text()), draw),
            draw,
        )
    sums = {}
    for path in folder.iterdir():
        if path.is_file() and path.name != "manifest.json" and path.stat().st_size < 10**6:
            sums[path.name] = sha256(path.read_bytes()).hexdigest()
    manifest = json.dumps(sums)
    put(folder / "manifest.json", damaged(sums, draw) if draw.random() < 0.2 else manifest, draw)
    with contextlib.suppress(NoCheckpoint):
        checkpoints.restore(lambda notes: None if isinstance(notes, dict) else "has no notes")
        assert [v.shape for v in variables["variables"]] == [(2,), (1, 1)]


def damaged_entries(
    entries: list[tuple[bytes, bytes]], draw: random.Random
) -> list[tuple[bytes, bytes]]:
    """The entries of an index with other shapes, kinds, places or bytes."""
    damaged = []
    for key, value in entries:
        if draw.random() < 0.6:
            damaged.append((key, value))
        elif key and draw.random() < 0.7:
            entry = tensor_bundle_pb2.BundleEntryProto.FromString(value)
            number = draw.choice([-1, 0, 1, 7, 2**31 - 1, 2**40, 2**62])
            match draw.randrange(4):
                case 0 if key != b"step/.ATTRIBUTES/VARIABLE_VALUE":  # else TensorFlow waits 10 s
                    entry.shape.dim.add().size = number
                case 1:
                    entry.size = number
                case 2:
                    entry.offset = number
                case _:
                    entry.dtype = draw.choice([0, 1, 2, 7, 21, 99])
            damaged.append((key, entry.SerializeToString()))
        else:
            content = bytearray(value or b"\0")
            content[draw.randrange(len(content))] = draw.randrange(256)
            damaged.append((key, bytes(content)))
    return damaged


KINDS: list[Callable[[Path, random.Random, Any], None]] = [
    summary,
    sweep,
    record,
    config,
    checkpoint,
]
# By name, for a draw to stay the same when results are added.
SUMMARIES = [
    ROOT / "results" / name / "summary.json"
    for name in (
        "count_heads/0", "count_languages/4", "heim_root/1", "ledger_all_snapped",
        "madsen_arithmetic/nac_sub", "mdlrnn_anbn/7", "mnist_sum_gru", "program_add/7",
        "running_sum_encoders/2", "trask_static/5",
    )
]  # fmt: skip
CONFIG: dict[str, Any] = {}


@pytest.fixture(autouse=True, scope="module")
def composed() -> None:
    """A config as a run records it."""
    import hydra
    from omegaconf import OmegaConf

    from nalu_seq.config.options import conf_dir

    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        cfg = hydra.compose("config", [], return_hydra_config=True)
    plain = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
    CONFIG["config.yaml"] = OmegaConf.to_container(plain)
    choices = OmegaConf.to_container(cfg.hydra.runtime.choices)
    CONFIG["hydra.yaml"] = {"hydra": {"runtime": {"choices": choices}}}


def too_long(*_: object) -> None:
    raise TimeoutError("it hangs")


@pytest.mark.parametrize(
    "numbers",
    [
        range(60),
        *(pytest.param(range(n, n + 100), marks=pytest.mark.slow) for n in range(60, 2000, 100)),
    ],
    ids=lambda numbers: f"{numbers.start} to {numbers.stop - 1}",
)
def test_hostile_files_get_one_line_or_a_result(
    numbers: range, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", sys.argv)
    before = signal.signal(signal.SIGALRM, too_long)
    ends = []
    for number in numbers:
        draw = random.Random(number)
        kind, place = KINDS[number % len(KINDS)], tmp_path / str(number)
        place.mkdir()
        signal.alarm(SECONDS)
        try:
            kind(place, draw, capsys)
            ends.append("read")
        except (BadInput, OmegaConfBaseException, ValueError) as error:
            if not isinstance(error, BadInput) and kind in (record, checkpoint, summary, config):
                raise AssertionError(f"{number}, {kind.__name__}: {error!r}"[:2000]) from error
            ends.append("refused")
            line = one_line(error)
            assert line.isprintable() and len(line) <= 300
        except BaseException as error:
            raise AssertionError(f"{number}, {kind.__name__}: {error!r}"[:2000]) from error
        finally:
            signal.alarm(0)
        capsys.readouterr()
        shutil.rmtree(place)
    signal.signal(signal.SIGALRM, before)
    assert min(ends.count("read"), ends.count("refused")) > len(numbers) / 10
