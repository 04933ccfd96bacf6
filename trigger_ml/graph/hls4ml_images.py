"""hls4ml's layers on images, and those that only carry data: read into the graph's operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.graph.hls4ml_values import (
    NO_PADDING,
    Edge,
    Padding,
    Read,
    Reading,
    fixed_type,
    read_weights,
)
from trigger_ml.graph.model import (
    Concatenate,
    Conv2D,
    MaxPool2D,
    Multiply,
    Node,
    Transpose,
    UpSample2D,
    frozen_codes,
)
from trigger_ml.graph.types import FixedType

__all__ = [
    "WIRES",
    "read_concatenate",
    "read_conv2d",
    "read_merge",
    "read_pooling2d",
    "read_resize",
    "read_transpose",
    "wire_edges",
]

WIRES: Final = ("Clone", "Repack", "ZeroPadding2D")
"""Layers that hls4ml puts into a streaming project and that change no value."""


def wire_edges(layer: Any, edges: Mapping[str, Edge], nodes: Mapping[str, Node]) -> dict[str, Edge]:
    """The outputs of one of WIRES, traced back to the node whose values they carry.

    Raises ModelError when a value could change on the way.
    """
    source = edges.get(str(layer.inputs[0]))
    if source is None:
        return {}
    for output in layer.outputs:
        made = fixed_type(layer.get_output_variable(output).type.precision, layer.name)
        if made != nodes[source.node].type:
            what = f"carries {nodes[source.node].type} as {made}"
            raise ModelError(Blocker(layer.name, what, "quantize the layer before it"))
    padding = source.padding
    if layer.class_name == "ZeroPadding2D":
        padding = _sum(padding, _padding(layer))
    return {str(output): Edge(source.node, padding) for output in layer.outputs}


def read_conv2d(layer: Any, reads: list[Reading], out: FixedType) -> Read:
    """Conv2D and PointwiseConv2D."""
    kernel = tuple(int(layer.get_attr(key)) for key in ("filt_height", "filt_width"))
    channels, filters = int(layer.get_attr("n_chan")), int(layer.get_attr("n_filt"))
    weight, weight_type = read_weights(layer, "weight")
    if layer.get_attr("_weights_transposed", False):
        weight = weight.reshape(filters, *kernel, channels).transpose(1, 2, 3, 0)
    bias, bias_type = read_weights(layer, "bias")
    accumulator = fixed_type(layer.get_attr("accum_t").precision, f"{layer.name} accumulator")
    operation = Conv2D(
        frozen_codes(weight.reshape(*kernel, channels, filters)),
        weight_type,
        frozen_codes(bias.reshape(-1)),
        bias_type,
        accumulator,
        (int(layer.get_attr("stride_height")), int(layer.get_attr("stride_width"))),
        _sum(reads[0].padding, _padding(layer)) if reads else NO_PADDING,
    )
    return operation, out


def read_pooling2d(layer: Any, reads: list[Reading], out: FixedType) -> Read:
    """Largest elements of windows that touch, without zeros around."""
    size = (int(layer.get_attr("pool_height")), int(layer.get_attr("pool_width")))
    strides = (int(layer.get_attr("stride_height")), int(layer.get_attr("stride_width")))
    kind = str(layer.get_attr("pool_op"))
    if kind != "Max" or strides != size or _padding(layer) != NO_PADDING:
        what = f"{kind} pooling of {size} with strides {strides} and zeros {_padding(layer)}"
        raise ModelError(Blocker(layer.name, what, "use MaxPooling2D, strides as its size"))
    # The stream compares in this type, so it must hold every input as it is.
    accumulator = fixed_type(layer.get_attr("accum_t").precision, f"{layer.name} accumulator")
    if reads and not _holds(accumulator, reads[0].type):
        what = f"compares values of {reads[0].type} as {accumulator}"
        raise ModelError(Blocker(layer.name, what, "quantize the layer before it"))
    return MaxPool2D(size), out


def read_resize(layer: Any, reads: list[Reading], out: FixedType) -> Read:
    """Nearest-neighbour up-sampling."""
    algorithm = str(layer.get_attr("algorithm"))
    if algorithm != "nearest":
        raise ModelError(Blocker(layer.name, f"{algorithm} interpolation", "use nearest"))
    if reads and reads[0].type != out:
        what = f"carries {reads[0].type} as {out}"
        raise ModelError(Blocker(layer.name, what, "quantize the layer before it"))
    return UpSample2D(
        (int(layer.get_attr("height_factor")), int(layer.get_attr("width_factor")))
    ), out


def read_concatenate(layer: Any, reads: list[Reading], out: FixedType) -> Read:
    """Inputs side by side along the last axis."""
    axis, rank = int(layer.get_attr("axis")), len(reads[0].shape) if reads else 0
    if axis not in (-1, rank):
        raise ModelError(Blocker(layer.name, f"axis {axis}", "join along the last axis"))
    return Concatenate(), out


def read_merge(layer: Any, _reads: list[Reading], out: FixedType) -> Read:
    """A product of two inputs, element by element."""
    kind = str(layer.get_attr("op")).lower()
    if kind != "multiply":
        what = f"hls4ml's merge of kind {kind} has no meaning here yet"
        raise ModelError(Blocker(layer.name, what, "use Multiply or Concatenate"))
    return Multiply(), out


def read_transpose(layer: Any, _reads: list[Reading], out: FixedType) -> Read:
    """Axes in another order."""
    return Transpose(tuple(int(axis) for axis in layer.get_attr("perm"))), out


def _padding(layer: Any) -> Padding:
    above, below, left, right = (
        int(layer.get_attr(key, 0)) for key in ("pad_top", "pad_bottom", "pad_left", "pad_right")
    )
    return above, below, left, right


def _sum(first: Padding, second: Padding) -> Padding:
    above, below, left, right = (a + b for a, b in zip(first, second, strict=True))
    return above, below, left, right


def _holds(wide: FixedType, narrow: FixedType) -> bool:
    """Whether every value of one type is a value of the other."""
    shift = wide.fraction - narrow.fraction
    if shift < 0:
        return False
    return wide.min_code <= narrow.min_code << shift and narrow.max_code << shift <= wide.max_code
