"""Quantizers and weights of layers as the graph has them, without QKeras."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.frontends.model_file import Layer
from trigger_ml.frontends.quantizers import DEFAULT_BITS, needs_table, quantizer_type
from trigger_ml.graph.model import frozen_codes
from trigger_ml.graph.types import MAX_WIDTH, Codes, FixedType

__all__ = ["Affine", "accumulator_type", "affine_weights", "plain_type", "weight_codes"]

QUANTIZERS: Final = ("quantized_bits", "quantized_relu")
PLAIN: Final[Mapping[str, tuple[Any, ...]]] = {
    "alpha": (1, "1", "1.0"),
    "negative_slope": (0, None),
    "use_sigmoid": (0, None),
    "use_stochastic_rounding": (0, None),
    "qnoise_factor": (1, None),
}
"""Values of a quantizer's parameters with which its type says everything of it; the first one is
what a parameter that is not there means."""


@dataclass(frozen=True, slots=True, eq=False)
class Affine:
    """Weights and biases of a layer as codes, and the types of both."""

    kernel: Codes
    kernel_type: FixedType
    bias: Codes
    bias_type: FixedType


def affine_weights(layer: Layer, arrays: tuple[NDArray[Any], ...]) -> Affine | None:
    """Kernel and bias of a layer on their grids; None where a quantizer is not known here."""
    kernel = weight_codes(layer.config.get("kernel_quantizer"), arrays[0])
    bias: tuple[Codes, FixedType] | None = (
        frozen_codes(np.zeros(arrays[0].shape[-1])),
        FixedType(1, 1, False),
    )
    if layer.config.get("use_bias", True):
        bias = weight_codes(layer.config.get("bias_quantizer"), arrays[1])
    return None if kernel is None or bias is None else Affine(*kernel, *bias)


def plain_type(quantizer: Any) -> FixedType | None:
    """Type of what a quantizer of values gives, or None where that is not all there is to it."""
    if not isinstance(quantizer, Mapping) or quantizer.get("class_name") not in QUANTIZERS:
        return None
    config = quantizer["config"]
    plain = all(config.get(key, values[0]) in values for key, values in PLAIN.items())
    plain = plain and not needs_table(quantizer)
    # Without an alpha, quantized_bits of weights scales them by data.
    scaled = quantizer["class_name"] == "quantized_bits" and "alpha" not in config
    return quantizer_type(quantizer) if plain and not scaled else None


def weight_codes(quantizer: Any, stored: NDArray[Any]) -> tuple[Codes, FixedType] | None:
    """Weights on the grid of their quantizer, and its type, as QKeras rounds them.

    None for a quantizer that is not known here.
    """
    kind = plain_type(quantizer)
    if kind is None:
        return None
    config = quantizer["config"]
    one_bit = int(config.get("bits", DEFAULT_BITS)) == 1 and config.get("keep_negative", True)
    if quantizer["class_name"] == "quantized_bits" and one_bit:
        return frozen_codes(np.where(stored < 0, -1, 1)), FixedType(2, 2)
    return frozen_codes(kind.encode(stored)), kind


def accumulator_type(made: FixedType, source: FixedType, own: Affine) -> FixedType:
    """The sum's own range, with all fraction bits of the products and of the bias."""
    least = max(source.fraction + own.kernel_type.fraction, own.bias_type.fraction, made.fraction)
    width = min(made.integer + least, MAX_WIDTH)
    return FixedType(max(width, 1), made.integer, made.signed)
