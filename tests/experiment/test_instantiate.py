"""What an option names is made, or refused with the reason."""

import pytest
from omegaconf import OmegaConf

from nalu_seq.errors import BadInput
from nalu_seq.experiment.instantiate import instantiate


def test_a_unit_without_its_import_line_says_what_to_add() -> None:
    # A class of the folder that is no unit stands for one that was only just written.
    node = OmegaConf.create({"_target_": "nalu_seq.units.Clip", "_partial_": True})
    line = "from nalu_seq.units.weights import Clip as Clip"
    with pytest.raises(BadInput, match=f"add to nalu_seq/units/__init__.py: {line}"):
        instantiate("unit", node)


def test_sparsity_is_said_to_the_trainer_as_a_ramp() -> None:
    node = OmegaConf.create({"_target_": "nalu_seq.units.NMU", "_partial_": True, "sparsity": 0.1})
    with pytest.raises(BadInput, match=r"unit\.sparsity: no such key; valid: "):
        instantiate("unit", node)
