"""Run directories from elsewhere: read as data, whatever stands in them."""

import ast
import functools
import hashlib
import json
import os
import pickle
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import pytest

import nalu_seq.evaluate
import nalu_seq.experiment.session  # asks git for the commit when it is first imported
import nalu_seq.models
from tests.commands import copy, edited, in_process

ROOT = Path(__file__).parent.parent
# What no hostile run may bring about; Python tells of each before it happens.
DEEDS = {
    "os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "socket.connect",
    "urllib.Request", "pickle.find_class", "os.chmod", "ctypes.dlopen",
}  # fmt: skip
seen: list[tuple[str, str]] = []
watching = False


def watch(event: str, arguments: tuple[object, ...]) -> None:
    if watching and event in DEEDS:
        seen.append((event, repr(arguments)))


sys.addaudithook(watch)


@pytest.fixture
def deeds() -> Iterator[list[tuple[str, str]]]:
    """What was done of that while a test ran."""
    global watching
    seen.clear()
    watching = True
    yield seen
    watching = False


@pytest.fixture
def evaluate(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    """The other command that reads runs, in this process: (exit code, its stdout, its stderr)."""

    return functools.partial(in_process, nalu_seq.evaluate, monkeypatch, capfd)


def contents(directory: Path) -> dict[str, bytes]:
    files = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}


