"""The layers of a loaded HGQ2 model as they are called: what each reads, and its quantizers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Call", "calls_of", "input_quantizers", "name_quantizers"]


@dataclass(frozen=True, slots=True)
class Call:
    """The one use of a layer.

    reads: names of the layers whose results it reads. shapes: of these. shape: of its own result;
    all without the batch axis.
    """

    layer: Any
    reads: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    shape: tuple[int, ...]


def calls_of(model: Any) -> list[Call]:
    """Every layer of a Functional model of Keras 3, behind what it reads."""
    wanted = {id(node) for nodes in model._nodes_by_depth.values() for node in nodes}
    found = []
    for layer in model.layers:
        for node in layer._inbound_nodes:
            if id(node) in wanted:
                tensors = node.arguments.keras_tensors
                reads = tuple(tensor._keras_history.operation.name for tensor in tensors)
                shapes = tuple(_shape(tensor) for tensor in tensors)
                found.append(Call(layer, reads, shapes, _shape(node.outputs[0])))
    return found


def _shape(tensor: Any) -> tuple[int, ...]:
    return tuple(tensor.shape[1:])


def input_quantizers(layer: Any) -> Sequence[Any]:
    """One for each tensor that the layer reads, or none; a Quantizer is its own."""
    if type(layer).__name__ == "Quantizer":
        return (layer,)
    if not getattr(layer, "enable_iq", False):
        return ()
    return tuple(layer.iq) if hasattr(layer.iq, "quantizers") else (layer.iq,)


def name_quantizers(model: Any) -> None:
    """Give the quantizers of a layer with several inputs names of that layer.

    HGQ2 leaves these to Keras, which counts quantizers from the process' start.
    """
    for layer in model.layers:
        quantizers = input_quantizers(layer)
        if type(layer).__name__ != "Quantizer" and len(quantizers) > 1:
            for place, quantizer in enumerate(quantizers):
                quantizer.name = f"{layer.name}_iq_{place}"
