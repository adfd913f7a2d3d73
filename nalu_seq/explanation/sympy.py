"""SymPy, an extra, imported where a formula is needed; nothing here imports TensorFlow."""

from typing import Any

from nalu_seq.errors import BadInput


def symbolic() -> Any:
    """The module.

    Raises:
        BadInput: it is not installed.
    """
    try:
        import sympy
    except ImportError as error:
        raise BadInput("explain needs SymPy: pip install 'nalu-seq[explain]'") from error
    return sympy
