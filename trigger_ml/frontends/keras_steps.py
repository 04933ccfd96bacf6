"""Layers that do the same thing at many places: dense layers of tensors, and TimeDistributed.

A dense layer of a tensor multiplies its last axis, at every place of the others: that is a
convolution whose window is one place. What TimeDistributed holds is the same layer with one axis
more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod
from typing import Any, Final

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.keras_chain import Arrays, Chain, Made
from trigger_ml.frontends.keras_merges import ELEMENTWISE, joined_shape
from trigger_ml.frontends.keras_quantizers import NORMALIZATIONS
from trigger_ml.frontends.keras_sizes import Shape
from trigger_ml.frontends.model_file import Layer

__all__ = ["dense_steps", "pointwise", "timed"]

ALIKE: Final = (
    *("Activation", "Dense", "LeakyReLU", "PReLU", "QActivation", "QDense", "ReLU", "Softmax"),
    *("ThresholdedReLU", *ELEMENTWISE),
)
"""Layers that do the same thing at every place of the axes before the last one."""
WINDOWS: Final[Mapping[str, str]] = {
    "AveragePooling1D": "AveragePooling2D",
    "Conv1D": "Conv2D",
    "Cropping1D": "Cropping2D",
    "MaxPooling1D": "MaxPooling2D",
    "QConv1D": "QConv2D",
    "QSeparableConv1D": "QSeparableConv2D",
    "SeparableConv1D": "SeparableConv2D",
    "UpSampling1D": "UpSampling2D",
    "ZeroPadding1D": "ZeroPadding2D",
}
"""Layers of sequences, and those that do the same in every row of an image."""


def pointwise(config: Mapping[str, Any], units: int, axes: int) -> dict[str, Any]:
    """Parameters of a convolution whose window is one place. config: of a dense layer."""
    plain = {key: value for key, value in config.items() if key != "units"}
    ones = [1] * axes
    window = {"kernel_size": ones, "strides": ones, "padding": "valid"}
    return {**plain, **window, "filters": units, "data_format": "channels_last"}


def dense_steps(layer: Layer, shape: Shape, arrays: Arrays, names: Iterator[str]) -> Made | None:
    """A dense layer of a tensor of several axes; None where it reads a vector."""
    if len(shape) == 1:
        return None
    units = int(layer.config["units"])
    chain = Chain(f"layer {layer.name}", shape)
    axes = len(shape) - 1
    if axes > 2:
        chain.reshape((prod(shape[:-1]), shape[-1]))
        axes = 1
    kernel = tuple(array.reshape(*[1] * axes, *array.shape) for array in arrays[:1])
    made = (*chain.shape[:-1], units)
    config = pointwise(layer.config, units, axes)
    quantized = "Q" if layer.kind == "QDense" else ""
    chain.add(f"{quantized}Conv{axes}D", config, made, (*kernel, *arrays[1:]))
    chain.reshape((*shape[:-1], units))
    return chain.made(layer.name, layer.inputs[0], names)


def timed(
    layer: Layer, time: int, reads: Sequence[Shape], arrays: Arrays, names: Iterator[str]
) -> Made | None:
    """A layer within TimeDistributed; None where it is the same layer without it.

    time: wrappers around it. reads: shapes with the axes that they take away. Raises ModelError.
    """
    where, shape, kind = f"layer {layer.name}", reads[0], layer.kind
    if len(shape) <= time:
        what = f"TimeDistributed of a tensor of shape {shape}"
        raise ModelError(Blocker(where, what, "leave TimeDistributed out"))
    if kind in ALIKE:
        return None
    if kind in NORMALIZATIONS or kind == "Concatenate":
        axis = layer.config["axis"]
        config = {**layer.config, "axis": axis + time if axis > 0 else axis}
        return Made((Layer(layer.name, kind, layer.inputs, config),), _named(layer, arrays))
    chain = Chain(where, shape)
    if kind in _PLACES:
        _PLACES[kind](chain, layer, time)
    elif time == 1 and len(shape) == 3 and kind in WINDOWS:
        _in_rows(chain, layer, arrays)
    elif time == 1 and len(shape) == 3 and kind.startswith("Global") and kind.endswith("1D"):
        size = [1, shape[1]]
        plain = kind.removeprefix("Global").replace("1D", "2D")
        config = {"pool_size": size, "strides": size, "padding": "valid"}
        chain.add(plain, {**config, "data_format": "channels_last"}, (shape[0], 1, shape[2]))
        chain.reshape((shape[0], shape[2]))
    else:
        what = f"TimeDistributed({kind}) of a tensor of shape {shape}"
        fix = "slice the steps apart, or use layers of sequences: steps x places x channels"
        raise ModelError(Blocker(where, what, fix))
    return chain.made(layer.name, layer.inputs[0], names)


def _named(layer: Layer, arrays: Arrays) -> dict[str, Arrays]:
    return {layer.name: arrays} if arrays else {}


def _flattened(chain: Chain, _layer: Layer, time: int) -> None:
    chain.reshape((*chain.shape[:time], prod(chain.shape[time:])))


def _reshaped(chain: Chain, layer: Layer, time: int) -> None:
    made = joined_shape(layer, [chain.shape[time:]])
    if isinstance(made, Blocker):
        raise ModelError(made)
    chain.reshape((*chain.shape[:time], *made))


def _turned(chain: Chain, layer: Layer, time: int) -> None:
    dims = layer.config["dims"]
    if len(dims) != len(chain.shape) - time:
        what = f"dims {tuple(dims)} of a tensor of shape {chain.shape[time:]}"
        raise ModelError(Blocker(chain.where, what))
    chain.transpose([*range(time), *(axis - 1 + time for axis in dims)])


_PLACES: Final[Mapping[str, Callable[[Chain, Layer, int], None]]] = {
    "Flatten": _flattened,
    "Permute": _turned,
    "Reshape": _reshaped,
}


def _in_rows(chain: Chain, layer: Layer, arrays: Arrays) -> None:
    """A layer of sequences, as the one of images that keeps the rows apart. Raises ModelError."""
    config = dict(layer.config)
    if config.get("padding") == "causal":
        what = "TimeDistributed of a convolution with padding='causal'"
        fix = "use ZeroPadding1D before it, and padding='valid'"
        raise ModelError(Blocker(chain.where, what, fix))
    for key in ("kernel_size", "strides", "pool_size"):
        if key in config:
            config[key] = [1, *config[key]]
    if "SeparableConv" in layer.kind and len(set(config["strides"])) > 1:
        what = f"TimeDistributed(QSeparableConv1D) with strides {config['strides'][1:]}"
        raise ModelError(Blocker(chain.where, what, "pool after it"))
    if layer.kind == "UpSampling1D":
        config["size"] = [1, config["size"]]
        config["interpolation"] = "nearest"
    for key in ("padding", "cropping"):
        if isinstance(config.get(key), list):
            config[key] = [[0, 0], config[key]]
    config["data_format"] = "channels_last"
    kernels = 2 if "SeparableConv" in layer.kind else 1
    wide = tuple(array[None] for array in arrays[:kernels])
    # The shape is found where the layers are checked; nothing stands behind this one.
    chain.add(WINDOWS[layer.kind], config, chain.shape, (*wide, *arrays[kernels:]))
