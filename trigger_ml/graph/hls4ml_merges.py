"""hls4ml's layers that join two tensors or rename places, read into the graph's operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.graph.hls4ml_values import Read, Reading, fixed_type
from trigger_ml.graph.merge_operations import (
    Add,
    Average,
    Dot,
    Maximum,
    Minimum,
    Reshape,
    Subtract,
)
from trigger_ml.graph.model import Multiply, Operation
from trigger_ml.graph.types import FixedType

__all__ = ["read_dot", "read_merge", "read_reshape"]

_KINDS: Final[Mapping[str, Operation]] = {
    "add": Add(),
    "subtract": Subtract(),
    "multiply": Multiply(),
    "average": Average(),
    "maximum": Maximum(),
    "minimum": Minimum(),
}


def read_merge(layer: Any, _reads: list[Reading], out: FixedType) -> Read:
    """Two inputs, element by element. What has another shape than the result, verify refuses."""
    kind = str(layer.get_attr("op")).lower()
    if kind not in _KINDS:
        what = f"hls4ml's merge of kind {kind} has no meaning here yet"
        raise ModelError(Blocker(layer.name, what, f"use one of {', '.join(_KINDS)}"))
    return _KINDS[kind], out


def read_dot(layer: Any, _reads: list[Reading], out: FixedType) -> Read:
    """The sum of the products of two vectors' elements."""
    accumulator = fixed_type(layer.get_attr("accum_t").precision, f"{layer.name} accumulator")
    return Dot(accumulator), out


def read_reshape(layer: Any, reads: list[Reading], out: FixedType) -> Read:
    """The same elements in another shape: hls4ml gives what reads it the array that it reads."""
    if reads and reads[0].type != out:
        what = f"carries {reads[0].type} as {out}"
        raise ModelError(Blocker(layer.name, what, "quantize the layer before it"))
    return Reshape(), out
