"""hls4ml's Einsum of two tensors, read into the graph's operation."""

from __future__ import annotations

from typing import Any

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.graph.einsum_axes import pair_axes
from trigger_ml.graph.einsum_operation import Einsum
from trigger_ml.graph.hls4ml_values import Read, Reading, fixed_type
from trigger_ml.graph.types import FixedType

__all__ = ["read_einsum"]


def read_einsum(layer: Any, reads: list[Reading], out: FixedType) -> Read:
    """Sums of products of two tensors. Raises ModelError for an equation that is none."""
    equation = str(layer.get_attr("equation"))
    try:
        axes = pair_axes(equation, [len(reading.shape) for reading in reads])
    except ValueError as error:
        raise ModelError(Blocker(layer.name, f"its equation {equation!r} {error}")) from error
    accumulator = fixed_type(layer.get_attr("accum_t").precision, f"{layer.name} accumulator")
    return Einsum(*axes, accumulator), out
