#!/usr/bin/env python
"""Keep a run's or a sweep's figures in results/: scripts/keep_results.py RUN results/NAME

Copies the summaries (and sweep.json), not the checkpoints, and writes a README.md with the command,
the commit, the date, the machine and the table, so that other tables can be made from them again.
"""

import argparse
import json
import os
import platform
import shlex
import shutil
from datetime import UTC, datetime
from pathlib import Path

from omegaconf import OmegaConf

from nalu_seq.reports.formats import markdown
from nalu_seq.reports.summaries import describe_seeds, find_runs, protocols
from nalu_seq.reports.tables import tables

LARGE = 100_000  # bytes; a larger summary is written with one line for each member
ROWS = ("results", "members")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("results", type=Path)
    arguments = parser.parse_args()
    runs, unfinished = find_runs(arguments.run)
    if unfinished or not runs:
        raise SystemExit("\n".join(unfinished) or f"{arguments.run} holds no run")
    kept_before = (
        {p.name for p in arguments.results.glob("*")} if arguments.results.exists() else ()
    )
    if kept_before and "README.md" not in kept_before:
        raise SystemExit(f"{arguments.results} is not empty and holds no kept results")
    shutil.rmtree(arguments.results, ignore_errors=True)
    for summary in _summaries(arguments.run):
        target = arguments.results / summary.relative_to(arguments.run)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_compact(summary.read_text()))
    if (arguments.run / "sweep.json").exists():
        jobs = {job: _kept(overrides) for job, overrides in _jobs(arguments.run).items()}
        (arguments.results / "sweep.json").write_text(json.dumps(jobs, indent=1) + "\n")
    (arguments.results / "README.md").write_text(_page(arguments.run, arguments.results, runs))


def _page(run: Path, results: Path, runs: list) -> str:
    first = runs[0].summary
    written = sorted(datetime.fromtimestamp(p.stat().st_mtime, UTC) for p in _summaries(run))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return "\n".join(
        [
            f"# {results.name}",
            "",
            f"- command: `{_command(run)}`",
            f"- commit: {', '.join(dict.fromkeys(run.summary['git_commit'] for run in runs))}",
            f"- date: {', '.join(dict.fromkeys(f'{day:%Y-%m-%d}' for day in written))}",
            f"- machine: {os.cpu_count()} CPU cores, {platform.machine()}, {memory:.0f} GiB",
            f"- versions: {', '.join(f'{k} {v}' for k, v in first['versions'].items())}",
            f"- seeds: {describe_seeds(first['seeds'])}",
            "",
            markdown(tables(protocols(runs))),
            "",
        ]
    )


def _compact(text: str) -> str:
    """A summary as it is, or if it is large with each result and member on one line."""
    if len(text) <= LARGE:
        return text
    summary = json.loads(text)
    rows = {key: summary.pop(key) for key in ROWS if key in summary}
    parts = [json.dumps(summary, indent=1).removesuffix("\n}")]
    for key, values in rows.items():
        lines = ",\n".join(json.dumps(value, separators=(",", ":")) for value in values)
        parts.append(f' "{key}": [\n{lines}\n ]')
    return ",\n".join(parts) + "\n}\n"


def _summaries(run: Path) -> list[Path]:
    return sorted(run.rglob("summary.json"))


def _command(run: Path) -> str:
    """The command that made the run, without the places that it named."""
    if (run / "sweep.json").exists():
        # Not what the jobs share: a list of options on the command may be shorter than the
        # experiment's own.
        overrides = ["-m", *OmegaConf.load(run / "multirun.yaml").hydra.overrides.task]
    else:
        overrides = list(OmegaConf.load(run / ".hydra" / "overrides.yaml"))
        if any(o.startswith("experiment=") for o in overrides):
            overrides.append("hydra.mode=RUN")  # one of its rows, alone
    return shlex.join(["python", "-m", "nalu_seq.train", *_kept(overrides)])


def _jobs(run: Path) -> dict[str, list[str]]:
    return json.loads((run / "sweep.json").read_text())


def _kept(overrides: list[str]) -> list[str]:
    """The overrides, without those that name a folder of the machine that made the run."""
    return [o for o in overrides if not o.startswith(("output=", "data.dir="))]


if __name__ == "__main__":
    main()
