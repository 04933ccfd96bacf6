"""What ONNX says of a quantizer, as a fixed-point grid, and as a quantizer of QKeras.

QONNX's ``Quant`` and ``BipolarQuant`` are those of qonnx 1.0.0 (custom_op/general/intquant.py and
bipolar_quant.py); ``QuantizeLinear`` and ``DequantizeLinear`` are those of ONNX, which round to
nearest with ties to even. QKeras rounds so too, and a fixed-point step is a power of two.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, ModelError

__all__ = ["Grid", "bit_width", "quant_range", "read_scale", "weight_quantizer"]

MOST_BITS: Final = 24
"""Of a quantized weight: what single precision holds, in which every front end computes."""
MOST_BARE_BITS: Final = 16
"""Of a weight without a quantizer. Some random floats stand on a grid of 24 bits by accident:
torch draws its first weights so."""
POWER_OF_TWO: Final = (
    "train with power-of-two scales; in Brevitas restrict_scaling_type="
    "RestrictValueType.POWER_OF_TWO, or the quantizers of brevitas.quant.fixed_point"
)
FLOAT_WEIGHTS: Final = (
    "quantize it: train it with Brevitas and export QONNX or QCDQ (docs/pytorch.md); a model "
    "without any quantizer takes its types from --data events"
)

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Grid:
    """Values from ``low`` to ``high`` times ``2**exponent``, in steps of that."""

    exponent: int
    low: int
    high: int

    def quantizer(self, where: str) -> dict[str, Any]:
        """The quantizer of QKeras that has these values, as a Keras file would name it.

        Raises ModelError where no fixed-point type has this range.
        """
        bits = self.high.bit_length()
        if self.low == 0 and self.high == (1 << bits) - 1 and bits:
            options = {"bits": bits, "integer": bits + self.exponent}
            return {"class_name": "quantized_relu", "config": options}
        bits += 1
        narrow = self.low == -self.high
        if self.high != (1 << (bits - 1)) - 1 or self.low != narrow - (1 << (bits - 1)) or bits < 2:
            what = f"the codes {self.low} to {self.high} are the range of no fixed-point type"
            fix = "use -2**(n-1) (or one more, narrow) to 2**(n-1)-1, or 0 to 2**n-1"
            raise ModelError(Blocker(where, what, fix))
        options = {"bits": bits, "integer": bits - 1 + self.exponent, "alpha": 1}
        return {"class_name": "quantized_bits", "config": {**options, "symmetric": int(narrow)}}


def read_scale(scale: Array, where: str) -> Array:
    """A scale as it is. Raises ModelError unless every element is a power of two."""
    values = np.asarray(scale, np.float64).reshape(-1)
    for value in values:
        if not (value > 0 and math.isfinite(value) and math.frexp(value)[0] == 0.5):
            what = f"the scale {value:.9g} is not a power of two"
            raise ModelError(Blocker(where, what, POWER_OF_TWO))
    return scale


def bit_width(bits: Array, where: str) -> int:
    """The one width of a Quant. Raises ModelError."""
    values = np.asarray(bits, np.float64).reshape(-1)
    if values.size != 1 or values[0] != np.rint(values[0]) or not 1 <= values[0] <= 32:
        what = f"bit widths {values[:4].tolist()}"
        raise ModelError(Blocker(where, what, "use one whole number, 1 to 32"))
    return int(values[0])


def quant_range(attributes: Mapping[str, Any], bits: int) -> tuple[int, int]:
    """Least and largest code of a Quant."""
    narrow = int(bool(attributes.get("narrow", 0)))
    if attributes.get("signed", 1):
        return narrow - (1 << (bits - 1)), (1 << (bits - 1)) - 1
    return 0, (1 << bits) - 1 - narrow


def weight_quantizer(values: Array, where: str, what: str, *, quantized: bool) -> dict[str, Any]:
    """The narrowest quantizer that holds every weight as it is.

    what: the weights in words. quantized: whether the file has a quantizer for them. Raises
    ModelError where no type that is narrow enough does.
    """
    most = MOST_BITS if quantized else MOST_BARE_BITS
    numbers = np.asarray(values, np.float64)
    if not np.isfinite(numbers).all():
        broken = int((~np.isfinite(numbers)).sum())
        text = f"{broken} of {numbers.size} numbers of its {what} are NaN or infinite"
        raise ModelError(Blocker(where, text, "the training diverged; train it again"))
    used = numbers[numbers != 0]
    fraction, integer = 0, 1
    if used.size:
        fraction = -min(_last_bit(float(value)) for value in np.unique(used))
        codes = [int(math.ldexp(float(value), fraction)) for value in (used.min(), used.max())]
        width = max((code if code >= 0 else ~code).bit_length() for code in codes)
        integer = max(width - fraction, 1 - fraction)
    bits = integer + fraction + 1
    if bits > most:
        text = f"its {what} is float: no fixed-point type of {most} bits holds it"
        raise ModelError(Blocker(where, text, FLOAT_WEIGHTS))
    options = {"bits": bits, "integer": integer, "alpha": 1}
    return {"class_name": "quantized_bits", "config": options}


def _last_bit(value: float) -> int:
    """Power of two of the last bit that is set."""
    numerator, denominator = value.as_integer_ratio()
    return (numerator & -numerator).bit_length() - denominator.bit_length()
