"""Random overrides over the whole config: each trains two steps or is refused in one line."""

import random
from pathlib import Path
from typing import Any

import hydra
import keras
import pytest
from omegaconf import DictConfig, OmegaConf

from nalu_seq.config.options import conf_dir, options
from nalu_seq.config.schema import register

GROUPS = ("task", "encoder", "head", "unit", "optimizer", "protocol")
HUGE = "1000000000000000000000"
ENDLESS = ("steps", "length", "lengths")  # as many as asked for are made, however long that takes
ODD = [
    "x", "''", "null", "-1", "0", "1", "2.5", "1e30", "-.inf", ".nan", HUGE,
    "true", "[]", "[1]", "[a]", "[[1,2]]", "{}", "{a: 1}", "keras.utils.get_file", "../..", "é",
    "'${oc.env:HOME}'", "${nope}", "'a b'", "1,2", "???",
]  # fmt: skip
SMALL = {
    "encoder.units": 3, "encoder.layers": 1, "task.inputs": 10, "task.points": 3,
    "task.examples": 64, "task.pairs": 20, "task.lengths": [10, 12], "task.subset": 0.2,
}  # fmt: skip


def leaves(node: Any, path: str = "") -> dict[str, Any]:
    """Every key of a config that has a value, under dotted names."""
    if not isinstance(node, DictConfig):
        return {path: node}
    values: dict[str, Any] = {}
    for key in node:
        inner = node._get_node(key)
        value = inner if isinstance(inner, DictConfig) else OmegaConf.select(node, str(key))
        values |= leaves(value, f"{path}.{key}" if path else str(key))
    return values


def near(value: Any, draw: random.Random) -> str:
    """Another value of the same kind, which may well be right."""
    if isinstance(value, bool):
        return str(not value).lower()
    if isinstance(value, int):
        return str(draw.choice([value, value + 1, max(value - 1, 0), 1, 2, 3]))
    if isinstance(value, float):
        return repr(value * draw.choice([0.0, 0.5, 1.0, 2.0, -1.0]))
    return draw.choice(ODD)


def combination(number: int) -> list[str]:
    """Overrides drawn over the config tree: options of groups, keys near their values, odd ones."""
    draw = random.Random(number)
    if number % 25 == 0:  # so that of each batch one trains, whatever the others are
        return ["seeds=2", "train.steps=2", "train.eval_every=2", "task.lengths=[10,12]"]
    overrides = [f"{g}={draw.choice(options(g))}" for g in GROUPS[:-1] if draw.random() < 0.4]
    overrides += [f"protocol={draw.choice(options('protocol'))}"] * (draw.random() < 0.05)
    register()
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        try:
            cfg = hydra.compose("config", overrides)
        except Exception:  # an odd pair of options: the command shall say so
            return overrides
    tree = leaves(cfg)
    overrides += [f"{key}={value}".replace(" ", "") for key, value in SMALL.items() if key in tree]
    overrides += ["seeds=2", "train.steps=2", "train.eval_every=2", "train.batch_size=3"]
    if any(value.startswith("task=mnist") for value in overrides):
        overrides += ["data=digits"]  # another would be looked for far away
    overrides += ["train.compile=graph"]  # compiling takes seconds, and is tested with the step
    for _ in range(draw.choice([0, 1, 1, 2, 2, 3])):
        part = draw.choice(sorted({key.partition(".")[0] for key in tree}))
        key = draw.choice([key for key in sorted(tree) if key.partition(".")[0] == part])
        value = near(tree[key], draw) if draw.random() < 0.3 else draw.choice(ODD)
        if value != HUGE or not key.endswith(ENDLESS):
            overrides.append(f"{key}={value}")
    overrides += [f"+{draw.choice(sorted(tree))}s={draw.choice(ODD)}"] * (draw.random() < 0.05)
    return overrides


@pytest.mark.parametrize(
    "numbers",
    [
        range(6),
        pytest.param(range(6, 25), marks=pytest.mark.slow),
        *(pytest.param(range(n, n + 25), marks=pytest.mark.slow) for n in range(25, 500, 25)),
    ],
    ids=lambda numbers: f"{numbers.start} to {numbers.stop - 1}",
)
def test_any_overrides_train_or_get_one_line(
    main, numbers: range, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ends = []
    for number in numbers:
        overrides = combination(number)
        case = f"{number}: {' '.join(overrides)}"
        output = tmp_path / str(number)
        try:
            code, out, err = main(*overrides, f"hydra.run.dir={output}")
        except BaseException as error:
            raise AssertionError(f"{case}: {error!r}") from error
        ends.append(code)
        if code == 0:
            assert out.splitlines()[-1] == f"run: {output}", case
            assert (output / "summary.json").exists(), case
        else:
            assert code == 2 and out == "" and len(err.splitlines()) == 1, f"{case}: {err}"
            assert not output.exists(), case
        keras.backend.clear_session()
    assert {0, 2} <= set(ends), "nothing trained, or nothing was refused"
    assert not [path for path in tmp_path.iterdir() if not path.name.isdecimal()]
