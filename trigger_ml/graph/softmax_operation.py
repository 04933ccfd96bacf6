"""The operation that hls4ml's softmax by two tables is."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from trigger_ml.graph.operation import Operation
from trigger_ml.graph.types import Codes, FixedType

__all__ = ["Softmax"]


@dataclass(frozen=True, slots=True, eq=False)
class Softmax(Operation):
    """hls4ml's softmax: a table of exp, one sum, a table of 1/x, one product.

    The elements, one after another, are seen as (outer, slice, inner), and each slice is made a
    softmax by itself. Where it is ``stable``, d = max(x) - x cast into ``difference_type``, else
    d = x cast into it; e = exp_table[d]; s = sum of e in ``sum_type``, cast into
    ``inverse_input_type``; y = e * inverse_table[s], cast into the node's type
    (``softmax_stable``, ``softmax_latency`` and ``softmax_multidim`` in hls4ml's
    nnet_activation.h).

    exp_table: codes of ``exp_type``, one for each code of ``difference_type``, the smallest
    first. own: whether the source model has these tables too; else they stand for the real numbers
    of its softmax. inverse_table: codes of ``inverse_type``, one for each value of the top bits of
    ``inverse_input_type``, in the order of these bits; its length is a power of two.
    """

    kind: ClassVar[str] = "softmax"
    difference_type: FixedType
    exp_table: Codes
    exp_type: FixedType
    sum_type: FixedType
    inverse_input_type: FixedType
    inverse_table: Codes
    inverse_type: FixedType
    outer: int = 1
    inner: int = 1
    stable: bool = True
    own: bool = False

    def slices(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        """A node's elements as (outer, slice, inner)."""
        return self.outer, prod(shape) // (self.outer * self.inner), self.inner
