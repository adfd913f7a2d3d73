"""The README and the docs are true: code runs, commands compose, tables are what results/ says."""

import contextlib
import functools
import io
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from nalu_seq.config.options import conf_dir, options
from nalu_seq.config.schema import register
from nalu_seq.reports.summaries import find_runs, protocols
from nalu_seq.reports.tables import tables
from scripts.fill_tables import PLACES, comparisons, marks, table, tallies

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md")), ROOT / "CONTRIBUTING.md"]
TEXTS = {str(page.relative_to(ROOT)): page.read_text() for page in PAGES}
PYTHON = {name: re.findall(r"```python\n(.*?)```", text, re.DOTALL) for name, text in TEXTS.items()}
COMMAND = r"^(?:\$ )?(?:python -m nalu_seq\.train|scripts/train|nalu-seq-train) ([^#`\n]+)"
COMMANDS = sorted(
    {
        command.strip()
        for text in TEXTS.values()
        for block in re.findall(r"```sh\n(.*?)```|`([^`\n]+)`", text, re.DOTALL)
        for command in re.findall(COMMAND, "".join(block), re.MULTILINE)
    }
)
TABLES = [
    pytest.param(*marked, id=f"{name}-{marked[0]}")
    for name, text in TEXTS.items()
    for marked in re.findall(rf"<!-- ({PLACES}) -->\n(.*?)\n<!-- end -->", text, re.DOTALL)
]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name != "README.md"))
        for name, blocks in PYTHON.items()
        if blocks
    ],
)
def test_python_runs_and_prints_what_it_says(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    page = {"__name__": "page"}  # a block may use what the blocks above it have made
    for code in PYTHON[name]:
        if "import gymnasium" in code:
            pytest.importorskip("gymnasium")
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, name, "exec"), page)
        said = re.findall(r"^print\(.*\)  # (.*)$", code, re.MULTILINE)
        assert not said or printed.getvalue().splitlines() == said


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_compose(command: str) -> None:
    register()
    overrides = [word for word in shlex.split(command) if word not in ("-m", "--help")]
    # Options that only a folder of the reader's own has.
    if re.search(r"(^| )(sweep\.)?resume=|=(magnitude|difference)$|encoder=dense", command):
        return
    # Of a sweep's values the first.
    overrides = [re.sub(r"=(\w+),.*", r"=\1", word) for word in overrides]
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        assert compose("config", overrides).task


@pytest.mark.parametrize(("places", "shown"), TABLES)
def test_tables_are_made_from_results(places: str, shown: str) -> None:
    for place in places.rpartition(": ")[2].split() if places != "published" else ():
        _, unfinished = find_runs(ROOT / place)
        assert not unfinished
    assert shown == table(places)


def test_every_marked_table_says_why_and_no_other_does() -> None:
    marked = {(folder, source, t.table) for folder, source, t in tallies() if t.marked}
    left_out = {place for place, mark in marks().items() if not mark.added}
    assert marks().keys() == marked | left_out


def test_readme_counts_the_comparisons() -> None:
    *_, total = comparisons().rows
    counted = re.search(r"Beside (\d+) published figures\]\S+ (\d+) of ours", README.read_text())
    assert counted and [*counted.groups()] == [cell.text for cell in total.cells[:2]]


@functools.cache
def solved(experiment: str) -> dict[str, str]:
    """How many of all seeds of an experiment solved it, by unit."""
    runs, _ = find_runs(ROOT / "results" / experiment)
    (group,) = protocols(runs)
    _, *rows = tables([group])[0].texts()
    return {row[0]: row[-1].split()[0] for row in rows}


def test_recommended_units_solve_what_the_readme_says() -> None:
    section = TEXTS["README.md"].split("## Which unit for what")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if "primer_" in line]
    assert len(rows) >= 5
    for row in rows:
        experiments = re.findall(r"primer_\w+", row[5])
        for units, counts in ((row[1], row[2]), (row[3], row[4])):
            for unit in re.findall(r"`(\w+)`", units):
                assert [solved(e)[unit] for e in experiments] == counts.split(", "), row


