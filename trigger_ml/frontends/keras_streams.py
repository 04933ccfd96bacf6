"""What a stream of columns can hold of a Keras file's layers, and why not the rest.

The limits are those of the stream (:mod:`trigger_ml.lower.stream.streamed`), and those of hls4ml
1.3's streaming C++, whose pooling has no windows that reach beyond the image.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from numpy.typing import NDArray

from trigger_ml.errors import Blocker
from trigger_ml.frontends.keras_convolutions import CONVOLUTIONS
from trigger_ml.frontends.keras_images import layer_shapes
from trigger_ml.frontends.keras_merges import ELEMENTWISE
from trigger_ml.frontends.keras_quantizers import NORMALIZATIONS
from trigger_ml.frontends.keras_rectifiers import RECTIFIERS
from trigger_ml.frontends.keras_sizes import Shape, places
from trigger_ml.frontends.model_file import Layer

__all__ = ["stream_problems", "window_problems"]

JOINED: Final = ("Concatenate", *ELEMENTWISE, "Permute")
POOLING: Final = ("MaxPooling2D", "AveragePooling2D")
POOLING_1D: Final = ("MaxPooling1D", "AveragePooling1D")
CONVOLVED: Final = tuple(kind for kind, known in CONVOLUTIONS.items() if known.axes == 2)
STREAMED: Final = (
    "InputLayer",
    "QActivation",
    "Activation",
    *RECTIFIERS,
    *NORMALIZATIONS,
    *CONVOLVED,
    *POOLING,
    "UpSampling2D",
    "ZeroPadding2D",
    "Cropping2D",
    *JOINED,
)
"""Layers that a stream of columns can hold."""
INSIDE: Final = ("QActivation", "Activation", "ReLU", "LeakyReLU", "PReLU", "ZeroPadding2D")
"""Layers that are done inside the window of the layer that reads them."""


def stream_problems(
    layers: Sequence[Layer], weights: Mapping[str, Sequence[NDArray[Any]]] | None = None
) -> list[Blocker]:
    """What keeps a network that fits its shapes from being a stream of columns.

    weights: as stored, by layer; without them, the slopes of a PReLU are not looked at.
    """
    shapes, _ = layer_shapes(layers)
    blockers: list[Blocker] = []
    for layer in layers:
        where = f"layer {layer.name}"
        shape = shapes.get(layer.inputs[0]) if layer.inputs else None
        if layer.kind not in STREAMED:
            what = f"a {layer.kind} has no place in a stream of columns"
            fix = f"use one of {', '.join(STREAMED[1:])}, or firmware.io_type: io_parallel for a "
            blockers.append(Blocker(where, what, f"{fix}small image"))
        elif layer.kind in JOINED and shape and len(shape) != 3:
            what = f"reads a tensor of shape {shape}, not height x width x channels"
            blockers.append(Blocker(where, what))
        elif layer.kind == "ZeroPadding2D":
            blockers += _rim_problems(where, layer, layers)
        elif layer.kind == "PReLU":
            blockers += _slopes_problems(where, (weights or {}).get(layer.name, ()))
    return blockers + window_problems(layers)


def window_problems(layers: Sequence[Layer]) -> list[Blocker]:
    """Windows that hls4ml's streaming C++ does not have."""
    shapes, _ = layer_shapes(layers)
    blockers: list[Blocker] = []
    for layer in layers:
        if layer.kind in PROBLEMS:
            shape = shapes.get(layer.inputs[0])
            blockers += PROBLEMS[layer.kind](f"layer {layer.name}", layer, shape)
    return blockers


def _convolution_problems(where: str, layer: Layer, _shape: Shape | None) -> list[Blocker]:
    kernel, strides = layer.config["kernel_size"], layer.config["strides"]
    if kernel[0] == 1 < kernel[1] and strides[0] > 1:
        what = f"a kernel of one row with strides {strides}: hls4ml's stream skips no rows"
        return [Blocker(where, what, "use a kernel of two rows, or strides of one row")]
    return []


def _pooling_problems(where: str, layer: Layer, shape: Shape | None) -> list[Blocker]:
    size, strides = layer.config["pool_size"], layer.config["strides"]
    if size[0] == 1 < strides[0]:
        what = f"a window of one row with strides {strides}: hls4ml's stream skips no rows"
        return [Blocker(where, what, "use a window of two rows, or strides of one row")]
    if shape is None or layer.config["padding"] != "same":
        return []
    whole = places(shape, size, strides, "valid")
    if whole != places(shape, size, strides, "same"):
        what = f"windows of {_text(size)} each {_text(strides)} reach beyond {_text(shape[:-1])}"
        return [Blocker(where, what, "use padding='valid', or zeros before it")]
    return []


def _slopes_problems(where: str, arrays: Sequence[NDArray[Any]]) -> list[Blocker]:
    if not any(slopes.ndim == 3 and (slopes != slopes[:, :1]).any() for slopes in arrays):
        return []
    what = "has slopes of its own for each column, and all columns take one kernel"
    return [Blocker(where, what, "share them: PReLU(shared_axes=[1, 2])")]


def _rim_problems(where: str, layer: Layer, layers: Sequence[Layer]) -> list[Blocker]:
    left, right = layer.config["padding"][1]
    if not left + right or _only_in_windows(layer, layers):
        return []
    what = f"makes the image {left + right} columns wider, and a stream gives no more than it takes"
    fix = "let convolutions and poolings alone read it, or leave the width as it is"
    return [Blocker(where, what, fix)]


def _only_in_windows(layer: Layer, layers: Sequence[Layer]) -> bool:
    """Whether windows alone read a layer, or what is done inside them."""
    readers = [other for other in layers if layer.name in other.inputs]
    return bool(readers) and all(
        reader.kind in (*CONVOLVED, *POOLING)
        or (reader.kind in INSIDE and _only_in_windows(reader, layers))
        for reader in readers
    )


def _text(sizes: Sequence[int]) -> str:
    return "x".join(map(str, sizes))


PROBLEMS: Final[Mapping[str, Callable[[str, Layer, Shape | None], list[Blocker]]]] = {
    **dict.fromkeys(CONVOLVED, _convolution_problems),
    **dict.fromkeys((*POOLING, *POOLING_1D), _pooling_problems),
}
