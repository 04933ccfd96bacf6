"""Why a layer of hls4ml's default conversion does not give what it should, from its numbers.

A cause is found by doing what it would do: the right values, cast to the type that is suspected,
or made with the weights that are left of a cut, are held against what hls4ml gave. The one thing
that comes closest is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.frontends.default_client import DefaultLayer, LayerValues
from trigger_ml.graph.model import Node
from trigger_ml.graph.narrow import narrowest_type
from trigger_ml.graph.types import FixedType, Overflow, Rounding

__all__ = ["Cause", "Rule", "find_cause", "input_cause"]

SLACK: Final = 2.0**-20
"""Relative difference that single precision explains."""
EXPLAINED: Final = 0.5
"""Of the difference, root mean square: what one thing must not leave to be called the cause."""
WIDEST: Final = 48
SPARE: Final = 24
"""Fraction bits of a type for values that stand on no grid."""
TABLE_BITS: Final = 18
"""Address bits of tables of a softmax that have an entry for every sum of exponentials."""
TABLE: Final[Mapping[str, Any]] = {"TableSize": 16384, "Precision": {"table": "ap_fixed<24,4>"}}
"""A table with an entry for every 2**-11 (tanh) or 2**-10 (sigmoid), as hls4ml spans them."""

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rule:
    """When a layer is wrong. largest_error: root mean square over the standard deviation of the
    right values; 0 where every value has to be equal, up to what single precision explains."""

    largest_error: float

    def differing(self, found: Values, wanted: Values) -> NDArray[np.bool_]:
        """Events, True where a value differs."""
        slack = SLACK * float(np.abs(wanted).max(initial=1.0))
        return np.asarray((np.abs(found - wanted) > slack).any(axis=1))

    def error(self, found: Values, wanted: Values) -> float:
        """Root mean square over the standard deviation; of what does not vary, over its size."""
        spread = float(wanted.std()) or float(np.abs(wanted).max(initial=0.0)) or 1.0
        return _rms(found - wanted) / spread

    def wrong(self, found: Values, wanted: Values) -> bool:
        """Whether these are not the right values."""
        if self.largest_error:
            return self.error(found, wanted) > self.largest_error
        return bool(self.differing(found, wanted).any())


@dataclass(frozen=True, slots=True)
class Cause:
    """kind: one word. text: in words. changes: what to set in hls4ml's configuration, by layer, to
    be rid of it; empty where no setting does that."""

    kind: str
    text: str
    changes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class _Suspect:
    """predicted: what the layer would give if this were all that is wrong."""

    cause: Cause
    predicted: Values


def input_cause(layer: DefaultLayer, values: Values, own: Node | None) -> Cause:
    """Why an input does not hold its values. own: compile's input."""
    kind = FixedType.parse(layer.type)
    wider = str(own.type) if own else _enough(values, "")
    changes = {layer.name: _precision(result=wider)}
    return Cause("input", _limits("the input type", kind, values), changes)


def find_cause(
    layer: DefaultLayer,
    values: LayerValues,
    found: Values,
    own: Node | None,
    read: DefaultLayer | None = None,
    numbers: Values | None = None,
) -> Cause:
    """Why a layer that may read right numbers gives wrong ones.

    found: what hls4ml gave, flat rows. own: the node that compile has in the layer's place. read,
    numbers: the layer of hls4ml's before a softmax, and what it gave, where they are known.
    """
    if layer.class_name == "Softmax":
        return _softmax_cause(layer, read, numbers)
    cause = _typed_cause(layer, values, found, own)
    if layer.settable or not cause.changes:
        return cause
    return replace(cause, text=f"{cause.text}; hls4ml has no setting for it", changes={})


def _typed_cause(
    layer: DefaultLayer, values: LayerValues, found: Values, own: Node | None
) -> Cause:
    """Of a layer that is no softmax."""
    suspects = list(_suspects(layer, values, own))
    whole = _rms(found - values.local)
    left = [_rms(found - suspect.predicted) / whole for suspect in suspects]
    if left and min(left) <= EXPLAINED:
        return suspects[left.index(min(left))].cause
    accumulators = [s.cause for s in suspects if s.cause.kind == "accumulator"]
    if accumulators:
        # Every product is cut there, so one cut of the sum says too little.
        return accumulators[0]
    if layer.table:
        text = f"it looks up its results in {layer.table}"
        return Cause("table", text, {layer.name: TABLE})
    if suspects:
        return suspects[left.index(min(left))].cause
    return Cause("other", "hls4ml computes it in another way than the model")


