"""Types of the same width in every layer, their integer bits chosen from data."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trigger_ml.compress.fixed_point.layer_types import DenseTypes, LayerTypes, activation_type
from trigger_ml.compress.fixed_point.ranges import choose_ranges, integer_bits
from trigger_ml.compress.networks.network import FloatNetwork
from trigger_ml.graph.types import FixedType, Overflow, Rounding

__all__ = ["input_grid", "uniform_types"]


def input_grid(network: FloatNetwork, values: NDArray[np.float32], bits: int) -> FixedType:
    """The type of the inputs: the network's own, or one of so many bits that holds all values.

    values: training events, shape (events, *input_shape). Values to nearest, saturating.
    """
    if network.input_type is not None:
        return network.input_type
    low, high = float(values.min()), float(values.max())
    signed = low < 0
    integer = integer_bits(low, high, signed=signed)
    return FixedType(bits, integer, signed, Rounding.RND_CONV, Overflow.SAT)


def uniform_types(
    network: FloatNetwork,
    values: NDArray[np.float32],
    grid: FixedType,
    *,
    weight_bits: int,
    activation_bits: int,
    overflow: float,
) -> LayerTypes:
    """Types for all layers; the last one keeps its exact sums.

    overflow: largest probability that an element does not fit its activation's integer bits.
    Raises DataError for too few events to say so.
    """
    hidden = [layer.name for layer in network.dense[:-1]]
    ranges = choose_ranges(network, values, grid, overflow, hidden)
    types: dict[str, DenseTypes] = {}
    for layer in network.dense:
        reach = float(np.abs(layer.kernel).max(initial=0.0))
        weight = FixedType(weight_bits, integer_bits(-reach, reach, signed=True))
        offset = float(np.abs(layer.bias).max(initial=0.0))
        bias = FixedType(weight_bits + 2, integer_bits(-offset, offset, signed=True))
        activation = None
        if layer.name in ranges:
            found, relu = ranges[layer.name], layer.activation == "relu"
            sign = int(not relu and not found.signed)
            activation = activation_type(activation_bits, found.integer + sign, relu=relu)
        types[layer.name] = DenseTypes(weight, bias, activation)
    return LayerTypes(grid, types)
