"""A float network as a graph of layers that do one thing each, and its normalizations folded.

It is a :class:`KerasNetwork` of Keras layers: activations stand in layers of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from trigger_ml.errors import BlockedError, Blocker, ModelError
from trigger_ml.float_graph.layers import EINSUM, FLOAT, RELU6, SLOPES, read_float_layer
from trigger_ml.float_graph.normalizations import folded
from trigger_ml.float_graph.plain import plain
from trigger_ml.float_graph.scalings import without_scalings
from trigger_ml.frontends.keras_files import read_keras
from trigger_ml.frontends.keras_network import KerasNetwork
from trigger_ml.frontends.model_file import Layer

__all__ = ["holds_floats", "read_float_network", "simplified"]

PLAIN: Final = ("linear", None)


def holds_floats(path: Path) -> bool:
    """Whether a Keras file has layers with float weights, whatever else is in it. Never raises."""
    kinds: set[str] = set()

    def look(kind: str, name: str, _config: Mapping[str, Any]) -> dict[str, Any]:
        kinds.add(kind)
        raise ModelError(Blocker(f"layer {name}", "is only looked at"))

    with suppress(BlockedError):
        read_keras(path, look, parallel=True, written_out=True)
    quantized = any(kind.startswith("Q") for kind in kinds)
    return not kinds.isdisjoint(FLOAT) or (EINSUM in kinds and not quantized)


def read_float_network(path: Path) -> KerasNetwork:
    """Read a Keras file with float layers, as the file has it but each use of a layer by itself.

    What scales by constants is a BatchNormalization.
    Raises ModelError with everything wrong in it.
    """
    read = read_keras(path, read_float_layer, parallel=True, written_out=True)
    return without_scalings(read)


def simplified(network: KerasNetwork) -> KerasNetwork:
    """The network in plain layers, each doing one thing, with its normalizations folded.

    Raises ModelError for layers that do not fit each other.
    """
    return folded(plain(_split(network)))


def _split(network: KerasNetwork) -> KerasNetwork:
    """Activations of layers with weights in layers of their own, and those in plain words."""
    made: list[Layer] = []
    renamed: dict[str, str] = {}
    taken = {layer.name.lower() for layer in network.layers}
    for layer in network.layers:
        reads = tuple(renamed.get(name, name) for name in layer.inputs)
        activation = layer.config.get("activation")
        if layer.kind == "Activation":
            if activation in PLAIN:
                renamed[layer.name] = reads[0]
            else:
                made.append(_activation(layer.name, reads, str(activation)))
        elif layer.kind in FLOAT and activation not in PLAIN:
            name = f"{layer.name}_act"
            while name.lower() in taken:
                name += "_q"
            taken.add(name.lower())
            config = {**layer.config, "activation": "linear"}
            made.append(Layer(layer.name, layer.kind, reads, config))
            made.append(_own(name, layer.name, activation))
            renamed[layer.name] = name
        elif layer.kind == "ReLU" and layer.config["negative_slope"]:
            made.append(_leaky(layer.name, reads, float(layer.config["negative_slope"])))
        else:
            made.append(Layer(layer.name, layer.kind, reads, layer.config))
    outputs = tuple(renamed.get(name, name) for name in network.outputs)
    return replace(network, layers=tuple(made), outputs=outputs)


def _own(name: str, read: str, activation: Any) -> Layer:
    if isinstance(activation, Mapping):
        config = {"name": name, "activation": activation, "dtype": "float32"}
        return Layer(name, "QActivation", (read,), config)
    return _activation(name, (read,), str(activation))


def _activation(name: str, reads: tuple[str, ...], function: str) -> Layer:
    if function in SLOPES:
        return _leaky(name, reads, SLOPES[function])
    if function == "relu6":
        bounds = {"max_value": RELU6, "negative_slope": 0.0, "threshold": 0.0}
        return Layer(name, "ReLU", reads, {"name": name, **bounds, "dtype": "float32"})
    return Layer(
        name, "Activation", reads, {"name": name, "activation": function, "dtype": "float32"}
    )


def _leaky(name: str, reads: tuple[str, ...], slope: float) -> Layer:
    return Layer(name, "LeakyReLU", reads, {"name": name, "alpha": slope, "dtype": "float32"})
