"""The operation of a project whose arithmetic is not known here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from trigger_ml.graph.operation import Operation

__all__ = ["Opaque"]


@dataclass(frozen=True, slots=True, eq=False)
class Opaque(Operation):
    """What hls4ml's C++ computes and no witness here repeats: recurrent layers.

    A graph with it says types and shapes of what goes in and comes out, and nothing else: it is
    neither verified nor evaluated nor stored.
    """

    kind: ClassVar[str] = "opaque"
