"""A float network with quantizers of given types: what firmware is made of.

Quantizers stand behind every layer that computes: layers with weights, sums and products of
tensors, means, tables. What only moves or chooses values keeps their type. Results that leave the
network keep their exact sums.

QKeras computes in single precision, which holds 24 digits: so many, and no more, may a sum with
constant weights have, or the source would not be what firmware computes. Weights get fewer
fraction bits where a sum would have more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.float_graph.layers import FLOAT
from trigger_ml.float_graph.plain import shapes_of
from trigger_ml.float_graph.rims import within
from trigger_ml.float_graph.values import Value
from trigger_ml.float_graph.weight_types import SINGLE, weight_quantizer, weight_types
from trigger_ml.frontends.keras_convolutions import CONVOLUTIONS
from trigger_ml.frontends.keras_network import KerasNetwork
from trigger_ml.frontends.keras_products import EINSUM_OF_TWO
from trigger_ml.frontends.keras_quantizers import NORMALIZATIONS
from trigger_ml.frontends.model_file import Layer
from trigger_ml.frontends.quantizers import activation_quantizer, quantizer_type
from trigger_ml.graph.types import MAX_WIDTH, FixedType

__all__ = ["Place", "Types", "places", "quantized"]

SLOPE_FRACTION: Final = 8
"""Fraction bits of slopes, as the readers of quantized networks take them."""
DRAFT: Final = FixedType(8, 4)
PRODUCT_BITS: Final = 10
"""Of what is multiplied with another tensor, at most: single precision holds 16 such products."""
MULTIPLYING: Final = ("Multiply", "Dot", EINSUM_OF_TWO)
JOINING: Final = ("Add", "Subtract", "Average", *MULTIPLYING)
MOVING: Final = ("Flatten", "Permute", "Reshape")
"""Layers that an output may go through as it is."""
TABLES: Final[Mapping[str, dict[str, Any]]] = {
    "tanh": {"class_name": "quantized_tanh", "config": {"use_real_tanh": True}},
    "sigmoid": {"class_name": "quantized_sigmoid", "config": {"use_real_sigmoid": True}},
}
"""Activations that become tables, and their quantizers."""
TABLE_BITS: Final = 10
"""Of what a table reads, at most: it has an entry for each value."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a quantizer stands: behind this tensor of the float network. unsigned: it is never
    below zero, for certain. most_bits: of its type."""

    tensor: str
    unsigned: bool
    most_bits: int


@dataclass(frozen=True, slots=True)
class Types:
    """inputs, values: types by tensor. weight_bits: of every layer; a bias has two more."""

    inputs: Mapping[str, FixedType]
    values: Mapping[str, FixedType]
    weight_bits: int


def places(network: KerasNetwork) -> tuple[Place, ...]:
    """Where a network needs quantizers, besides its inputs."""
    walk = _Walk(network, None)
    walk.network()
    return tuple(walk.places.values())


def quantized(network: KerasNetwork, types: Types | None) -> KerasNetwork:
    """The network with quantizers. types: None for a draft, which has the layers that any has.

    Layers of the same weights, as those that a model uses again become, have them in one type.
    """
    walk = _Walk(network, types)
    made = walk.network()
    if len(walk.weight_kinds) == walk.weighted:
        return made
    return _Walk(network, types, weight_kinds=walk.weight_kinds).network()


@dataclass(slots=True)
class _Walk:
    """Writes the layers one after another.

    source: the float network. weight_kinds: by arrays, the shortest that one of their layers
    needs. weighted: layers with float weights so far.
    """

    source: KerasNetwork
    types: Types | None
    places: dict[str, Place] = field(default_factory=dict)
    weight_kinds: dict[tuple[bytes, ...], list[FixedType]] = field(default_factory=dict)
    weighted: int = 0
    _layers: list[Layer] = field(default_factory=list)
    _weights: dict[str, tuple[NDArray[np.float32], ...]] = field(default_factory=dict)
    _values: dict[str, Value] = field(default_factory=dict)
    _grids: dict[str, Value] = field(default_factory=dict)

    def network(self) -> KerasNetwork:
        """The whole."""
        for layer in self.source.layers:
            self._values[layer.name] = self._add(layer)
        outputs = tuple(self._values[name].layer for name in self.source.outputs)
        return replace(
            self.source, layers=tuple(self._layers), weights=self._weights, outputs=outputs
        )

    def _add(self, layer: Layer) -> Value:
        kind = layer.kind
        if kind == "InputLayer":
            return self._input(layer)
        if kind == "QActivation":
            return self._own_quantizer(layer)
        if kind in FLOAT:
            return self._float(layer)
        if kind in ("QDense", *CONVOLUTIONS, *NORMALIZATIONS):
            return self._quantized_already(layer)
        if kind == "Activation":
            return self._activation(layer)
        if kind in ("LeakyReLU", "PReLU"):
            return self._sloped(layer)
        if kind == "ReLU" and layer.config["max_value"] is None:
            return self._relu(layer)
        if kind in ("ReLU", "ThresholdedReLU"):
            return self._clipped(layer)
        if kind in JOINING or "Average" in kind:
            return self._computed(layer)
        return self._moved(layer)

    def _put(self, layer: Layer, kind: str, reads: Sequence[str], config: Mapping[str, Any]) -> str:
        self._layers.append(Layer(layer.name, kind, tuple(reads), config))
        return layer.name

    def _input(self, layer: Layer) -> Value:
        self._put(layer, layer.kind, (), layer.config)
        if self._reads_quantizers(layer.name):
            return Value(layer.name, 0, 0.0, 0.0, True)
        kind = self.types.inputs[layer.name] if self.types else DRAFT
        return self._quantizer(layer.name, self._free(f"{layer.name}_grid"), kind, relu=False)

    def _reads_quantizers(self, name: str) -> bool:
        return all(
            layer.kind == "QActivation" for layer in self.source.layers if name in layer.inputs
        )

    def _own_quantizer(self, layer: Layer) -> Value:
        """One that the model has itself."""
        read = self._values[layer.inputs[0]].layer
        self._put(layer, layer.kind, [read], layer.config)
        return Value.of(layer.name, quantizer_type(layer.config["activation"]))

    def _quantizer(self, read: str, name: str, kind: FixedType, *, relu: bool) -> Value:
        options: dict[str, Any] = {"bits": kind.width, "integer": kind.integer - int(kind.signed)}
        made = {"class_name": "quantized_relu", "config": options}
        if not relu:
            options |= {"keep_negative": kind.signed, "alpha": 1}
            made["class_name"] = "quantized_bits"
        activation = activation_quantizer(made, name)
        config = {"name": name, "activation": activation, "dtype": "float32"}
        self._layers.append(Layer(name, "QActivation", (read,), config))
        return Value.of(name, kind)

    def _free(self, name: str) -> str:
        taken = {layer.name.lower() for layer in (*self.source.layers, *self._layers)}
        while name.lower() in taken:
            name += "_q"
        return name

    def _type(self, tensor: str, *, unsigned: bool, most_bits: int = MAX_WIDTH) -> FixedType:
        self.places[tensor] = Place(tensor, unsigned, most_bits)
        if self.types is None:
            return FixedType(8, 4 - int(unsigned), not unsigned)
        return self.types.values[tensor]

    def _settled(self, name: str, most_bits: int = MAX_WIDTH) -> Value:
        """A tensor with a type of few bits, by its name in the float network."""
        value, known = self._values[name], self.places.get(name)
        if known is not None:
            # The strictest of its readers says how many bits there may be.
            self.places[name] = replace(known, most_bits=min(known.most_bits, most_bits))
        if value.settled:
            return value
        if name not in self._grids:
            kind = self._type(name, unsigned=value.unsigned, most_bits=most_bits)
            grid = self._free(f"{name}_grid")
            self._grids[name] = self._quantizer(value.layer, grid, kind, relu=value.unsigned)
        return self._grids[name]

    def _is_output(self, name: str) -> bool:
        return name in (self.source.outputs or (self.source.layers[-1].name,))

    def _relu(self, layer: Layer) -> Value:
        read = self._values[layer.inputs[0]]
        if self._is_output(layer.name):
            config = {"name": layer.name, "activation": "relu", "dtype": "float32"}
            self._put(layer, "Activation", [read.layer], config)
            return Value(layer.name, read.fraction, 0.0, max(read.high, 0.0), read.settled)
        kind = self._type(layer.name, unsigned=True)
        return self._quantizer(read.layer, layer.name, kind, relu=True)

    def _clipped(self, layer: Layer) -> Value:
        """A ReLU with a bound or a threshold: exact on sums."""
        read = self._values[layer.inputs[0]]
        self._put(layer, layer.kind, [read.layer], layer.config)
        return Value(layer.name, read.fraction, 0.0, max(read.high, 0.0), read.settled)

    def _activation(self, layer: Layer) -> Value:
        function = str(layer.config["activation"])
        if function == "relu":
            return self._relu(layer)
        if function not in TABLES:
            return self._moved(layer)
        read = self._settled(layer.inputs[0], TABLE_BITS)
        bits = self.types.weight_bits if self.types else DRAFT.width
        known = TABLES[function]
        made = {**known, "config": {**known["config"], "bits": bits}}
        activation = activation_quantizer(made, layer.name)
        config = {"name": layer.name, "activation": activation, "dtype": "float32"}
        self._put(layer, "QActivation", [read.layer], config)
        return Value.of(layer.name, FixedType(bits, int(function == "tanh"), function == "tanh"))

    def _sloped(self, layer: Layer) -> Value:
        """Slopes of few bits: a product with one is exact where its other factor is short."""
        read = self._settled(layer.inputs[0], SINGLE - SLOPE_FRACTION - 1)
        config = dict(layer.config)
        if layer.kind == "LeakyReLU":
            config["alpha"] = float(_nearest(np.asarray(config["alpha"]), SLOPE_FRACTION))
        else:
            slopes = self.source.weights[layer.name][0].astype(np.float64)
            rounded = np.clip(_nearest(slopes, SLOPE_FRACTION), -1, 1)
            self._weights[layer.name] = (rounded.astype(np.float32),)
        self._put(layer, layer.kind, [read.layer], config)
        reach = max(-read.low, read.high)
        return Value(layer.name, read.fraction + SLOPE_FRACTION, -reach, reach, False)

    def _computed(self, layer: Layer) -> Value:
        """Sums, products and means of settled tensors."""
        bits = PRODUCT_BITS if layer.kind in MULTIPLYING else MAX_WIDTH
        reads = [self._settled(name, bits) for name in layer.inputs]
        self._put(layer, layer.kind, [read.layer for read in reads], layer.config)
        positive = layer.kind != "Subtract" and all(read.unsigned for read in reads)
        fraction = sum(read.fraction for read in reads)
        return Value(layer.name, fraction, 0.0 if positive else -1.0, 1.0, False)

    def _quantized_already(self, layer: Layer) -> Value:
        """A layer whose weights have quantizers of their own, or a normalization."""
        self._weights[layer.name] = self.source.weights[layer.name]
        read = self._settled(layer.inputs[0])
        self._put(layer, layer.kind, [read.layer], layer.config)
        activation = layer.config.get("activation")
        if isinstance(activation, Mapping):
            return Value.of(layer.name, quantizer_type(activation))
        low = 0.0 if activation == "relu" else -1.0
        return Value(layer.name, read.fraction, low, 1.0, False)

    def _moved(self, layer: Layer) -> Value:
        """What moves or chooses values: of settled tensors it is settled."""
        if layer.kind in MOVING and self._is_output(layer.name):
            reads = [self._values[name] for name in layer.inputs]
        else:
            reads = [self._settled(name) for name in layer.inputs]
        if layer.kind.startswith("MaxPooling") and reads[0].unsigned:
            shape = shapes_of(self.source.layers)[layer.inputs[0]]
            rim = self._free(f"{layer.name}_rim")
            self._layers += within(layer, reads[0].layer, shape, rim)
        else:
            self._put(layer, layer.kind, [read.layer for read in reads], layer.config)
        return Value(
            layer.name,
            max(read.fraction for read in reads),
            min(read.low for read in reads),
            max(read.high for read in reads),
            True,
        )

    def _float(self, layer: Layer) -> Value:
        """A layer with weights on grids."""
        read = self._settled(layer.inputs[0])
        kernel, *bias = (values.astype(np.float64) for values in self.source.weights[layer.name])
        bits = self.types.weight_bits if self.types else DRAFT.width
        depthwise = layer.kind == "DepthwiseConv2D"
        own = weight_types(
            kernel, bias, bits, max(-read.low, read.high), read.fraction, depthwise=depthwise
        )
        kinds = self._shared(own, (kernel, *bias))
        key = "depthwise_quantizer" if depthwise else "kernel_quantizer"
        quantizers: dict[str, Any] = {"bias_quantizer": None}
        quantizers |= zip((key, "bias_quantizer"), map(weight_quantizer, kinds), strict=False)
        self._put(layer, f"Q{layer.kind}", [read.layer], {**layer.config, **quantizers})
        self._weights[layer.name] = tuple(
            kind.decode(kind.encode(values)).astype(np.float32)
            for kind, values in zip(kinds, (kernel, *bias), strict=True)
        )
        return Value(layer.name, kinds[0].fraction + read.fraction, -1.0, 1.0, False)

    def _shared(self, own: list[FixedType], arrays: Sequence[Array]) -> list[FixedType]:
        """Types of a layer's weights that do for all layers of the same ones."""
        key = tuple(values.tobytes() for values in arrays)
        known = self.weight_kinds.get(key, own)
        kinds = [min(pair, key=lambda kind: kind.width) for pair in zip(own, known, strict=True)]
        self.weight_kinds[key] = kinds
        self.weighted += 1
        return kinds


def _nearest(values: Array, fraction: int) -> Array:
    return np.asarray(np.ldexp(np.rint(np.ldexp(values, fraction)), -fraction))
