"""Checks of a composed config that need no task, model or device."""

import math
from collections.abc import Mapping

from omegaconf import DictConfig

from nalu_seq.config.options import conf_dir, setter
from nalu_seq.errors import BadInput

COMPILE = ("graph", "xla", None)
INITIAL_STATES = ("zero", "random")
JUDGES = ("loss", "validation")
DRAWS = ("initial", "uniform")
MASKED = ("adam", "rmsprop")  # optimizers that can leave entries of a variable as they are
PRECISIONS = ("float32", "bfloat16")
MOST_STEPS = 2**53  # readers of JSON that have floats alone know whole numbers up to here
# Encoders without products, or with those of exact units.
FLOAT32_ENCODERS = ("none", "hidden", "hidden_cell", "hidden_sum")


def check_values(cfg: DictConfig, choices: Mapping[str, str]) -> None:
    """Check the values of a config by themselves, before anything is built from it.

    Args:
        cfg: the composed config.
        choices: the option that was chosen in each group.

    Raises:
        BadInput: a value is out of its range, or contradicts another value.
    """
    train = cfg.train
    for key in ("steps", "batch_size", "eval_every"):
        if train[key] < 1:
            raise BadInput(f"train.{key} must be a positive integer, not {train[key]}")
    if train.parts is not None and train.parts < 1:
        raise BadInput(f"train.parts must be a positive integer or null, not {train.parts}")
    for key in ("steps", "eval_every"):
        if train[key] > MOST_STEPS:
            raise BadInput(f"train.{key} must be at most {MOST_STEPS}, not {train[key]}")
    for group in ("train", "restart", "alternate", "strategy"):
        for key, value in cfg[group].items():
            if isinstance(value, float) and math.isnan(value):
                raise BadInput(f"{group}.{key} must be a number, not nan")
    for key in ("clip_norm", "clip_value"):
        if train[key] is not None and not 0 < train[key] < math.inf:
            raise BadInput(f"train.{key} must be positive or null, not {train[key]}")
    profile = cfg.profile
    if profile is not None and (len(profile) != 2 or not 0 <= profile[0] < profile[1]):
        raise BadInput(f"profile must be two steps [start, stop], 0 <= start < stop, not {profile}")
    if profile is not None and profile[1] > train.steps:
        raise BadInput(f"profile={profile} goes beyond the last step, train.steps={train.steps}")
    if cfg.resume is not None:
        raise BadInput(
            "resume=RUN takes a run's own settings: it can't be combined with those of a new run"
        )
    if train.compile not in COMPILE:
        raise BadInput(f"train.compile must be graph, xla or null, not {train.compile!r}")
    if train.judge not in JUDGES:
        raise BadInput(f"train.judge must be loss or validation, not {train.judge!r}")
    if train.precision not in PRECISIONS:
        raise BadInput(f"train.precision must be float32 or bfloat16, not {train.precision!r}")
    if train.precision != "float32" and (encoder := choices.get("encoder")) in FLOAT32_ENCODERS:
        raise BadInput(
            f"train.precision={train.precision} applies to an encoder's matrix products, and "
            f"encoder={encoder} has none: leave it at float32"
        )
    if train.initial_state not in INITIAL_STATES:
        raise BadInput(f"train.initial_state must be zero or random, not {train.initial_state!r}")
    if not 0 < train.initial_deviation < math.inf:
        raise BadInput(f"train.initial_deviation must be positive, not {train.initial_deviation}")
    total = train.initial_total
    if total is not None and (len(total) != 2 or not -math.inf < total[0] < total[1] < math.inf):
        raise BadInput(f"train.initial_total must be [low, high] with low < high, not {total}")
    restart = cfg.restart
    if restart.draw not in DRAWS:
        raise BadInput(f"restart.draw must be initial or uniform, not {restart.draw!r}")
    least = min(restart.history, *(restart[k] - 1 for k in ("every", "window", "check_every")))
    if least < 0 or restart.reach <= 0:
        raise BadInput(
            "restart: history must not be negative, every, window and check_every at least 1, "
            "reach above 0"
        )
    alternate = cfg.alternate
    if alternate.period >= 2**31:
        raise BadInput(f"alternate.period must be below 2^31, not {alternate.period}")
    if not 0 <= alternate.gates <= alternate.period:
        raise BadInput("alternate.gates must be from 0 to alternate.period")
    if alternate.period and (optimizer := choices.get("optimizer")) not in MASKED:
        source = setter(choices, "alternate.period")
        valid = " and ".join(f"optimizer={name}" for name in MASKED)
        raise BadInput(
            f"{source[0] if source else 'alternate.period'} updates gates and weights in turn, "
            f"which optimizer={optimizer} can't do; {valid} can"
        )
    for key in cfg.cases:
        group, _, rest = str(key).partition(".")
        if group == "optimizer" and choices.get("optimizer") != "adam":
            raise BadInput(f"cases: {key} can differ between members of optimizer=adam only")
        if group == "penalty" and rest.partition(".")[0] not in cfg.penalty:
            valid = ", ".join(map(str, cfg.penalty))
            raise BadInput(f"cases: {key}: no such penalty; valid: {valid}")
    check_row(choices.get("protocol"), choices.get("unit"))


def check_row(protocol: str | None, unit: str | None) -> None:
    """Check that a protocol has settings for a unit.

    Args:
        protocol: an option of `conf/protocol`, or None.
        unit: an option of `conf/unit`.

    Raises:
        BadInput: `conf/protocol_units/<protocol>/` has no file for the unit.
    """
    if protocol in (None, "None", "null"):
        return
    valid = sorted(path.stem for path in (conf_dir() / "protocol_units" / protocol).glob("*.yaml"))
    if unit not in valid:
        raise BadInput(
            f"protocol={protocol} has no settings for unit={unit}; valid: {', '.join(valid)}"
        )
