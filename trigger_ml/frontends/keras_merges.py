"""Keras layers that join tensors, and those that only rename places: parameters and shapes.

hls4ml joins two tensors. Layers that join more are written as layers that join two, one after
another, which gives the same numbers: sums and products of few bits are exact in any order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod
from typing import Any, Final

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.model_file import Layer

__all__ = [
    "ELEMENTWISE",
    "JOINS",
    "SHAPED",
    "joined_shape",
    "nest_joins",
    "read_concatenate",
    "read_dot",
    "read_flatten",
    "read_merge",
    "read_permute",
    "read_reshape",
    "settle_shapes",
]

Shape = tuple[int, ...]

ELEMENTWISE: Final = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")
"""Joins of tensors of one shape, element by element."""
JOINS: Final = (*ELEMENTWISE, "Concatenate", "Dot")
"""Layers that read two others."""
SHAPED: Final = (*JOINS, "Flatten", "Reshape", "Permute")
"""Layers whose result :func:`joined_shape` knows."""
MOST_AXES: Final = 3
"""Of a tensor without the batch axis, in hls4ml's joins and transpositions."""


def read_merge(name: str, _config: Mapping[str, Any]) -> dict[str, Any]:
    """A join of tensors of one shape, element by element."""
    return {"name": name, "dtype": "float32"}


