"""Which QKeras quantizers there are, their parameters, and which values of those will do."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from trigger_ml.errors import Blocker
from trigger_ml.graph.narrow import narrowest_type

__all__ = ["DEFAULT_BITS", "KNOWN", "OF_VALUES", "value_problems", "weight_problems"]

DEFAULT_BITS: Final = 8
"""Of all quantizers in QKeras that have bits."""

_TUNING: Final = ("qnoise_factor", "var_name", "use_ste", "use_variables")
_SCALED: Final = ("alpha", "use_stochastic_rounding", "scale_axis", *_TUNING)
_PO2: Final = ("use_stochastic_rounding", "quadratic_approximation", "log2_rounding", *_TUNING)

KNOWN: Final[Mapping[str, tuple[str, ...]]] = {
    "quantized_bits": ("bits", "integer", "symmetric", "keep_negative", *_SCALED),
    "quantized_relu": (
        "bits",
        "integer",
        "use_sigmoid",
        "negative_slope",
        "use_stochastic_rounding",
        "relu_upper_bound",
        "is_quantized_clip",
        *_TUNING,
    ),
    "binary": ("use_01", "alpha", "use_stochastic_rounding"),
    "stochastic_binary": ("alpha", "temperature", "use_real_sigmoid"),
    "ternary": ("alpha", "threshold", "use_stochastic_rounding", "number_of_unrolls"),
    "stochastic_ternary": (
        "alpha",
        "threshold",
        "temperature",
        "use_real_sigmoid",
        "number_of_unrolls",
    ),
    "quantized_po2": ("bits", "max_value", *_PO2),
    "quantized_relu_po2": ("bits", "max_value", "negative_slope", *_PO2),
    "quantized_tanh": ("bits", "use_stochastic_rounding", "symmetric", "use_real_tanh"),
    "quantized_sigmoid": ("bits", "symmetric", "use_real_sigmoid", "use_stochastic_rounding"),
    "quantized_hswish": (
        "bits",
        "integer",
        "symmetric",
        *_SCALED,
        "relu_shift",
        "relu_upper_bound",
    ),
}
"""Quantizers, and their parameters in the order of QKeras."""

OF_VALUES: Final = (
    "quantized_bits",
    "quantized_relu",
    "quantized_tanh",
    "quantized_sigmoid",
    "quantized_hswish",
    "binary",
    "ternary",
)
"""Those that may be an activation."""

_ADVICE: Final[Mapping[str, str]] = {
    "use_stochastic_rounding": "firmware rounds the same way every time",
    "qnoise_factor": "only full quantization (1.0) can be exact",
    "use_sigmoid": "the sigmoid variant has no fixed-point form",
    "alpha": "the scale must be a number, or 'auto_po2' for weights: retrain with one of them",
    "relu_upper_bound": "use a multiple of the quantizer's step",
    "negative_slope": "use a power of two below one, no smaller than the quantizer's step",
    "threshold": "use a positive number, and none beside an automatic alpha",
    "bits": "1 to 32 bits",
    "integer": "-32 to 32 integer bits",
}


def weight_problems(name: str, config: Mapping[str, Any], where: str) -> list[Blocker]:
    """What is wrong with the parameters of a quantizer of weights."""
    return _problems(name, config, where, {**_RULES, **_OF_WEIGHTS.get(name, {})})


def value_problems(name: str, config: Mapping[str, Any], where: str) -> list[Blocker]:
    """What is wrong with the parameters of a quantizer of values."""
    rules = {**_RULES, "use_stochastic_rounding": _is_off, "alpha": _is_one}
    found = _problems(name, config, where, {**rules, **_VALUE_RULES.get(name, {})})
    if found:
        return found
    bits = int(config.get("bits", DEFAULT_BITS))
    if name == "quantized_bits" and bits == 1 and config.get("keep_negative", True):
        what = "quantized_bits of one bit with a sign means -1 and 1 in QKeras, not a type"
        found.append(Blocker(where, what, "give it keep_negative=False, or two bits"))
    if name in ("quantized_tanh", "quantized_hswish") and bits == 1:
        found.append(Blocker(where, f"{name} of one bit", "give it two bits"))
    if name == "quantized_relu":
        found += _relu_problems(config, bits, where)
    return found


def _relu_problems(config: Mapping[str, Any], bits: int, where: str) -> list[Blocker]:
    found = []
    slope, bound = config.get("negative_slope") or 0, config.get("relu_upper_bound")
    if slope and slope < 2.0 ** (1 - bits):
        what = f"quantized_relu(negative_slope={slope!r}) of {bits} bits"
        found.append(Blocker(where, what, _ADVICE["negative_slope"]))
    steps = float(bound or 0) * 2.0 ** (bits - bool(slope) - int(config.get("integer") or 0))
    if not config.get("is_quantized_clip", True) and steps != int(steps):
        what = f"quantized_relu(relu_upper_bound={bound!r})"
        found.append(Blocker(where, what, _ADVICE["relu_upper_bound"]))
    return found


def _problems(
    name: str, config: Mapping[str, Any], where: str, rules: Mapping[str, Callable[[Any], bool]]
) -> list[Blocker]:
    found = []
    for key, value in config.items():
        if key not in KNOWN[name]:
            found.append(Blocker(where, f"{name} has no parameter {key}"))
        elif key != "var_name" and not rules[key](value):
            found.append(Blocker(where, f"{name}({key}={value!r})", _ADVICE.get(key, "")))
    automatic = isinstance(config.get("alpha"), str)
    if automatic and config.get("threshold") is not None:
        found.append(Blocker(where, f"{name} with alpha and threshold", _ADVICE["threshold"]))
    if name == "ternary" and config.get("use_stochastic_rounding") and not automatic:
        what = "ternary(use_stochastic_rounding=True) without alpha='auto_po2'"
        found.append(Blocker(where, what, "QKeras refuses it as well"))
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _is_whole(low: int, high: int) -> Callable[[Any], bool]:
    return lambda value: _is_number(value) and value == int(value) and low <= value <= high


def _is_positive(value: Any) -> bool:
    return _is_number(value) and 0 < value <= 2.0**32


def _or_none(rule: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or rule(value)


def _is_flag(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and value in (0, 1))


def _is_off(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and value == 0)


def _is_one(value: Any) -> bool:
    return value in (None, "1", "1.0") or (isinstance(value, int | float) and value == 1)


def _is_power_of_two(value: Any) -> bool:
    return _is_off(value) or (_is_positive(value) and math.frexp(value)[0] == 0.5)


def _is_scale(value: Any) -> bool:
    """None, a number or "auto_po2"."""
    return value in ("auto_po2", "1", "1.0") or value is None or (_is_number(value) and value != 0)


def _are_scales(value: Any) -> bool:
    """A scale, or numbers for the channels: a list, or an array as Keras writes it."""
    if isinstance(value, Mapping):
        config = value.get("config")
        value = config.get("value") if isinstance(config, Mapping) else None
        if value is None or value == "auto_po2":
            return False
    if not isinstance(value, list | tuple):
        return _is_scale(value)
    items = value[0] if len(value) == 1 and isinstance(value[0], list | tuple) else value
    return len(items) > 0 and all(_is_number(item) and item != 0 for item in items)


def _is_level(value: Any) -> bool:
    """A number in binary of few digits, for the results of binary and ternary."""
    if value is None:
        return True
    return _is_positive(value) and narrowest_type(np.array([-value, value])) is not None


_RULES: Final[Mapping[str, Callable[[Any], bool]]] = {
    "bits": _is_whole(1, 32),
    "integer": _is_whole(-32, 32),
    "alpha": _is_scale,
    "qnoise_factor": _is_one,
    "use_sigmoid": _is_off,
    "negative_slope": _is_power_of_two,
    "relu_upper_bound": _or_none(_is_positive),
    "relu_shift": _is_positive,
    "threshold": _or_none(_is_positive),
    "temperature": _is_positive,
    "number_of_unrolls": _is_whole(0, 100),
    "scale_axis": _or_none(_is_whole(0, 8)),
    "max_value": _or_none(_is_positive),
    "log2_rounding": lambda value: value in ("rnd", "floor"),
    **dict.fromkeys(
        (
            "symmetric",
            "keep_negative",
            "use_01",
            "is_quantized_clip",
            "use_stochastic_rounding",
            "quadratic_approximation",
            "use_real_tanh",
            "use_real_sigmoid",
            "use_ste",
            "use_variables",
        ),
        _is_flag,
    ),
}
_OF_WEIGHTS: Final[Mapping[str, Mapping[str, Callable[[Any], bool]]]] = {
    "quantized_bits": {"alpha": _are_scales},
    "binary": {"use_stochastic_rounding": _is_off},
    "quantized_relu": {"negative_slope": _is_off, "relu_upper_bound": lambda v: v is None},
}
"""QKeras 0.9 cannot evaluate a stochastic binary in inference: it mixes up shapes."""
_VALUE_RULES: Final[Mapping[str, Mapping[str, Callable[[Any], bool]]]] = {
    "binary": {"alpha": _is_level},
    "ternary": {"alpha": _is_level},
    "quantized_hswish": {"relu_upper_bound": _is_positive},
    "quantized_relu": {"negative_slope": lambda v: _is_power_of_two(v) and (v or 0) < 1},
}
