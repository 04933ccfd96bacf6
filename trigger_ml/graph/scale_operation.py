"""The operation that batch normalization is in inference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from trigger_ml.graph.operation import Operation
from trigger_ml.graph.types import Codes, FixedType

__all__ = ["Scale"]


@dataclass(frozen=True, slots=True, eq=False)
class Scale(Operation):
    """x * scale + bias with one scale and one bias for each channel, the last axis.

    The exact result is cast into the node's type, as in hls4ml's ``normalize``. scale, bias:
    codes, shape (channels,).
    """

    kind: ClassVar[str] = "scale"
    scale: Codes
    scale_type: FixedType
    bias: Codes
    bias_type: FixedType
