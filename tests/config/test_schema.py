"""The config knows what the units declare."""

import hydra.utils
import numpy as np

from nalu_seq.config.options import options, shipped
from nalu_seq.config.schema import PENALTIES
from nalu_seq.units import NAU


def test_every_penalty_of_every_unit_has_a_ramp() -> None:
    free = NAU(2, clip=False)
    free.build((None, 3))
    declared = set(free.penalties())
    for option in options("unit"):
        unit = hydra.utils.instantiate(shipped("unit", option), _convert_="all")(units=2)
        unit.build((None, 3))
        declared |= set(unit.penalties())
        declared |= set(unit.input_penalties(np.zeros(3, np.float32)))
    assert declared == set(PENALTIES)
