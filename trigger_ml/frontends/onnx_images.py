"""Convolutions and pools of ONNX, in one and two dimensions, as Keras layers.

Kernels with dilations or groups are written out as plain kernels with zeros, which cost nothing
in firmware where weights are constants.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.onnx_file import Node
from trigger_ml.frontends.onnx_values import axes_of
from trigger_ml.frontends.onnx_walk import Tensor, Walk

__all__ = ["read_conv", "read_global_pool", "read_mean", "read_pool", "read_resize"]

Array = NDArray[Any]
MOST_WEIGHTS: Final = 1 << 24
"""Of a kernel with its zeros written out."""


def read_conv(walk: Walk, node: Node) -> None:
    """Conv with constant weights: a QConv1D or QConv2D, after a ZeroPadding where it needs one."""
    tensor, weight, bias = walk.tensor(node), walk.need(node, 1), walk.constant(node, 2)
    places = weight.ndim - 2
    if places not in (1, 2) or len(tensor.shape) != places + 1:
        what = f"{tensor.shape} with a kernel of shape {weight.shape}"
        raise ModelError(Blocker(node.where, what, "use one or two dimensions and channels"))
    groups = int(node.attributes.get("group", 1))
    if groups < 1 or weight.shape[1] * groups != tensor.shape[0] or weight.shape[0] % groups:
        what = f"{groups} groups of kernels of shape {weight.shape} on {tensor.shape}"
        raise ModelError(Blocker(node.where, what))
    weight = _plain_kernel(node, weight, groups, _window(node, "dilations", places))
    strides = _window(node, "strides", places)
    kernel = weight.shape[2:]
    pads = _pads(node, tensor.shape[1:], kernel, strides)
    layer, padding = walk.channels_last(node, tensor), "valid"
    sizes = tuple(
        size + low + high for size, (low, high) in zip(tensor.shape[1:], pads, strict=True)
    )
    if any(low or high for low, high in pads):
        if pads == [((k - 1) // 2, k // 2) for k in kernel] and set(strides) == {1}:
            padding = "same"
        else:
            layer = _padded(walk, node, layer, pads)
    arrays = [weight.transpose(*range(2, weight.ndim), 1, 0)]
    if bias is not None:
        arrays.append(bias.reshape(-1))
    config = {
        "filters": weight.shape[0],
        "kernel_size": list(kernel),
        "strides": list(strides),
        "padding": padding,
        "data_format": "channels_last",
        "dilation_rate": [1] * places,
        "groups": 1,
    }
    made = walk.set_kernel(node, f"QConv{places}D", layer, config, arrays)
    shape = (weight.shape[0], *_places(node, sizes, kernel, strides))
    walk.put_sum(node, Tensor(made, shape, (places, *range(places))))


def read_pool(walk: Walk, node: Node) -> None:
    """MaxPool and AveragePool without padding."""
    tensor = walk.tensor(node)
    places = len(tensor.shape) - 1
    kernel = _window(node, "kernel_shape", places)
    strides = _window(node, "strides", places)
    blockers = []
    if node.attributes.get("ceil_mode", 0):
        blockers.append(Blocker(node.where, "ceil_mode 1", "use ceil_mode 0"))
    if set(_window(node, "dilations", places)) != {1}:
        blockers.append(Blocker(node.where, "dilated windows", "use dilations of 1"))
    if any(low or high for low, high in _pads(node, tensor.shape[1:], kernel, strides)):
        blockers.append(Blocker(node.where, "padded windows", "pool without padding"))
    if len(node.outputs) > 1 and node.outputs[1]:
        blockers.append(Blocker(node.where, "says where the largest were", "use one output"))
    if blockers:
        raise ModelError(blockers)
    kind = "MaxPooling" if node.op == "MaxPool" else "AveragePooling"
    config = {
        "pool_size": list(kernel),
        "strides": list(strides),
        "padding": "valid",
        "data_format": "channels_last",
    }
    layer = walk.channels_last(node, tensor)
    made = walk.emit(node, f"{kind}{places}D", [layer], config)
    shape = (tensor.shape[0], *_places(node, tensor.shape[1:], kernel, strides))
    walk.put(node, Tensor(made, shape, (places, *range(places))))


def read_global_pool(walk: Walk, node: Node) -> None:
    """GlobalAveragePool and GlobalMaxPool: one element for each channel."""
    _global(walk, node, "Max" if node.op == "GlobalMaxPool" else "Average", keep=True)


def read_mean(walk: Walk, node: Node) -> None:
    """ReduceMean over all places, channels before or behind them: a global average."""
    tensor = walk.tensor(node)
    rank = len(tensor.shape) + 1
    axes = axes_of(node, [walk.constants.get(name) for name in node.inputs])
    found = sorted(axis % rank for axis in axes) if axes else []
    keep = bool(node.attributes.get("keepdims", 1))
    if rank > 2 and found == list(range(1, rank - 1)):
        # As of the particles of a set, whose features come last: values.mean(dim=1).
        _global(walk, node, "Average", keep=keep, last=True)
        return
    if found != list(range(2, rank)):
        raise ModelError(Blocker(node.where, f"a mean over axes {axes}", "use all axes of places"))
    _global(walk, node, "Average", keep=keep)


def _global(walk: Walk, node: Node, what: str, *, keep: bool, last: bool = False) -> None:
    """last: ONNX has the channels behind the places."""
    tensor = walk.tensor(node)
    places = len(tensor.shape) - 1
    if last:
        layer = walk.arranged(node, tensor, range(places + 1))
    else:
        layer = walk.channels_last(node, tensor)
    config = {"data_format": "channels_last", "keepdims": False}
    made = walk.emit(node, f"Global{what}Pooling{places}D", [layer], config)
    channels = tensor.shape[-1 if last else 0]
    if keep and last:
        walk.put(node, Tensor(made, (*[1] * places, channels), (*[None] * places, 0)))
    elif keep:
        walk.put(node, Tensor(made, (channels, *[1] * places), (0, *[None] * places)))
    else:
        walk.put(node, Tensor(made, (channels,), (0,)))


def read_resize(walk: Walk, node: Node) -> None:
    """Resize and Upsample that repeat every element."""
    tensor = walk.tensor(node)
    places = len(tensor.shape) - 1
    position = 2 if node.op == "Resize" else 1
    scales = walk.constant(node, position)
    values = [] if scales is None else [float(value) for value in scales.reshape(-1)]
    sizes = walk.constant(node, 3) if not values else None
    if sizes is not None:
        values = [
            new / old for old, new in zip((1, *tensor.shape), sizes.reshape(-1), strict=False)
        ]
    mode = bytes(node.attributes.get("mode", b"nearest")).decode("utf-8", "replace")
    where = bytes(node.attributes.get("coordinate_transformation_mode", b"half_pixel")).decode(
        "utf-8", "replace"
    )
    nearest = bytes(node.attributes.get("nearest_mode", b"round_prefer_floor"))
    repeats = mode == "nearest" and (
        node.op == "Upsample"
        or (where == "half_pixel" and nearest.startswith(b"round"))
        or (where == "asymmetric" and nearest == b"floor")
    )
    whole = len(values) == places + 2 and all(v >= 1 and v == round(v) for v in values)
    if not repeats or not whole or values[:2] != [1.0, 1.0]:
        what = f"mode {mode}, {where}, scales {values}"
        raise ModelError(Blocker(node.where, what, "repeat elements: nearest, whole scales"))
    factors = [int(value) for value in values[2:]]
    layer = walk.channels_last(node, tensor)
    config: dict[str, Any] = {"size": factors if places > 1 else factors[0]}
    if places > 1:
        config |= {"interpolation": "nearest", "data_format": "channels_last"}
    made = walk.emit(node, f"UpSampling{places}D", [layer], config)
    shape = tuple(s * f for s, f in zip(tensor.shape, (1, *factors), strict=True))
    walk.put(node, Tensor(made, shape, (places, *range(places))))


def _plain_kernel(node: Node, weight: Array, groups: int, dilations: Sequence[int]) -> Array:
    """The same kernel, (outputs, inputs, places...), of one group and without dilation."""
    outputs, inputs, *kernel = weight.shape
    spread = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True))
    if outputs * inputs * groups * prod(spread) > MOST_WEIGHTS:
        raise ModelError(Blocker(node.where, f"more than {MOST_WEIGHTS} weights"))
    plain = np.zeros((outputs, inputs * groups, *spread), weight.dtype)
    steps = tuple(slice(None, None, step) for step in dilations)
    each = outputs // groups
    for group in range(groups):
        rows = slice(group * each, (group + 1) * each)
        columns = slice(group * inputs, (group + 1) * inputs)
        plain[(rows, columns, *steps)] = weight[rows]
    return plain


def _window(node: Node, key: str, places: int) -> tuple[int, ...]:
    """Sizes of a window, or its steps, 1 where nothing is said. Raises ModelError."""
    values = tuple(node.attributes.get(key, (1,) * places))
    if places not in (1, 2) or len(values) != places or min(values) < 1:
        what = f"{key} {list(values)} on a tensor of {places + 1} axes"
        raise ModelError(Blocker(node.where, what, "use one or two dimensions and channels"))
    return values


def _pads(
    node: Node, sizes: Sequence[int], kernel: Sequence[int], strides: Sequence[int]
) -> list[tuple[int, int]]:
    """Zeros before and after each axis of places."""
    places = len(sizes)
    auto = bytes(node.attributes.get("auto_pad", b"NOTSET"))
    if auto in (b"SAME_UPPER", b"SAME_LOWER"):
        found = []
        for size, window, step in zip(sizes, kernel, strides, strict=True):
            total = max((-(-size // step) - 1) * step + window - size, 0)
            half = total // 2
            found.append((half, total - half) if auto == b"SAME_UPPER" else (total - half, half))
        return found
    values = tuple(node.attributes.get("pads", (0,) * (2 * places)))
    if auto == b"VALID":
        values = (0,) * (2 * places)
    if len(values) != 2 * places or min(values) < 0:
        raise ModelError(Blocker(node.where, f"pads {list(values)}"))
    return list(zip(values[:places], values[places:], strict=True))


def _padded(walk: Walk, node: Node, layer: str, pads: Sequence[tuple[int, int]]) -> str:
    padding: Any = [list(pair) for pair in pads]
    config: dict[str, Any] = {"padding": padding if len(pads) > 1 else padding[0]}
    if len(pads) > 1:
        config["data_format"] = "channels_last"
    return walk.emit(node, f"ZeroPadding{len(pads)}D", [layer], config, suffix="_zeros")


def _places(
    node: Node, sizes: Sequence[int], kernel: Sequence[int], strides: Sequence[int]
) -> tuple[int, ...]:
    found = tuple(
        (size - window) // step + 1
        for size, window, step in zip(sizes, kernel, strides, strict=True)
    )
    if min(found) < 1:
        what = f"a window of {tuple(kernel)} is larger than its input of {tuple(sizes)}"
        raise ModelError(Blocker(node.where, what))
    return found
