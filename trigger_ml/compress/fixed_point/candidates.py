"""Fixed-point candidates of a float network, made from data without training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil, floor, log2
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.compress.fixed_point.curvature import (
    Curvature,
    Sensitivity,
    output_root,
    sensitivities,
)
from trigger_ml.compress.fixed_point.layer_types import DenseTypes, LayerTypes, fixed_graph
from trigger_ml.compress.fixed_point.surgery import Digits, cut_digits, signed_digits
from trigger_ml.compress.judging import graph_scores
from trigger_ml.compress.networks.network import DenseLayer, FloatNetwork, Layer
from trigger_ml.graph.model import FixedGraph
from trigger_ml.graph.types import FixedType

__all__ = ["Calibration", "Candidate", "Choice"]

Values = NDArray[np.float64]

WEIGHT_OCTAVES: Final = 8
"""A layer's digits reach so many powers of two below its largest weight."""
DAMPING: Final = 1e-4
"""Share of the mean curvature; 1e-3 and 1e-2 gave no better networks on the jet tagger."""
BIAS_BITS: Final = 2
"""Fraction bits of a bias beyond those that its activation keeps."""
LOGIT_BIAS_FRACTION: Final = 8
"""Fraction bits of a bias that nothing rounds."""
SETTLING_ROUNDS: Final = 2
SETTLING_DAMPING: Final = 1e-3
"""Two rounds took 15 to 20 % off the divergence of jet taggers, a third nothing; 1e-2 less."""

LUT_PER_DIGIT: Final = 2.8
LUT_PER_DIGIT_AND_BIT: Final = 0.4
"""An adder for each signed digit: fitted to alkaid's cost of jet taggers of 480 to 14,400 LUTs
with activations of 5 and 8 bits, within 20 %. It only orders candidates."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What decides a candidate.

    price: divergence in nats that one LUT may cost. activations: types behind dense layers, by
    layer; a layer that is not named keeps its exact sums.
    """

    price: float
    input: FixedType
    activations: Mapping[str, FixedType]

    def narrowed(self, layer: str, fraction: int, integer: int) -> Choice | None:
        """With so many fraction and integer bits less behind a layer; None where none is left."""
        old = self.activations[layer]
        width = old.width - fraction - integer
        if width < 1 + int(old.signed) or old.integer - integer < int(old.signed):
            return None
        kind = replace(old, width=width, integer=old.integer - integer)
        return replace(self, activations={**self.activations, layer: kind})


@dataclass(frozen=True, eq=False)
class Candidate:
    """A network whose weights are on the grids of its types.

    lut: a rough estimate, good for an order only.
    """

    choice: Choice
    network: FloatNetwork
    types: LayerTypes
    lut: float

    @cached_property
    def graph(self) -> FixedGraph:
        """What its firmware computes."""
        return fixed_graph(self.network, self.types)


