"""Fixed-point types with the meaning of ``ap_fixed`` and ``ap_ufixed``.

A value is an integer *code* times ``2**-fraction``. Everything here works on codes held in
``int64`` arrays, so nothing is rounded that the type does not round.

The modes are those of the Vitis HLS "Arbitrary Precision Fixed-Point Data Types" reference
(AMD UG1399, tables "Quantization Modes" and "Overflow Modes").
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, ModelError

__all__ = ["MAX_WIDTH", "Codes", "FixedType", "Overflow", "Rounding"]

Codes = NDArray[np.int64]

MAX_WIDTH: Final = 62
"""Widest type, in bits, whose sums and casts stay exact in ``int64``."""


class Rounding(Enum):
    """What happens to bits below the least significant bit (UG1399, quantization modes)."""

    TRN = "TRN"
    """Towards minus infinity."""
    TRN_ZERO = "TRN_ZERO"
    """Towards zero."""
    RND = "RND"
    """To nearest, ties towards plus infinity."""
    RND_ZERO = "RND_ZERO"
    """To nearest, ties towards zero."""
    RND_INF = "RND_INF"
    """To nearest, ties away from zero."""
    RND_MIN_INF = "RND_MIN_INF"
    """To nearest, ties towards minus infinity."""
    RND_CONV = "RND_CONV"
    """To nearest, ties to even."""


class Overflow(Enum):
    """What happens to bits above the most significant bit (UG1399, overflow modes)."""

    WRAP = "WRAP"
    """Drop them: two's complement wrap-around."""
    SAT = "SAT"
    """Clamp to the largest or smallest value."""
    SAT_ZERO = "SAT_ZERO"
    """Become zero."""
    SAT_SYM = "SAT_SYM"
    """Clamp symmetrically: the most negative code is never used."""


