"""The operation that multiplies two edges with each other and sums: einsum of two tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from trigger_ml.graph.operation import Operation
from trigger_ml.graph.types import FixedType

__all__ = ["Einsum"]


@dataclass(frozen=True, slots=True, eq=False)
class Einsum(Operation):
    """Sums of products of two edges' elements, as ``numpy.einsum("left,right->result")``.

    As in hls4ml's ``einsum`` (nnet_einsum.h): every product is cast into the accumulator, the sums
    wrap there, and each is cast into the node's type.

    left, right, result: a letter for each axis, without the batch axis, none of them twice. A
    letter of one edge alone is in the result; one of both that is not in it is summed over.
    """

    kind: ClassVar[str] = "einsum"
    left: str
    right: str
    result: str
    accumulator: FixedType

    @property
    def equation(self) -> str:
        """As NumPy takes it."""
        return f"{self.left},{self.right}->{self.result}"

    @property
    def places(self) -> str:
        """Axes at each place of which the same happens: both edges and the result have them."""
        return "".join(a for a in self.left if a in self.right and a in self.result)

    @property
    def summed(self) -> str:
        """Axes of both edges that the result has not."""
        return "".join(a for a in self.left if a in self.right and a not in self.result)

    @property
    def left_alone(self) -> str:
        """Axes of the first edge that the second has not."""
        return "".join(a for a in self.left if a not in self.right)

    @property
    def right_alone(self) -> str:
        """Axes of the second edge that the first has not."""
        return "".join(a for a in self.right if a not in self.left)
