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
        install = "pip install '.[explain]' in a clone of nalu_seq"
        raise BadInput(f"explain needs SymPy: {install}") from error
    return sympy
