"""Casts, the family of ReLU, tables and scales, made in NumPy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from trigger_ml.frontends.direct_affine import coded
from trigger_ml.frontends.direct_rules import Reading, Rule, Typed
from trigger_ml.frontends.reach import Reach, Values, least_fraction, scaled_reach
from trigger_ml.graph.hls4ml_rectify import BIT
from trigger_ml.graph.model import Lookup, Operation, Quantize, Relu, frozen_codes
from trigger_ml.graph.rectify_operation import Rectify
from trigger_ml.graph.scale_operation import Scale
from trigger_ml.graph.types import FixedType, Overflow, Rounding

__all__ = ["ACTIVATIONS", "LinearRule", "ScaleRule", "activation_rule"]


@dataclass(frozen=True, slots=True)
class LinearRule(Rule):
    """A cast, into a type that the file says or into the one that is needed."""

    kind: FixedType | None = None

    @property
    def cast(self) -> FixedType | None:
        """The type that the file says, or None."""
        return self.kind

    def reach(self, reads: Sequence[Reach]) -> Reach:
        """As of :class:`Rule`."""
        return reads[0] if self.kind is None else Reach.of(self.kind, reads[0].shape)

    def asks(self, wanted: Reach, _reads: Sequence[Reach]) -> tuple[Reach, ...]:
        """As of :class:`Rule`."""
        return (wanted if self.kind is None else _asked(self.kind, wanted.shape),)

    def operation(self, _node: Typed) -> Operation:
        """As of :class:`Rule`."""
        return Quantize()


def _asked(kind: FixedType, shape: tuple[int, ...]) -> Reach:
    """The bits that a cast into a type needs: one that saturates, all above; one that rounds, all
    below, or one more that decides."""
    own, every = Reach.of(kind, shape), Reach.everything(shape)
    fraction = own.fraction
    if kind.rounding is Rounding.RND:
        fraction = fraction + 1
    elif kind.rounding is not Rounding.TRN:
        fraction = every.fraction
    if kind.overflow is Overflow.WRAP:
        return Reach(own.signed, own.integer, fraction)
    return Reach(every.signed, every.integer, fraction)


@dataclass(frozen=True, slots=True)
class ReluRule(Rule):
    """max(x, 0), cast into a type that the file says or into the one that is needed."""

    kind: FixedType | None = None

    @property
    def cast(self) -> FixedType | None:
        return self.kind

    def reach(self, reads: Sequence[Reach]) -> Reach:
        if self.kind is not None:
            return Reach.of(self.kind, reads[0].shape)
        return Reach(np.zeros_like(reads[0].signed), reads[0].integer, reads[0].fraction)

    def asks(self, wanted: Reach, _reads: Sequence[Reach]) -> tuple[Reach, ...]:
        every = Reach.everything(wanted.shape)
        below = wanted if self.kind is None else _asked(self.kind, wanted.shape)
        return (Reach(every.signed, every.integer, below.fraction),)

    def operation(self, _node: Typed) -> Operation:
        return Relu()


@dataclass(frozen=True, slots=True)
class ClippedRule(Rule):
    """A ReLU that is cut at a whole number."""

    bound: int

    def reach(self, reads: Sequence[Reach]) -> Reach:
        (read,) = reads
        integer = np.minimum(read.integer, self.bound.bit_length())
        return Reach(np.zeros_like(read.signed), integer, np.maximum(read.fraction, 0))

    def operation(self, node: Typed) -> Operation:
        return Rectify(frozen_codes(np.zeros(node.shape)), BIT, 0, self.bound, 0)


@dataclass(frozen=True, slots=True)
class LeakyRule(Rule):
    """A slope below zero, one for all."""

    slope: float

    def reach(self, reads: Sequence[Reach]) -> Reach:
        (read,), own = reads, Reach.of_constants(np.array(self.slope))
        return Reach(
            read.signed & int(self.slope > 0),
            read.integer + max(int(own.integer) - 1, 0),
            read.fraction + max(int(own.fraction), 0),
        )

    def operation(self, node: Typed) -> Operation:
        codes, kind = coded(np.array(self.slope))
        return Rectify(frozen_codes(np.full(node.shape, codes)), kind, 0, None, 0)


@dataclass(frozen=True, slots=True)
class ThresholdRule(Rule):
    """x where it is greater than a threshold, else 0."""

    threshold: float

    def reach(self, reads: Sequence[Reach]) -> Reach:
        (read,), own = reads, Reach.of_constants(np.array(self.threshold))
        return Reach(
            np.zeros_like(read.signed),
            np.maximum(read.integer, own.integer),
            np.maximum(read.fraction, own.fraction),
        )

    def operation(self, node: Typed) -> Operation:
        codes, kind = coded(np.array(self.threshold))
        return Rectify(frozen_codes(np.zeros(node.shape)), BIT, int(codes), None, kind.fraction)


@dataclass(frozen=True, slots=True)
class SlopesRule(Rule):
    """A slope below zero for each element."""

    slopes: Values

    def reach(self, reads: Sequence[Reach]) -> Reach:
        (read,), slopes = reads, self.slopes
        negative = read.signed != 0
        return Reach(
            (negative & (slopes > 0)).astype(np.int64),
            # The least code times -1 is one step more than the greatest code.
            read.integer + (negative & (slopes < 0)),
            read.fraction + np.maximum(least_fraction(slopes), 0),
        )

    def operation(self, _node: Typed) -> Operation:
        codes, kind = coded(self.slopes)
        return Rectify(codes, kind, 0, None, 0)


@dataclass(frozen=True, slots=True)
class TableRule(Rule):
    """A function of few values. values: in the order of the codes that it reads."""

    values: Values

    def reach(self, reads: Sequence[Reach]) -> Reach:
        (read,), own = reads, Reach.of_constants(self.values)
        return own.each(lambda part: np.full(read.shape, part.max()))

    def operation(self, node: Typed) -> Operation:
        codes, kind = coded(self.values)
        return Lookup("table", frozen_codes(node.type.cast(codes, kind.fraction)))


@dataclass(frozen=True, slots=True)
class ScaleRule(Rule):
    """x * scale + bias, with one of each for a channel, the last axis."""

    scale: Values
    bias: Values

    @property
    def idle(self) -> bool:
        """Whether it changes nothing."""
        return bool((self.scale == 1).all() and (self.bias == 0).all())

    def reach(self, reads: Sequence[Reach]) -> Reach:
        """As of :class:`Rule`."""
        return scaled_reach(reads[0], self.scale, self.bias)

    def operation(self, _node: Typed) -> Operation:
        """As of :class:`Rule`."""
        return Scale(*coded(self.scale), *coded(self.bias))


def activation_rule(function: Any, kind: FixedType | None) -> Rule | None:
    """The rule of an activation in a layer, or None where it is not known.

    function: a name, or a canonical quantizer. kind: the type that the quantizer casts into.
    """
    if isinstance(function, Mapping):
        known = {"quantized_bits": LinearRule, "quantized_relu": ReluRule}
        made = known.get(function["class_name"])
        return None if made is None or kind is None else made(kind)
    plain: Mapping[str, Rule] = {
        "linear": LinearRule(),
        "relu": ReluRule(),
        "relu6": ClippedRule(6),
    }
    return plain.get(function)


def _own_layer(reading: Reading) -> Rule | None:
    name, function = reading.layer.name, reading.config.get("activation") or "linear"
    if name in reading.tables:
        return TableRule(reading.tables[name].values)
    return activation_rule(function, reading.types.get(name))


def _relu(reading: Reading) -> Rule:
    if reading.config.get("max_value") is not None:
        return ClippedRule(int(reading.config["max_value"]))
    slope = float(reading.config.get("negative_slope") or 0)
    return LeakyRule(slope) if slope else ReluRule()


def _leaky(reading: Reading) -> Rule:
    slope = float(reading.config["alpha"])
    return LeakyRule(slope) if slope else ReluRule()


def _threshold(reading: Reading) -> Rule:
    theta = float(reading.config["theta"])
    return ThresholdRule(theta) if theta else ReluRule()


def _slopes(reading: Reading) -> Rule:
    return SlopesRule(np.asarray(reading.arrays[0], dtype=np.float64).reshape(reading.reads[0]))


def _scale(reading: Reading) -> Rule:
    """A normalization of mean 0 and variance 1, which all are once they are rounded."""
    scale, bias = (np.asarray(array, dtype=np.float64) for array in reading.arrays[:2])
    return ScaleRule(scale, bias)


ACTIVATIONS: Final[Mapping[str, Callable[[Reading], Rule | None]]] = {
    "QActivation": _own_layer,
    "Activation": _own_layer,
    "ReLU": _relu,
    "LeakyReLU": _leaky,
    "ThresholdedReLU": _threshold,
    "PReLU": _slopes,
    "BatchNormalization": _scale,
}
"""Makers of the rules of these layers, by class; None for what is not known."""