def _suspects(layer: DefaultLayer, values: LayerValues, own: Node | None) -> Iterator[_Suspect]:
    """Everything that could be wrong with a layer, by its types."""
    local = values.local
    quantizer = values.quantizer
    if values.bare is not None and quantizer and not np.array_equal(values.bare, local):
        text = f"the quantizer of {values.source} ({quantizer}) was dropped"
        changes = _set(layer, result=quantizer)
        kept = _cast(values.bare, FixedType.parse(layer.type))
        yield _Suspect(Cause("quantizer", text, changes), kept)
    kind = FixedType.parse(layer.type)
    if not _holds(kind, local):
        wider = _set(layer, result=_enough(local, str(own.type) if own else ""))
        text = _limits("the result type", kind, local)
        yield _Suspect(Cause("result", text, wider), _cast(local, kind))
    if layer.accumulator:
        sums = FixedType.parse(layer.accumulator)
        bare = local if values.bare is None else values.bare
        if not _holds(sums, bare):
            accumulator = str(getattr(getattr(own, "operation", None), "accumulator", ""))
            wider = _set(layer, accum=_enough(bare, accumulator))
            text = _limits("the accumulator type", sums, bare)
            yield _Suspect(Cause("accumulator", text, wider), _cast(bare, sums))
    if layer.cut:
        names = " and ".join(f"{name} to {layer.weights[name]}" for name in layer.cut)
        changes = _set(layer, **{name: _weight_type(layer, name, own) for name in layer.cut})
        rough = local if values.rough is None else values.rough
        yield _Suspect(Cause("weights", f"its weights are cut: {names}", changes), rough)


def _softmax_cause(layer: DefaultLayer, read: DefaultLayer | None, numbers: Values | None) -> Cause:
    """hls4ml's tables have an entry for so many leading bits of what they are looked up with.

    That is the logits, and the sum of the exponentials, of 18 bits (exp_table_t).
    """
    text = "softmax by tables that are too coarse"
    changes: dict[str, Any] = {layer.name: {"TableSize": 2**TABLE_BITS}}
    if read is None or numbers is None or not read.type:
        return Cause("softmax", text, changes)
    if FixedType.parse(read.type).width > TABLE_BITS:
        reach = float(np.abs(numbers).max(initial=1.0))
        integer = int(np.floor(np.log2(reach))) + 2
        narrow = FixedType(TABLE_BITS, integer, True, Rounding.RND, Overflow.SAT)
        changes[read.name] = _precision(result=str(narrow))
    size = layer.table.partition(" ")[0]
    entries = f"{size} entries" if size else "entries"
    text += f": {entries} for the leading bits of {read.type}, and of the sum of exponentials"
    return Cause("softmax", text, changes)


def _weight_type(layer: DefaultLayer, name: str, own: Node | None) -> str:
    """compile's type of a layer's weights where it is finer, otherwise one of many bits.

    With rounding, since weights may stand on no grid.
    """
    now = FixedType.parse(layer.weights[name])
    found = getattr(getattr(own, "operation", None), f"{name}_type", None)
    if not isinstance(found, FixedType) or found.fraction <= now.fraction:
        found = FixedType(now.integer + SPARE, now.integer)
    return str(replace(found, rounding=Rounding.RND, overflow=Overflow.SAT))


def _set(layer: DefaultLayer, **types: str) -> dict[str, Any]:
    return {layer.name: _precision(**types)}


def _precision(**types: str) -> dict[str, Any]:
    return {"Precision": {name: f"ap_{text}" for name, text in types.items()}}


def _enough(values: Values, own: str) -> str:
    """compile's type where it holds the values, otherwise one that does."""
    if own and _holds(FixedType.parse(own), values):
        return own
    found = narrowest_type(values, WIDEST)
    if found is None:
        top = int(np.ceil(np.log2(np.abs(values).max(initial=1.0) + 1))) + 1
        found = FixedType(top + SPARE, top)
    return str(found)


def _holds(kind: FixedType, values: Values) -> bool:
    slack = SLACK * float(np.abs(values).max(initial=1.0))
    return bool((np.abs(_cast(values, kind) - values) <= slack).all())


def _limits(name: str, kind: FixedType, values: Values) -> str:
    """What a type does to values that it does not hold."""
    low, high = kind.min_code * kind.step, kind.max_code * kind.step
    worst = float(values.flat[np.abs(values).argmax()])
    if values.min() < low or values.max() > high + kind.step:
        return f"{name} {kind} ends at {low:g} and {high:g}, and values reach {worst:g}"
    return f"{name} {kind} has steps of {kind.step:g}, and values lie between them"


def _cast(values: Values, kind: FixedType) -> Values:
    return kind.decode(kind.encode(values))


def _rms(values: Values) -> float:
    return float(np.sqrt(np.mean(np.square(values)))) if values.size else 0.0