TARGETS = [
    "keras.config.enable_unsafe_deserialization",
    "keras.utils.get_file",
    "keras.src.utils.file_utils.os.system",
    "subprocess.check_call",
]
PLACES = {
    "target": ("_target_: nalu_seq.units.NALU", "_target_: {}"),
    "argument": ("eps: 1.0e-07", "eps: {{_target_: {}, command: ls, origin: file:///etc/passwd}}"),
    "list": ("lengths:", "lengths:\n  - _target_: {}\n    command: ls"),
    "name": ("g_initializer: glorot_uniform", "g_initializer: {}"),
    "case": ("cases: {}", "cases: {{unit.g_initializer: [{{_target_: {}, command: ls}}]}}"),
    "case's name": ("cases: {}", "cases: {{unit.g_initializer: [{}]}}"),
    "seeds": ("seeds: 2", "seeds: {{_target_: {}, command: ls}}"),
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("place", PLACES)
def test_nothing_that_a_run_names_is_called(
    main, evaluate, deeds: list, run: Path, tmp_path: Path, place: str, target: str
) -> None:
    find, replacement = PLACES[place]
    directory = edited(run, tmp_path, find, replacement.format(target))
    before = contents(directory)
    deeds.clear()  # cp
    for code, out, err in (main(f"resume={directory}", "train.steps=50"), evaluate(str(directory))):
        assert (code, out) == (2, "") and len(err.splitlines()) == 1, err
    assert deeds == []
    assert contents(directory) == before
    with pytest.raises(ValueError, match="unsafe"):  # nor was Keras told to trust what it loads
        keras.layers.deserialize(keras.layers.serialize(keras.layers.Lambda(lambda x: x)))


@pytest.mark.parametrize(
    ("file", "find", "replacement", "message"),
    [
        (
            "config.yaml",
            "cases: {}",
            "cases: !!python/object/apply:os.system [ls]",
            "can't be read",
        ),
        ("config.yaml", "cases: {}", "cases: &a {}\nmore: *a", "YAML alias"),
        ("config.yaml", "cases: {}", f"cases: {'[' * 10**6}", "nested too deeply"),
        ("config.yaml", "cases: {}", "cases: {a: '${oc.env:HOME}'}", "interpolation"),
        ("config.yaml", "seeds: 2", "seeds: ../../seeds", "seeds must be"),
        ("config.yaml", "steps: 40", "steps: !!binary aGk=", "can't be read"),
        ("hydra.yaml", "task: count", "task: ../../../task", "no shipped option"),
        ("hydra.yaml", "unit: nalu", "unit: ${oc.env:HOME}", "no shipped option"),
        ("hydra.yaml", "experiment: null", "experiment: ${oc.env:HOME}", "interpolation"),
        ("hydra.yaml", "choices:", "chosen:", "can't be read"),
    ],
)
def test_names_and_tags_lead_nowhere(
    main, evaluate, deeds: list, run: Path, tmp_path: Path, file, find, replacement, message
) -> None:
    directory = edited(run, tmp_path, find, replacement, file)
    deeds.clear()
    for code, out, err in (main(f"resume={directory}", "train.steps=50"), evaluate(str(directory))):
        assert (code, out) == (2, "") and len(err.splitlines()) == 1 and message in err, err
        assert os.environ["HOME"] not in err.replace(str(directory), "")
    assert deeds == []


class Trap:
    """What a pickle may do to whoever opens it."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch trapped",)


def test_nothing_is_unpickled_and_all_that_is_written_stays_inside(
    main, evaluate, deeds: list, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    directory = edited(run, tmp_path, "output: /", f"output: {elsewhere}/")
    trap = pickle.dumps(Trap())
    for name in ("model.pkl", "tensorboard/weights.pkl", ".hydra/config.pickle", "summary.json"):
        (directory / name).write_bytes(trap)
    code, _, err = main(f"resume={directory}", "train.steps=50")
    assert code == 0, err
    assert evaluate(str(directory))[0] == 0
    assert {name for name, _ in deeds} <= {"subprocess.Popen"}
    assert all("cp" in arguments or "git" in arguments for _, arguments in deeds)  # our own
    assert sorted(p.name for p in tmp_path.iterdir()) == ["copy"]


def test_pickles_in_place_of_what_is_read_are_refused(main, evaluate, run: Path, tmp_path) -> None:
    trap = pickle.dumps(Trap())
    directory = copy(run, tmp_path)
    for path in directory.glob("checkpoints/*/*"):
        path.write_bytes(trap)
    for code, _, err in (main(f"resume={directory}", "train.steps=50"), evaluate(str(directory))):
        assert code == 2 and "checkpoint 30 is damaged, checkpoint 40 is damaged" in err
    (directory / ".hydra" / "hydra.yaml").write_bytes(trap)
    for code, _, err in (main(f"resume={directory}", "train.steps=50"), evaluate(str(directory))):
        assert code == 2 and "can't be read" in err and len(err.splitlines()) == 1


def test_a_pipe_in_a_run_keeps_nobody_waiting(main, evaluate, run: Path, tmp_path: Path) -> None:
    directory = copy(run, tmp_path)
    (directory / "metrics.csv").unlink()
    os.mkfifo(directory / "metrics.csv")
    os.mkfifo(directory / "checkpoints" / "40" / "more")
    code, _, err = main(f"resume={directory}", "train.steps=50")
    assert code == 2 and "is neither a file nor a folder" in err
    code, _, err = evaluate(str(directory))
    assert code == 0 and "checkpoint 40 is damaged: using step 30" in err
    (directory / ".hydra" / "hydra.yaml").unlink()
    os.mkfifo(directory / ".hydra" / "hydra.yaml")
    code, _, err = evaluate(str(directory))
    assert code == 2 and "it has no .hydra/hydra.yaml" in err


def test_checkpoints_whose_notes_lie_are_refused(main, run: Path, tmp_path: Path) -> None:
    directory = copy(run, tmp_path)
    for folder in (directory / "checkpoints").iterdir():
        notes = json.loads((folder / "notes.json").read_text())
        notes["record"] = {"bytes": 10**30, "sha256": "../../etc"}
        (folder / "notes.json").write_text(json.dumps(notes))
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["notes.json"] = hashlib.sha256((folder / "notes.json").read_bytes()).hexdigest()
        (folder / "manifest.json").write_text(json.dumps(manifest))
    code, _, err = main(f"resume={directory}", "train.steps=50")
    assert code == 2 and "is of rows that metrics.csv no longer holds" in err, err


def test_keras_files_are_exported_for_safe_mode(evaluate, run: Path, tmp_path: Path) -> None:
    code, _, err = evaluate(str(run), "--export", "0", str(tmp_path / "model.keras"))
    assert code == 0, err
    assert keras.models.load_model(tmp_path / "model.keras", safe_mode=True).count_params() > 0


SOURCES = [*ROOT.glob("nalu_seq/**/*.py"), *ROOT.glob("scripts/*.py")]
OPENERS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
CALLS = {"eval", "exec", "system", "unsafe_load", "full_load", "enable_unsafe_deserialization"}
OPTIONS = {("safe_mode", False), ("allow_pickle", True), ("shell", True)}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_source_has_a_way_to_run_what_it_reads(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import(names=names):
                assert not OPENERS & {name.name.partition(".")[0] for name in names}
            case ast.ImportFrom(module=str(module)):
                assert module.partition(".")[0] not in OPENERS
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), keywords=keywords):
                assert name not in CALLS
                flags = {
                    (k.arg, k.value.value) for k in keywords if isinstance(k.value, ast.Constant)
                }
                assert not OPTIONS & flags


def test_tensorboard_is_started_on_localhost_only() -> None:
    texts = [*ROOT.glob("scripts/*"), *ROOT.glob(".ci/*"), *ROOT.glob("conf/**/*.yaml"), *SOURCES]
    texts += [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("tests/**/*.py")]
    starts = re.compile(r"tensorboard(\.main)?\b[^\n]*--logdir[^\n]*")
    commands = 0
    for path in texts:
        for match in starts.finditer(path.read_text()) if path.is_file() else ():
            commands += 1
            hosts = re.findall(r"--(?:host|bind_all)[\"', =]*([\w.:]*)", match[0])
            assert set(hosts) <= {"127.0.0.1", "localhost"}, f"{path}: {match[0]}"
    assert commands > 1
