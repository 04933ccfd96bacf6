"""Fixed-point types for every layer of a network, and the graph that they make of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, log2
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trigger_ml.compress.networks.network import DenseLayer, FloatNetwork
from trigger_ml.errors import Blocker, ConfigError
from trigger_ml.graph.model import (
    Dense,
    FixedGraph,
    GlobalAverage,
    Input,
    Node,
    Quantize,
    Relu,
    frozen_codes,
)
from trigger_ml.graph.types import Codes, FixedType, Overflow, Rounding
from trigger_ml.graph.verify import verify

__all__ = [
    "DenseTypes",
    "LayerTypes",
    "activation_name",
    "activation_type",
    "fixed_graph",
    "weight_codes",
]


@dataclass(frozen=True, slots=True)
class DenseTypes:
    """Types of one dense layer.

    weight, bias: signed; values are rounded to nearest, ties to even, and saturated, whatever
    modes they name. activation: what its output is cast into: unsigned behind a ReLU; None
    leaves the exact sum, which only a linear layer can.
    """

    weight: FixedType
    bias: FixedType
    activation: FixedType | None


@dataclass(frozen=True, slots=True)
class LayerTypes:
    """Types of a network: of its input and, by name, of every dense layer."""

    input: FixedType
    layers: Mapping[str, DenseTypes]

    def require_fit(self, network: FloatNetwork) -> None:
        """Raise ConfigError where the types are not those of this network's layers."""
        blockers = []
        names = {layer.name for layer in network.dense}
        for name in sorted(names ^ set(self.layers)):
            what = "has no types" if name in names else "is in the types and not in the network"
            blockers.append(Blocker(f"layer {name}", what))
        for layer in network.dense:
            types = self.layers.get(layer.name)
            if types is None:
                continue
            for role, kind in (("weight", types.weight), ("bias", types.bias)):
                if not kind.signed or kind.width < 2:
                    what = f"the {role} type {kind} is not signed with 2 bits or more"
                    blockers.append(Blocker(f"layer {layer.name}", what))
            relu = layer.activation == "relu"
            kind_out = types.activation
            if relu and (kind_out is None or kind_out.signed):
                what = f"a ReLU needs an unsigned type, found {kind_out}"
                blockers.append(Blocker(f"layer {layer.name}", what))
            elif not relu and kind_out is not None and not kind_out.signed:
                what = f"a linear layer needs a signed type, found {kind_out}"
                blockers.append(Blocker(f"layer {layer.name}", what))
        if blockers:
            raise ConfigError(blockers)

    def to_json(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return {
            "input": self.input.to_json(),
            "layers": {
                name: {
                    "weight": types.weight.to_json(),
                    "bias": types.bias.to_json(),
                    "activation": types.activation.to_json() if types.activation else None,
                }
                for name, types in self.layers.items()
            },
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> LayerTypes:
        """Inverse of :meth:`to_json`."""
        layers = {
            name: DenseTypes(
                FixedType.from_json(item["weight"]),
                FixedType.from_json(item["bias"]),
                FixedType.from_json(item["activation"]) if item["activation"] else None,
            )
            for name, item in data["layers"].items()
        }
        return cls(FixedType.from_json(data["input"]), layers)


def activation_name(layer: str) -> str:
    """Name of the activation behind a dense layer, in graphs and in Keras files."""
    return f"{layer}_act"


def activation_type(width: int, integer: int, *, relu: bool) -> FixedType:
    """Type of an activation as QKeras quantizes: to nearest, ties to even, saturating.

    width, integer: with the sign, where there is one.
    """
    return FixedType(width, integer, not relu, Rounding.RND_CONV, Overflow.SAT)


def weight_codes(values: NDArray[np.float64], kind: FixedType) -> Codes:
    """Nearest codes of a type, ties to even, saturating."""
    nearest = FixedType(kind.width, kind.integer, kind.signed, Rounding.RND_CONV, Overflow.SAT)
    return nearest.encode(values)


def fixed_graph(network: FloatNetwork, types: LayerTypes) -> FixedGraph:
    """What the firmware of a network with these types computes, up to the logits.

    Sums are exact: every accumulator holds the largest value that its input type and weights
    allow. Raises ConfigError for types that do not fit the network, ModelError for a network
    that fixed point cannot express (an average over a number that is no power of two).
    """
    types.require_fit(network)
    nodes = [Node("features", Input(), (), network.input_shape, types.input)]
    for layer in network.layers:
        last = nodes[-1]
        if isinstance(layer, DenseLayer):
            nodes.extend(_dense_nodes(layer, types.layers[layer.name], last))
        else:
            halvings = ceil(log2(last.shape[0]))
            accumulator = FixedType(
                last.type.width + 2 * halvings, last.type.integer + halvings, last.type.signed
            )
            kind = FixedType(last.type.width + halvings, last.type.integer, last.type.signed)
            shape = last.shape[1:]
            nodes.append(
                Node(layer.name, GlobalAverage(accumulator), (last.name,), shape, kind, layer.name)
            )
    return verify(FixedGraph(network.name, tuple(nodes), (nodes[-1].name,)))


def _dense_nodes(layer: DenseLayer, types: DenseTypes, last: Node) -> list[Node]:
    weight, bias = weight_codes(layer.kernel, types.weight), weight_codes(layer.bias, types.bias)
    kind = _exact_sum(weight, types.weight, bias, types.bias, last.type)
    dense = Dense(frozen_codes(weight), types.weight, frozen_codes(bias), types.bias, kind)
    shape = (*last.shape[:-1], layer.kernel.shape[1])
    nodes = [Node(layer.name, dense, (last.name,), shape, kind, layer.name)]
    if types.activation is not None:
        name = activation_name(layer.name)
        operation = Relu() if layer.activation == "relu" else Quantize()
        nodes.append(Node(name, operation, (layer.name,), shape, types.activation, name))
    return nodes


def _exact_sum(
    weight: Codes, weight_type: FixedType, bias: Codes, bias_type: FixedType, source: FixedType
) -> FixedType:
    """The narrowest signed type that holds every possible sum."""
    fraction = max(source.fraction + weight_type.fraction, bias_type.fraction)
    scale = 1 << (fraction - source.fraction - weight_type.fraction)
    offset = bias << (fraction - bias_type.fraction)
    positive, negative = np.maximum(weight, 0), np.minimum(weight, 0)
    high = positive.sum(axis=0) * source.max_code + negative.sum(axis=0) * source.min_code
    low = positive.sum(axis=0) * source.min_code + negative.sum(axis=0) * source.max_code
    top = int((high * scale + offset).max(initial=0))
    bottom = int((low * scale + offset).min(initial=0))
    width = max(top.bit_length(), (-bottom - 1).bit_length() if bottom < 0 else 0) + 1
    return FixedType(width, width - fraction)
