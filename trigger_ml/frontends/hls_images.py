"""What hls4ml 1.3's bit-exact pass lacks for layers on images and sequences.

It has no rule for zeros around an image nor for an image without its rim: an element that is
carried keeps its bits, one that is put there has none, and nothing is needed of one that is left
out. And it puts the type of a quantizer on whatever layer comes before it, which is wrong where
that layer is a resize, or in parallel projects a reshape, which cannot cast, or a quantizer itself,
whose own type would be lost, or has the type of a quantizer already.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["register_images"]

SIDES: Final = (("top", "bottom"), ("left", "right"))
CANNOT_CAST: Final = ("Resize", "Reshape", "Transpose")
"""Layers of parallel projects; of streaming ones, the first alone."""

Parts = tuple[NDArray[Any], ...]
"""Sign, integer bits and fraction bits of every element."""


def register_images() -> None:
    """Give hls4ml's passes what they lack. Calling it twice does no harm."""
    from hls4ml.model.layers import Cropping1D, Cropping2D, ZeroPadding1D, ZeroPadding2D
    from hls4ml.model.optimizer.passes import bit_exact
    from hls4ml.model.optimizer.passes.hgq_proxy_model import FuseFixedPointQuantizer

    def read(layer: Any) -> Parts:
        parts: Parts = bit_exact.get_input_kifs(layer)[0]
        return parts

    def wanted(layer: Any) -> Parts:
        parts: Parts = bit_exact.requested_kif(layer)
        return parts

    for kind in (ZeroPadding1D, ZeroPadding2D):
        bit_exact._produce_kif.register(kind, lambda layer: _padded(read(layer), layer, "pad"))
        bit_exact._request_kif.register(
            kind, lambda layer: (_cropped(wanted(layer), layer, "pad"),)
        )
    for kind in (Cropping1D, Cropping2D):
        bit_exact._produce_kif.register(kind, lambda layer: _cropped(read(layer), layer, "crop"))
        bit_exact._request_kif.register(
            kind, lambda layer: (_padded(wanted(layer), layer, "crop"),)
        )
    if not hasattr(FuseFixedPointQuantizer, "match_any"):
        FuseFixedPointQuantizer.match_any = FuseFixedPointQuantizer.match
        FuseFixedPointQuantizer.match = _may_fuse


def _may_fuse(self: Any, node: Any) -> bool:
    """Whether a quantizer's type may be put on the layer before it."""
    if not self.match_any(node):
        return False
    parallel = str(node.model.config.get_config_value("IOType")) == "io_parallel"
    before = node.get_input_node()
    without = CANNOT_CAST if parallel else CANNOT_CAST[:1]
    if any(kind.__name__ in without for kind in type(before).__mro__):
        return False
    if before.attributes.get("_result_t_propagated", False):
        return False
    return before.class_name == "Input" or not before.get_attr("trusted", False)


def _around(layer: Any, prefix: str) -> list[tuple[int, int]]:
    """Places before and after each axis, channels last."""
    sides = SIDES if layer.class_name.endswith("2D") else SIDES[1:]
    pairs = [
        (int(layer.get_attr(f"{prefix}_{first}")), int(layer.get_attr(f"{prefix}_{second}")))
        for first, second in sides
    ]
    return [*pairs, (0, 0)]


def _padded(parts: Parts, layer: Any, prefix: str) -> Parts:
    return tuple(np.pad(part, _around(layer, prefix)) for part in parts)


def _cropped(parts: Parts, layer: Any, prefix: str) -> Parts:
    around = _around(layer, prefix)
    return tuple(
        part[tuple(slice(a, size - b) for size, (a, b) in zip(part.shape, around, strict=True))]
        for part in parts
    )
