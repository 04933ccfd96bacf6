"""What the tensors of a float network are, once it has quantizers."""

from __future__ import annotations

from dataclasses import dataclass

from trigger_ml.graph.types import FixedType

__all__ = ["Value"]


@dataclass(frozen=True, slots=True)
class Value:
    """What a tensor of the float network has become.

    layer: of the quantized network. fraction: its fraction bits. low, high: what it may be at
    most. settled: whether it has a type of few bits.
    """

    layer: str
    fraction: int
    low: float
    high: float
    settled: bool

    @property
    def unsigned(self) -> bool:
        """Whether it is never below zero."""
        return self.low >= 0

    @classmethod
    def of(cls, layer: str, kind: FixedType) -> Value:
        """The result of a layer that casts into a type."""
        low, high = kind.min_code * kind.step, kind.max_code * kind.step
        return cls(layer, kind.fraction, float(low), float(high), True)
