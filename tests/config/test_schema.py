"""The config knows what the units declare."""

from pathlib import Path

import hydra
import hydra.utils
import numpy as np
import pytest

from nalu_seq.config.descriptions import penalty_names
from nalu_seq.config.options import conf_dir, options, shipped_config
from nalu_seq.config.schema import Config, Ramp
from nalu_seq.models.carry_cell import CarryCell
from nalu_seq.units import NAU, NMU, Unit


def penalties(unit: Unit) -> set[str]:
    unit.build((None, 3))
    return {*unit.penalties(), *unit.input_penalties(np.zeros(3, np.float32))}


@pytest.mark.parametrize("option", options("unit"))
def test_a_unit_declares_the_penalties_that_it_has(option: str) -> None:
    unit = hydra.utils.instantiate(shipped_config("unit", option), _convert_="all")(units=2)
    inside = getattr(unit, "multiplier", None)  # a unit in a unit has its own
    assert penalties(unit) <= {*unit.penalty_names, *getattr(inside, "penalty_names", ())}


def test_every_penalty_that_a_unit_or_a_head_declares_has_a_ramp() -> None:
    assert penalties(NAU(2, clip=False)) == {*NAU.penalty_names}
    assert penalties(NMU(2, clip=False)) == {*NMU.penalty_names}
    of_units = {"sparsity", "out_of_bounds", "l1", "inalu", "mcfc", "r_z"}
    assert {*penalty_names()} == {*of_units, *CarryCell.penalty_names, "norm"}
    assert Config().penalty == {name: Ramp() for name in penalty_names()}


def test_an_option_of_a_user_s_own_brings_its_penalty(tmp_path: Path) -> None:
    (tmp_path / "unit").mkdir()
    (tmp_path / "unit" / "mine.yaml").write_text(
        "# @package _global_\nunit: {_target_: mine.Unit, _partial_: true}\n"
        "penalty:\n  roughness: {}\n"
    )
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        overrides = [f"hydra.searchpath=[file://{tmp_path}]", "unit=mine"]
        cfg = hydra.compose("config", [*overrides, "penalty.roughness.weight=2"])
    assert (cfg.penalty.roughness.weight, cfg.penalty.roughness.every) == (2.0, 1)
    assert cfg.unit._target_ == "mine.Unit"
