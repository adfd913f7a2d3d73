"""The entries of TensorBoard's HParams tab: a run's settings, its outcome, whether it is done."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tensorboard.plugins.hparams import api_pb2
from tensorboard.plugins.hparams import summary as hparams

# The settings that are shown of every run, after those that its sweep varies. TensorBoard's table
# has five columns at first; all other settings are in the Text tab.
BASIC = ("task", "encoder", "head", "unit", "optimizer.learning_rate")


class Subject(NamedTuple):
    """What TensorBoard shows of a run besides its measurements.

    Attributes:
        name: the name that tells the run from the other jobs of its sweep, or its unit without one.
        command: the command that repeats it.
        explain: the command that reads the run as a formula.
        config: the run's config as YAML.
        settings: the run's config by dotted keys; values are numbers and strings.
        varied: the settings in which the jobs of its sweep differ, each with all its values.
    """

    name: str
    command: str
    explain: str
    config: str
    settings: Mapping[str, Any]
    varied: Mapping[str, Sequence[str]]


def shown_settings(subject: Subject) -> dict[str, Any]:
    """The settings of a run that HParams shows: first those that differ in its sweep.

    A setting that is a number in some jobs and something else, such as null, in others is a string
    in all of them: TensorBoard leaves out the rows that have another type than the column.

    Args:
        subject: the run.

    Returns:
        The value of each dotted key.
    """
    shown: dict[str, Any] = {}
    for key in (*subject.varied, *BASIC):
        value = subject.settings.get(key)
        if value is not None:
            numbers = all(map(_is_number, subject.varied.get(key, ())))
            shown.setdefault(key, value if numbers else str(value))
    return shown


def start(subject: Subject, started: float) -> Any:
    """The summary that tells HParams the settings of a run.

    Args:
        subject: the run.
        started: when the training began, in seconds since 1970.

    Returns:
        A protocol buffer for `summaries.write`.
    """
    return hparams.session_start_pb(
        shown_settings(subject), group_name=subject.name, start_time_secs=started
    )


def end(ended: float) -> Any:
    """The summary that tells HParams that a run is done.

    Args:
        ended: when the training ended, in seconds since 1970.

    Returns:
        A protocol buffer for `summaries.write`.
    """
    return hparams.session_end_pb(api_pb2.STATUS_SUCCESS, ended)


def columns(subject: Subject, metrics: Mapping[str, str]) -> Any:
    """The summary that tells HParams its columns and their order.

    Args:
        subject: the run.
        metrics: the tag of each scalar that is shown, the most important first, and its title.

    Returns:
        A protocol buffer for `summaries.write`.
    """
    # TensorBoard sorts the columns by name, and puts those whose values differ before the others.
    infos = [
        api_pb2.HParamInfo(
            name=key, display_name=key, type=_type(value), differs=key in subject.varied
        )
        for key, value in shown_settings(subject).items()
    ]
    outcome = [
        api_pb2.MetricInfo(name=api_pb2.MetricName(tag=tag), display_name=name)
        for tag, name in metrics.items()
    ]
    return hparams.experiment_pb(infos, outcome)


def _type(value: Any) -> Any:
    if isinstance(value, bool):
        return api_pb2.DATA_TYPE_BOOL
    number = isinstance(value, int | float)
    return api_pb2.DATA_TYPE_FLOAT64 if number else api_pb2.DATA_TYPE_STRING


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
