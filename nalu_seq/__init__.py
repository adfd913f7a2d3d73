"""nalu_seq: neural networks that learn arithmetic which extrapolates."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nalu_seq.population.population import Population as Population
    from nalu_seq.units import *  # noqa: F403

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """A unit, or `Population`, imported when it is first asked for.

    Keras and TensorFlow take seconds to import: `import nalu_seq` alone does not.
    """
    if name == "Population":
        return importlib.import_module("nalu_seq.population.population").Population
    # Hydra asks here for a submodule too, before it imports it: only a class's name may be a unit.
    if name[0].isupper():
        units = importlib.import_module("nalu_seq.units")
        if name in units.__all__:
            return getattr(units, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return ["Population", "__version__", *importlib.import_module("nalu_seq.units").__all__]
