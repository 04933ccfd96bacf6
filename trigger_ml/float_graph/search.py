"""The narrowest types with which a float network's logits are not off by more than is seen.

One width for all weights and activations is tried after the other. Integer bits come from the
events: first as few as one element in a thousand exceeds, then those that hold everything that was
seen, which values that are seldom large need.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import floor, log2, prod
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.float_graph.client import Evaluator
from trigger_ml.float_graph.plain import shapes_of
from trigger_ml.float_graph.quantized import Place, Types, places, quantized
from trigger_ml.float_graph.spread import Spread, integer_bits, require_enough
from trigger_ml.float_graph.weight_types import reach_bits
from trigger_ml.frontends.keras_network import KerasNetwork
from trigger_ml.graph.narrow import narrowest_type
from trigger_ml.graph.types import FixedType, Overflow, Rounding

__all__ = ["OVERFLOW", "Found", "input_types", "narrowest"]

OVERFLOW: Final = 1e-3
"""Largest probability that an element does not fit its activation's integer bits."""
MOST_BITS: Final = 12
"""Of an input or an activation: with more of them, the 24 digits of a sum leave too few to weights.
"""
INPUT_BITS: Final = 3
"""That an input has more than an activation: nothing before it could be wrong."""

Rows = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Found:
    """A quantized network, the bits of its weights and activations, and the error of its logits:
    root mean square over their standard deviation, of the output where it is largest."""

    network: KerasNetwork
    bits: int
    error: float


def narrowest(
    network: KerasNetwork,
    events: Rows,
    wanted: NDArray[np.float64],
    evaluator: Evaluator,
    widths: range,
    largest_error: float,
    input_type: FixedType | None,
) -> tuple[Found, bool]:
    """The first width that is enough, or the last one tried, and whether it is enough.

    events: flat rows. wanted: the float network's logits for them. input_type: of all inputs, or
    None for one that holds what is in the events. Raises DataError for too few events.
    """
    needed = places(network)
    spreads = evaluator.spreads(network, events, [place.tensor for place in needed])
    require_enough("the data with", spreads, OVERFLOW)
    best: Found | None = None
    bits = widths[0]
    while True:
        inputs = input_types(network, events, min(bits + INPUT_BITS, MOST_BITS), input_type)
        errors = []
        for types in _candidates(needed, spreads, inputs, bits):
            made = quantized(network, types)
            errors.append(_error(network, evaluator.logits(made, events), wanted))
            if best is None or errors[-1] < best.error:
                best = Found(made, bits, errors[-1])
            if errors[-1] <= largest_error:
                return best, True
        assert best is not None
        if bits == widths[-1]:
            return best, False
        # One bit more halves an error: so many can be left out.
        step = max(floor(log2(min(errors) / largest_error)), 1)
        bits = min(bits + step, widths[-1])


def input_types(
    network: KerasNetwork, events: Rows, bits: int, asked: FixedType | None
) -> dict[str, FixedType]:
    """A type for each input: the one asked for, or one that holds all its values, without loss
    where so many bits allow it."""
    shapes = shapes_of(network.layers)
    ends = np.cumsum([prod(shapes[name]) for name in network.inputs])[:-1]
    found = {}
    for name, values in zip(network.inputs, np.split(events, ends, axis=1), strict=True):
        found[name] = asked or _input_type(values, bits)
    return found


def _input_type(values: Rows, bits: int) -> FixedType:
    signed = bool(values.min(initial=0.0) < 0)
    exact = narrowest_type(np.unique(values[:: max(len(values) // 100, 1)]))
    integer = reach_bits(float(values.min()), float(values.max()), signed=signed)
    if exact is not None:
        width = integer + max(exact.fraction, 1 - integer)
        kind = FixedType(width, integer, signed, Rounding.RND_CONV, Overflow.SAT)
        if width <= bits and np.array_equal(kind.decode(kind.encode(values)), values):
            return kind
    return FixedType(bits, integer, signed, Rounding.RND_CONV, Overflow.SAT)


def _candidates(
    needed: tuple[Place, ...],
    spreads: Mapping[str, Spread],
    inputs: Mapping[str, FixedType],
    bits: int,
) -> Iterator[Types]:
    known = None
    for probability in (OVERFLOW, 0.0):
        values = {
            place.tensor: FixedType(
                min(bits, place.most_bits, MOST_BITS),
                integer_bits(spreads[place.tensor], probability, unsigned=place.unsigned),
                not place.unsigned,
                Rounding.RND_CONV,
                Overflow.SAT,
            )
            for place in needed
        }
        if values != known:
            yield Types(inputs, values, bits)
        known = values


def _error(network: KerasNetwork, made: NDArray[np.float64], wanted: NDArray[np.float64]) -> float:
    """Of the output where it is largest."""
    shapes = shapes_of(network.layers)
    names = network.outputs or (network.layers[-1].name,)
    ends = np.cumsum([prod(shapes[name]) for name in names])[:-1]
    errors = []
    for ours, theirs in zip(
        np.split(made, ends, axis=1), np.split(wanted, ends, axis=1), strict=True
    ):
        spread = float(theirs.std()) or 1.0
        errors.append(float(np.sqrt(np.mean((ours - theirs) ** 2))) / spread)
    return max(errors)