def read_dot(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Sums of products along one axis of each tensor; of vectors, axes are 1. Raises ModelError."""
    where, axes = f"layer {name}", config.get("axes")
    blockers = []
    pair = list(axes) if isinstance(axes, list | tuple) else [axes, axes]
    if len(pair) != 2 or not all(type(axis) is int and axis != 0 for axis in pair):
        fix = "use Dot(axes=1) of two vectors, or Dot(axes=(2, 1)) of two matrices"
        blockers.append(Blocker(where, f"axes {axes!r}", fix))
    if config.get("normalize"):
        what = "normalize divides by lengths, which has no fixed-point form"
        blockers.append(Blocker(where, what, "use Dot(axes=1, normalize=False)"))
    if blockers:
        raise ModelError(blockers)
    plain = 1 if pair == [1, 1] else pair
    return {"name": name, "axes": plain, "normalize": False, "dtype": "float32"}


def read_concatenate(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Tensors side by side; whether along the last axis, :func:`joined_shape` says."""
    axis = config.get("axis", -1)
    if not isinstance(axis, int) or axis == 0:
        fix = "join along the last axis: axis -1"
        raise ModelError(Blocker(f"layer {name}", f"axis {axis!r}", fix))
    return {"name": name, "axis": axis, "dtype": "float32"}


def read_flatten(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """All elements in one axis. Raises ModelError."""
    order = config.get("data_format") or "channels_last"
    if order != "channels_last":
        what = f"data_format {order!r}"
        raise ModelError(Blocker(f"layer {name}", what, "use channels_last"))
    return {"name": name, "data_format": "channels_last", "dtype": "float32"}


def read_reshape(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The same elements in another shape. Raises ModelError."""
    target = config.get("target_shape")
    sizes = list(target) if isinstance(target, list | tuple) else []
    sane = all(isinstance(size, int) and (size > 0 or size == -1) for size in sizes)
    if not sizes or not sane or sizes.count(-1) > 1:
        fix = "give every size; one of them may be -1"
        raise ModelError(Blocker(f"layer {name}", f"target_shape {target!r}", fix))
    return {"name": name, "target_shape": sizes, "dtype": "float32"}


def read_permute(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Axes in another order, counted from 1 as Keras does. Raises ModelError."""
    dims = config.get("dims")
    axes = list(dims) if isinstance(dims, list | tuple) else []
    if not axes or sorted(map(str, axes)) != [str(axis + 1) for axis in range(len(axes))]:
        what = f"dims {dims!r} are not an order of axes"
        raise ModelError(Blocker(f"layer {name}", what, "use Permute((3, 2, 1)) for instance"))
    return {"name": name, "dims": [int(axis) for axis in axes], "dtype": "float32"}


def nest_joins(layers: Sequence[Layer]) -> tuple[list[Layer], list[Blocker]]:
    """The layers with each join of more than two written as joins of two.

    The last of them keeps the layer's name, so that its result is still found under it.
    """
    taken = {layer.name.lower() for layer in layers}
    nested: list[Layer] = []
    blockers: list[Blocker] = []
    for layer in layers:
        count = len(layer.inputs)
        if layer.kind not in JOINS or count <= 2:
            nested.append(layer)
        elif layer.kind == "Average" and count & (count - 1):
            what = f"an average of {count} is not exact in fixed point"
            fix = f"use Add, and weights smaller by {count} in the layers that read it"
            blockers.append(Blocker(f"layer {layer.name}", what, fix))
            nested.append(layer)
        else:
            names = _free_names(layer.name, taken)
            nested += _halved(layer, names) if layer.kind == "Average" else _chained(layer, names)
    return nested, blockers


def _chained(layer: Layer, names: Iterator[str]) -> Iterator[Layer]:
    """((a, b), c), ..."""
    joined = layer.inputs[0]
    for position, name in enumerate(layer.inputs[1:], start=2):
        made = layer.name if position == len(layer.inputs) else next(names)
        yield Layer(made, layer.kind, (joined, name), {**layer.config, "name": made})
        joined = made


def _halved(layer: Layer, names: Iterator[str]) -> Iterator[Layer]:
    """((a, b), (c, d)), ..."""
    level = list(layer.inputs)
    while len(level) > 1:
        above = []
        for pair in zip(level[::2], level[1::2], strict=True):
            made = layer.name if len(level) == 2 else next(names)
            yield Layer(made, layer.kind, pair, {**layer.config, "name": made})
            above.append(made)
        level = above


def _free_names(name: str, taken: set[str]) -> Iterator[str]:
    number = 0
    while True:
        number += 1
        made = f"{name}_{number}"
        if made.lower() not in taken:
            taken.add(made.lower())
            yield made


def settle_shapes(layers: Sequence[Layer], shapes: Mapping[str, Shape]) -> list[Layer]:
    """The layers with what a file may leave open, as hls4ml's bit-exact pass needs it.

    The axis of a Concatenate, which is the last one, is counted from the end, that of a Dot from
    the start, and no size of a Reshape is left to be found. shapes: of what leaves each layer.
    """
    settled = []
    for layer in layers:
        config = layer.config
        if layer.kind == "Concatenate":
            config = {**config, "axis": -1}
        elif layer.kind == "Reshape":
            config = {**config, "target_shape": list(shapes[layer.name])}
        elif layer.kind == "Dot":
            config = {**config, "axes": 1}
        settled.append(Layer(layer.name, layer.kind, layer.inputs, config))
    return settled


def joined_shape(layer: Layer, reads: Sequence[Shape]) -> Shape | Blocker:
    """Shape of what leaves one of SHAPED, or why it cannot be. reads: without the batch axis."""
    where = f"layer {layer.name}"
    if layer.kind in ELEMENTWISE:
        return _same(where, layer, reads)
    return _SHAPES[layer.kind](where, layer, reads)


def _same(where: str, layer: Layer, reads: Sequence[Shape]) -> Shape | Blocker:
    if reads[0] == reads[1]:
        return reads[0]
    what = f"{layer.kind} of {reads[0]} and {reads[1]}: both have one shape"
    fix = "repeat the smaller one with a layer of ones: a QDense, or a QConv2D with a 1x1 kernel"
    return Blocker(where, what, fix)


def _dot(where: str, layer: Layer, reads: Sequence[Shape]) -> Shape | Blocker:
    axes = layer.config["axes"]
    if len(reads[0]) == 1 and reads[0] == reads[1] and (axes == 1 or {*axes} <= {1, -1}):
        return (1,)
    what = f"a dot product of {reads[0]} and {reads[1]}"
    return Blocker(where, what, "use two vectors of one length")


def _concatenate(where: str, layer: Layer, reads: Sequence[Shape]) -> Shape | Blocker:
    left, right = reads
    axis, rank = int(layer.config["axis"]), len(left)
    if axis not in (-1, rank):
        fix = "join along the last axis; Permute before and after"
        return Blocker(where, f"axis {axis} of {left}", fix)
    if len(right) != rank or rank > MOST_AXES or left[:-1] != right[:-1]:
        return Blocker(where, f"{left} and {right} do not fit side by side")
    return (*left[:-1], left[-1] + right[-1])


def _flatten(_where: str, _layer: Layer, reads: Sequence[Shape]) -> Shape | Blocker:
    return (prod(reads[0]),)


def _reshape(where: str, layer: Layer, reads: Sequence[Shape]) -> Shape | Blocker:
    size, target = prod(reads[0]), list(layer.config["target_shape"])
    known = prod(length for length in target if length > 0)
    if -1 in target and size % known == 0:
        target[target.index(-1)] = size // known
    if -1 in target or prod(target) != size:
        return Blocker(where, f"the {size} elements of {reads[0]} do not fill {tuple(target)}")
    return tuple(target)


def _permute(where: str, layer: Layer, reads: Sequence[Shape]) -> Shape | Blocker:
    dims = layer.config["dims"]
    if len(dims) != len(reads[0]) or len(dims) > MOST_AXES:
        return Blocker(where, f"dims {tuple(dims)} of a tensor of shape {reads[0]}")
    return tuple(reads[0][axis - 1] for axis in dims)


_SHAPES: Final[Mapping[str, Callable[[str, Layer, Sequence[Shape]], Shape | Blocker]]] = {
    "Dot": _dot,
    "Concatenate": _concatenate,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Permute": _permute,
}
