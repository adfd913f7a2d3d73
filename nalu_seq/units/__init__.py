"""Arithmetic units: plain Keras layers `[..., in] -> [..., units]` that save, load and compile.

One file a unit, under the name that its paper gives it. A new unit is one file here, one line
below, and one option in `conf/unit/`; the conformance tests find it by themselves.
"""

from nalu_seq.units.base import Unit
from nalu_seq.units.gated_nau_nmu import GatedNAUNMU
from nalu_seq.units.gnalu import GNALU
from nalu_seq.units.inalu import INALU
from nalu_seq.units.linear import Linear
from nalu_seq.units.mcfc import MCFC
from nalu_seq.units.mul_mcfc import MulMCFC
from nalu_seq.units.nac import NAC
from nalu_seq.units.nac_mul import NACMul
from nalu_seq.units.nalu import NALU
from nalu_seq.units.nau import NAU
from nalu_seq.units.nmru import NMRU
from nalu_seq.units.nmu import NMU
from nalu_seq.units.npu import NPU
from nalu_seq.units.nru import NRU
from nalu_seq.units.real_npu import RealNPU
from nalu_seq.units.relu import ReLU
from nalu_seq.units.relu6 import ReLU6
from nalu_seq.units.snmu import SNMU

__all__ = [
    "GNALU",
    "INALU",
    "MCFC",
    "NAC",
    "NALU",
    "NAU",
    "NMRU",
    "NMU",
    "NPU",
    "NRU",
    "SNMU",
    "GatedNAUNMU",
    "Linear",
    "MulMCFC",
    "NACMul",
    "ReLU",
    "ReLU6",
    "RealNPU",
    "Unit",
]
