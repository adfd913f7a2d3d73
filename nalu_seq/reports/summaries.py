"""Finding finished runs, reading their summaries, and grouping them into protocols."""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from nalu_seq.errors import first_line
from nalu_seq.evaluation.intervals import Estimate
from nalu_seq.records.files import Unreadable, read_json
from nalu_seq.records.sweeps import read_jobs
from nalu_seq.reports.form import GROUPS, OF_A_MEMBER, unusable

# Config groups and keys that a sweep may vary without being settings of a job.
NOT_SETTINGS = ("task", "experiment", "output", "seeds", "protocol", "variant")
# Keys that tell protocols apart besides the task's own; the number of steps is a column instead.
TRAINED = ("train.batch_size",)
# Keys that only say where a run is measured: their values are columns of a table.
MEASURED = ("task.lengths",)
_SETTING = re.compile(r"(?:^| )([a-z]\w*(?:\.\w+)+)=(\S+)")

Member = dict[str, Any]


class Run(NamedTuple):
    """A finished run, as its summary describes it.

    Attributes:
        summary: the content of its `summary.json`.
        overrides: the settings by which its sweep made it, by key; empty for a single run.
        place: the run's directory.
    """

    summary: dict[str, Any]
    overrides: dict[str, str]
    place: Path = Path()

    @property
    def config(self) -> dict[str, Any]:
        """The run's config by dotted keys; empty if its summary has none, as in early versions."""
        return self.summary.get("config") or {}

    @property
    def members(self) -> list[Member]:
        """The outcome of each member; empty if its summary has none, as in early versions."""
        return self.summary.get("members") or []

    @property
    def cases(self) -> list[str]:
        """The names of its cases."""
        return list(dict.fromkeys(member["case"] for member in self.members))

    @property
    def judged(self) -> list[str]:
        """The splits that its members are judged on, the hardest last."""
        return list(self.members[0]["solved"]) if self.members else []

    @property
    def metric(self) -> str:
        """The name of the metric that its members are judged by."""
        finite_errors = {*OF_A_MEMBER, "initial", "sparsity_error"}
        return next(key for key in self.members[0] if key not in finite_errors)

    @property
    def units(self) -> tuple[str, str]:
        """The names of the units of the hidden layer and of the output layer."""
        unit, inner = self.summary["unit"], self.value("encoder.unit")
        return (unit if inner in (None, "None", "null") else str(inner)), unit

    def of_case(self, case: str | None) -> list[Member]:
        """The members of a case.

        Args:
            case: the case's name; None for all members of the run.
        """
        return [m for m in self.members if case is None or m["case"] == case]

    def spread(self, case: str, split: str, metric: str) -> Estimate | None:
        """The median of a metric over a case's members, between the smallest and the largest value.

        Args:
            case: the name of a case.
            split: the split that was measured.
            metric: the name of the metric.

        Returns:
            The median and the two ends, over the finite values; None if there is none.
        """
        for line in self.summary["results"]:
            place = (line["case"], line["split"], line["metric"])
            if place == (case, split, metric) and line["median"] is not None:
                return Estimate(line["median"], line["min"], line["max"])
        return None

    def value(self, key: str, case: str = "") -> Any:
        """What a key is in this run, in a case of it; None if nothing tells.

        Args:
            key: a dotted key of the config, such as `unit.eps`, or a key of the summary, such as
                `unit`.
            case: the name of a case, whose own settings go first.

        Returns:
            The value; None if neither the case, the sweep, the config nor the summary has the key.
        """
        settings = case_settings(case)
        if key in settings:
            return settings[key]
        if key in self.overrides:
            return self.overrides[key]
        return self.config[key] if key in self.config else self.summary.get(key)

    def has(self, key: str, value: Any) -> bool:
        """Whether a key has a value in this run; a sweep records its settings as text.

        Args:
            key: as `value` takes it.
            value: a number, a truth value, a list of them, or text.
        """
        recorded = self.value(key)
        try:
            return bool(json.loads(str(recorded).lower()) == value)
        except ValueError:
            return bool(recorded == value)


def find_runs(directory: Path) -> tuple[list[Run], list[str]]:
    """The finished runs in a run's directory or in a sweep's folder.

    Args:
        directory: the directory that is searched.

    Returns:
        The finished runs, and a line for each run that is left out, with the reason.

    Raises:
        ValueError: the directory is neither a run's nor a sweep's.
    """
    if (directory / "sweep.json").exists() or (directory / "multirun.yaml").exists():
        places = [(directory / job, overrides) for job, overrides in _jobs(directory).items()]
    elif (directory / "metrics.csv").is_file() or (directory / "summary.json").is_file():
        places = [(directory, {})]
    else:
        raise ValueError(f"{directory} is neither a run nor a sweep")
    runs, left_out = [], []
    for place, overrides in places:
        try:
            summary = read_json(place, "summary.json")
        except FileNotFoundError:
            left_out.append(f"{place}: left out, it has no summary")
            continue
        except (OSError, Unreadable) as error:
            left_out.append(f"{place}: left out, its summary.json {first_line(error)}")
            continue
        if reason := unusable(summary):
            left_out.append(f"{place}: left out, {reason}")
        else:
            runs.append(Run(summary, overrides, place.resolve()))
    return runs, left_out


