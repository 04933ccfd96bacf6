"""Whether the sizes of a saved graph agree: of tensors, weights, windows and tables.

hls4ml's C++ takes sizes on trust, so what does not fit together would read beyond its arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import prod
from typing import Final

from trigger_ml.errors import Blocker
from trigger_ml.frontends.fml_layers import SavedLayer

__all__ = ["shape_problems"]

Shape = tuple[int, ...]
MOST_TABLE: Final = 1 << 16
"""Entries of a table; hls4ml's default is 1,024."""


def shape_problems(layers: tuple[SavedLayer, ...]) -> Iterator[Blocker]:
    """A blocker for each layer whose sizes do not fit those of what it reads."""
    by_name = {layer.name: layer for layer in layers}
    for layer in layers:
        read = [by_name[name] for name in layer.inputs if name in by_name]
        if len(read) != len(layer.inputs):
            continue
        where = f"layer {layer.name}"
        for rule in _RULES[layer.kind]:
            for what in rule(layer, [source.shape for source in read]):
                yield Blocker(where, what, "save it again")
        if layer.kind == "Softmax":
            for what in _softmax_tables(layer, read[0]):
                yield Blocker(where, what, "save it again")


def _input(layer: SavedLayer, _reads: list[Shape]) -> Iterator[str]:
    yield from _same("input_shape", layer.values["input_shape"], layer.shape)


def _dense(layer: SavedLayer, reads: list[Shape]) -> Iterator[str]:
    n_in, n_out = layer.values["n_in"], layer.values["n_out"]
    yield from _same("what it reads", reads[0], (n_in,))
    yield from _same("its result", layer.shape, (n_out,))
    yield from _same("its weights", layer.weights["weight"].shape, (n_in, n_out))
    yield from _same("its biases", layer.weights["bias"].shape, (n_out,))


def _conv(layer: SavedLayer, reads: list[Shape]) -> Iterator[str]:
    value = layer.values
    axes = [("height", "top", "bottom"), ("width", "left", "right")]
    axes = axes if "in_height" in value else axes[1:]
    spans = [value[f"in_{axis}"] for axis, *_ in axes]
    outs = [value[f"out_{axis}"] for axis, *_ in axes]
    kernel = [value[f"filt_{axis}"] for axis, *_ in axes]
    strides = [value[f"stride_{axis}"] for axis, *_ in axes]
    pads = [value[f"pad_{low}"] + value[f"pad_{high}"] for _, low, high in axes]
    if value.get("dilation", 1) != 1:
        yield "its kernel is dilated"
    yield from _same("what it reads", reads[0], (*spans, value["n_chan"]))
    yield from _same("its result", layer.shape, (*outs, value["n_filt"]))
    yield from _windows(spans, outs, kernel, strides, pads)
    filters = (value["n_chan"], value["n_filt"])
    weight = layer.weights["weight"].shape
    flat = weight == filters and set(kernel) == {1}
    yield from () if flat else _same("its weights", weight, (*kernel, *filters))
    yield from _same("its biases", layer.weights["bias"].shape, (value["n_filt"],))
    places, at_once = prod(outs), value.get("parallelization_factor", 1)
    if at_once < 1 or places % at_once:
        yield f"{at_once} of {places} places at once"


def _pooling(layer: SavedLayer, reads: list[Shape]) -> Iterator[str]:
    value = layer.values
    axes = [("height", "top", "bottom"), ("width", "left", "right")]
    two = "in_height" in value
    spans = [value["in_height"], value["in_width"]] if two else [value["n_in"]]
    outs = [value["out_height"], value["out_width"]] if two else [value["n_out"]]
    axes = axes if two else axes[1:]
    size = [value[f"pool_{axis}"] for axis, *_ in axes]
    strides = [value[f"stride_{axis}"] for axis, *_ in axes]
    pads = [value[f"pad_{low}"] + value[f"pad_{high}"] for _, low, high in axes]
    yield from _same("what it reads", reads[0], (*spans, value["n_filt"]))
    yield from _same("its result", layer.shape, (*outs, value["n_filt"]))
    yield from _windows(spans, outs, size, strides, pads)


def _global_pooling(layer: SavedLayer, reads: list[Shape]) -> Iterator[str]:
    value = layer.values
    spans = [value["n_in"]] if "n_in" in value else [value["in_height"], value["in_width"]]
    yield from _same("what it reads", reads[0], (*spans, value["n_filt"]))
    yield from _same("its result", layer.shape, (value["n_filt"],))


def _elementwise(layer: SavedLayer, reads: list[Shape]) -> Iterator[str]:
    for shape in reads:
        yield from _same("what it reads", shape, layer.shape)
    if "n_in" in layer.values:
        yield from _same("n_in", (layer.values["n_in"],), (layer.size,))