@dataclass(frozen=True, slots=True)
class FixedType:
    """``ap_[u]fixed<width, integer, rounding, overflow>``.

    width: all bits, the sign included.
    integer: bits left of the binary point, the sign included; may exceed width or be negative.
    """

    width: int
    integer: int
    signed: bool = True
    rounding: Rounding = Rounding.TRN
    overflow: Overflow = Overflow.WRAP

    def __post_init__(self) -> None:
        if not 1 <= self.width <= MAX_WIDTH:
            raise ModelError(
                Blocker(
                    f"type {self.width},{self.integer}",
                    f"a width must be 1 to {MAX_WIDTH} bits, this one has {self.width}",
                    "narrow the layer's quantizers or its accumulator",
                )
            )

    @property
    def fraction(self) -> int:
        """Bits right of the binary point."""
        return self.width - self.integer

    @property
    def step(self) -> float:
        """Value of one least significant bit."""
        return float(2.0**-self.fraction)

    @property
    def min_code(self) -> int:
        """Smallest code."""
        if not self.signed:
            return 0
        symmetric = self.overflow is Overflow.SAT_SYM
        return -(1 << (self.width - 1)) + symmetric

    @property
    def max_code(self) -> int:
        """Largest code."""
        return (1 << (self.width - int(self.signed))) - 1

    def __str__(self) -> str:
        head = "fixed" if self.signed else "ufixed"
        modes = f",{self.rounding.value},{self.overflow.value}"
        if (self.rounding, self.overflow) == (Rounding.TRN, Overflow.WRAP):
            modes = ""
        return f"{head}<{self.width},{self.integer}{modes}>"

    @classmethod
    def parse(cls, text: str) -> FixedType:
        """Read ``[ap_][u]fixed<W,I[,rounding[,overflow[,...]]]>``.

        Raises ModelError when the text is not such a type.
        """
        match = re.fullmatch(
            r"\s*(?:ap_)?(u?)fixed<\s*(\d+)\s*,\s*(-?\d+)\s*(?:,\s*(?:AP_)?([A-Z_]+)\s*)?"
            r"(?:,\s*(?:AP_)?([A-Z_]+)\s*)?(?:,\s*0\s*)?>\s*",
            text,
        )
        if match is None:
            raise ModelError(
                Blocker(text, "this is not a fixed-point type", "write it like fixed<16,6,RND,SAT>")
            )
        unsigned, width, integer, rounding, overflow = match.groups()
        try:
            return cls(
                int(width),
                int(integer),
                not unsigned,
                Rounding(rounding or "TRN"),
                Overflow(overflow or "WRAP"),
            )
        except ValueError as error:
            known = ", ".join([r.value for r in Rounding] + [o.value for o in Overflow])
            raise ModelError(Blocker(text, str(error), f"the modes are {known}")) from error

    def to_json(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return {
            "width": self.width,
            "integer": self.integer,
            "signed": self.signed,
            "rounding": self.rounding.value,
            "overflow": self.overflow.value,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> FixedType:
        """Inverse of :meth:`to_json`."""
        return cls(
            data["width"],
            data["integer"],
            data["signed"],
            Rounding(data["rounding"]),
            Overflow(data["overflow"]),
        )

    def decode(self, codes: Codes) -> NDArray[np.float64]:
        """Codes to values; exact up to 53 bits."""
        return np.ldexp(codes.astype(np.float64), -self.fraction)

    def encode(self, values: NDArray[Any]) -> Codes:
        """Values to codes, with this type's rounding and overflow.

        values: finite floats of any shape. Infinite or NaN values are the caller's to refuse.
        """
        scaled = np.ldexp(np.asarray(values, dtype=np.float64), self.fraction)
        limit = float(2**MAX_WIDTH)
        match self.rounding:
            case Rounding.TRN:
                rounded = np.floor(scaled)
            case Rounding.TRN_ZERO:
                rounded = np.trunc(scaled)
            case Rounding.RND_CONV:
                rounded = np.rint(scaled)
            case Rounding.RND:
                rounded = _nearest(scaled, np.full(scaled.shape, True))
            case Rounding.RND_MIN_INF:
                rounded = _nearest(scaled, np.full(scaled.shape, False))
            case Rounding.RND_INF:
                rounded = _nearest(scaled, scaled >= 0)
            case Rounding.RND_ZERO:
                rounded = _nearest(scaled, scaled < 0)
        return self._fit(np.clip(rounded, -limit, limit).astype(np.int64))

    def cast(self, codes: Codes, fraction: int) -> Codes:
        """Convert codes that have ``fraction`` fraction bits into codes of this type.

        The same as assigning to an ``ap_fixed`` variable: round, then handle overflow.
        """
        shift = fraction - self.fraction
        if shift <= 0:
            return self._fit(codes << -shift)
        if shift > MAX_WIDTH:
            raise ModelError(
                Blocker(str(self), f"a cast drops {shift} bits, more than {MAX_WIDTH}")
            )
        floor = codes >> shift
        rest = codes - (floor << shift)
        half = 1 << (shift - 1)
        match self.rounding:
            case Rounding.TRN:
                up = np.zeros(codes.shape, dtype=bool)
            case Rounding.TRN_ZERO:
                up = (codes < 0) & (rest > 0)
            case Rounding.RND:
                up = rest >= half
            case Rounding.RND_MIN_INF:
                up = rest > half
            case Rounding.RND_INF:
                up = (rest > half) | ((rest == half) & (codes >= 0))
            case Rounding.RND_ZERO:
                up = (rest > half) | ((rest == half) & (codes < 0))
            case Rounding.RND_CONV:
                up = (rest > half) | ((rest == half) & ((floor & 1) == 1))
        return self._fit(floor + up)

    def _fit(self, codes: Codes) -> Codes:
        """Bring codes with the right binary point into range."""
        match self.overflow:
            case Overflow.WRAP:
                span = 1 << self.width
                return ((codes - self.min_code) & (span - 1)) + self.min_code
            case Overflow.SAT | Overflow.SAT_SYM:
                return np.clip(codes, self.min_code, self.max_code)
            case Overflow.SAT_ZERO:
                inside = (codes >= self.min_code) & (codes <= self.max_code)
                return np.where(inside, codes, 0)


def _nearest(scaled: NDArray[np.float64], tie_up: NDArray[np.bool_]) -> NDArray[np.float64]:
    floor = np.floor(scaled)
    rest = scaled - floor
    return np.asarray(floor + ((rest > 0.5) | ((rest == 0.5) & tie_up)))
