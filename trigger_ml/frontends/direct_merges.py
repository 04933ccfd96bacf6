"""Layers that join edges or put places in another order, made in NumPy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.direct_rules import Reading, Rule, Shape, Typed
from trigger_ml.frontends.keras_merges import joined_shape
from trigger_ml.frontends.reach import (
    Reach,
    difference_reach,
    dot_reach,
    either_reach,
    mean_reach,
    product_reach,
    sum_reach,
)
from trigger_ml.graph.merge_operations import (
    Add,
    Average,
    Dot,
    Maximum,
    Minimum,
    Reshape,
    Subtract,
)
from trigger_ml.graph.model import Concatenate, Multiply, Operation, Transpose

__all__ = ["JOINS", "ReshapeRule", "TransposeRule"]

ELEMENTWISE: Final[Mapping[str, tuple[Operation, Callable[[Reach, Reach], Reach]]]] = {
    "Add": (Add(), sum_reach),
    "Subtract": (Subtract(), difference_reach),
    "Average": (Average(), mean_reach),
    "Multiply": (Multiply(), product_reach),
    "Maximum": (Maximum(), either_reach),
    "Minimum": (Minimum(), either_reach),
}


@dataclass(frozen=True, slots=True)
class MergeRule(Rule):
    """Two edges of one shape, element by element. kind: one of ELEMENTWISE."""

    kind: str

    def reach(self, reads: Sequence[Reach]) -> Reach:
        return ELEMENTWISE[self.kind][1](*reads)

    def operation(self, _node: Typed) -> Operation:
        return ELEMENTWISE[self.kind][0]


@dataclass(frozen=True, slots=True)
class DotRule(Rule):
    """The sum of the products of two vectors' elements."""

    def reach(self, reads: Sequence[Reach]) -> Reach:
        return dot_reach(*reads)

    def operation(self, node: Typed) -> Operation:
        return Dot(node.made.type)


@dataclass(frozen=True, slots=True)
class ConcatenateRule(Rule):
    """Two edges side by side along the last axis."""

    def reach(self, reads: Sequence[Reach]) -> Reach:
        left, right = reads
        return left.beside(right)

    def asks(self, wanted: Reach, reads: Sequence[Reach]) -> tuple[Reach, ...]:
        cut = reads[0].shape[-1]
        return wanted.each(lambda part: part[..., :cut]), wanted.each(lambda part: part[..., cut:])

    def operation(self, _node: Typed) -> Operation:
        return Concatenate()


@dataclass(frozen=True, slots=True)
class ReshapeRule(Rule):
    """The same elements in another shape."""

    carries: ClassVar[bool] = True
    shape: Shape

    def reach(self, reads: Sequence[Reach]) -> Reach:
        """As of :class:`Rule`."""
        return reads[0].each(lambda part: part.reshape(self.shape))

    def asks(self, wanted: Reach, reads: Sequence[Reach]) -> tuple[Reach, ...]:
        """As of :class:`Rule`."""
        return (wanted.each(lambda part: part.reshape(reads[0].shape)),)

    def operation(self, _node: Typed) -> Operation:
        """As of :class:`Rule`."""
        return Reshape()


@dataclass(frozen=True, slots=True)
class TransposeRule(Rule):
    """Axes in another order, as of ``numpy.transpose``."""

    axes: tuple[int, ...]

    @property
    def back(self) -> tuple[int, ...]:
        """The order that undoes it."""
        return tuple(int(axis) for axis in np.argsort(self.axes))

    def reach(self, reads: Sequence[Reach]) -> Reach:
        """As of :class:`Rule`."""
        return reads[0].each(lambda part: part.transpose(self.axes))

    def asks(self, wanted: Reach, _reads: Sequence[Reach]) -> tuple[Reach, ...]:
        """As of :class:`Rule`."""
        return (wanted.each(lambda part: part.transpose(self.back)),)

    def operation(self, _node: Typed) -> Operation:
        """As of :class:`Rule`."""
        return Transpose(self.axes)


def _reshape(reading: Reading) -> Rule:
    made = joined_shape(reading.layer, list(reading.reads))
    if isinstance(made, Blocker):
        raise ModelError(made)
    return ReshapeRule(made)


def _permute(reading: Reading) -> Rule:
    return TransposeRule(tuple(int(axis) - 1 for axis in reading.config["dims"]))


JOINS: Final[Mapping[str, Callable[[Reading], Rule]]] = {
    **{kind: lambda reading: MergeRule(reading.layer.kind) for kind in ELEMENTWISE},
    "Dot": lambda _reading: DotRule(),
    "Concatenate": lambda _reading: ConcatenateRule(),
    "Flatten": _reshape,
    "Reshape": _reshape,
    "Permute": _permute,
}
"""Makers of the rules of these layers, by class."""
