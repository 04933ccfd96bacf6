"""What the NumPy reader knows of a layer: which bits leave it, which it needs, what it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from numpy.typing import NDArray

from trigger_ml.frontends.model_file import Layer
from trigger_ml.frontends.reach import Reach
from trigger_ml.frontends.tabulation import Table
from trigger_ml.graph.model import Operation
from trigger_ml.graph.types import FixedType

__all__ = ["Edge", "Reading", "Rule", "Shape", "Typed", "Unit"]

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Edge:
    """What a node reads: type and shape of one event."""

    type: FixedType
    shape: Shape


@dataclass(frozen=True, slots=True)
class Typed:
    """A node whose type is settled. made: the bits that its operation makes before the cast."""

    name: str
    made: Reach
    type: FixedType
    reads: tuple[Edge, ...]

    @property
    def shape(self) -> Shape:
        """Of what leaves it."""
        return self.made.shape


class Rule:
    """A layer, as hls4ml's bit-exact pass sees it (model/optimizer/passes/bit_exact.py).

    carries: whether what leaves it has the type of what it reads.
    """

    carries: ClassVar[bool] = False

    @property
    def cast(self) -> FixedType | None:
        """The type of its results where the file says it."""
        return None

    def reach(self, reads: Sequence[Reach]) -> Reach:
        """The bits that it makes of those that it reads."""
        raise NotImplementedError

    def asks(self, _wanted: Reach, reads: Sequence[Reach]) -> tuple[Reach, ...]:
        """The bits that it needs of each edge it reads, where ``_wanted`` of its results count."""
        return tuple(Reach.everything(read.shape) for read in reads)

    def operation(self, node: Typed) -> Operation:
        """What the graph's node does. Raises ModelError."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Unit:
    """A layer of the conversion. name: of its node. reads: names of other units."""

    name: str
    rule: Rule
    reads: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """A layer with all that decides what it does.

    arrays: its weights as stored. reads: shapes. types: of the results of casts, by unit.
    tables: of looked up functions, by unit.
    """

    layer: Layer
    arrays: Sequence[NDArray[Any]]
    reads: tuple[Shape, ...]
    types: Mapping[str, FixedType]
    tables: Mapping[str, Table]

    @property
    def config(self) -> Mapping[str, Any]:
        """Parameters of the layer."""
        return self.layer.config