def test_the_first_table_is_what_results_say() -> None:
    rows = [line.strip("| ").split(" | ") for line in TEXTS["README.md"].splitlines()]
    header = next(row for row in rows if row[0] == "the addition is")
    shown = [row for row in rows if row[-1].startswith("`count_")]
    assert len(shown) == 3
    for row in shown:
        (run,) = find_runs(ROOT / "results" / row[-1].strip("`"))[0]
        seeds = len(run.summary["seeds"])
        results = {(r["split"], r["metric"]): r for r in run.summary["results"]}
        for length, cell in zip(header[1:-1], row[1:-1], strict=True):
            split = f"length_{length.replace(',', '')}"
            solved = round(results[split, "exact"]["success_rate"] * seeds)
            error = results[split, "mae"]["median"]
            assert cell == f"{solved}/{seeds}, {error:.2g}" or (
                error >= 100 and cell == f"{solved}/{seeds}, {error:,.0f}"
            )


def test_certificates_hold_as_the_pages_say() -> None:
    folder = ROOT / "results/certify_fresh"
    members, measured, snapped = (
        {m["seed"]: m for m in json.loads((folder / f"{name}.json").read_text())["members"]}
        for name in ("certificates", "measured", "snapped")
    )
    lengths = sorted(m["length"] for m in members.values())
    assert len(lengths) == len(measured) == len(snapped) == 100
    assert f"{lengths[0]:,} to {lengths[-1]:,}" in TEXTS["docs/results.md"]
    assert all(members[seed]["length"] == m["predicted"] for seed, m in measured.items())
    ratios = sorted(m["measured"] / m["predicted"] for m in measured.values())
    assert f"{ratios[0]:.3f} to {ratios[-1]:.3f}" in TEXTS["docs/results.md"]
    assert max(1 - ratios[0], ratios[-1] - 1) < 0.06
    assert not any(m["refuted"] for m in measured.values())
    assert all(m["first_wrong"] is None for m in snapped.values())
    folder = ROOT / "results/count_learned_10000"
    cells = {
        m["seed"]: m for m in json.loads((folder / "certificates.json").read_text())["members"]
    }
    drift = json.loads((folder / "summary.json").read_text())["drift"]
    ratios = sorted(m["first_wrong"] / cells[m["seed"]]["length"] for m in drift)
    low, high = f"{ratios[0]:.3f}", f"{ratios[-1]:.3f}"
    assert re.search(rf"{low} to\s{high}", TEXTS["docs/results.md"])


@pytest.mark.parametrize("group", ["task", "encoder", "head"])
def test_readme_names_every_option(group: str) -> None:
    section = TEXTS["README.md"].split("## Tasks, encoders, heads")[1].split("\n## ")[0]
    assert set(options(group)) <= set(re.findall(r"`(\w+)`", section))


def test_readme_is_short() -> None:
    assert len(TEXTS["README.md"].splitlines()) <= 170


def test_brackets_are_quoted_for_every_shell() -> None:
    for name, text in TEXTS.items():
        for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
            for line in block.splitlines():
                unquoted = re.sub(r"'[^']*'", "", line.partition(" #")[0])
                assert not set("[]{}()?") & set(unquoted), (name, line)


@pytest.mark.parametrize("name", TEXTS)
def test_links_and_pictures_exist(name: str) -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)", TEXTS[name]):
        assert ((ROOT / name).parent / target).exists(), target


def test_commands_and_files_that_are_named_exist() -> None:
    for name, text in TEXTS.items():
        for module in re.findall(r"python -m nalu_seq\.(\w+(?:\.\w+)?)", text):
            assert (ROOT / "nalu_seq" / f"{module.replace('.', '/')}.py").exists(), (name, module)
        for script in re.findall(r"scripts/(\w+(?:\.py)?)", text):
            assert (ROOT / "scripts" / script).exists(), (name, script)


@pytest.mark.slow
def test_the_site_builds_and_asks_no_other_host(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", tmp_path]
    environment = {"NO_MKDOCS_2_WARNING": "1", "PATH": "/usr/bin:/bin"}
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    assert 'class="doc doc-heading"' in (tmp_path / "api/units/index.html").read_text()
    for page in tmp_path.rglob("*.html"):
        loaded = re.findall(r"<(?:script|img|link)[^>]+(?:src|href)=\"?(https?:[^\"> ]+)",
                            page.read_text())  # fmt: skip
        assert loaded == [], page


def test_there_was_something_to_test() -> None:
    assert sum(map(len, PYTHON.values())) >= 10 and len(COMMANDS) >= 20 and len(TABLES) >= 16
