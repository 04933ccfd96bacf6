"""Batch normalization with constants that are numbers in binary of few digits.

In inference it is x * scale + bias for each channel, with scale = gamma / sqrt(variance +
epsilon) and bias = beta - mean * scale: real numbers. Both are rounded here, in the source model
as well, to so few digits that single precision computes the result exactly: then the source
model, hls4ml and the RTL can be compared integer by integer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.graph.narrow import WIDEST
from trigger_ml.graph.types import FixedType, Overflow, Rounding

__all__ = ["Constants", "Normalization", "constants", "rounded"]

MOST_DIGITS: Final = 12
"""Binary digits of a rounded scale or bias: a relative change of at most 2**-12 (1 in 4,000),
far below one step of the quantizers of 4 to 8 bits that follow a normalization."""
LEAST_DIGITS: Final = 8
"""Fewer digits of a scale, and the layer's input is rounded instead."""
LEAST_INPUT: Final = 8
"""Bits that a normalization's input keeps at least."""
SPREAD: Final = 8
"""Binary places that the last digit of a small scale may lie below that of the largest one."""


_MODE: Final = (Rounding.RND_CONV, Overflow.SAT)

Constants = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Scale and bias, shape (channels,) each."""


@dataclass(frozen=True, slots=True)
class Normalization:
    """A rounded batch normalization.

    scale, bias: shape (channels,), float64. source: the type that it reads. narrowed: whether
    its input has to be rounded to that. change: of a scale, relative, at most.
    """

    scale: NDArray[np.float64]
    bias: NDArray[np.float64]
    source: FixedType
    narrowed: bool
    change: float

    @property
    def weights(self) -> list[NDArray[np.float32]]:
        """Gamma, beta, mean and variance of a BatchNormalization with epsilon 0 that it is."""
        zeros = np.zeros_like(self.scale)
        arrays = self.scale, self.bias, zeros, zeros + 1
        return [array.astype(np.float32) for array in arrays]

    def note(self, name: str) -> str:
        """What was changed, in words."""
        text = f"{name}: scale and bias rounded, a scale by at most {self.change:.2g} of itself"
        return f"{text}; reads its input as {self.source}" if self.narrowed else text


def constants(
    where: str, config: Mapping[str, Any], arrays: Sequence[NDArray[np.float32]]
) -> Constants:
    """Scale and bias of a BatchNormalization, shape (channels,) each.

    arrays: as Keras stores them: gamma and beta, where there are such, mean, variance. Raises
    ModelError where the variance is negative.
    """
    todo = [np.asarray(array, dtype=np.float64) for array in arrays]
    mean, variance = todo[-2:]
    gamma = todo.pop(0) if config["scale"] else np.ones_like(mean)
    beta = todo.pop(0) if config["center"] else np.zeros_like(mean)
    spread = variance + float(config["epsilon"])
    if not (spread > 0).all():
        what = "its moving variance is negative, or zero without an epsilon"
        raise ModelError(Blocker(where, what, "train it again"))
    scale = gamma / np.sqrt(spread)
    return scale, beta - mean * scale


def rounded(where: str, exact: Constants, source: FixedType) -> Normalization:
    """The constants in as many digits as single precision can take.

    source: type of the layer's input. Where that leaves too few digits for a scale, the input is
    rounded to fewer bits as well. Raises ModelError where even that is not enough.
    """
    scale, bias = exact
    # QKeras has no types that end below one half: it computes 2**integer in whole numbers.
    integer = max(source.integer, int(source.signed))
    width = max(source.width + integer - source.integer, 1)
    source = kind = FixedType(width, integer, source.signed, *_MODE)
    while kind.width >= min(LEAST_INPUT, source.width):
        found = _digits(scale, bias, kind)
        if found is not None:
            change = np.abs(found[0] - scale) / np.where(scale == 0, 1, np.abs(scale))
            narrow = kind.width < source.width
            return Normalization(*found, kind, narrow, float(change.max(initial=0)))
        if kind.width == 1:
            break
        kind = FixedType(kind.width - 1, kind.integer, kind.signed, *_MODE)
    what = f"reads {source}: products with its scales do not fit {WIDEST} bits"
    fix = "put a QActivation(quantized_bits(8,...,alpha=1)) before it"
    raise ModelError(Blocker(where, what, fix))


def _digits(
    scale: NDArray[np.float64], bias: NDArray[np.float64], source: FixedType
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Rounded constants with which every result has at most 24 digits, or None."""
    largest = float(max(source.max_code, -source.min_code)) * source.step
    top = float(np.abs(bias).max(initial=0))
    coarse = MOST_DIGITS - (math.frexp(top)[1] if top else 0)
    biases = np.zeros_like(bias)
    lowest = MOST_DIGITS + SPREAD - math.frexp(float(np.abs(scale).max(initial=0)) or 1.0)[1]
    scales = np.empty_like(scale)
    for channel, value in enumerate(scale.tolist()):
        for digits in range(MOST_DIGITS, LEAST_DIGITS - 1, -1):
            below = min(digits - math.frexp(value)[1], lowest) if value else 0
            candidate = float(_on_grid(np.array(value), below))
            fraction = _fraction(candidate) + source.fraction
            offset = float(bias[channel])
            places = MOST_DIGITS - (math.frexp(offset)[1] if offset else 0)
            # A small bias may end where the products end, however many digits it has before.
            offset = float(_on_grid(bias[channel], min(places, max(fraction, coarse))))
            fraction = max(fraction, _fraction(offset))
            if (largest * abs(candidate) + abs(offset)) * 2.0**fraction < 2.0**WIDEST:
                scales[channel], biases[channel] = candidate, offset
                break
        else:
            return None
    return scales, biases


def _on_grid(values: NDArray[np.float64], places: int) -> NDArray[np.float64]:
    return np.asarray(np.ldexp(np.rint(np.ldexp(values, places)), -places))


def _fraction(value: float) -> int:
    """Binary places that a number needs behind the point; negative for multiples of two."""
    numerator, denominator = float(value).as_integer_ratio()
    if numerator == 0:
        return 0
    return denominator.bit_length() - 1 - ((numerator & -numerator).bit_length() - 1)
