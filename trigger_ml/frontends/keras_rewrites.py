"""Layers of a Keras file in the terms of those that have firmware, once shapes are known.

What Keras has one layer for may be several here: a dense layer of a tensor, EinsumDense, joins
that repeat elements, QKeras' mean with an activation. The numbers stay the same, and so do the
names of their results.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from trigger_ml.errors import BlockedError, Blocker
from trigger_ml.frontends.keras_averages import AVERAGES, averaged
from trigger_ml.frontends.keras_broadcasts import beside, broadcast
from trigger_ml.frontends.keras_chain import Arrays, Made, free_names
from trigger_ml.frontends.keras_einsum import einsum
from trigger_ml.frontends.keras_images import shape_behind
from trigger_ml.frontends.keras_merges import ELEMENTWISE
from trigger_ml.frontends.keras_origins import ORIGIN, origin_of
from trigger_ml.frontends.keras_products import PRODUCTS, product
from trigger_ml.frontends.keras_sizes import Shape
from trigger_ml.frontends.keras_steps import dense_steps, timed
from trigger_ml.frontends.model_file import Layer

__all__ = ["Rewritten", "rewritten", "without_origins"]


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A network's layers and weights. lost: names of layers that could not be written, for which
    there are blockers. notes: what was done, in words."""

    layers: list[Layer]
    weights: dict[str, Arrays]
    blockers: list[Blocker]
    lost: frozenset[str]
    notes: tuple[str, ...]


def without_origins(layers: Sequence[Layer]) -> list[Layer]:
    """The layers, which no longer say where their weights were."""
    return [
        Layer(item.name, item.kind, item.inputs, _own(item)) if ORIGIN in item.config else item
        for item in layers
    ]


def _own(layer: Layer) -> dict[str, object]:
    return {key: value for key, value in layer.config.items() if key != ORIGIN}


def rewritten(
    layers: Sequence[Layer], weights: Mapping[str, Arrays], *, floats: bool = False
) -> Rewritten:
    """The network in plain layers.

    layers: in evaluation order, wired and with sane parameters. weights: those that the file
    holds, in Keras' order. floats: layers without quantizers get none.
    """
    taken = {layer.name.lower() for layer in layers}
    made: list[Layer] = []
    arrays = dict(weights)
    blockers: list[Blocker] = []
    notes: list[str] = []
    lost: set[str] = set()
    shapes: dict[str, Shape] = {}
    for layer in layers:
        if any(name not in shapes for name in layer.inputs):
            made += without_origins([layer])
            continue
        names = free_names(layer.name, taken)
        try:
            reads = [shapes[name] for name in layer.inputs]
            parts = _parts(layer, reads, arrays, names, floats)
        except BlockedError as error:
            blockers.extend(error.blockers)
            lost.add(layer.name)
            made += without_origins([layer])
            continue
        arrays.pop(layer.name, None)
        arrays |= parts.weights
        notes += [parts.note] if parts.note else []
        for part in parts.layers:
            shape = shape_behind(part, [shapes[name] for name in part.inputs if name in shapes])
            if isinstance(shape, Blocker):
                break
            shapes[part.name] = shape
        made += parts.layers
    return Rewritten(made, arrays, blockers, frozenset(lost), tuple(notes))


def _parts(
    layer: Layer,
    reads: Sequence[Shape],
    weights: Mapping[str, Arrays],
    names: Iterator[str],
    floats: bool,
) -> Made:
    """A layer in plain ones. Raises ModelError."""
    origin = origin_of(layer.config)
    own = weights.get(layer.name, ())
    (layer,) = without_origins([layer])
    plain = Made((layer,), {layer.name: own} if own else {})
    if origin is not None and origin.steps_of_time and layer.inputs:
        made = timed(layer, origin.steps_of_time, reads, own, names)
        if made is not None:
            return made
    if layer.kind in ELEMENTWISE:
        return broadcast(layer, reads, names) or plain
    if layer.kind == "Concatenate":
        return beside(layer, reads, names) or plain
    if layer.kind == "EinsumDense":
        return einsum(layer, reads[0], own, names, floats=floats)
    if layer.kind in (*PRODUCTS, "Dot"):
        return product(layer, reads, names) or plain
    if layer.kind in AVERAGES:
        return averaged(layer, reads[0], names)
    if layer.kind in ("QDense", "Dense"):
        return dense_steps(layer, reads[0], own, names) or plain
    return plain
