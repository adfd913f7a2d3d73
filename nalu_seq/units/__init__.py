"""Arithmetic units: plain Keras layers `[..., in] -> [..., units]` that save, load and compile.

One file a unit, under the name that its paper gives it. A new unit is one file here, one line
below, and one option in `conf/unit/`; the conformance tests find it by themselves.
"""

from nalu_seq.units.base import Unit
from nalu_seq.units.linear import Linear
from nalu_seq.units.nac import NAC
from nalu_seq.units.nac_mul import NACMul
from nalu_seq.units.nalu import NALU
from nalu_seq.units.nau import NAU
from nalu_seq.units.nmu import NMU
from nalu_seq.units.relu import ReLU
from nalu_seq.units.relu6 import ReLU6

__all__ = ["NAC", "NALU", "NAU", "NMU", "Linear", "NACMul", "ReLU", "ReLU6", "Unit"]
