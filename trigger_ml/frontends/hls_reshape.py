"""The type of hls4ml's Reshape layer: that of what it reads (version 1.3.0).

In a parallel project a reshape is no function: what reads it gets the array before it. hls4ml's
bit-exact pass settles a type for it nevertheless, which may be narrower, and the C++ would then
name a type that its argument has not.
"""

from __future__ import annotations

from copy import copy
from typing import Any

__all__ = ["register_reshape"]


def register_reshape() -> None:
    """Let hls4ml's bit-exact pass give a Reshape its input's type. Twice does no harm."""
    from hls4ml.model.layers import Reshape
    from hls4ml.model.optimizer.passes import bit_exact
    from hls4ml.model.types import NamedType

    def settle(layer: Any) -> None:
        source = layer.get_input_variable().type.precision
        settled = NamedType(f"{layer.name}_t", copy(source))
        layer.get_output_variable().type = settled
        layer.attributes["result_t"] = settled

    bit_exact.register_precision.register(Reshape, settle)
