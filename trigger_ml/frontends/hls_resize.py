"""Bit-exact types for hls4ml's Resize layer, which its own pass has no rule for (version 1.3.0).

A nearest-neighbour resize repeats elements, so what leaves it has the type of what enters it:
each produced bit is repeated, and an element is needed to the finest bit that any of its copies
is needed to. hls4ml's streaming resize writes what it reads without a cast, so the two types
must be one.
"""

from __future__ import annotations

from copy import copy
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["register_resize"]

AXES: Final = ("height_factor", "width_factor")
"""Attributes of a Resize layer that stretch height x width; a sequence has the second alone."""


def register_resize() -> None:
    """Give hls4ml's bit-exact pass its rules for Resize. Calling it twice does no harm."""
    from hls4ml.model.layers import Resize
    from hls4ml.model.optimizer.passes import bit_exact
    from hls4ml.model.types import NamedType

    def produced(layer: Any) -> tuple[NDArray[Any], ...]:
        return tuple(_stretched(part, layer) for part in bit_exact.get_input_kifs(layer)[0])

    def requested(layer: Any) -> tuple[tuple[NDArray[Any], ...], ...]:
        return (tuple(_shrunk(part, layer) for part in bit_exact.requested_kif(layer)),)

    def settle(layer: Any) -> None:
        bit_exact.default_register_precision(layer)
        source = layer.get_input_variable().type.precision
        settled = NamedType(f"{layer.name}_t", copy(source))
        layer.get_output_variable().type = settled
        layer.attributes["result_t"] = settled

    bit_exact._produce_kif.register(Resize, produced)
    bit_exact._request_kif.register(Resize, requested)
    bit_exact.register_precision.register(Resize, settle)


def _stretched(part: NDArray[Any], layer: Any) -> NDArray[Any]:
    for axis, name in enumerate(AXES[3 - part.ndim :]):
        part = np.repeat(part, int(layer.get_attr(name)), axis=axis)
    return part


def _shrunk(part: NDArray[Any], layer: Any) -> NDArray[Any]:
    for axis, name in enumerate(AXES[3 - part.ndim :]):
        factor = int(layer.get_attr(name))
        shape = (*part.shape[:axis], part.shape[axis] // factor, factor, *part.shape[axis + 1 :])
        part = part.reshape(shape).max(axis=axis + 1)
    return part
