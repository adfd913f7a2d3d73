"""Arithmetic units: plain Keras layers `[..., in] -> [..., units]` that save, load and compile.

One file a unit, under the name that its paper gives it. A new unit is one file here, one line
below, and one option in `conf/unit/`; the tests of units find it by themselves.
"""

from typing import TYPE_CHECKING

from nalu_seq.units.base import Unit as Unit
from nalu_seq.units.dmu import DMU as DMU
from nalu_seq.units.gated_nau_nmu import GatedNAUNMU as GatedNAUNMU
from nalu_seq.units.gnalu import GNALU as GNALU
from nalu_seq.units.inalu import INALU as INALU
from nalu_seq.units.linear import Linear as Linear
from nalu_seq.units.mcfc import MCFC as MCFC
from nalu_seq.units.mul_mcfc import MulMCFC as MulMCFC
from nalu_seq.units.nac import NAC as NAC
from nalu_seq.units.nac_mul import NACMul as NACMul
from nalu_seq.units.nalu import NALU as NALU
from nalu_seq.units.nau import NAU as NAU
from nalu_seq.units.nmru import NMRU as NMRU
from nalu_seq.units.nmu import NMU as NMU
from nalu_seq.units.npu import NPU as NPU
from nalu_seq.units.nru import NRU as NRU
from nalu_seq.units.real_npu import RealNPU as RealNPU
from nalu_seq.units.relu import ReLU as ReLU
from nalu_seq.units.relu6 import ReLU6 as ReLU6
from nalu_seq.units.snmu import SNMU as SNMU

if not TYPE_CHECKING:  # a type checker reads the lines above instead
    __all__ = [name for name, value in tuple(globals().items()) if isinstance(value, type)]
