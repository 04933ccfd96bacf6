"""Which of the listed layers become nodes: hls4ml melts casts into what is before them.

The passes of hls4ml 1.3 that change what its bit-exact pass has typed, or the order of places:
fuse_fixed_point_quantizer, eliminate_linear_activation (model/optimizer/passes), with what
:mod:`trigger_ml.frontends.hls_images` changes of the first; those that leave out axes that change
places (remove_nop_transpose, remove_transpose_before_flatten, remove_single_channel_transpose),
normalizations that change nothing, and in parallel projects reshapes at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from trigger_ml.errors import BlockedError, Blocker, ModelError
from trigger_ml.frontends.direct_activations import LinearRule, ScaleRule
from trigger_ml.frontends.direct_affine import DenseRule
from trigger_ml.frontends.direct_merges import ReshapeRule, TransposeRule
from trigger_ml.frontends.direct_rules import Edge, Typed, Unit
from trigger_ml.frontends.direct_units import InputRule, NotKnown, Units
from trigger_ml.frontends.direct_windows import StretchRule
from trigger_ml.frontends.reach import Reach
from trigger_ml.graph.model import FixedGraph, Node
from trigger_ml.graph.types import FixedType

__all__ = ["Conversion"]

CANNOT_CAST: Final = (StretchRule, ReshapeRule, TransposeRule)
"""Layers that hls4ml's parallel projects carry values through as they are; its streaming ones,
the first alone."""
MOST_AXES: Final = 3
"""Of an order of axes that hls4ml puts into the weights of a dense layer."""


class Conversion:
    """A network on its way from the listed layers to the graph.

    inputs: names, in the model's order. stream: it becomes a stream of columns. Raises ModelError
    and NotKnown.
    """

    def __init__(self, listed: Units, inputs: Sequence[str], *, stream: bool) -> None:
        self._stream, self._inputs = stream, inputs
        self._units = {unit.name: unit for unit in listed.units}
        self._made = dict(listed.made)
        self._outputs = list(listed.outputs)
        self._cast: set[str] = set()
        while self._places():
            pass
        rest = Units(tuple(self._units.values()), self._made, tuple(self._outputs))
        self._types = rest.types()
        while self._places() or self._fuse() or self._eliminate():
            pass
        while self._drop(lambda unit: isinstance(unit.rule, ScaleRule) and unit.rule.idle):
            pass
        while not stream and self._drop(self._is_final_reshape):
            pass
        self._require_input_types()

    def reads(self, name: str) -> FixedType:
        """The type that a layer reads first."""
        kind = self._types[self._units[name].reads[0]]
        assert kind is not None
        return kind

    def graph(self, name: str) -> FixedGraph:
        """The nodes, not verified. Raises ModelError."""
        nodes: dict[str, Node] = {}
        blockers: list[Blocker] = []
        for unit in self._units.values():
            if any(read not in nodes for read in unit.reads):
                continue
            try:
                nodes[unit.name] = self._node(unit, nodes)
            except BlockedError as error:
                where = f"layer {unit.name}"
                blockers += [Blocker(where, item.what, item.fix) for item in error.blockers]
        if blockers:
            raise ModelError(blockers)
        # The C++ takes its inputs in the model's order, which need not be that of the layers.
        first = [nodes.pop(source) for source in self._inputs if source in nodes]
        return FixedGraph(name, (*first, *nodes.values()), tuple(self._outputs))

    def _require_input_types(self) -> None:
        for unit in self._units.values():
            readers = self._readers(unit.name)
            if isinstance(unit.rule, InputRule) and self._types[unit.name] is None and readers:
                what = "the input has several quantizers, none of which is its type"
                raise NotKnown(readers[-1].name, what)

    def _node(self, unit: Unit, nodes: dict[str, Node]) -> Node:
        kind = self._types[unit.name]
        assert kind is not None
        reads = tuple(Edge(nodes[name].type, nodes[name].shape) for name in unit.reads)
        made = self._made[unit.name]
        operation = unit.rule.operation(Typed(unit.name, made, kind, reads))
        return Node(unit.name, operation, unit.reads, made.shape, kind, source=unit.name)

    def _readers(self, name: str) -> list[Unit]:
        return [unit for unit in self._units.values() if name in unit.reads]

    def _drop(self, wanted: Callable[[Unit], bool]) -> bool:
        """Leave out the first such unit; what read it reads what it read."""
        for unit in list(self._units.values()):
            if wanted(unit):
                self._remove(unit)
                return True
        return False

    def _remove(self, gone: Unit) -> None:
        (source,) = gone.reads
        del self._units[gone.name]
        for unit in self._readers(gone.name):
            reads = tuple(source if name == gone.name else name for name in unit.reads)
            self._units[unit.name] = replace(unit, reads=reads)
        self._outputs = [source if name == gone.name else name for name in self._outputs]

    def _before(self, unit: Unit) -> Unit:
        return self._units[unit.reads[0]]

    def _places(self) -> bool:
        """Leave out an order of axes that changes nothing, or that weights can have instead."""
        if not self._stream and self._into_weights():
            return True
        return self._drop(
            lambda unit: isinstance(unit.rule, TransposeRule) and unit.rule.axes == (0,)
        ) or (not self._stream and self._drop_of_one_channel())

    def _into_weights(self) -> bool:
        """An order of axes before one row of all, which one dense layer reads."""
        for unit in self._units.values():
            if not isinstance(unit.rule, ReshapeRule) or len(unit.rule.shape) != 1:
                continue
            before, readers = self._before(unit), self._readers(unit.name)
            order = before.rule
            if not isinstance(order, TransposeRule) or len(readers) != 1:
                continue
            dense = readers[0].rule
            if not isinstance(dense, DenseRule) or len(order.axes) > MOST_AXES:
                continue
            changed = dense.reordered(self._made[before.name].shape, order.back)
            self._units[readers[0].name] = replace(readers[0], rule=changed)
            self._remove(before)
            return True
        return False

    def _drop_of_one_channel(self) -> bool:
        """An order of an input's axes that puts its first, of one place, last."""
        for unit in self._units.values():
            if not isinstance(unit.rule, TransposeRule):
                continue
            before = self._before(unit)
            shape = self._made[before.name].shape
            if isinstance(before.rule, InputRule) and shape[0] == 1:
                moved = (*shape[1:], 1)
                self._made[before.name] = Reach.everything(moved)
                self._remove(unit)
                return True
        return False

    def _fuse(self) -> bool:
        """Put the type of a cast on the layer before it, where that has no other reader."""
        for unit in list(self._units.values()):
            if not isinstance(unit.rule, LinearRule) or unit.rule.kind is None:
                continue
            before = self._before(unit)
            if len(self._readers(before.name)) > 1 or not self._may_fuse(before):
                continue
            kind = self._types[unit.name]
            assert kind is not None
            self._propagate(before, kind)
            self._remove(unit)
            return True
        return False

    def _may_fuse(self, before: Unit) -> bool:
        if before.name in self._cast:
            return False
        if isinstance(before.rule, InputRule):
            return True
        without = CANNOT_CAST[:1] if self._stream else CANNOT_CAST
        return not isinstance(before.rule, without) and before.rule.cast is None

    def _propagate(self, unit: Unit, kind: FixedType) -> None:
        """Past what only moves places, to what can cast."""
        self._cast.add(unit.name)
        self._types[unit.name] = kind
        if isinstance(unit.rule, ReshapeRule | TransposeRule):
            before = self._before(unit)
            if len(self._readers(before.name)) == 1:
                self._types[unit.name] = FixedType(kind.width, kind.integer, kind.signed)
                self._propagate(before, kind)

    def _eliminate(self) -> bool:
        """Leave out a linear activation that is no cast."""
        return self._drop(
            lambda unit: (
                isinstance(unit.rule, LinearRule)
                and self._types[unit.name] == self._types[unit.reads[0]]
            )
        )

    def _is_final_reshape(self, unit: Unit) -> bool:
        return isinstance(unit.rule, ReshapeRule) and not self._readers(unit.name)
