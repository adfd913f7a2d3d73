"""What a run shows while it trains: a bar in a terminal, lines in a pipe."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.commands import TINY, command


@pytest.mark.slow
def test_a_pipe_gets_lines_even_where_colours_are_forced(tmp_path: Path) -> None:
    """The kernel of a notebook sets FORCE_COLOR, by which rich takes a pipe for a terminal."""
    done = subprocess.run(
        command(f"output={tmp_path}", *TINY, "train.steps=2", "train.eval_every=1"),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "FORCE_COLOR": "1"},
    )
    assert "\x1b" not in done.stdout and "tracing" not in done.stdout
    lines = done.stdout.splitlines()
    assert [line.split()[1].rstrip(",") for line in lines if line.startswith("step ")] == [
        "0/2", "1/2", "2/2",
    ]  # fmt: skip
