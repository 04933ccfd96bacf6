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
from trigger_ml.graph.image_operations import AveragePool, Crop, MaxPool, ZeroPad
from trigger_ml.graph.model import (
    Concatenate,
    Conv2D,
    MaxPool2D,
    Node,
    Transpose,
    UpSample2D,
    frozen_codes,
)
from trigger_ml.graph.types import FixedType
from trigger_ml.graph.windows import as_image

__all__ = [
    "WIRES",
    "is_wire",
    "read_concatenate",
    "read_conv",
    "read_cropping",
    "read_global_pooling",
    "read_padding",
    "read_pooling",
    "read_resize",
    "read_transpose",
    "require_rim",
    "wire_edges",
]

WIRES: Final = ("Clone", "Repack", "ZeroPadding1D", "ZeroPadding2D")
"""Layers that hls4ml puts into a streaming project and that change no value."""
INSERTED: Final = ("zp1d_", "zp2d_")
"""Before the name of a convolution, that of the zeros which hls4ml puts there."""


def is_wire(layer: Any) -> bool:
    """Whether a layer is one of WIRES.

    Zeros are, where hls4ml puts them before a convolution (its passes insert_zero_padding_before_*)
    and not where they are the model's own layer; a Repack is, unless it stands for a reshape.
    """
    if layer.class_name.startswith("ZeroPadding"):
        readers = [reader.name for reader in layer.get_output_nodes()]
        return layer.name in [f"{start}{name}" for start in INSERTED for name in readers]
    if layer.class_name == "Repack":
        return tuple(layer.get_input_variable().shape) == tuple(layer.get_output_variable().shape)
    return layer.class_name in WIRES


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
    if layer.class_name.startswith("ZeroPadding"):
        padding = _sum(padding, _around(layer))
    return {str(output): Edge(source.node, padding) for output in layer.outputs}


def read_conv(layer: Any, reads: list[Reading], out: FixedType) -> Read:
    """Conv1D, Conv2D and their pointwise forms."""
    kernel = (int(layer.get_attr("filt_height", 1)), int(layer.get_attr("filt_width")))
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
        (int(layer.get_attr("stride_height", 1)), int(layer.get_attr("stride_width"))),
        _sum(reads[0].padding, _around(layer)) if reads else NO_PADDING,
    )
    return operation, out


def read_pooling(layer: Any, reads: list[Reading], out: FixedType) -> Read:
    """Largest elements or means of windows of images and sequences."""
    size = (int(layer.get_attr("pool_height", 1)), int(layer.get_attr("pool_width")))
    strides = (int(layer.get_attr("stride_height", 1)), int(layer.get_attr("stride_width")))
    padding = _around(layer)
    if layer.get_attr("count_pad", False):
        what = "counts the zeros around an image in its means"
        raise ModelError(Blocker(layer.name, what, "use padding='valid'"))
    if str(layer.get_attr("pool_op")) == "Max" and strides == size and padding == NO_PADDING:
        return MaxPool2D(size), _compared(layer, reads, out)
    return _pooling(layer, reads, out, (size, strides, padding))


def read_global_pooling(layer: Any, reads: list[Reading], out: FixedType) -> Read:
    """The largest element or the mean of a whole image or sequence, for each channel."""
    if not reads:
        return MaxPool((1, 1), (1, 1), NO_PADDING), out
    height, width, _ = as_image(reads[0].shape)
    return _pooling(layer, reads, out, ((height, width), (height, width), NO_PADDING))


def _pooling(
    layer: Any,
    reads: list[Reading],
    out: FixedType,
    windows: tuple[tuple[int, int], tuple[int, int], Padding],
) -> Read:
    kind = str(layer.get_attr("pool_op"))
    if kind == "Average":
        accumulator = fixed_type(layer.get_attr("accum_t").precision, f"{layer.name} accumulator")
        return AveragePool(*windows, accumulator), out
    if kind != "Max":
        raise ModelError(Blocker(layer.name, f"{kind} pooling", "use the largest or the mean"))
    if reads:
        require_rim(layer.name, windows[2], reads[0].type)
    return MaxPool(*windows), _compared(layer, reads, out)


def require_rim(name: str, padding: Padding, kind: FixedType) -> None:
    """Refuse windows of largest elements that reach beyond an image of values without a sign."""
    if padding != NO_PADDING and not kind.signed:
        # pad_val in hls4ml's nnet_pooling.h sets the top bit, the least value with a sign alone.
        what = "hls4ml 1.3 takes what is beyond the image for large where values have no sign"
        raise ModelError(Blocker(name, what, "use ZeroPadding before it and padding='valid'"))


def _compared(layer: Any, reads: list[Reading], out: FixedType) -> FixedType:
    """The type of largest elements, which are compared in a type that must hold all inputs."""
    accumulator = fixed_type(layer.get_attr("accum_t").precision, f"{layer.name} accumulator")
    if reads and not _holds(accumulator, reads[0].type):
        what = f"compares values of {reads[0].type} as {accumulator}"
        raise ModelError(Blocker(layer.name, what, "quantize the layer before it"))
    return out


def read_padding(layer: Any, _reads: list[Reading], out: FixedType) -> Read:
    """Zeros around an image or a sequence."""
    return ZeroPad(_around(layer)), out


def read_cropping(layer: Any, _reads: list[Reading], out: FixedType) -> Read:
    """An image or a sequence without its rim."""
    return Crop(_around(layer, "crop")), out


def read_resize(layer: Any, reads: list[Reading], out: FixedType) -> Read:
    """Nearest-neighbour up-sampling."""
    algorithm = str(layer.get_attr("algorithm"))
    if algorithm != "nearest":
        raise ModelError(Blocker(layer.name, f"{algorithm} interpolation", "use nearest"))
    if reads and reads[0].type != out:
        what = f"carries {reads[0].type} as {out}"
        raise ModelError(Blocker(layer.name, what, "quantize the layer before it"))
    return UpSample2D(
        (int(layer.get_attr("height_factor", 1)), int(layer.get_attr("width_factor")))
    ), out


def read_concatenate(layer: Any, reads: list[Reading], out: FixedType) -> Read:
    """Inputs side by side along the last axis."""
    axis, rank = int(layer.get_attr("axis")), len(reads[0].shape) if reads else 0
    if axis not in (-1, rank):
        raise ModelError(Blocker(layer.name, f"axis {axis}", "join along the last axis"))
    return Concatenate(), out


def read_transpose(layer: Any, _reads: list[Reading], out: FixedType) -> Read:
    """Axes in another order."""
    return Transpose(tuple(int(axis) for axis in layer.get_attr("perm"))), out


def _around(layer: Any, prefix: str = "pad") -> Padding:
    """Rows above and below, columns left and right that a layer puts on or takes off."""
    above, below, left, right = (
        int(layer.get_attr(f"{prefix}_{side}", 0)) for side in ("top", "bottom", "left", "right")
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
