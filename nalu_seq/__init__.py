"""nalu_seq: neural networks that learn arithmetic which extrapolates."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nalu_seq.population.population import Population

__version__ = "0.1.0"
__all__ = ["Population", "__version__"]


def __getattr__(name: str) -> Any:
    # TensorFlow takes seconds to import: only who asks for the engine pays.
    if name == "Population":
        from nalu_seq.population.population import Population

        return Population
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
