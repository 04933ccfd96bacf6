"""What hls4ml 1.3 lacks for Keras 3 and HGQ2 layers on images and sequences.

Its reader of Keras 3 has no rims and no up-sampling, and takes a convolution with dilation or
groups for one without. Such a convolution is a plain one whose kernel is zero between its taps
and where groups would mix; what a zero multiplies takes no logic. A largest element of windows
that reach beyond an image is wrong in its C++ where values have no sign: there, zeros are as
good. Its bit-exact pass gives a mean no more bits than its own elements need, which the type of
all elements can exceed, and a pooling of a whole image one axis too many. And where it keeps the
name "input" for itself, it keeps each of its letters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from functools import partial
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["plain_kernel", "register_v3_images", "settle_copies", "settle_means"]

Parts = tuple[dict[str, Any], ...]
Handler = Callable[[Any, Sequence[Any], Sequence[Any]], Parts]

CARRYING: Final = ("ZeroPadding", "Cropping", "UpSampling")
PLACE: Final = "keras.src.layers.reshaping"
FILES: Final = {"ZeroPadding": "zero_padding", "Cropping": "cropping", "UpSampling": "up_sampling"}
RIM: Final = "_rim"
"""Appended to a pooling's name for the zeros around its image."""
SIDES: Final = (("top", "bottom"), ("left", "right"))


def register_v3_images() -> None:
    """Give hls4ml's reader and its pass what they lack. Calling it twice does no harm."""
    from hls4ml.converters.keras_v3._base import registry
    from hls4ml.converters.keras_v3_to_hls import UniqueName
    from hls4ml.model.layers import GlobalPooling1D, GlobalPooling2D
    from hls4ml.model.optimizer.passes import bit_exact

    for kind in CARRYING:
        for axes in (1, 2):
            registry[f"{PLACE}.{FILES[kind]}{axes}d.{kind}{axes}D"] = _carried
    for key in list(registry):
        changed = _mended(key)
        if changed is not None and not isinstance(registry[key], partial):
            registry[key] = partial(changed, registry[key])
    whole = bit_exact._produce_kif.dispatch(GlobalPooling1D)
    bit_exact._produce_kif.register(
        GlobalPooling2D, lambda layer: tuple(part.reshape(-1) for part in whole(layer))
    )
    UniqueName.__init__ = _keep_one_name


def _keep_one_name(self: Any) -> None:
    self.used_names = {"input"}


def _mended(key: str) -> Callable[..., Parts] | None:
    """What changes the answers of the handler of a class of layers, named with its module."""
    kind = key.rsplit(".", 1)[-1]
    if kind in ("QConv1D", "QConv2D"):
        return _convolution
    if kind.removeprefix("Q") in ("MaxPooling1D", "MaxPooling2D"):
        return _largest
    return None


def settle_means(project: Any) -> None:
    """Give the accumulators of means the bits that divide any number of the type they read."""
    for layer in project.get_layers():
        if layer.get_attr("pool_op") != "Average":
            continue
        read = layer.get_input_variable()
        sizes = [layer.get_attr("pool_height", 1), layer.get_attr("pool_width", 1)]
        count = prod(read.shape[:-1]) if layer.class_name.startswith("Global") else prod(sizes)
        kind = layer.get_attr("accum_t").precision
        wanted = read.type.precision.fractional + (int(count) - 1).bit_length()
        kind.width += max(wanted - kind.fractional, 0)


def settle_copies(project: Any) -> None:
    """Give layers that cannot cast the very type of what they read, where no value changes.

    hls4ml's pass did, and then put the rounding of a quantizer on a layer before them.
    """
    for layer in project.get_layers():
        if layer.class_name not in ("Reshape", "Resize"):
            continue
        read, made = layer.get_input_variable().type, layer.get_output_variable().type
        if _grid(read.precision) == _grid(made.precision):
            made.precision = copy(read.precision)


def _grid(precision: Any) -> tuple[int, int, bool]:
    return int(precision.width), int(precision.integer), bool(precision.signed)


def _carried(layer: Any, reads: Sequence[Any], makes: Sequence[Any]) -> Parts:
    """A layer that carries elements: zeros around them, those within a rim, or copies."""
    kind = type(layer).__name__
    before, after = tuple(reads[0].shape[1:]), tuple(makes[0].shape[1:])
    made = _tensors(kind, layer.name, reads[0].name, makes[0].name)
    made |= _sizes(before, after)
    if kind.startswith("UpSampling"):
        factors = layer.size if len(before) == 3 else (1, layer.size)
        made |= {"algorithm": "nearest", "in_height": 1, "out_height": 1, **made}
        made |= dict(zip(("height_factor", "width_factor"), map(int, factors), strict=True))
        return (made,)
    prefix, around = ("pad", "padding") if "Padding" in kind else ("crop", "cropping")
    pairs = getattr(layer, around)
    made |= _around(prefix, [pairs] if len(before) == 2 else pairs)
    return (made,)


