"""The README is true: its code runs, its commands compose, its tables are what results/ says."""

import re
import shlex
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from nalu_seq.config.options import conf_dir
from nalu_seq.config.schema import register
from nalu_seq.reports.formats import markdown
from nalu_seq.reports.summaries import find_runs, protocols
from nalu_seq.reports.tables import tables

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
CODE = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
COMMANDS = re.findall(r"(?:python -m nalu_seq\.train|scripts/train) ([^#`\n]+)", README)
TABLES = re.findall(r"<!-- (results/[^>]*) -->\n(.*?)\n<!-- end -->", README, re.DOTALL)


@pytest.mark.parametrize("code", CODE, ids=lambda code: code.split("\n\n")[0].splitlines()[-1])
def test_its_python_runs(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})


@pytest.mark.parametrize("command", sorted(set(COMMANDS)))
def test_its_commands_compose(command: str) -> None:
    register()
    overrides = [word for word in shlex.split(command) if word not in ("-m", "--help")]
    if any(word.startswith(("resume=", "sweep.resume=")) for word in overrides):
        return
    overrides = [re.sub(r"=(\w+),.*", r"=\1", word) for word in overrides]
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        assert compose("config", overrides).task


@pytest.mark.parametrize(("places", "table"), TABLES, ids=[t[0] for t in TABLES])
def test_its_tables_are_made_from_results(places: str, table: str) -> None:
    runs = []
    for place in places.split():
        found, unfinished = find_runs(ROOT / place)
        assert not unfinished
        runs += found
    assert table == markdown([tables([group])[0] for group in protocols(runs)], notes=False)


def test_its_links_and_pictures_exist() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)", README):
        assert (ROOT / target).exists(), target


def test_there_was_something_to_test() -> None:
    assert len(CODE) >= 2 and len(COMMANDS) >= 5 and len(TABLES) >= 4
