"""The layers of hls4ml's default conversion beside those of the model: which are wrong, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.default_causes import Cause, Rule, find_cause, input_cause
from trigger_ml.default_models import Compared
from trigger_ml.frontends.default_client import Conversion, DefaultLayer, LayerValues
from trigger_ml.graph.model import Node

__all__ = ["LayerGap", "first_wrong", "layer_gaps", "only_own"]

FLAW: Final = "what it reads is already wrong"

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LayerGap:
    """One layer of the default conversion beside the model.

    default_type, default_accumulator: hls4ml's. own_type, own_accumulator: what compile sets;
    empty where the layer has none. differing: share of the events in which a value differs.
    largest: difference. error: root mean square of the differences over the standard deviation of
    the right values. own_error: the same where the model reads what hls4ml's layers gave before
    this one. wrong: by the rule of the comparison. cause: in words, empty where it is right.
    changes: of hls4ml's configuration, by layer, that would mend it.
    """

    layer: str
    kind: str
    default_type: str
    default_accumulator: str
    own_type: str
    own_accumulator: str
    differing: float
    largest: float
    error: float
    own_error: float
    wrong: bool
    cause: str
    cause_kind: str
    changes: Mapping[str, Any]


def layer_gaps(
    conversion: Conversion,
    found: Mapping[str, Values],
    right: Mapping[str, LayerValues],
    both: Compared,
) -> dict[str, LayerGap]:
    """By layer of hls4ml, in order, as far as the model has such a layer."""
    gaps: dict[str, LayerGap] = {}
    causes: dict[str, tuple[float, Cause]] = {}
    for layer, known in _pairs(conversion, found, right, both):
        values, name = found[layer.name], layer.name
        node = both.own_node(name, known.source)
        cause = Cause("read", FLAW)
        if name in conversion.inputs:
            cause = input_cause(layer, known.wanted, node)
        elif both.rule.differing(values, known.local).any():
            reads = layer.inputs[0] if len(layer.inputs) == 1 else ""
            read, numbers = conversion.by_name.get(reads), found.get(reads)
            cause = find_cause(layer, known, values, node, read, numbers)
        causes[name] = both.rule.error(values, known.local), cause
        if 0 < both.rule.largest_error >= causes[name][0]:
            cause = _added_up(causes)
        gaps[name] = _gap(layer, node, values, known, cause, both.rule)
    return gaps


def _pairs(
    conversion: Conversion,
    found: Mapping[str, Values],
    right: Mapping[str, LayerValues],
    both: Compared,
) -> Iterator[tuple[DefaultLayer, LayerValues]]:
    """Inputs and layers of hls4ml's that can be seen, and what they should have given."""
    start = 0
    for name in conversion.inputs:
        layer = conversion.by_name[name]
        values = both.values[:, start : start + layer.size]
        start += layer.size
        yield layer, LayerValues(name, values, values)
    for layer in conversion.layers:
        name = layer.name
        known = right.get(name)
        if name in conversion.inputs or name not in found:
            continue
        if conversion.outputs == (name,):
            # The file itself says what leaves the model, where its layers are rebuilt ones.
            known = known or LayerValues(name, both.outputs, both.outputs)
            known = replace(known, wanted=both.outputs)
        if known is not None and known.wanted.shape == found[name].shape and layer.type:
            yield layer, known


def _added_up(causes: Mapping[str, tuple[float, Cause]]) -> Cause:
    """Of layers none of which is off by much itself; by name, by how much and why."""
    worst = max(causes, key=lambda name: causes[name][0])
    error, cause = causes[worst]
    if not error:
        return Cause("read", FLAW)
    text = f"small errors add up; the largest, {error:.2%}, is of {worst}: {cause.text}"
    return replace(cause, text=text)


def _gap(
    layer: DefaultLayer,
    node: Node | None,
    found: Values,
    right: LayerValues,
    cause: Cause,
    rule: Rule,
) -> LayerGap:
    wrong = rule.wrong(found, right.wanted)
    return LayerGap(
        layer.name,
        layer.class_name,
        layer.type,
        layer.accumulator,
        str(node.type) if node else "",
        str(getattr(node.operation, "accumulator", "")) if node else "",
        float(rule.differing(found, right.wanted).mean()),
        float(np.abs(found - right.wanted).max(initial=0.0)),
        rule.error(found, right.wanted),
        rule.error(found, right.local),
        wrong,
        cause.text if wrong else "",
        cause.kind if wrong else "",
        cause.changes if wrong else {},
    )


def first_wrong(conversion: Conversion, gaps: Mapping[str, LayerGap]) -> str:
    """The first layer that is wrong and is not put right again by all that read it."""
    readers: dict[str, list[str]] = {}
    for layer in conversion.layers:
        for name in layer.inputs:
            readers.setdefault(name, []).append(layer.name)

    def passes_on(name: str) -> bool:
        behind = readers.get(name, [])
        if not behind or name in conversion.outputs:
            return True
        return any(gaps[n].wrong if n in gaps else passes_on(n) for n in behind)

    return next((name for name, gap in gaps.items() if gap.wrong and passes_on(name)), "")


def only_own(node: Node) -> LayerGap:
    """A node of compile's where hls4ml's conversion has nothing."""
    accumulator = str(getattr(node.operation, "accumulator", ""))
    kind = type(node.operation).__name__
    types = (str(node.type), accumulator)
    return LayerGap(node.name, kind, "", "", *types, 0.0, 0.0, 0.0, 0.0, False, "", "", {})
