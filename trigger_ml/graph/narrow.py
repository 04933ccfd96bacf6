"""The fixed-point type that numbers need."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.graph.types import FixedType

__all__ = ["WIDEST", "narrowest_type"]

WIDEST: Final = 24
"""Bits of a number in single precision, so of a constant that float models can hold."""


def narrowest_type(values: NDArray[Any], widest: int = WIDEST) -> FixedType | None:
    """The narrowest type with a sign that holds all values as they are; None beyond ``widest``.

    values: finite floats of any shape. Only zeros need one bit.
    """
    flat = np.unique(np.asarray(values, dtype=np.float64))
    flat = flat[flat != 0]
    if not len(flat):
        return FixedType(1, 1)
    mantissas, exponents = np.frexp(flat)
    digits = np.ldexp(mantissas, 53).astype(np.int64)
    trailing = np.array([int(d & -d).bit_length() - 1 for d in digits.tolist()])
    fraction = int((53 - trailing - exponents).max())
    # A negative power of two needs one bit less than a positive one.
    tops = exponents - ((mantissas == -0.5).astype(np.int64))
    integer = int(tops.max()) + 1
    width = max(integer + fraction, 1)
    return FixedType(width, width - fraction) if width <= widest else None
