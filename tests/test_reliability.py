"""What fails besides the program: disks, files cut or changed, readers that leave. See
docs/reliability.md."""

import json
import os
import shutil
import signal
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from nalu_seq.records.checkpoints import damage
from tests.commands import command, copy

pytestmark = pytest.mark.alone


def namespace(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script where it may mount what it likes, root or not."""
    call = ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*call, "true"], capture_output=True).returncode:
        pytest.skip("this machine gives no user namespaces")
    return subprocess.run(
        [*call, "sh", "-ec", script, "sh", *arguments], capture_output=True, text=True
    )


def on_small_disks(run: Path, *kilobytes: int) -> None:
    """Train on disks of these sizes until they are full, make room, and go on."""
    done = namespace('exec "$@"', sys.executable, "-m", "tests.small_disk", *map(str, kilobytes))
    assert done.returncode == 0, done.stderr
    for size, training in json.loads(done.stdout.splitlines()[-1]).items():
        code, err = training["full"]
        assert code == 1 and len(err.splitlines()) == 1 and "No space left on device" in err, size
        assert not [name for name in training["left"] if "partial" in name], training["left"]
        if training["resumed"] is not None:
            assert "go on with: python -m nalu_seq.train resume=" in err
            assert training["resumed"] == [0, ""]
            assert training["record"] == (run / "metrics.csv").read_text()
        elif "nothing was saved" not in err:  # Hydra itself could not write the config
            assert all(name.startswith(".hydra") for name in training["left"]), training["left"]


@pytest.mark.slow
def test_a_full_disk_gets_one_line_and_the_run_goes_on_with_more_room(run: Path) -> None:
    on_small_disks(run, 120)


@pytest.mark.slow
def test_a_disk_that_is_full_at_any_stage_gets_one_line(run: Path) -> None:
    on_small_disks(run, 4, 12, 16, 20, 24, 32, 40, 56, 72, 80, 88, 96, 104, 112, 128, 140)


@pytest.mark.slow
def test_a_read_only_directory_gets_one_line(run: Path, tmp_path: Path) -> None:
    script = """
        mount --bind "$1" "$1"; mount -o remount,bind,ro "$1"; shift
        "$@" || echo "left with $?" >&2
    """
    directory = copy(run, tmp_path)
    for argument in f"resume={directory}", f"output={directory}":
        done = namespace(script, str(directory), *command(argument, "train.steps=50"))
        line, left = done.stderr.splitlines()
        assert left == "left with 2" and "can't be written to" in line
        assert done.stdout == ""
    done = namespace(script, str(directory), *command(str(directory), "--json", module="evaluate"))
    assert done.stderr == "" and json.loads(done.stdout)["results"]


def test_a_record_cut_mid_row_goes_on_from_the_checkpoint_before(
    main, run: Path, tmp_path: Path
) -> None:
    directory = copy(run, tmp_path)
    whole = (run / "metrics.csv").read_bytes()
    (directory / "metrics.csv").write_bytes(whole[:-7])
    code, out, err = main(f"resume={directory}")
    assert code == 0, err
    assert "checkpoint 40 is of rows that metrics.csv no longer holds: going on from step 30" in out
    assert (directory / "metrics.csv").read_bytes() == whole


def test_rows_that_no_checkpoint_can_make_again_are_told(main, run: Path, tmp_path: Path) -> None:
    directory = copy(run, tmp_path)
    lines = (run / "metrics.csv").read_text().splitlines(keepends=True)
    for damaged in ("".join(lines[:5]), "".join(lines[:7] + lines[8:]), "", lines[0].upper()):
        (directory / "metrics.csv").write_text(damaged)
        code, out, err = main(f"resume={directory}")
        assert (code, out) == (2, "") and len(err.splitlines()) == 1, err
        assert "checkpoint 40 is of rows that metrics.csv no longer holds" in err
        assert (directory / "metrics.csv").read_text() == damaged
        assert sorted(p.name for p in (directory / "checkpoints").iterdir()) == ["30", "40"]


@pytest.mark.parametrize(
    ("find", "replacement", "message"),
    [
        ("batch_size: 4", "batch_size: 8", "train.batch_size is 8 in the run's config, but it was"),
        ("learning_rate: 0.05", "learning_rate: 0.1", "optimizer.learning_rate is 0.1"),
        ("seeds: 2", "seeds: 3", "seeds is 3 in the run's config, but it was trained with 2"),
        ("units: 4", "units: 5", "encoder.units is 5"),
        ("  length: 10", "  length: 9", "task.length is 9"),
        ("seeds: 2\n", "", "seeds is 10"),
        ("batch_size: 4", "batch_size: -4", "train.batch_size must be a positive integer"),
        ("batch_size: 4", "batch_sise: 4", "batch_sise"),
    ],
)
def test_a_config_edited_by_hand_is_told(
    main, run: Path, tmp_path: Path, find: str, replacement: str, message: str
) -> None:
    directory = copy(run, tmp_path)
    config = directory / ".hydra" / "config.yaml"
    text = config.read_text()
    assert find in text
    config.write_text(text.replace(find, replacement))
    code, out, err = main(f"resume={directory}", "train.steps=50")
    assert (code, out) == (2, "") and len(err.splitlines()) == 1 and message in err, err
    config.write_text(text)
    assert (directory / "metrics.csv").read_bytes() == (run / "metrics.csv").read_bytes()


def test_a_run_of_an_earlier_version_goes_on(main, run: Path, tmp_path: Path) -> None:
    directory = copy(run, tmp_path)
    for checkpoint in (directory / "checkpoints").iterdir():
        notes = json.loads((checkpoint / "notes.json").read_text())
        del notes["config"]["train.precision"]
        (checkpoint / "notes.json").write_text(json.dumps(notes))
        manifest = json.loads((checkpoint / "manifest.json").read_text())
        manifest["notes.json"] = sha256((checkpoint / "notes.json").read_bytes()).hexdigest()
        (checkpoint / "manifest.json").write_text(json.dumps(manifest))
    config = directory / ".hydra" / "config.yaml"
    config.write_text(config.read_text().replace("  precision: float32\n", ""))
    assert main(f"resume={directory}", "train.steps=50")[0] == 0


def test_killed_before_its_summary_it_is_finished_by_resuming(
    main, run: Path, tmp_path: Path
) -> None:
    directory = copy(run, tmp_path)
    (directory / "summary.json").unlink()
    code, _, err = main(f"resume={directory}")
    assert code == 0, err
    after, before = (json.loads((d / "summary.json").read_text()) for d in (directory, run))
    assert (after["status"], after["results"]) == ("done", before["results"])
    assert (directory / "metrics.csv").read_bytes() == (run / "metrics.csv").read_bytes()


def damaged(run: Path, places: range | list[int]) -> None:
    """Cut and flip each file of the newest checkpoint at these places: it is noticed."""
    for path in (run / "checkpoints" / "40").iterdir():
        content = path.read_bytes()
        for place in places:
            place %= len(content)
            path.write_bytes(content[:place])
            assert damage(path.parent, 10**9)
            path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
            assert damage(path.parent, 10**9), (path.name, place)
        path.write_bytes(content)
        assert damage(path.parent, 10**9) is None


@pytest.mark.slow
def test_a_real_checkpoint_cut_or_flipped_every_kilobyte_is_noticed(run: Path, tmp_path) -> None:
    directory = copy(run, tmp_path)
    size = max(p.stat().st_size for p in (directory / "checkpoints" / "40").iterdir())
    damaged(directory, range(0, size, 1024))


@pytest.mark.parametrize("module", ["report", pytest.param("evaluate", marks=pytest.mark.slow)])
def test_a_reader_that_leaves_gets_no_traceback(run: Path, module: str) -> None:
    read, write = os.pipe()
    os.close(read)  # as under `| head`, which has what it wants
    done = subprocess.run(
        command(str(run), module=module), stdout=write, stderr=subprocess.PIPE, text=True
    )
    os.close(write)
    assert done.stderr == ""
    assert done.returncode in (128 + signal.SIGPIPE, 1)  # 1: rich has noticed first


@pytest.mark.slow
def test_a_training_whose_reader_leaves_can_be_resumed(main, run: Path, tmp_path: Path) -> None:
    directory = copy(run, tmp_path)
    read, write = os.pipe()
    os.close(read)
    more = [f"resume={directory}", "train.steps=60"]
    done = subprocess.run(command(*more), stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert done.returncode != 0 and done.stderr == ""
    code, _, err = main(*more)
    assert code == 0, err
    whole = (run / "metrics.csv").read_text()
    assert (directory / "metrics.csv").read_text().startswith(whole)
    shutil.rmtree(directory)
