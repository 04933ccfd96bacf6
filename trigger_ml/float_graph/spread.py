"""How large the values of a tensor get on events, and the integer bits that hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.compress.fixed_point.ranges import fewest_values, overflow_limit
from trigger_ml.errors import Blocker, DataError

__all__ = ["EXPONENTS", "Spread", "integer_bits", "require_enough"]

EXPONENTS: Final = range(-24, 25)
"""Powers of two that values are held against."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Of a tensor's elements on all events: how many there are, and how many are outside of
    [-2**e, 2**e) and of [0, 2**e), for each e of EXPONENTS. events: that were looked at."""

    events: int
    elements: int
    outside: Sequence[int]
    above: Sequence[int]

    @classmethod
    def of(cls, values: NDArray[Any]) -> Spread:
        """values: shape (events, ...)."""
        flat = np.asarray(values).reshape(-1)
        mantissa, exponent = np.frexp(flat)
        # -2**e itself is inside of [-2**e, 2**e), and 2**e is not.
        exponent = exponent - (mantissa == -0.5)
        places = np.clip(exponent - EXPONENTS[0], 0, len(EXPONENTS))
        counts = [
            np.bincount(places[side], minlength=len(EXPONENTS) + 1)[::-1].cumsum()[::-1][1:]
            for side in (mantissa > 0, mantissa < 0)
        ]
        return cls(len(values), flat.size, (counts[0] + counts[1]).tolist(), counts[0].tolist())

    def __add__(self, other: Spread) -> Spread:
        """Of the events of both."""
        return Spread(
            self.events + other.events,
            self.elements + other.elements,
            [a + b for a, b in zip(self.outside, other.outside, strict=True)],
            [a + b for a, b in zip(self.above, other.above, strict=True)],
        )

    def to_json(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return {
            "events": self.events,
            "elements": self.elements,
            "outside": list(self.outside),
            "above": list(self.above),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Spread:
        """Inverse of :meth:`to_json`."""
        return cls(**data)


def integer_bits(spread: Spread, probability: float, *, unsigned: bool) -> int:
    """Fewest integer bits, the sign included, that an element exceeds at most so often.

    probability: at 95 % confidence; 0 holds everything that was seen. Elements of one event are
    taken as independent.
    """
    counts = spread.above if unsigned else spread.outside
    for exponent, beyond in zip(EXPONENTS, counts, strict=True):
        rare = probability and overflow_limit(beyond, spread.elements) <= probability
        if beyond == 0 or rare:
            return exponent + int(not unsigned)
    return EXPONENTS[-1] + int(not unsigned)


def require_enough(where: str, spreads: Mapping[str, Spread], probability: float) -> None:
    """Raise DataError where there are too few events to state such a probability."""
    fewest = fewest_values(probability)
    blockers = [
        Blocker(
            f"ranges of {name}",
            f"{spread.elements} values cannot show an overflow probability of {probability:g}",
            f"give {where} {ceil(fewest / (spread.elements / spread.events))} events or more",
        )
        for name, spread in spreads.items()
        if spread.elements < fewest
    ]
    if blockers:
        raise DataError(blockers)
