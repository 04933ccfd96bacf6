"""Operations that join two edges of one shape, and the one that only renames places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from trigger_ml.graph.operation import Operation
from trigger_ml.graph.types import FixedType

__all__ = [
    "ELEMENTWISE",
    "MERGES",
    "Add",
    "Average",
    "Dot",
    "Maximum",
    "Merge",
    "Minimum",
    "Reshape",
    "Subtract",
]


@dataclass(frozen=True, slots=True, eq=False)
class Merge(Operation):
    """Base of the operations on two edges of one shape.

    The exact result is cast into the node's type. The two edges may have different types.
    """


@dataclass(frozen=True, slots=True, eq=False)
class Add(Merge):
    """The sum of two edges, element by element."""

    kind: ClassVar[str] = "add"


@dataclass(frozen=True, slots=True, eq=False)
class Subtract(Merge):
    """The first edge less the second, element by element."""

    kind: ClassVar[str] = "subtract"


@dataclass(frozen=True, slots=True, eq=False)
class Average(Merge):
    """Half the sum of two edges, element by element."""

    kind: ClassVar[str] = "average"


@dataclass(frozen=True, slots=True, eq=False)
class Maximum(Merge):
    """The larger one of two elements."""

    kind: ClassVar[str] = "maximum"


@dataclass(frozen=True, slots=True, eq=False)
class Minimum(Merge):
    """The smaller one of two elements."""

    kind: ClassVar[str] = "minimum"


@dataclass(frozen=True, slots=True, eq=False)
class Dot(Merge):
    """The sum of the products of two vectors' elements: one element.

    As in hls4ml's ``dot1d``: every product is cast into the accumulator, the sums wrap there.
    """

    kind: ClassVar[str] = "dot"
    accumulator: FixedType


@dataclass(frozen=True, slots=True, eq=False)
class Reshape(Operation):
    """The same elements in the same order in the node's shape, then a cast into its type."""

    kind: ClassVar[str] = "reshape"


ELEMENTWISE: Final = (Add, Subtract, Average, Maximum, Minimum)
"""Merges whose result has the shape of what they read."""

MERGES: Final = (*ELEMENTWISE, Dot)
