"""Imports SymPy, which is an extra, when a formula is needed; this file imports no TensorFlow."""

from typing import Any

from nalu_seq.errors import BadInput, install


def symbolic() -> Any:
    """The module `sympy`.

    Raises:
        BadInput: it is not installed.
    """
    try:
        import sympy
    except ImportError as error:
        raise BadInput(f"explain needs SymPy: {install('explain')}") from error
    return sympy
