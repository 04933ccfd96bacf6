"""Types and weights of a saved hls4ml graph: what its C++ makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.graph.types import MAX_WIDTH, FixedType, Overflow, Rounding

__all__ = ["SavedType", "as_written", "named_type", "variable_type"]

TYPES: Final = "hls4ml.model.types."
FIXED: Final = f"{TYPES}FixedPrecisionType"
INTEGER: Final = f"{TYPES}IntegerPrecisionType"
NAMED: Final = f"{TYPES}NamedType"
MOST_INTEGER: Final = MAX_WIDTH
"""Integer bits, positive or negative, that a type may have."""
FIX: Final = "convert it with fixed-point types"


@dataclass(frozen=True, slots=True)
class SavedType:
    """A type as it was saved. whole: hls4ml writes it as an integer."""

    fixed: FixedType
    whole: bool = False

    def __str__(self) -> str:
        """As hls4ml's configuration spells it."""
        if self.whole:
            return f"ap_{'' if self.fixed.signed else 'u'}int<{self.fixed.width}>"
        return f"ap_{self.fixed}"


def named_type(data: Any, where: str) -> SavedType:
    """The type of a ``NamedType``. Its name is not read. Raises ModelError."""
    kind, state = _parts(data)
    if kind != NAMED:
        raise ModelError(Blocker(where, f"is {_told(kind)}, not a named type", FIX))
    return _precision(state.get("precision"), where)


def variable_type(
    data: Any, kinds: tuple[str, ...], where: str
) -> tuple[SavedType, Mapping[str, Any]]:
    """The type of a variable, and its state. kinds: classes it may have. Raises ModelError."""
    kind, state = _parts(data)
    if kind not in {f"{TYPES}{name}" for name in kinds}:
        raise ModelError(Blocker(where, f"is {_told(kind)}, not one of {', '.join(kinds)}", FIX))
    return named_type(state.get("type"), where), state


def as_written(values: NDArray[np.float64], kind: SavedType) -> NDArray[np.float64]:
    """What hls4ml's C++ holds for weights, in their shape.

    Its writer prints as many decimals as the type has fraction bits (``WeightVariable``), and
    what is read back rounds and wraps as the type says.
    """
    places = 0 if kind.whole else max(0, kind.fixed.fraction)
    printed = [float(f"{value:.{places}f}") for value in values.reshape(-1).tolist()]
    codes = kind.fixed.encode(np.array(printed, dtype=np.float64).reshape(values.shape))
    return kind.fixed.decode(codes)


def _precision(data: Any, where: str) -> SavedType:
    kind, state = _parts(data)
    if kind not in (FIXED, INTEGER):
        raise ModelError(Blocker(where, f"the type {_told(kind)} is not fixed-point", FIX))
    width: Any = state.get("width")
    signed = state.get("signed")
    whole = kind == INTEGER
    integer: Any = width if whole else state.get("integer")
    if not _is_int(width) or not _is_int(integer) or not isinstance(signed, bool):
        raise ModelError(Blocker(where, "its type has no width, integer bits or sign", FIX))
    if abs(integer) > MOST_INTEGER:
        raise ModelError(Blocker(where, f"a type has {integer} integer bits", FIX))
    if state.get("saturation_bits", 0) not in (0, None):
        what = "its type saturates with extra bits (ap_fixed's N), which has no meaning here"
        raise ModelError(Blocker(where, what, "leave the saturation bits at 0"))
    try:
        rounding = Rounding("TRN" if whole else state.get("rounding_mode"))
        overflow = Overflow("WRAP" if whole else state.get("saturation_mode"))
    except ValueError as error:
        raise ModelError(Blocker(where, "its type has an unknown mode", FIX)) from error
    try:
        return SavedType(FixedType(width, integer, signed, rounding, overflow), whole)
    except ModelError as error:
        raise ModelError([Blocker(where, item.what, item.fix) for item in error.blockers]) from None


def _parts(data: Any) -> tuple[Any, Mapping[str, Any]]:
    """Class and state of something saved; nothing where it is something else."""
    if not isinstance(data, dict) or not isinstance(data.get("state"), dict):
        return None, {}
    return data.get("class_name"), data["state"]


def _told(kind: Any) -> str:
    """The name of a class for a message."""
    return repr(str(kind).rsplit(".", 1)[-1][:40]) if kind is not None else "nothing"


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