class Calibration:
    """Events, and what the float network does on them."""

    def __init__(self, network: FloatNetwork, values: NDArray[Any], input_type: FixedType) -> None:
        """values: training events, shape (events, *input_shape)."""
        self.network = network
        grid = input_type.decode(input_type.encode(np.asarray(values, dtype=np.float64)))
        self._inputs = grid.reshape(len(grid), -1, network.input_shape[-1])
        self._sensitivity = sensitivities(network, grid)
        self._first: Curvature | None = None

    def candidate(self, choice: Choice) -> Candidate:
        """The candidate of a choice. Each layer makes good what those before it changed."""
        current, width, lut = self._inputs, choice.input.width, 0.0
        layers: list[Layer] = []
        types: dict[str, DenseTypes] = {}
        for layer in self.network.layers:
            if not isinstance(layer, DenseLayer):
                layers.append(layer)
                halvings = ceil(log2(current.shape[1]))
                current, width = current.mean(axis=1, keepdims=True), width + halvings
                continue
            kind = choice.activations.get(layer.name)
            curvature = self._curvature(layer, current)
            lut_per_digit = (LUT_PER_DIGIT + LUT_PER_DIGIT_AND_BIT * width) * current.shape[1]
            fixed, own, digits = _fix_layer(layer, curvature, choice.price * lut_per_digit, kind)
            lut += lut_per_digit * digits
            layers.append(fixed)
            types[layer.name] = own
            current = fixed(current)
            if kind is not None:
                current, width = kind.decode(kind.encode(current)), kind.width
        network = replace(self.network, layers=tuple(layers), input_type=choice.input)
        return Candidate(choice, network, LayerTypes(choice.input, types), lut)

    def settled(self, candidate: Candidate) -> Candidate:
        """The candidate with all its biases moved together to where the divergence is least.

        A bias is a constant of the firmware whatever its value. What neurons do together, which
        their separate curvatures leave out, is mended here as far as biases can: Gauss-Newton
        steps with the slopes of the candidate, its rounding left out of them.
        """
        events = self._inputs.reshape(-1, *self.network.input_shape)
        wanted = self.network.logits(events)
        for _ in range(SETTLING_ROUNDS):
            found = sensitivities(candidate.network, events)
            slopes = [found[layer.name].slopes.sum(axis=2) for layer in candidate.network.dense]
            joint = np.concatenate(slopes, axis=-1)
            scores = graph_scores(candidate.graph, events.astype(np.float32))
            missing = np.asarray(wanted - scores)
            root = output_root(candidate.network, candidate.network.logits(events))
            rows = joint.reshape(-1, joint.shape[-1])
            target = (root @ missing[..., None]).reshape(-1)
            hessian = rows.T @ rows
            pull = SETTLING_DAMPING * np.trace(hessian) / len(hessian)
            step = np.linalg.solve(hessian + pull * np.eye(len(hessian)), rows.T @ target)
            candidate = _moved(candidate, step)
        return candidate

    def _curvature(self, layer: DenseLayer, inputs: Values) -> Curvature:
        """The first layer always sees the same inputs, so its curvature is kept."""
        sensitivity: Sensitivity = self._sensitivity[layer.name]
        if inputs is not self._inputs:
            return sensitivity.curvature(inputs, DAMPING)
        if self._first is None:
            self._first = sensitivity.curvature(inputs, DAMPING)
        return self._first


def _fix_layer(
    layer: DenseLayer, curvature: Curvature, price: float, kind: FixedType | None
) -> tuple[DenseLayer, DenseTypes, int]:
    """The layer on its grids, its types, and its signed digits."""
    top = float(np.abs(curvature.best[:, :-1]).max(initial=0.0)) or 1.0
    highest = floor(log2(top)) + 1
    digits = Digits(highest - WEIGHT_OCTAVES, highest)
    bias_fraction = _bias_fraction(kind)
    found = cut_digits(curvature, digits, price, 2.0**-bias_fraction)
    kernel, bias = found[:, :-1].T, found[:, -1]
    steps = np.diff(signed_digits(kernel, digits), axis=0)
    types = DenseTypes(
        _smallest_type(kernel, -digits.lowest), _smallest_type(bias, bias_fraction), kind
    )
    fixed = DenseLayer(layer.name, np.ascontiguousarray(kernel), bias, layer.activation)
    return fixed, types, int(np.count_nonzero(steps))


def _moved(candidate: Candidate, step: Values) -> Candidate:
    """The candidate with a step added to all its biases, one after the other."""
    layers: list[Layer] = []
    types: dict[str, DenseTypes] = {}
    for layer in candidate.network.layers:
        if isinstance(layer, DenseLayer):
            own, (change, step) = (
                candidate.types.layers[layer.name],
                np.split(step, [layer.bias.size]),
            )
            fraction = _bias_fraction(own.activation)
            bias = np.ldexp(np.rint(np.ldexp(layer.bias + change, fraction)), -fraction)
            layers.append(replace(layer, bias=bias))
            types[layer.name] = replace(own, bias=_smallest_type(bias, fraction))
        else:
            layers.append(layer)
    network = replace(candidate.network, layers=tuple(layers))
    return replace(candidate, network=network, types=replace(candidate.types, layers=types))


def _bias_fraction(kind: FixedType | None) -> int:
    return LOGIT_BIAS_FRACTION if kind is None else kind.fraction + BIAS_BITS


def _smallest_type(values: Values, fraction: int) -> FixedType:
    """The narrowest signed type that holds values on a grid exactly and that QKeras has: two bits
    or more, the sign left of the binary point."""
    codes = np.ldexp(values, fraction).astype(np.int64)
    while fraction > 0 and not (codes & 1).any():
        codes, fraction = codes >> 1, fraction - 1
    low, high = int(codes.min(initial=0)), int(codes.max(initial=0))
    width = max(high.bit_length(), (-low - 1).bit_length() if low < 0 else 0, 1) + 1
    width = max(width, fraction + 1)
    return FixedType(width, width - fraction)
