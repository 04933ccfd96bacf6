"""hls4ml's layers with a constant, or a table entry, for each element: read into operations."""

from __future__ import annotations

from typing import Any

import numpy as np

from trigger_ml.graph.hls4ml_values import Read, Reading, fixed_type, output_shape, read_weights
from trigger_ml.graph.model import Lookup, frozen_codes
from trigger_ml.graph.scale_operation import Scale
from trigger_ml.graph.types import FixedType

__all__ = ["read_scale", "read_unary_table"]


def read_scale(layer: Any, _reads: list[Reading], out: FixedType) -> Read:
    """BatchNormalization and ApplyAlpha; the constants of a single channel are repeated."""
    channels = output_shape(layer)[-1]
    scale, scale_type = read_weights(layer, "scale")
    bias, bias_type = read_weights(layer, "bias")
    scale, bias = (
        frozen_codes(np.broadcast_to(codes.reshape(-1), channels)) for codes in (scale, bias)
    )
    return Scale(scale, scale_type, bias, bias_type), out


def read_unary_table(layer: Any, reads: list[Reading], out: FixedType) -> Read:
    """UnaryLUT: its entries are in the order of the bits of the input (``unary_lut``)."""
    values = np.asarray(layer.weights["table"].data, dtype=np.float64).reshape(-1)
    table_type = fixed_type(layer.get_attr("table_t").precision, f"{layer.name} table")
    table = out.cast(table_type.encode(values), table_type.fraction)
    if reads and reads[0].type.signed:
        table = np.roll(table, len(table) // 2)
    return Lookup(str(layer.get_attr("function", "table")), frozen_codes(table)), out
