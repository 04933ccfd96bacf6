"""Constants of a network that hls4ml does not read as QKeras means them, made plain for it.

Runs in the front-end process. The source model keeps its own quantizers; hls4ml gets the same
layers with weights that are quantized already and a quantized_bits that leaves them as they are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.quantizers import AS_DATA, is_plain
from trigger_ml.graph.narrow import WIDEST, narrowest_type
from trigger_ml.graph.types import FixedType

__all__ = [
    "Arrays",
    "Entry",
    "Evaluate",
    "by_qkeras",
    "evaluated",
    "folded_weights",
    "grid_quantizer",
    "rebuilt",
]

Arrays = Mapping[str, list[NDArray[np.float32]]]
"""Weights by layer, in the order in which Keras sets them."""

Evaluate = Callable[[Any, str, NDArray[np.float32]], NDArray[np.float32]]
"""A layer, the key of one of its quantizers, and numbers, to what the quantizer makes of them."""

QUANTIZERS: Final = (
    "kernel_quantizer",
    "depthwise_quantizer",
    "pointwise_quantizer",
    "bias_quantizer",
)
"""Of a layer's arrays, in their order."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A layer of Keras' JSON form."""

    name: str
    kind: str
    config: Mapping[str, Any]


def rebuilt(architecture: str, changes: Mapping[str, tuple[Entry, ...]]) -> str:
    """The architecture with layers replaced by chains of layers.

    changes: by the name of a layer; the last of its chain has that name, so that what read the
    layer reads the chain.
    """
    model = json.loads(architecture)
    layers: list[dict[str, Any]] = []
    for layer in model["config"]["layers"]:
        chain = changes.get(layer["config"]["name"])
        if chain is None:
            layers.append(layer)
            continue
        nodes = layer["inbound_nodes"]
        for entry in chain:
            config = {**entry.config, "name": entry.name, "dtype": "float32"}
            item = {"class_name": entry.kind, "name": entry.name, "config": config}
            layers.append({**item, "inbound_nodes": nodes})
            nodes = [[[entry.name, 0, 0, {}]]]
    model["config"]["layers"] = layers
    return json.dumps(model)


def grid_quantizer(kind: FixedType) -> dict[str, Any]:
    """The quantized_bits that leaves every value of a type with a sign as it is."""
    # QKeras computes 2**integer in whole numbers.
    integer = max(kind.integer - 1, 0)
    bits = 1 + integer + max(kind.fraction, 0)
    options = {"bits": bits, "integer": integer, "symmetric": 0, "alpha": 1}
    return {
        "class_name": "quantized_bits",
        "config": {**options, "keep_negative": True},
        **AS_DATA,
    }


def by_qkeras(layer: Any, key: str, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a quantizer of a layer of QKeras makes of numbers; a missing one leaves them."""
    quantizer = layer.quantizer if key == "activation" else getattr(layer, f"{key}_internal")
    return values if quantizer is None else evaluated(quantizer, values)


def folded_weights(
    model: Any, architecture: str, quantized: Evaluate = by_qkeras
) -> tuple[dict[str, tuple[Entry, ...]], Arrays]:
    """Layers with other quantizers than hls4ml reads, and their quantized weights.

    model: of tf_keras and QKeras, of that architecture, with its weights. quantized: evaluates
    a quantizer of one of its layers. Raises ModelError naming every array whose quantized values
    are no numbers in binary of few digits.
    """
    changes: dict[str, tuple[Entry, ...]] = {}
    arrays: dict[str, list[NDArray[np.float32]]] = {}
    blockers: list[Blocker] = []
    for item in json.loads(architecture)["config"]["layers"]:
        config = item["config"]
        keys = [key for key in QUANTIZERS if config.get(key) is not None]
        if all(is_plain(config[key]) for key in keys):
            continue
        layer = model.get_layer(config["name"])
        stored = layer.get_weights()
        own = dict(config)
        for position, key in enumerate(keys[: len(stored)]):
            if is_plain(config[key]):
                continue
            values = quantized(layer, key, stored[position])
            found = list(_grid_problems(f"layer {layer.name} {key}", config[key], values))
            if found:
                blockers += found
                continue
            kind = narrowest_type(values)
            assert kind is not None
            # hls4ml takes one bit for -1 and 1; two hold both and zero.
            if kind.width == 1:
                kind = FixedType(2, kind.integer + 1)
            own[key] = grid_quantizer(kind)
            stored[position] = values
        changes[layer.name] = (Entry(layer.name, item["class_name"], own),)
        arrays[layer.name] = stored
    if blockers:
        raise ModelError(blockers)
    return changes, arrays


def evaluated(quantizer: Any, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a quantizer of QKeras makes of constants, in inference."""
    import tensorflow as tf

    return np.asarray(quantizer(tf.constant(values)), dtype=np.float32)


def _grid_problems(
    where: str, quantizer: Mapping[str, Any], values: NDArray[np.float32]
) -> Iterator[Blocker]:
    name = quantizer["class_name"]
    if not np.isfinite(values).all():
        yield Blocker(where, f"{name} makes NaN or infinity of some weights", "train it again")
    elif narrowest_type(values) is None:
        smallest = np.abs(values[values != 0]).min()
        what = (
            f"{name} makes weights from {smallest:g} to {np.abs(values).max():g} that no type of "
            f"{WIDEST} bits holds as they are"
        )
        if name.endswith("po2"):
            yield Blocker(where, what, "use fewer bits: small weights become 2**-(2**(bits-2))")
        else:
            yield Blocker(where, what, "use an alpha in binary, 'auto_po2' or 1 for instance")
