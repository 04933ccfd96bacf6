"""How large the numbers in a network get: for certain, and on data; and the integer bits to hold
them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from math import ceil, floor, log, log1p, log2
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from trigger_ml.compress.networks.network import DenseLayer, FloatNetwork
from trigger_ml.errors import Blocker, DataError
from trigger_ml.graph.types import FixedType

__all__ = [
    "Interval",
    "LayerRange",
    "choose_ranges",
    "fewest_values",
    "guaranteed_ranges",
    "integer_bits",
    "overflow_limit",
]

Values = NDArray[np.float64]
CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True, eq=False)
class Interval:
    """Bounds of every channel, each of shape (channels,)."""

    low: Values
    high: Values


@dataclass(frozen=True, slots=True)
class LayerRange:
    """The range of one layer's output, behind its activation.

    low, high: smallest and largest value on the data. bound_low, bound_high: what no input of
    the input type can exceed. integer: integer bits, the sign included where the layer is signed,
    that keep the overflow probability of an element below the limit asked for, at 95 %
    confidence; guaranteed_integer: those that never overflow. overflow_rate: share of elements
    beyond ``integer`` bits on the data; overflow_upper: its upper 95 % limit.
    """

    name: str
    signed: bool
    low: float
    high: float
    bound_low: float
    bound_high: float
    integer: int
    guaranteed_integer: int
    overflow_rate: float
    overflow_upper: float


def guaranteed_ranges(network: FloatNetwork, input_type: FixedType) -> dict[str, Interval]:
    """Bounds of every layer's output for all inputs that the type can express, by layer.

    Interval arithmetic: each layer's bounds are met exactly if its inputs take their extremes
    independently, so for the first layer always, and deeper ones may be looser than the truth.
    Sums are taken without rounding.
    """
    channels = network.input_shape[-1]
    low = np.full(channels, input_type.min_code * input_type.step)
    high = np.full(channels, input_type.max_code * input_type.step)
    found = {}
    for layer in network.layers:
        if isinstance(layer, DenseLayer):
            positive, negative = np.maximum(layer.kernel, 0), np.minimum(layer.kernel, 0)
            low, high = (
                low @ positive + high @ negative + layer.bias,
                high @ positive + low @ negative + layer.bias,
            )
            if layer.activation == "relu":
                low, high = np.maximum(low, 0), np.maximum(high, 0)
        found[layer.name] = Interval(low, high)
    return found


def integer_bits(low: float, high: float, *, signed: bool) -> int:
    """Fewest integer bits, the sign included, whose range [-2**(i-1), 2**(i-1)) or [0, 2**i)
    holds both ends, whatever the fraction; 0 at least."""
    reach = floor(log2(high)) + 1 if high > 0 else 0
    if not signed:
        return max(reach, 0)
    depth = ceil(log2(-low)) if low < 0 else 0
    return max(reach, depth, 0) + 1


def overflow_limit(overflows: int, elements: int) -> float:
    """Upper 95 % limit of a probability, from so many overflows in so many elements.

    C. J. Clopper, E. S. Pearson, Biometrika 26 (1934) 404, one-sided.
    """
    if overflows >= elements:
        return 1.0
    return float(beta.ppf(CONFIDENCE, overflows + 1, elements - overflows))


def fewest_values(probability: float) -> int:
    """How many values without an overflow show at 95 % confidence that it is no more likely."""
    return ceil(log(1 - CONFIDENCE) / log1p(-probability))


def choose_ranges(
    network: FloatNetwork,
    values: NDArray[Any],
    input_type: FixedType,
    probability: float,
    names: Collection[str] | None = None,
) -> dict[str, LayerRange]:
    """Ranges and integer bits of layers, by name.

    values: events, shape (events, *input_shape). probability: that an element of a layer's
    output overflows, at most. Elements of one event are taken as independent. names: of the
    layers; all when None.
    Raises DataError where there are too few events to state such a probability.
    """
    bounds = guaranteed_ranges(network, input_type)
    grid = input_type.decode(input_type.encode(np.asarray(values, dtype=np.float64)))
    activations = {
        name: found
        for name, found in network.activations(grid).items()
        if names is None or name in names
    }
    fewest = fewest_values(probability)
    blockers = [
        Blocker(
            f"ranges of {name}",
            f"{found.size} values cannot show an overflow probability of {probability:g}",
            f"give data with {ceil(fewest / (found.size / len(found)))} events or more",
        )
        for name, found in activations.items()
        if found.size < fewest
    ]
    if blockers:
        raise DataError(blockers)
    return {
        name: _layer_range(name, found, bounds[name], probability)
        for name, found in activations.items()
    }


def _layer_range(name: str, found: Values, bound: Interval, probability: float) -> LayerRange:
    floor_, top = float(bound.low.min()), float(bound.high.max())
    signed = floor_ < 0
    guaranteed = integer_bits(floor_, top, signed=signed)
    integer, beyond = guaranteed, 0
    while integer > int(signed):
        limit = 2.0 ** (integer - 1 - int(signed))
        outside = int(((found >= limit) | (found < (-limit if signed else 0.0))).sum())
        if overflow_limit(outside, found.size) > probability:
            break
        integer, beyond = integer - 1, outside
    return LayerRange(
        name,
        signed,
        float(found.min()),
        float(found.max()),
        floor_,
        top,
        integer,
        guaranteed,
        beyond / found.size,
        overflow_limit(beyond, found.size) if integer < guaranteed else 0.0,
    )
