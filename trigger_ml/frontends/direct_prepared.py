"""What a network becomes before it is converted, without the frameworks.

The decisions are those of :mod:`trigger_ml.frontends.preparation`, which compile takes as well:
rounded normalizations, tables, quantized weights. Here NumPy stands for QKeras, and a conversion
made in NumPy for the draft that hls4ml makes there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trigger_ml.frontends.direct_passes import Conversion
from trigger_ml.frontends.direct_quantizers import Undecided, quantized
from trigger_ml.frontends.direct_units import NotKnown, listed
from trigger_ml.frontends.expanding import expanded_convolutions
from trigger_ml.frontends.folding import Arrays, rebuilt
from trigger_ml.frontends.keras_network import InputGrid, KerasNetwork
from trigger_ml.frontends.keras_order import built_order
from trigger_ml.frontends.model_file import Layer
from trigger_ml.frontends.preparation import Framework, prepare
from trigger_ml.frontends.tabulation import Table
from trigger_ml.graph.types import FixedType

__all__ = ["converted"]


def converted(network: KerasNetwork, grid: InputGrid | None, *, stream: bool) -> Conversion:
    """The network on its way to a graph. All its layers are of known classes.

    Raises NotKnown for one of which NumPy cannot tell what it does, ModelError for those that
    cannot become firmware.
    """
    architecture = network.architecture(tail=False, input_quantizer=grid)
    weights = {name: list(arrays) for name, arrays in network.weights.items()}

    def draft(text: str, arrays: Arrays, types: Mapping[str, str]) -> Conversion:
        return _conversion(text, arrays, types, {}, stream=False)

    framework = Framework(_Source, draft, _quantized, _read)
    _, prepared = prepare(architecture, weights, network.activation_types(grid), framework)
    text, arrays = prepared.for_hls4ml(architecture, weights)
    made = _conversion(text, arrays, prepared.types, prepared.tables, stream=stream)
    prepared.check(made, _read)
    return made


def _conversion(
    architecture: str,
    arrays: Arrays,
    types: Mapping[str, str],
    tables: Mapping[str, Table],
    *,
    stream: bool,
) -> Conversion:
    changes, made = expanded_convolutions(architecture, arrays)
    model = json.loads(rebuilt(architecture, changes))["config"]
    layers = [
        Layer(
            item["config"]["name"],
            item["class_name"],
            tuple(read[0] for node in item["inbound_nodes"] for read in node),
            item["config"],
        )
        for item in model["layers"]
    ]
    outputs = [str(item[0]) for item in model["output_layers"]]
    inputs = [str(item[0]) for item in model["input_layers"]]
    ordered = built_order(layers, outputs)
    units = listed(ordered, outputs, {**arrays, **made}, types, tables)
    return Conversion(units, inputs, stream=stream)


def _read(made: Conversion, name: str) -> FixedType:
    return made.reads(name)


def _quantized(layer: _SourceLayer, key: str, values: NDArray[np.float32]) -> NDArray[np.float32]:
    quantizer = layer.config.get(key)
    if quantizer is None:
        return values
    try:
        return quantized(quantizer, values)
    except Undecided as reason:
        what = f"its quantizer {quantizer['class_name']} hangs on {reason}"
        raise NotKnown(layer.name, what) from reason


@dataclass(frozen=True, slots=True)
class _SourceLayer:
    name: str
    config: Mapping[str, Any]
    arrays: Sequence[NDArray[np.float32]]

    def get_weights(self) -> list[NDArray[np.float32]]:
        return list(self.arrays)


class _Source:
    """The part of a model of Keras that the preparation asks for."""

    def __init__(self, architecture: str, arrays: Arrays) -> None:
        items = [item["config"] for item in json.loads(architecture)["config"]["layers"]]
        self._layers = {
            item["name"]: _SourceLayer(item["name"], item, arrays.get(item["name"], ()))
            for item in items
        }

    def get_layer(self, name: str) -> _SourceLayer:
        return self._layers[name]
