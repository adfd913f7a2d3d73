"""Models: an encoder, a head and a unit put together with Keras alone."""

from nalu_seq import units  # so that one import lets Keras load any of our models
from nalu_seq.models import baselines, carry_cell, encoders, heads, routed, stack
from nalu_seq.models.build import StatefulModel, build, build_stateful, units_of

__all__ = [
    "StatefulModel",
    "baselines",
    "build",
    "build_stateful",
    "carry_cell",
    "encoders",
    "heads",
    "routed",
    "stack",
    "units",
    "units_of",
]
