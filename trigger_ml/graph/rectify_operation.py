"""The family of ReLU: straight lines on both sides of a threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from trigger_ml.graph.operation import Operation
from trigger_ml.graph.types import Codes, FixedType

__all__ = ["Rectify"]


@dataclass(frozen=True, slots=True, eq=False)
class Rectify(Operation):
    """x, or bound if that is less, where x > threshold; slope * x elsewhere.

    Everything is exact before the cast into the node's type. slope: codes, shape of the node.
    threshold, bound: codes with ``fraction`` fraction bits; no bound where it is None.
    """

    kind: ClassVar[str] = "rectify"
    slope: Codes
    slope_type: FixedType
    threshold: int
    bound: int | None
    fraction: int
