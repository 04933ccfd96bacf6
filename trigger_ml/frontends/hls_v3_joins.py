"""What hls4ml 1.3 gets wrong about Keras 3 layers that join tensors, and about several outputs.

Its reader of HGQ2 names what a quantizer makes after the tensor that this reads, so that of two
quantizers of one tensor, in one layer, only the last is found. Its layers join two tensors and no
more. Its bit-exact pass counts the axis of a Concatenate without the events, and its reader with
them. And the pass knows an output of the model only by nothing reading it: where something does,
the output would get the type that this needs, or that of a quantizer behind it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

__all__ = ["join_names", "mend_joins", "register_outputs"]

UNBOUND: Final = 126
"""Bits that the bit-exact pass takes for as many as there are."""


def join_names(name: str, count: int) -> list[str]:
    """Names of the layers that a join of more than two tensors gets in front of it."""
    return [f"{name}_join_{place}" for place in range(count - 2)]


def mend_joins(layers: list[dict[str, Any]]) -> None:
    """Change hls4ml's description of layers, in place."""
    known = {layer["name"] for layer in layers}
    written: list[dict[str, Any]] = []
    for layer in layers:
        own = [f"{layer['name']}_iq_{place}" for place in range(len(layer["inputs"]))]
        pairs = zip(layer["inputs"], own, strict=True)
        layer["inputs"] = [mine if mine in known else read for read, mine in pairs]
        if layer["class_name"] == "Concatenate":
            layer["axis"] = -1
        joins = layer["class_name"] in ("Concatenate", "Merge") and len(layer["inputs"]) > 2
        written += _in_pairs(layer) if joins else [layer]
    layers[:] = written


def _in_pairs(layer: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Joins of two that give the same numbers: ((a, b), c), or the means of pairs and of these."""
    names = join_names(layer["name"], len(layer["inputs"]))
    plain = {key: value for key, value in layer.items() if key not in ("inputs", "scale")}
    halves = str(layer.get("op")) == "average"
    todo = list(layer["inputs"])
    for name in (*names, layer["name"]):
        pair, todo = todo[:2], todo[2:]
        yield {**plain, "name": name, "inputs": pair}
        todo = [*todo, name] if halves else [name, *todo]


def register_outputs() -> None:
    """Let the bit-exact pass keep all bits of an output that something reads on. Calling it twice
    does no harm."""
    from hls4ml.model.optimizer.passes import bit_exact
    from hls4ml.model.optimizer.passes.hgq_proxy_model import FuseFixedPointQuantizer

    if hasattr(bit_exact, "requested_inside"):
        return
    bit_exact.requested_inside = requested_inside = bit_exact.requested_kif

    def requested(layer: Any) -> Any:
        if not _leaves(layer):
            return requested_inside(layer)
        shape = bit_exact.get_output_shape(layer)
        return np.ones(shape, np.int16), *(np.full(shape, UNBOUND, np.int16) for _ in range(2))

    match = FuseFixedPointQuantizer.match
    bit_exact.requested_kif = requested
    FuseFixedPointQuantizer.match = lambda self, node: (
        match(self, node) and not _leaves(node.get_input_node())
    )


def _leaves(layer: Any) -> bool:
    """Whether a layer's result is an output of the model."""
    return any(str(name) in map(str, layer.model.outputs) for name in layer.outputs)