def _tensors(kind: str, name: str, read: str, made: str) -> dict[str, Any]:
    return {
        "name": name,
        "class_name": kind,
        "data_format": "channels_last",
        "input_keras_tensor_names": [read],
        "output_keras_tensor_names": [made],
    }


def _sizes(before: Sequence[int], after: Sequence[int]) -> dict[str, Any]:
    keys = ("height", "width")[3 - len(before) :]
    made = {f"in_{key}": int(size) for key, size in zip(keys, before, strict=False)}
    made |= {f"out_{key}": int(size) for key, size in zip(keys, after, strict=False)}
    return made | {"n_chan": int(before[-1])}


def _around(prefix: str, pairs: Sequence[Sequence[int]]) -> dict[str, int]:
    """hls4ml's names for what is before and after each axis."""
    sides = SIDES[2 - len(pairs) :]
    return {
        f"{prefix}_{side}": int(size)
        for names, pair in zip(sides, pairs, strict=True)
        for side, size in zip(names, pair, strict=True)
    }


def _convolution(plain: Handler, layer: Any, reads: Sequence[Any], makes: Sequence[Any]) -> Parts:
    """A convolution with the kernel of a plain one."""
    from hls4ml.converters.keras_v3.conv import gen_conv_config

    parts = plain(layer, reads, makes)
    dilation = tuple(int(step) for step in layer.dilation_rate)
    if layer.groups == 1 and max(dilation) == 1:
        return parts
    for part in parts:
        if "weight_data" not in part:
            continue
        kernel = plain_kernel(part["weight_data"], dilation, int(layer.groups))
        window = gen_conv_config(
            in_shape=tuple(reads[0].shape[1:]),
            out_shape=tuple(makes[0].shape[1:]),
            ker_px_shape=kernel.shape[:-2],
            strides=layer.strides,
            padding=layer.padding,
            data_format=layer.data_format,
            name=layer.name,
        )
        part.update(window, weight_data=kernel)
    return parts


def plain_kernel(kernel: NDArray[Any], dilation: Sequence[int], groups: int) -> NDArray[Any]:
    """The kernel of the convolution without dilation and groups that makes the same sums.

    kernel: (window..., channels a group, filters).
    """
    *window, channels, filters = kernel.shape
    spread = [(size - 1) * step + 1 for size, step in zip(window, dilation, strict=True)]
    made = np.zeros((*spread, channels * groups, filters), dtype=kernel.dtype)
    taps = made[tuple(slice(None, None, step) for step in dilation)]
    each = filters // groups
    for group in range(groups):
        own = slice(group * each, (group + 1) * each)
        taps[..., group * channels : (group + 1) * channels, own] = kernel[..., own]
    return made


def _largest(plain: Handler, layer: Any, reads: Sequence[Any], makes: Sequence[Any]) -> Parts:
    """A pooling of largest elements; where nothing is below zero, zeros stand for the outside."""
    parts = plain(layer, reads, makes)
    if layer.padding != "same" or not _without_sign(layer, reads[0]):
        return parts
    done: list[dict[str, Any]] = []
    for part in parts:
        if "pool_width" in part:
            done.append(_zeros_for(part, tuple(reads[0].shape[1:])))
        done.append(part)
    return tuple(done)


def _zeros_for(part: dict[str, Any], shape: tuple[int, ...]) -> dict[str, Any]:
    """The layer of zeros before a pooling, which then has no rim of its own."""
    sides = SIDES[3 - len(shape) :]
    pairs = [[int(part[f"pad_{side}"]) for side in names] for names in sides]
    wide = (*(a + sum(b) for a, b in zip(shape, pairs, strict=False)), shape[-1])
    (read,) = part["input_keras_tensor_names"]
    made = f"{read}{RIM}"
    zeros = _tensors(f"ZeroPadding{len(shape) - 1}D", f"{part['name']}{RIM}", read, made)
    zeros |= _sizes(shape, wide) | _around("pad", pairs)
    part["input_keras_tensor_names"] = [made]
    part.update(_around("pad", [[0, 0]] * len(pairs)))
    part.update({key: size for key, size in _sizes(wide, wide).items() if key.startswith("in_")})
    if len(shape) == 2:
        part["n_in"] = wide[0]
    return zeros


def _without_sign(layer: Any, tensor: Any) -> bool:
    """Whether nothing that a layer reads can be below zero, as the last step before it says."""
    before = tensor._keras_history.operation
    if getattr(layer, "enable_iq", False):
        quantizer = layer.iq
    elif getattr(before, "enable_oq", False):
        quantizer = before.oq
    elif type(before).__name__ == "Quantizer":
        quantizer = before
    else:
        function = getattr(before, "activation", None)
        return getattr(function, "__name__", "") == "relu"
    return not np.any(np.asarray(quantizer.quantizer.kif[0]))
