"""Dense layers and convolutions, made in NumPy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.frontends.direct_quantizers import quantized
from trigger_ml.frontends.direct_rules import Reading, Rule, Shape, Typed
from trigger_ml.frontends.reach import Reach, Values, affine_reach
from trigger_ml.graph.model import Conv2D, Dense, Operation, frozen_codes
from trigger_ml.graph.types import Codes, FixedType
from trigger_ml.graph.windows import as_image, patches, window_count

__all__ = ["AFFINE", "Padding", "coded", "same_padding"]

Padding = tuple[int, int, int, int]
"""Places above, below, left and right of an image."""


@dataclass(frozen=True, slots=True)
class DenseRule(Rule):
    """x @ weight + bias. weight: (inputs, outputs), on its grid. bias: (outputs,)."""

    weight: Values
    bias: Values

    def reach(self, reads: Sequence[Reach]) -> Reach:
        (read,) = reads
        return affine_reach(read.low, read.high, read.fraction, self.weight, self.bias)

    def operation(self, node: Typed) -> Operation:
        return Dense(*coded(self.weight), *coded(self.bias), node.made.type)

    def reordered(self, shape: Shape, axes: tuple[int, ...]) -> DenseRule:
        """With the inputs, an array of this shape in a row, in another order of its axes."""
        weight = self.weight.reshape(*shape, -1).transpose(*axes, len(shape))
        return DenseRule(weight.reshape(-1, weight.shape[-1]), self.bias)


@dataclass(frozen=True, slots=True)
class ConvolutionRule(Rule):
    """Windows of an image or a sequence. weight: (rows, columns, channels, filters)."""

    weight: Values
    bias: Values
    strides: tuple[int, int]
    padding: Padding

    def reach(self, reads: Sequence[Reach]) -> Reach:
        (read,) = reads
        image = read.each(lambda part: part.reshape(as_image(read.shape)))
        size = self.weight.shape[:2]
        places = window_count(image.shape, (size[0], size[1]), self.strides, self.padding)
        filters = self.weight.shape[-1]
        low, high, fraction = self._windows(image)
        made = affine_reach(low, high, fraction, self.weight.reshape(-1, filters), self.bias)
        shape = (*places, filters) if len(read.shape) == 3 else (places[1], filters)
        return made.each(lambda part: part.reshape(shape))

    def _windows(self, image: Reach) -> tuple[Values, Values, Codes]:
        """Smallest and largest value and fraction bits in each window, zeros around."""
        size = (self.weight.shape[0], self.weight.shape[1])
        parts = [
            patches(part[None], size, self.strides, self.padding)[0]
            for part in (image.signed, image.integer, image.fraction)
        ]
        found = Reach(*parts)
        return found.low, found.high, found.fraction

    def operation(self, node: Typed) -> Operation:
        sums = node.made.type
        return Conv2D(*coded(self.weight), *coded(self.bias), sums, self.strides, self.padding)


def coded(values: Values) -> tuple[Codes, FixedType]:
    """Constants as codes, and the narrowest type that holds all of them."""
    kind = Reach.of_constants(values).type
    return frozen_codes(kind.encode(values)), kind


def same_padding(
    shape: Sequence[int], size: Sequence[int], strides: Sequence[int], how: str
) -> Padding:
    """Places around an image that Keras puts there; "same" puts the odd one below and right."""
    around: list[int] = []
    for length, part, step in zip(shape, size, strides, strict=False):
        missing = max((-(-length // step) - 1) * step + part - length, 0)
        before = {"valid": 0, "causal": missing}.get(how, missing // 2)
        around += [before, missing - before if how == "same" else 0]
    above, below, left, right = around
    return above, below, left, right


def _dense(reading: Reading) -> Rule:
    kernel, bias = _weights(reading, reading.arrays[0].shape[-1])
    return DenseRule(kernel, bias)


def _convolution(reading: Reading) -> Rule:
    config = reading.config
    kernel, bias = _weights(reading, reading.arrays[0].shape[-1])
    strides = [int(step) for step in config["strides"]]
    if kernel.ndim == 3:
        kernel, strides = kernel[None], [1, *strides]
    image = as_image(reading.reads[0])
    padding = same_padding(image, kernel.shape[:2], strides, config["padding"])
    return ConvolutionRule(kernel, bias, (strides[0], strides[1]), padding)


def _weights(reading: Reading, outputs: int) -> tuple[Values, Values]:
    """Kernel and bias on the grids of their quantizers."""
    config = reading.config
    kernel = _on_grid(config.get("kernel_quantizer"), reading.arrays[0])
    if not config.get("use_bias", True):
        return kernel, np.zeros(outputs)
    return kernel, _on_grid(config.get("bias_quantizer"), reading.arrays[1])


def _on_grid(quantizer: Any, stored: NDArray[Any]) -> Values:
    made = stored if quantizer is None else quantized(quantizer, stored)
    return np.asarray(made, dtype=np.float64)


AFFINE: Final[Mapping[str, Callable[[Reading], Rule]]] = {
    "QDense": _dense,
    "QConv1D": _convolution,
    "QConv2D": _convolution,
}
"""Makers of the rules of these layers, by class."""
