"""Layers of a float network written with fewer classes: the same numbers.

A separable convolution is two layers, and a mean over elements whose number is no power of two is
a convolution with a constant kernel, which is rounded with the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.float_graph.layers import FLOAT
from trigger_ml.frontends.keras_images import layer_shapes
from trigger_ml.frontends.keras_network import KerasNetwork
from trigger_ml.frontends.keras_sizes import Shape
from trigger_ml.frontends.keras_windows import axes_of
from trigger_ml.frontends.model_file import Layer

__all__ = ["plain", "shapes_of"]

Array = NDArray[np.float32]
MOST_WEIGHTS: Final = 1 << 22
"""Of a mean written as a kernel."""


def shapes_of(layers: Sequence[Layer]) -> dict[str, Shape]:
    """Shape of what leaves each of plain layers. Raises ModelError where they do not fit."""
    shapes, blockers = layer_shapes(layers)
    if blockers:
        raise ModelError(blockers)
    return shapes


def plain(network: KerasNetwork) -> KerasNetwork:
    """The network in plain layers. Raises ModelError for layers and weights that do not fit."""
    state = _Plain(network)
    for layer in network.layers:
        state.add(layer)
    if state.blockers:
        raise ModelError(state.blockers)
    return replace(network, layers=tuple(state.layers), weights=state.weights)


class _Plain:
    """What has been written so far. What reads a layer that is wrong is left out."""

    def __init__(self, network: KerasNetwork) -> None:
        self.layers: list[Layer] = []
        self.weights = dict(network.weights)
        self.blockers: list[Blocker] = []
        self._shapes: dict[str, Shape] = {}
        self._taken = {layer.name.lower() for layer in network.layers}

    def add(self, layer: Layer) -> None:
        """Write one layer."""
        if any(name not in self._shapes for name in layer.inputs):
            return
        try:
            for made in self._rewritten(layer):
                self._put(made)
        except ModelError as error:
            self.blockers += error.blockers

    def _put(self, layer: Layer) -> None:
        sources = {name: self._shapes[name] for name in layer.inputs}
        known = [_source(name, shape) for name, shape in sources.items()]
        shapes, blockers = layer_shapes([*known, layer])
        if blockers:
            raise ModelError(blockers)
        self._shapes[layer.name] = shapes[layer.name]
        if layer.kind in FLOAT:
            self._require_weights(layer)
        elif layer.kind == "PReLU":
            self._spread_slopes(layer)
        self.layers.append(layer)

    def _rewritten(self, layer: Layer) -> Iterator[Layer]:
        shape = self._shapes[layer.inputs[0]] if layer.inputs else ()
        if layer.kind.startswith("SeparableConv"):
            yield from self._separated(layer, shape)
        elif "AveragePooling" in layer.kind and len(shape) == axes_of(layer.kind) + 1:
            yield from self._averaged(layer, shape)
        else:
            yield layer

    def _separated(self, layer: Layer, shape: Shape) -> Iterator[Layer]:
        config, axes = layer.config, axes_of(layer.kind)
        depthwise, pointwise, *bias = self._arrays(layer)
        size, strides, padding = (config[key] for key in ("kernel_size", "strides", "padding"))
        name = self._free(f"{layer.name}_depthwise")
        first = Layer(name, "DepthwiseConv2D", layer.inputs, {"name": name})
        if depthwise.ndim != axes + 2 or depthwise.shape[-2] != shape[-1]:
            what = f"has a kernel of shape {depthwise.shape} for values of shape {shape}"
            raise ModelError(Blocker(f"layer {layer.name}", what, "save the model again"))
        if axes == 1:
            depthwise = _diagonal(depthwise)
            first = replace(first, kind="Conv1D")
            own = _convolution(size, strides, padding, depthwise.shape[-1])
        else:
            own = _convolution(size, strides, padding, 0)
            del own["filters"]
            own["depth_multiplier"] = int(config["depth_multiplier"])
        self.weights[name] = (depthwise,)
        self.weights[layer.name] = (pointwise, *bias)
        yield _weighted(first, first.kind, own, False)
        own = _convolution([1] * axes, [1] * axes, "valid", int(config["filters"]))
        second = replace(layer, inputs=(name,))
        yield _weighted(second, f"Conv{axes}D", own, bool(config["use_bias"]))

    def _averaged(self, layer: Layer, shape: Shape) -> Iterator[Layer]:
        """A mean over 2, 4, 8 ... elements as it is, over others by a kernel."""
        axes, channels, config = axes_of(layer.kind), shape[-1], layer.config
        everything = layer.kind.startswith("Global")
        size = list(shape[:-1]) if everything else config["pool_size"]
        count = prod(size)
        if count & (count - 1) == 0 or (not everything and config["padding"] != "valid"):
            yield layer
            return
        if count * channels * channels > MOST_WEIGHTS:
            what = f"a mean over {count} elements of {channels} channels"
            fix = "pool earlier, or use windows of 2, 4, 8 ... elements"
            raise ModelError(Blocker(f"layer {layer.name}", what, fix))
        mean = np.full((*size, channels, 1), 1 / count, np.float32)
        strides = [1] * axes if everything else config["strides"]
        own = _convolution(size, strides, "valid", channels)
        name = self._free(f"{layer.name}_sum") if everything else layer.name
        self.weights[name] = (_diagonal(mean),)
        made = Layer(name, layer.kind, layer.inputs, {"name": name})
        yield _weighted(made, f"Conv{axes}D", own, False)
        if everything:
            flat = {"name": layer.name, "target_shape": [channels], "dtype": "float32"}
            yield Layer(layer.name, "Reshape", (name,), flat)

    def _arrays(self, layer: Layer) -> tuple[Array, ...]:
        arrays = self.weights.get(layer.name, ())
        separable = layer.kind.startswith("Separable")
        if len(arrays) != 1 + separable + bool(layer.config["use_bias"]):
            what = f"has {len(arrays)} arrays of weights"
            raise ModelError(Blocker(f"layer {layer.name}", what, "save the whole model again"))
        return arrays

    def _require_weights(self, layer: Layer) -> None:
        config, made = layer.config, self._shapes[layer.name][-1]
        channels = self._shapes[layer.inputs[0]][-1]
        wanted = [(*config.get("kernel_size", ()), channels, made)]
        if layer.kind == "DepthwiseConv2D":
            wanted = [(*config["kernel_size"], channels, int(config["depth_multiplier"]))]
        wanted += [(made,)] * bool(config["use_bias"])
        shapes = [array.shape for array in self._arrays(layer)]
        if shapes != wanted:
            what = f"has weights of shapes {shapes}, not {wanted}"
            raise ModelError(Blocker(f"layer {layer.name}", what, "save the model again"))

    def _spread_slopes(self, layer: Layer) -> None:
        arrays = self.weights.get(layer.name, ())
        try:
            (slopes,) = arrays
            spread = np.broadcast_to(slopes, self._shapes[layer.name])
        except ValueError as error:
            what = f"has slopes of shapes {[array.shape for array in arrays]}"
            raise ModelError(
                Blocker(f"layer {layer.name}", what, "save the model again")
            ) from error
        self.weights[layer.name] = (spread.copy(),)

    def _free(self, name: str) -> str:
        while name.lower() in self._taken:
            name += "_q"
        self._taken.add(name.lower())
        return name


def _source(name: str, shape: Shape) -> Layer:
    return Layer(name, "InputLayer", (), {"batch_input_shape": [None, *shape]})


def _convolution(size: Any, strides: Any, padding: str, filters: int) -> dict[str, Any]:
    return {
        "kernel_size": list(size),
        "strides": list(strides),
        "padding": padding,
        "filters": filters,
        "data_format": "channels_last",
    }


def _weighted(layer: Layer, kind: str, config: Mapping[str, Any], use_bias: bool) -> Layer:
    own = {"name": layer.name, "use_bias": use_bias, "activation": "linear", "dtype": "float32"}
    return Layer(layer.name, kind, layer.inputs, {**own, **config})


def _diagonal(depthwise: Array) -> Array:
    """The plain kernel that does what a kernel (places..., channels, filters) of each channel
    does."""
    *size, channels, each = depthwise.shape
    kernel = np.zeros((*size, channels, channels * each), np.float32)
    for channel in range(channels):
        kernel[..., channel, channel * each : (channel + 1) * each] = depthwise[..., channel, :]
    return kernel