def _scale(layer: SavedLayer, _reads: list[Shape]) -> Iterator[str]:
    channels = layer.values.get("n_filt", -1)
    count = layer.size if channels == -1 else channels
    if channels != -1 and channels != layer.shape[-1]:
        yield f"n_filt is {channels}, it has {layer.shape[-1]} channels"
    if channels == -1 and len(layer.shape) > 1:
        yield f"has constants of its own for each element of {layer.shape}"
    for key in ("scale", "bias"):
        yield from _same(f"its {key}", (layer.weights[key].size,), (count,))


def _slopes(layer: SavedLayer, _reads: list[Shape]) -> Iterator[str]:
    yield from _same("its slopes", (layer.weights["param"].size,), (layer.size,))


def _table(layer: SavedLayer, _reads: list[Shape]) -> Iterator[str]:
    sizes = {key: size for key, size in layer.values.items() if key.endswith("table_size")}
    for key, size in sizes.items():
        if not 1 <= size <= MOST_TABLE or size & (size - 1):
            yield f"{key} is {size}, not a power of two up to {MOST_TABLE}"


def _softmax(layer: SavedLayer, _reads: list[Shape]) -> Iterator[str]:
    value = layer.values
    if len(layer.shape) != 1 or value["axis"] not in (-1, 1):
        yield f"is taken along axis {value['axis']} of {layer.shape}"
    if value.get("n_outer", 1) != 1 or value.get("n_inner", 1) != 1:
        yield "is taken of several slices"


def _softmax_tables(layer: SavedLayer, read: SavedLayer) -> Iterator[str]:
    """Tables are looked up by the highest bits of a value, which has to have as many."""
    value, default = layer.values, layer.values["table_size"]
    difference = layer.types.get("inp_norm", read.type).fixed.width
    sizes = {
        "exp_table_size": (value.get("exp_table_size", default), difference),
        "inv_table_size": (
            value.get("inv_table_size", default),
            layer.types["inv_inp"].fixed.width,
        ),
    }
    for key, (size, bits) in sizes.items():
        if value["implementation"] in ("stable", "latency") and size > 1 << bits:
            yield f"{key} is {size} for values of {bits} bits"


def _concatenate(layer: SavedLayer, reads: list[Shape]) -> Iterator[str]:
    one, two = reads
    rank = len(one)
    if len(two) != rank or len(layer.shape) != rank or one[:-1] != two[:-1]:
        yield f"{one} and {two} cannot be joined to {layer.shape}"
    elif layer.values["op"] != f"concatenate{rank}d" or layer.values["axis"] not in (-1, rank):
        yield f"{layer.values['op']} along axis {layer.values['axis']} of {one}"
    else:
        yield from _same("its result", layer.shape, (*one[:-1], one[-1] + two[-1]))


def _reshape(layer: SavedLayer, reads: list[Shape]) -> Iterator[str]:
    yield from _same("target_shape", layer.values["target_shape"], layer.shape)
    yield from _same("elements", (prod(reads[0]),), (layer.size,))


def _windows(
    spans: list[int], outs: list[int], size: list[int], strides: list[int], pads: list[int]
) -> Iterator[str]:
    for span, out, width, stride, pad in zip(spans, outs, size, strides, pads, strict=True):
        if width < 1 or stride < 1 or span + pad < width:
            yield f"windows of {width} at strides of {stride} over {span} and {pad} zeros"
        elif (span + pad - width) // stride + 1 != out:
            yield f"windows of {width} at strides of {stride} over {span + pad} are not {out}"


def _same(what: str, found: Shape, expected: Shape) -> Iterator[str]:
    if tuple(found) != tuple(expected):
        yield f"{what}: {tuple(found)} is not {tuple(expected)}"


_Rule = Callable[[SavedLayer, list[Shape]], Iterator[str]]
_RULES: Final[Mapping[str, tuple[_Rule, ...]]] = {
    "Input": (_input,),
    "Dense": (_dense,),
    "Conv1D": (_conv,),
    "Conv2D": (_conv,),
    "Activation": (_elementwise, _table),
    "LeakyReLU": (_elementwise, _table),
    "ThresholdedReLU": (_elementwise, _table),
    "PReLU": (_elementwise, _table, _slopes),
    "Softmax": (_elementwise, _table, _softmax),
    "BatchNormalization": (_elementwise, _scale),
    "Merge": (_elementwise,),
    "Concatenate": (_concatenate,),
    "Reshape": (_reshape,),
    "MaxPooling1D": (_pooling,),
    "AveragePooling1D": (_pooling,),
    "MaxPooling2D": (_pooling,),
    "AveragePooling2D": (_pooling,),
    "GlobalMaxPooling1D": (_global_pooling,),
    "GlobalAveragePooling1D": (_global_pooling,),
    "GlobalMaxPooling2D": (_global_pooling,),
    "GlobalAveragePooling2D": (_global_pooling,),
}
