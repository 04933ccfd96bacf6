"""A network's layers as hls4ml lists them, and the types that its bit-exact pass settles."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import BlockedError, Blocker, ModelError
from trigger_ml.frontends.direct_activations import ACTIVATIONS, LinearRule, activation_rule
from trigger_ml.frontends.direct_affine import AFFINE
from trigger_ml.frontends.direct_einsum import PAIRS
from trigger_ml.frontends.direct_merges import JOINS
from trigger_ml.frontends.direct_quantizers import Undecided
from trigger_ml.frontends.direct_rules import Reading, Rule, Shape, Unit
from trigger_ml.frontends.direct_windows import WINDOWS
from trigger_ml.frontends.model_file import Layer
from trigger_ml.frontends.reach import Reach
from trigger_ml.frontends.tabulation import Table
from trigger_ml.graph.model import Input, Operation
from trigger_ml.graph.types import FixedType

__all__ = ["KNOWN", "InputRule", "NotKnown", "Units", "listed"]


class NotKnown(Exception):
    """A layer of which NumPy alone cannot tell what it does. layer: its name. what: why."""

    def __init__(self, layer: str, what: str) -> None:
        super().__init__(layer, what)
        self.layer, self.what = layer, what


@dataclass(frozen=True, slots=True)
class InputRule(Rule):
    """What enters the network, in a type that the cast behind it says."""

    shape: Shape

    def reach(self, _reads: Sequence[Reach]) -> Reach:
        """As of :class:`Rule`."""
        return Reach.everything(self.shape)

    def operation(self, _node: Any) -> Operation:
        """As of :class:`Rule`."""
        return Input()


@dataclass(frozen=True)
class Units:
    """The conversion's layers before any is left out. made: bits of each, by its name. outputs:
    names of those that leave the network."""

    units: tuple[Unit, ...]
    made: Mapping[str, Reach]
    outputs: tuple[str, ...]

    def types(self) -> dict[str, FixedType | None]:
        """The type of each: what it makes, as far as what reads it needs that; None of an input.

        Raises ModelError where one is wider than the graph can hold.
        """
        wanted = self._wanted()
        types: dict[str, FixedType | None] = {}
        blockers: list[Blocker] = []
        for unit in self.units:
            if isinstance(unit.rule, InputRule):
                types[unit.name] = None
            elif unit.rule.cast is not None:
                types[unit.name] = unit.rule.cast
            elif unit.rule.carries:
                types[unit.name] = types[unit.reads[0]]
            else:
                try:
                    types[unit.name] = self.made[unit.name].common(wanted[unit.name]).type
                except BlockedError as error:
                    types[unit.name] = None
                    if isinstance(unit.rule, LinearRule) and types[unit.reads[0]] is None:
                        continue
                    where = f"layer {unit.name}"
                    blockers += [Blocker(where, item.what, item.fix) for item in error.blockers]
        if blockers:
            raise ModelError(blockers)
        return types

    def _wanted(self) -> dict[str, Reach]:
        """The bits of each that something needs; of what nothing reads, all."""
        found: dict[str, Reach] = {}
        asked: dict[str, list[Reach]] = {}
        for unit in reversed(self.units):
            parts = asked.get(unit.name)
            made = self.made[unit.name]
            found[unit.name] = _together(parts) if parts else Reach.everything(made.shape)
            asks = unit.rule.asks(found[unit.name], [self.made[name] for name in unit.reads])
            for position, name in enumerate(unit.reads):
                # Of one that reads an edge twice, hls4ml asks for the first time alone.
                if unit.reads.index(name) == position:
                    asked.setdefault(name, []).append(asks[position])
        return found


def _together(parts: Sequence[Reach]) -> Reach:
    """The bits that any of several needs; no fewer than none."""
    arrays = [
        np.maximum.reduce([getattr(part, key) for part in parts])
        for key in ("signed", "integer", "fraction")
    ]
    return Reach(*arrays)


def listed(
    layers: Sequence[Layer],
    outputs: Sequence[str],
    weights: Mapping[str, Sequence[NDArray[Any]]],
    types: Mapping[str, str],
    tables: Mapping[str, Table],
) -> Units:
    """The layers as hls4ml lists them: an activation in a layer is one of its own.

    types: of what quantizers of values give, by unit. tables: of functions that are looked up.
    Raises NotKnown, and ModelError with every layer that cannot be.
    """
    lister = _Lister(weights, {name: FixedType.parse(text) for name, text in types.items()}, tables)
    blockers: list[Blocker] = []
    lost: set[str] = set()
    for layer in layers:
        if not lost.isdisjoint(layer.inputs):
            lost.add(layer.name)
            continue
        try:
            lister.read(layer)
        except Undecided as reason:
            raise NotKnown(layer.name, f"its weights hang on {reason}") from reason
        except BlockedError as error:
            where = f"layer {layer.name}"
            blockers += [Blocker(where, item.what, item.fix) for item in error.blockers]
            lost.add(layer.name)
    if blockers:
        raise ModelError(blockers)
    ends = tuple(lister.last[name] for name in outputs)
    return Units(tuple(lister.units), lister.made, ends)


@dataclass
class _Lister:
    """Walks the layers once. last: the unit that carries a layer's values, by layer."""

    weights: Mapping[str, Sequence[NDArray[Any]]]
    types: Mapping[str, FixedType]
    tables: Mapping[str, Table]
    units: list[Unit] = field(default_factory=list)
    made: dict[str, Reach] = field(default_factory=dict)
    last: dict[str, str] = field(default_factory=dict)

    def read(self, layer: Layer) -> None:
        reads = tuple(self.last[name] for name in layer.inputs)
        if layer.kind == "InputLayer":
            shape = tuple(int(size) for size in layer.config["batch_input_shape"][1:])
            self._add(layer, layer.name, InputRule(shape), ())
            return
        shapes = tuple(self.made[name].shape for name in reads)
        arrays = self.weights.get(layer.name, ())
        rule = KNOWN[layer.kind](Reading(layer, arrays, shapes, self.types, self.tables))
        if rule is None:
            raise NotKnown(layer.name, f"the activation {_function(layer)} is not known here yet")
        self._add(layer, layer.name, rule, reads)
        if layer.kind in AFFINE:
            self._activate(layer)

    def _activate(self, layer: Layer) -> None:
        function = layer.config.get("activation") or "linear"
        name = f"{layer.name}_{_function(layer)}"
        rule = activation_rule(function, self.types.get(name))
        if rule is None:
            raise NotKnown(layer.name, f"the activation {_function(layer)} is not known here yet")
        self._add(layer, name, rule, (self.last[layer.name],))

    def _add(self, layer: Layer, name: str, rule: Rule, reads: tuple[str, ...]) -> None:
        self.made[name] = rule.reach([self.made[read] for read in reads])
        self.units.append(Unit(name, rule, reads))
        self.last[layer.name] = name


def _function(layer: Layer) -> str:
    function = layer.config.get("activation") or "linear"
    return str(function["class_name"] if isinstance(function, Mapping) else function)


KNOWN: Final[Mapping[str, Callable[[Reading], Rule | None]]] = {
    **AFFINE,
    **WINDOWS,
    **JOINS,
    **PAIRS,
    **ACTIVATIONS,
}
"""Makers of rules of all layers that are known, by class."""
