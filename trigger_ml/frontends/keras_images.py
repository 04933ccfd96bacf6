"""How shapes go through the layers of a Keras file, and which networks can be streams.

A network with a convolution that ends in an image can be a stream of columns; any other is one
flat pipeline that takes a whole event each clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from trigger_ml.errors import Blocker
from trigger_ml.frontends.keras_convolutions import CONVOLUTIONS, convolution_shape
from trigger_ml.frontends.keras_merges import SHAPED, joined_shape
from trigger_ml.frontends.keras_products import PRODUCTS, product_shape
from trigger_ml.frontends.keras_quantizers import NORMALIZATIONS, axis_problem
from trigger_ml.frontends.keras_recurrent import RECURRENT, recurrent_shape
from trigger_ml.frontends.keras_sizes import Shape
from trigger_ml.frontends.keras_windows import WINDOW_READERS, axes_of, window_shape
from trigger_ml.frontends.model_file import Layer

__all__ = [
    "TO_VECTORS",
    "layer_shapes",
    "shape_behind",
    "shape_problems",
    "streamable",
]

NEEDS: Final[Mapping[int, str]] = {1: "steps x channels", 2: "height x width x channels"}
TO_VECTORS: Final = (
    "Dot",
    "Flatten",
    "QDense",
    *(kind for kind in WINDOW_READERS if kind.startswith("Global")),
)
"""Layers after which an image is none."""


def shape_problems(layers: Sequence[Layer]) -> list[Blocker]:
    """Where a layer does not fit the shapes that it reads; what reads such a layer is left out.

    layers: in evaluation order, wired and with sane parameters.
    """
    return layer_shapes(layers)[1]


def layer_shapes(layers: Sequence[Layer]) -> tuple[dict[str, Shape], list[Blocker]]:
    """Shape of what leaves each layer, by name, and where a layer does not fit what it reads."""
    blockers: list[Blocker] = []
    shapes: dict[str, Shape] = {}
    for layer in layers:
        if any(name not in shapes for name in layer.inputs):
            continue
        made = shape_behind(layer, [shapes[name] for name in layer.inputs])
        if isinstance(made, Blocker):
            blockers.append(made)
        else:
            shapes[layer.name] = made
    return shapes, blockers


def shape_behind(layer: Layer, reads: Sequence[Shape]) -> Shape | Blocker:
    """Shape of what leaves a layer, or why it does not fit what it reads. reads: shapes."""
    if f"Q{layer.kind}" in CONVOLUTIONS:
        layer = replace(layer, kind=f"Q{layer.kind}")
    config, where = layer.config, f"layer {layer.name}"
    if layer.kind == "InputLayer":
        return tuple(config["batch_input_shape"][1:])
    if layer.kind in SHAPED:
        return joined_shape(layer, reads)
    if layer.kind in PRODUCTS:
        return product_shape(layer, reads)
    shape = reads[0]
    if layer.kind in RECURRENT:
        return recurrent_shape(layer, shape)
    if layer.kind in ("QDense", "Dense"):
        if len(shape) != 1:
            alike = "QConv1D with a kernel of 1" if len(shape) == 2 else "QConv2D with a 1x1 kernel"
            fix = f"put Flatten before it, or use {alike}"
            return Blocker(where, f"reads a tensor of shape {shape}, not one axis", fix)
        return (int(config["units"]),)
    if layer.kind in NORMALIZATIONS:
        return axis_problem(layer, shape) or shape
    if layer.kind not in (*CONVOLUTIONS, *WINDOW_READERS):
        return shape
    axes = axes_of(layer.kind)
    if len(shape) != axes + 1:
        return Blocker(where, f"reads a tensor of shape {shape}, not {NEEDS[axes]}")
    if layer.kind in CONVOLUTIONS:
        made: Shape | Blocker = convolution_shape(layer, shape)
    else:
        made = window_shape(layer, shape)
    if not isinstance(made, Blocker) and min(made) < 1:
        return Blocker(where, f"its window is larger than its input of shape {shape}")
    return made


def streamable(layers: Sequence[Layer], outputs: Sequence[str] = ()) -> bool:
    """Whether a network can be a stream: it has a convolution, one input, and ends in one image.

    outputs: names of the layers that leave it, the last one when empty. Where shapes do not fit
    on the way to one, it is taken for an image unless some layer makes vectors.
    """
    shapes, _ = layer_shapes(layers)
    kinds = {layer.kind for layer in layers}
    guess = (0,) if kinds & {*TO_VECTORS} else (0, 0, 0)
    ends = [shapes.get(name, guess) for name in outputs or (layers[-1].name,)]
    inputs = sum(layer.kind == "InputLayer" for layer in layers)
    single = inputs == len(ends) == 1
    return bool(kinds & {*CONVOLUTIONS}) and single and len(ends[0]) == 3
