"""Imports SymPy, which is an extra, when a formula is needed; this file imports no TensorFlow."""

from typing import Any

from nalu_seq.errors import BadInput


def symbolic() -> Any:
    """The module `sympy`.

    Raises:
        BadInput: it is not installed.
    """
    try:
        import sympy
    except ImportError as error:
        raise BadInput("explain needs SymPy: pip install 'nalu-seq[explain]'") from error
    return sympy
