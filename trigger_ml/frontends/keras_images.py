"""Keras layers on images: what of them decides the output, and how shapes go through them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.model_file import Layer

__all__ = [
    "pair",
    "read_concatenate",
    "read_max_pooling",
    "read_multiply",
    "read_permute",
    "read_up_sampling",
    "shape_problems",
    "window_options",
]

Shape = tuple[int, ...]

IMAGE_LAYERS: Final = (
    "QConv2D",
    "MaxPooling2D",
    "UpSampling2D",
    "Concatenate",
    "Multiply",
    "Permute",
)
"""Layers that read height x width x channels."""


def pair(value: Any) -> list[int] | None:
    """Two positive integers, given as such or as one; None for anything else."""
    values = [value, value] if isinstance(value, int) else value
    if not isinstance(values, list | tuple) or len(values) != 2:
        return None
    if not all(isinstance(size, int) and size > 0 for size in values):
        return None
    return [int(size) for size in values]


def window_options(where: str, config: Mapping[str, Any]) -> tuple[dict[str, Any], list[Blocker]]:
    """Strides, padding and axis order of a layer that moves a window, and what is wrong there."""
    blockers = _axis_order(where, config)
    strides, padding = pair(config.get("strides")), config.get("padding")
    if strides is None:
        blockers.append(Blocker(where, f"strides {config.get('strides')!r}"))
    if padding not in ("same", "valid"):
        blockers.append(Blocker(where, f"padding {padding!r}", "use same or valid"))
    return {"strides": strides, "padding": padding, "data_format": "channels_last"}, blockers


def read_max_pooling(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """A MaxPooling2D whose windows touch and do not overlap. Raises ModelError."""
    where = f"layer {name}"
    size = pair(config.get("pool_size"))
    options, blockers = window_options(where, {**config, "strides": config.get("strides") or size})
    if size is None:
        blockers.append(Blocker(where, f"pool_size {config.get('pool_size')!r}"))
    elif options["strides"] != size:
        what = f"pool_size {size} with strides {options['strides']}"
        blockers.append(Blocker(where, what, "hls4ml's stream needs them equal"))
    if blockers:
        raise ModelError(blockers)
    return {"name": name, "pool_size": size, "dtype": "float32", **options}


def read_up_sampling(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """An UpSampling2D that repeats elements. Raises ModelError."""
    where = f"layer {name}"
    blockers = _axis_order(where, config)
    size, how = pair(config.get("size")), config.get("interpolation", "nearest")
    if size is None:
        blockers.append(Blocker(where, f"size {config.get('size')!r}"))
    if how != "nearest":
        blockers.append(Blocker(where, f"interpolation {how!r}", "use nearest"))
    if blockers:
        raise ModelError(blockers)
    return {
        "name": name,
        "size": size,
        "interpolation": "nearest",
        "data_format": "channels_last",
        "dtype": "float32",
    }


def read_concatenate(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """A Concatenate along the channels. Raises ModelError."""
    axis = config.get("axis", -1)
    if axis not in (-1, 3):
        raise ModelError(Blocker(f"layer {name}", f"axis {axis!r}", "join channels: axis -1"))
    return {"name": name, "axis": -1, "dtype": "float32"}


def read_multiply(name: str, _config: Mapping[str, Any]) -> dict[str, Any]:
    """A Multiply of two tensors of one shape, element by element."""
    return {"name": name, "dtype": "float32"}


def read_permute(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """A Permute of the three axes of an image, counted from 1 as Keras does. Raises ModelError."""
    dims = config.get("dims")
    if not isinstance(dims, list | tuple) or sorted(map(str, dims)) != ["1", "2", "3"]:
        what = f"dims {dims!r} are not an order of three axes"
        raise ModelError(Blocker(f"layer {name}", what, "use Permute((3, 2, 1)) for instance"))
    return {"name": name, "dims": [int(axis) for axis in dims], "dtype": "float32"}


def _axis_order(where: str, config: Mapping[str, Any]) -> list[Blocker]:
    order = config.get("data_format") or "channels_last"
    if order == "channels_last":
        return []
    return [Blocker(where, f"data_format {order!r}", "use channels_last")]


def shape_problems(layers: Sequence[Layer]) -> list[Blocker]:
    """Where a layer does not fit the shapes that it reads; what reads such a layer is left out.

    layers: in evaluation order, wired and with sane parameters.
    """
    blockers: list[Blocker] = []
    shapes: dict[str, Shape | None] = {}
    for layer in layers:
        reads = [shapes[name] for name in layer.inputs]
        known = [shape for shape in reads if shape is not None]
        shapes[layer.name] = None
        if len(known) < len(reads):
            continue
        made = _made(layer, known)
        if isinstance(made, Blocker):
            blockers.append(made)
        else:
            shapes[layer.name] = made
    return blockers


def _made(layer: Layer, reads: Sequence[Shape]) -> Shape | Blocker:
    config, where = layer.config, f"layer {layer.name}"
    if layer.kind == "InputLayer":
        return tuple(config["batch_input_shape"][1:])
    made: Shape
    shape = reads[0]
    if layer.kind == "QDense":
        if len(shape) != 1:
            fix = "use QConv2D with a 1x1 kernel"
            return Blocker(where, f"reads a tensor of shape {shape}, not one axis", fix)
        return (int(config["units"]),)
    if layer.kind not in IMAGE_LAYERS:
        return shape
    if len(shape) != 3:
        return Blocker(where, f"reads a tensor of shape {shape}, not height x width x channels")
    match layer.kind:
        case "QConv2D":
            places = _places(shape, config, config["kernel_size"])
            made = (*places, int(config["filters"]))
        case "MaxPooling2D":
            made = (*_places(shape, config, config["pool_size"]), shape[2])
            size = config["pool_size"]
            if shape[0] % size[0] or shape[1] % size[1]:
                what = f"windows of {size[0]}x{size[1]} leave a rest of {shape[0]}x{shape[1]}"
                return Blocker(where, what, "pad the input to a multiple")
        case "UpSampling2D":
            made = (shape[0] * config["size"][0], shape[1] * config["size"][1], shape[2])
        case "Permute":
            made = tuple(shape[axis - 1] for axis in config["dims"])
        case "Multiply":
            if reads[0] != reads[1]:
                what = f"{reads[0]} and {reads[1]}: factors have one shape"
                return Blocker(where, what, "repeat the smaller one with a convolution of ones")
            made = shape
        case _:
            if reads[0][:2] != reads[1][:2]:
                return Blocker(where, f"{reads[0]} and {reads[1]} do not fit side by side")
            made = (*shape[:2], reads[0][2] + reads[1][2])
    if min(made) < 1:
        return Blocker(where, f"its window is larger than its input of shape {shape}")
    return made


def _places(shape: Shape, config: Mapping[str, Any], window: Sequence[int]) -> tuple[int, int]:
    strides = config["strides"]
    if config["padding"] == "same":
        return -(-shape[0] // strides[0]), -(-shape[1] // strides[1])
    rows, columns = (
        (size - part) // step + 1 for size, part, step in zip(shape, window, strides, strict=False)
    )
    return rows, columns
