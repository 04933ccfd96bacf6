"""Types, weights and edges of hls4ml's layers, as the graph has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.graph.model import Operation
from trigger_ml.graph.types import FixedType, Overflow, Rounding

__all__ = [
    "NO_PADDING",
    "Edge",
    "Padding",
    "Read",
    "Reading",
    "fixed_type",
    "output_shape",
    "output_type",
    "read_weights",
]

Padding = tuple[int, int, int, int]
"""Zero rows above and below, zero columns left and right."""

NO_PADDING: Final[Padding] = (0, 0, 0, 0)

Read = tuple[Operation, FixedType]
"""What a layer does, and the type of what leaves it."""


@dataclass(frozen=True, slots=True)
class Edge:
    """Where an output of an hls4ml layer comes from: a node, with zeros put around it."""

    node: str
    padding: Padding = NO_PADDING


@dataclass(frozen=True, slots=True)
class Reading:
    """What a layer reads: type and shape of the node, and the zeros around it."""

    type: FixedType
    shape: tuple[int, ...]
    padding: Padding


def output_type(layer: Any) -> FixedType:
    """Type of a layer's first output. Raises ModelError."""
    return fixed_type(layer.get_output_variable().type.precision, layer.name)


def output_shape(layer: Any) -> tuple[int, ...]:
    """Shape of a layer's first output, without the batch axis."""
    return tuple(int(size) for size in layer.get_output_variable().shape)


def fixed_type(precision: Any, where: str) -> FixedType:
    """FixedType of an hls4ml precision. Raises ModelError for floats and exponents."""
    from hls4ml.model.types import FixedPrecisionType, IntegerPrecisionType

    if not isinstance(precision, FixedPrecisionType | IntegerPrecisionType):
        raise ModelError(
            Blocker(where, f"the type {precision} is not fixed-point", "quantize this layer")
        )
    return FixedType(
        int(precision.width),
        int(precision.integer),
        bool(precision.signed),
        Rounding(precision.rounding_mode.name),
        Overflow(precision.saturation_mode.name),
    )


def read_weights(layer: Any, name: str) -> tuple[NDArray[np.int64], FixedType]:
    """Codes of a layer's weights, in hls4ml's order, and their type. Raises ModelError."""
    variable = layer.weights[name]
    kind = fixed_type(variable.type.precision, f"{layer.name} {name}")
    values = np.asarray(variable.data, dtype=np.float64)
    codes = kind.encode(values)
    wrong = int((kind.decode(codes) != values).sum())
    if wrong:
        raise ModelError(
            Blocker(
                f"{layer.name} {name}",
                f"{wrong} of {values.size} values are not on the grid of {kind}",
                "give the layer a fixed-point quantizer for it (alpha=1)",
            )
        )
    return codes, kind
