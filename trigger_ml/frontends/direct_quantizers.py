"""What QKeras' quantizers make of numbers in inference, in NumPy.

The arithmetic is that of qkeras/quantizers.py, version 0.9.0, operation by operation in single
precision, so that results are equal to the last bit. Sums, logarithms, tanh and the sigmoid are
not: there TensorFlow may round otherwise than NumPy, and a result that hangs on the last bit of
one is :class:`Undecided` here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.frontends.quantizers import DEFAULT_BITS

__all__ = ["Undecided", "quantized"]

EPSILON: Final = 1e-7
"""``keras.backend.epsilon()``."""
LOG_ERROR: Final = 1e-5
"""Bound on the error of a logarithm to base 2 of a weight in single precision, and of one of a
scale, whose sums differ in their last bits."""
CURVE_ERROR: Final = 2.0**-18
"""Bound on the relative error of tanh and of the sigmoid in single precision."""

Values = NDArray[np.float32]
Config = Mapping[str, Any]


class Undecided(Exception):
    """A result that single precision decides by the last bit of a sum or of a function."""


def quantized(quantizer: Mapping[str, Any], values: NDArray[Any]) -> Values:
    """What a canonical quantizer makes of an array, in inference.

    Raises Undecided where TensorFlow alone can tell.
    """
    x = np.asarray(values, dtype=np.float32)
    with np.errstate(all="ignore"):
        return np.asarray(_FUNCTIONS[quantizer["class_name"]](quantizer["config"], x))


def _through(x: Values, made: Any) -> Values:
    """QKeras writes a result so that gradients pass by it; that rounds once more."""
    return np.asarray(x + (-x + made), dtype=np.float32)


def _rounded(x: Values) -> Values:
    return _through(x, np.rint(x))


def _noised(config: Config, x: Values, made: Any) -> Values:
    """The end of a quantizer with a noise factor, which is 1."""
    return _through(x, made) if config.get("use_ste", True) else np.asarray(0 * x + made)


def _bits(config: Config, x: Values) -> Values:
    bits, negative = int(config.get("bits", DEFAULT_BITS)), bool(config.get("keep_negative", True))
    alpha, unsigned = config.get("alpha"), bits - negative
    levels, top = np.float32(2.0**unsigned), np.float32(2.0 ** int(config.get("integer") or 0))
    if isinstance(alpha, str):
        return _noised(config, x, _bits_scaled(config, x, levels, top))
    if unsigned > 0:
        lowest = negative * (-levels + bool(config.get("symmetric", False)))
        made = top * np.clip(_rounded(x * levels / top), lowest, levels - 1) / levels
    else:
        made = _sign(x)
        made = made if negative else (made + 1) / 2
    scale = np.float32(1) if alpha is None else np.asarray(alpha, dtype=np.float32)
    return _noised(config, x, scale * made)


def _bits_scaled(config: Config, x: Values, levels: Any, top: Any) -> Values:
    """quantized_bits with alpha="auto_po2": a power of two for each channel, found in steps."""
    axis = config.get("scale_axis")
    among = _other_axes(axis, x.ndim) if x.ndim > 1 else (0,)
    x = x / top
    count = (2 ** (int(config.get("bits", DEFAULT_BITS)) - 1) - 1) * 2
    scale = _power(np.max(np.abs(x), axis=among, keepdims=True) * 2 / np.float32(count))
    z = np.zeros_like(x)
    for _ in range(5):
        v = np.floor(np.abs(x) / scale + np.float32(0.5))
        z = np.sign(x) * np.where(v < count / 2, v, np.float32(count / 2))
        scale = _least_squares(x, z, axis)
    return np.asarray(scale * levels * (top * z / levels), dtype=np.float32)


def _ternary(config: Config, x: Values) -> Values:
    alpha = config.get("alpha")
    if isinstance(alpha, str):
        among = _other_axes(None, x.ndim) if x.ndim > 1 else None
        scale = _power(2 * np.max(np.abs(x), axis=among, keepdims=True) / np.float32(3))
        q = np.zeros_like(x)
        for _ in range(int(config.get("number_of_unrolls", 5))):
            v = scale * _rounded(x / scale)
            q = (np.abs(v) >= scale / 2).astype(np.float32) * np.sign(x)
            scale = _least_squares(x, q, None)
        return _through(x, scale * q)
    limit = config.get("threshold")
    limit = np.float32(0.33 if limit is None else limit)
    q = (np.abs(x) >= limit).astype(np.float32) * np.sign(x)
    return _levels(x, alpha, q)


def _binary(config: Config, x: Values) -> Values:
    alpha, sign = config.get("alpha"), _sign(x)
    if config.get("use_01", False):
        sign = np.maximum(sign, 0)
    if isinstance(alpha, str):
        return _through(x, _least_squares(x, sign, None) * sign)
    return _levels(x, alpha, sign)


def _levels(x: Values, alpha: Any, q: Values) -> Values:
    """Few levels; without an alpha the gradient is that of tanh, which leaves its rounding."""
    if alpha is not None:
        return _through(x, np.float32(float(alpha)) * q)
    made = _through(np.tanh(x), q)
    if not np.array_equal(made, q):
        raise Undecided("tanh in single precision")
    return made


def _relu(config: Config, x: Values) -> Values:
    slope, bound = float(config.get("negative_slope") or 0), config.get("relu_upper_bound")
    clips, count = config.get("is_quantized_clip", True), int(config.get("bits", DEFAULT_BITS))
    integer, count = int(config.get("integer") or 0), count - (slope != 0)
    levels, top = np.float32(2.0**count), np.float32(2.0**integer)
    rectified = np.where(x > 0, x, np.float32(slope) * x)
    end = top - np.float32(2.0 ** (integer - count)) if clips else bound
    source = rectified if end is None else np.where(x <= end, rectified, np.float32(end))
    p = x * levels / top
    made = top * np.clip(_rounded(p) / levels, 0, 1 - 1 / levels)
    if slope > 0:
        below = _rounded(p * np.float32(slope)) * np.float32(1 / (slope * levels))
        made = made + top * np.float32(slope) * np.clip(below, -1, 0)
    if bound and not clips:
        made = np.where(made <= bound, made, np.float32(bound))
    return _noised(config, np.asarray(source, dtype=np.float32), made)


def _tanh(config: Config, x: Values) -> Values:
    levels = np.float32(2.0 ** (int(config.get("bits", DEFAULT_BITS)) - 1))
    real = config.get("use_real_tanh", False)
    steps = _curve(np.tanh, x, levels) if real else (2 * _hard_sigmoid(x) - 1) * levels
    least = -1 + bool(config.get("symmetric", False)) / levels
    return np.asarray(np.clip(_rounded(steps) / levels, least, 1 - 1 / levels))


def _sigmoid(config: Config, x: Values) -> Values:
    levels = np.float32(2.0 ** int(config.get("bits", DEFAULT_BITS)))
    real = config.get("use_real_sigmoid", False)
    steps = _curve(_real_sigmoid, x, levels) if real else _hard_sigmoid(x) * levels
    least = bool(config.get("symmetric", False)) / levels
    return np.asarray(np.clip(_rounded(steps) / levels, least, 1 - 1 / levels))


def _hswish(config: Config, x: Values) -> Values:
    shifted = x + np.float32(config.get("relu_shift", 3))
    bound = np.float32(config.get("relu_upper_bound", 6))
    rectified = np.where(shifted <= bound, np.maximum(shifted, 0), bound)
    return _bits({**config, "keep_negative": True}, x * rectified / bound)


def _po2(config: Config, x: Values) -> Values:
    ends = _exponents(config, int(config.get("bits", DEFAULT_BITS)) - 1)
    made = _sign(x) * _clipped_power(config, np.abs(x), ends)
    return _noised(config, x, made)


def _relu_po2(config: Config, x: Values) -> Values:
    slope, most = np.float32(config.get("negative_slope") or 0), config.get("max_value")
    ends = _exponents(config, int(config.get("bits", DEFAULT_BITS)))
    source = np.where(x > 0, x, slope * x)
    if most is not None:
        source = np.where(x <= most, source, np.float32(most))
    above = _clipped_power(config, np.maximum(x, 0), ends)
    below = _clipped_power(config, np.maximum(-x, 0) * slope, ends)
    made = np.where((x >= 0) | (slope == 0), above, -below)
    return _noised(config, np.asarray(source, dtype=np.float32), made)


def _exponents(config: Config, bits: int) -> tuple[int, int]:
    """Smallest and largest exponent. bits: of the exponent with its sign."""
    most = config.get("max_value")
    effective = bits - (most is None or most > 1)
    lowest, highest = -(2**effective), 2**effective - 1
    if config.get("quadratic_approximation", False):
        highest = 2 * (highest // 2)
    return int(lowest), int(highest)


def _clipped_power(config: Config, size: Values, ends: tuple[int, int]) -> Values:
    """Powers of two next to sizes that are not negative."""
    most, square = config.get("max_value"), bool(config.get("quadratic_approximation", False))
    filtered = np.where(size < np.float32(EPSILON), np.float32(EPSILON), size)
    if most is not None:
        filtered = np.where(filtered >= most, np.float32(most), filtered)
    exponent = _log2(np.sqrt(filtered) if square else filtered)
    if config.get("log2_rounding", "rnd") == "floor":
        _require_apart(exponent, 0.0, LOG_ERROR)
        exponent = np.floor(exponent)
    else:
        _require_apart(exponent, 0.5, LOG_ERROR)
        exponent = np.rint(exponent)
    clipped = np.clip(exponent, *ends) * (2 if square else 1)
    return np.exp2(np.where(size < np.float32(EPSILON), ends[0], clipped)).astype(np.float32)


def _sign(x: Values) -> Values:
    return np.where(x < 0, np.float32(-1), np.float32(1))


def _hard_sigmoid(x: Values) -> Values:
    return np.asarray(np.clip(np.float32(0.5) * x + np.float32(0.5), 0, 1))


def _real_sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-x)))


def _curve(function: Callable[[Any], Any], x: Values, levels: Any) -> Values:
    """Steps of a function of real numbers, none of them near the middle of two."""
    steps = function(x.astype(np.float64)) * float(levels)
    _require_apart(steps, 0.5, CURVE_ERROR * np.abs(steps))
    return np.asarray(steps, dtype=np.float32)


def _power(scale: NDArray[Any]) -> Values:
    """The power of two next to a scale that may differ in its last bits."""
    exponent = _log2(np.asarray(scale + np.float32(EPSILON)))
    _require_apart(exponent, 0.5, LOG_ERROR)
    return np.exp2(np.rint(exponent)).astype(np.float32)


def _least_squares(x: Values, q: Values, axis: int | None) -> Values:
    """The power of two next to the scale of q that comes nearest to x, for each channel."""
    products, squares = x * q, q * q
    if x.ndim > 1:
        among = _other_axes(axis, x.ndim)
        products = products.mean(axis=among, keepdims=True, dtype=np.float64)
        squares = squares.mean(axis=among, keepdims=True, dtype=np.float64)
    return _power(products / (squares + EPSILON))


def _other_axes(axis: int | None, rank: int) -> tuple[int, ...]:
    kept = rank - 1 if axis is None else axis
    return tuple(number for number in range(rank) if number != kept)


def _log2(values: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(np.log(values.astype(np.float64)) / math.log(2))


def _require_apart(values: NDArray[Any], place: float, error: Any) -> None:
    """Raise Undecided where a value lies next to one that rounding decides by.

    place: of such values, behind whole numbers.
    """
    distance = values - place
    distance = np.abs(distance - np.rint(distance))
    if (np.isfinite(values) & (distance < error)).any():
        raise Undecided("rounding in single precision")


_FUNCTIONS: Final[Mapping[str, Callable[[Config, Values], Values]]] = {
    "quantized_bits": _bits,
    "ternary": _ternary,
    "stochastic_ternary": _ternary,
    "binary": _binary,
    "stochastic_binary": _binary,
    "quantized_relu": _relu,
    "quantized_tanh": _tanh,
    "quantized_sigmoid": _sigmoid,
    "quantized_hswish": _hswish,
    "quantized_po2": _po2,
    "quantized_relu_po2": _relu_po2,
}