def protocols(runs: Sequence[Run], apart: Iterable[str] = ()) -> list[list[Run]]:
    """Group runs by protocol: the same task with the same settings of it.

    What a sweep set for its jobs, and the keys in `apart`, may differ within a protocol.

    Args:
        runs: the runs that are grouped.
        apart: further dotted keys that may differ within a protocol.

    Returns:
        The runs of each protocol, in the order in which the first of each appears.
    """
    groups: dict[str, list[Run]] = {}
    for run in runs:
        same_task = [r for r in runs if r.summary["task"] == run.summary["task"]]
        free = {*apart, *MEASURED, *(key for r in same_task for key in r.overrides)}
        keys = (k for k in run.config if k.startswith("task.") or k in TRAINED)
        settings = {key: run.config[key] for key in keys if key not in free}
        groups.setdefault(json.dumps([run.summary["task"], settings], sort_keys=True), []).append(
            run
        )
    return list(groups.values())


def label_keys(runs: Sequence[Run]) -> list[str]:
    """The keys whose values name a run among others.

    Args:
        runs: the runs that are shown together.

    Returns:
        The run's parts, then the keys that sweeps set, then those in which runs of the same name
        differ.
    """
    inner = ["encoder.unit"] if any("encoder.unit" in r.config for r in runs) else []
    label_names = ["task", *GROUPS, *inner]
    settings = [k for r in runs for k in r.overrides if not k.startswith("hydra.")]
    keys = list(dict.fromkeys([*label_names, *(k for k in settings if k not in NOT_SETTINGS)]))
    namesakes: dict[tuple[str, ...], list[Run]] = {}
    for run in runs:
        namesakes.setdefault(tuple(labels(run, keys)), []).append(run)
    return [*keys, *dict.fromkeys(k for same in namesakes.values() for k in _differing(same))]


def labels(run: Run, keys: Sequence[str]) -> list[str]:
    """A run's values of some keys, as texts.

    Args:
        run: the run that is named.
        keys: dotted keys of the config or keys of the summary, as for `Run.value`.

    Returns:
        A text for each key; empty where the run has no such key.
    """
    values = (run.value(key) for key in keys)
    return ["" if value is None else str(value) for value in values]


def case_settings(case: str) -> dict[str, str]:
    """The config's settings in a case's name: `U[1,2] penalty.sparsity.weight=0.1`.

    Args:
        case: the name of a case.

    Returns:
        The value of each dotted key that the name sets, as a text.
    """
    return dict(_SETTING.findall(case))


def task_case(case: str) -> str:
    """A case's name without the config's settings: the task's own.

    Args:
        case: the name of a case, such as `U[1,2] penalty.sparsity.weight=0.1`.

    Returns:
        The part that the task itself chose, such as `U[1,2]`.
    """
    return _SETTING.sub("", case).strip()


def setting_keys(cases: Iterable[str]) -> list[str]:
    """The config's keys that cases set.

    Args:
        cases: names of cases.

    Returns:
        Each dotted key that one of them sets, once.
    """
    return list(dict.fromkeys(key for case in cases for key in case_settings(case)))


def case_labels(case: str, keys: Sequence[str]) -> list[str]:
    """A case in columns: the task's own case, and the config's settings by key.

    Args:
        case: the name of a case.
        keys: the dotted keys that have a column.

    Returns:
        The task's own case, then the value of each key; empty where the case does not set it.
    """
    settings = case_settings(case)
    return [task_case(case), *(settings.get(key, "") for key in keys)]


def describe_seeds(seeds: list[int]) -> str:
    """The seeds of a run in words.

    Args:
        seeds: at least one seed, in the order of the members.

    Returns:
        A text such as `0 to 9`, or all seeds where they are not consecutive.
    """
    consecutive = seeds == list(range(seeds[0], seeds[0] + len(seeds)))
    return f"{seeds[0]} to {seeds[-1]}" if consecutive else ", ".join(map(str, seeds))


def _jobs(directory: Path) -> dict[str, dict[str, str]]:
    try:
        jobs = read_jobs(directory)
    except Unreadable as error:
        raise ValueError(f"{directory}: its sweep.json {error}") from error
    return {job: dict(o.partition("=")[::2] for o in overrides) for job, overrides in jobs.items()}


def _differing(runs: Sequence[Run]) -> list[str]:
    configs = [{"experiment": run.summary.get("experiment"), **run.config} for run in runs]
    keys = dict.fromkeys(key for config in configs for key in config if key != "train.steps")
    return [key for key in keys if len({repr(config.get(key)) for config in configs}) > 1]
