"""Products of two tensors, made in NumPy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from trigger_ml.frontends.direct_rules import Reading, Rule, Typed
from trigger_ml.frontends.keras_products import (
    EINSUM_OF_TWO,
    letters_of,
    require_single_precision,
)
from trigger_ml.frontends.reach import Reach
from trigger_ml.frontends.reach_einsum import einsum_reach
from trigger_ml.graph.einsum_operation import Einsum
from trigger_ml.graph.model import Operation

__all__ = ["PAIRS"]


@dataclass(frozen=True, slots=True)
class EinsumRule(Rule):
    """Sums of products of two edges' elements. The letters are those of the graph's Einsum."""

    left: str
    right: str
    result: str

    def reach(self, reads: Sequence[Reach]) -> Reach:
        """As of :class:`Rule`."""
        first, second = reads
        return einsum_reach(first, second, (self.left, self.right, self.result))

    def operation(self, node: Typed) -> Operation:
        """As of :class:`Rule`."""
        require_single_precision(f"layer {node.name}", node.made.type)
        return Einsum(self.left, self.right, self.result, node.made.type)


PAIRS: Final[Mapping[str, Callable[[Reading], Rule]]] = {
    EINSUM_OF_TWO: lambda reading: EinsumRule(*letters_of(reading.layer)),
}
"""Makers of the rules of these layers, by class."""
