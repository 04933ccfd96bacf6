"""QKeras quantizers as plain data, read without evaluating anything.

A model file names a quantizer either as ``{"class_name": ..., "config": {...}}`` or as text,
``"quantized_bits(6,0,alpha=1)"``. QKeras evaluates the text; we parse it and accept nothing but
a call of a known quantizer with literal arguments.

The semantics are those of qkeras/quantizers.py, version 0.9.0.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from typing import Any, Final

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.graph.types import FixedType, Overflow, Rounding

__all__ = ["KNOWN", "activation_quantizer", "canonical_quantizer", "quantizer_type"]

KNOWN: Final[Mapping[str, tuple[str, ...]]] = {
    "quantized_bits": (
        "bits",
        "integer",
        "symmetric",
        "keep_negative",
        "alpha",
        "use_stochastic_rounding",
        "scale_axis",
        "qnoise_factor",
        "var_name",
        "use_ste",
        "use_variables",
    ),
    "quantized_relu": (
        "bits",
        "integer",
        "use_sigmoid",
        "negative_slope",
        "use_stochastic_rounding",
        "relu_upper_bound",
        "is_quantized_clip",
        "qnoise_factor",
        "var_name",
        "use_ste",
        "use_variables",
    ),
}
"""Quantizers with a fixed-point meaning here, and their parameters in the order of QKeras."""

_LATER: Final = ("post_training_scale",)
"""Parameters that qkeras-v3 added: left out where they are not set."""
_MUST_BE: Final[Mapping[str, tuple[Any, ...]]] = {
    "use_stochastic_rounding": (False, 0, None),
    "qnoise_factor": (1, 1.0, None),
    "use_sigmoid": (0, False, None),
    "negative_slope": (0, 0.0, None),
    "relu_upper_bound": (None,),
    "alpha": (None, 1, 1.0, "1", "1.0"),
}
DEFAULT_BITS: Final = 8
"""Of both quantizers in QKeras."""
_AS_DATA: Final = {"__passive_serialization__": True}
"""Tells Keras to hand a quantizer's dictionary to its layer as it is."""
_WHY: Final[Mapping[str, str]] = {
    "use_stochastic_rounding": "firmware rounds the same way every time",
    "qnoise_factor": "only full quantization (1.0) can be exact",
    "use_sigmoid": "the sigmoid variant has no fixed-point form",
    "negative_slope": "leaky quantized_relu is not exact in hls4ml 1.3",
    "relu_upper_bound": "use the quantizer's own range as the bound",
    "alpha": "a data-dependent scale is not a power of two; retrain with alpha=1",
}


def canonical_quantizer(value: Any, where: str) -> dict[str, Any] | None:
    """``{"class_name", "config"}`` with every known parameter explicit; None stays None.

    Raises ModelError, listing every parameter that has no fixed-point meaning.
    """
    if value is None:
        return None
    if isinstance(value, str):
        name, config = _parse(value, where)
    elif isinstance(value, dict) and isinstance(value.get("class_name"), str):
        name = value["class_name"].removeprefix("qkeras>")
        config = value.get("config") or {}
    else:
        raise ModelError(Blocker(where, f"{value!r} is not a quantizer"))
    if name not in KNOWN or not isinstance(config, dict):
        raise ModelError(
            Blocker(
                where,
                f"the quantizer {name} has no fixed-point meaning here",
                f"use one of {', '.join(KNOWN)}",
            )
        )
    config = {k: v for k, v in config.items() if not (k in _LATER and v is None)}
    blockers = list(_problems(name, config, where))
    if blockers:
        raise ModelError(blockers)
    kept = {key: config[key] for key in KNOWN[name] if key in config and key != "var_name"}
    if name == "quantized_bits":
        kept["alpha"] = 1
    return {"class_name": name, "config": kept, **_AS_DATA}


def activation_quantizer(value: Any, where: str) -> dict[str, Any] | None:
    """A quantizer of values rather than weights: of one bit, only without a sign.

    Raises ModelError, also where :func:`canonical_quantizer` does.
    """
    quantizer = canonical_quantizer(value, where)
    if quantizer is not None and quantizer["class_name"] == "quantized_bits":
        config = quantizer["config"]
        if config.get("bits", DEFAULT_BITS) == 1 and config.get("keep_negative", True):
            raise ModelError(
                Blocker(
                    where,
                    "quantized_bits of one bit with a sign means -1 and 1 in QKeras, not a type",
                    "give it keep_negative=False, or two bits",
                )
            )
    return quantizer


def quantizer_type(quantizer: Mapping[str, Any]) -> FixedType:
    """Fixed-point type of a canonical quantizer's results: ties to even, saturation.

    hls4ml 1.3 reads quantized_bits without a sign as one with a sign, and drops rounding and
    saturation where there are no fraction bits.
    """
    config = quantizer["config"]
    bits, integer = int(config.get("bits", DEFAULT_BITS)), int(config.get("integer", 0))
    if quantizer["class_name"] == "quantized_relu":
        return FixedType(bits, integer, False, Rounding.RND_CONV, Overflow.SAT)
    signed = bool(config.get("keep_negative", True))
    overflow = Overflow.SAT_SYM if config.get("symmetric", False) and signed else Overflow.SAT
    return FixedType(bits, integer + int(signed), signed, Rounding.RND_CONV, overflow)


def _parse(text: str, where: str) -> tuple[str, dict[str, Any]]:
    refusal = ModelError(
        Blocker(
            where,
            f"{text[:80]!r} is not a call of a known quantizer with literal arguments",
            "write it like quantized_bits(6,0,alpha=1)",
        )
    )
    try:
        call = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise refusal from error
    if isinstance(call, ast.Name):
        return call.id, {}
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)):
        raise refusal
    name = call.func.id
    names = KNOWN.get(name, ())
    try:
        positional = [ast.literal_eval(argument) for argument in call.args]
        keywords = {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
    except (ValueError, TypeError, MemoryError, RecursionError) as error:
        raise refusal from error
    if len(positional) > len(names) and names:
        raise refusal
    return name, {**dict(zip(names, positional, strict=False)), **keywords}


def _problems(name: str, config: Mapping[str, Any], where: str) -> list[Blocker]:
    found = []
    for key, value in config.items():
        if key not in KNOWN[name]:
            found.append(Blocker(where, f"{name} has no parameter {key}"))
        elif key in _MUST_BE and not any(_same(value, allowed) for allowed in _MUST_BE[key]):
            found.append(Blocker(where, f"{name}({key}={value!r})", _WHY[key]))
    limits = {"bits": (1, 32), "integer": (-32, 32)}
    for key, (low, high) in limits.items():
        value = config.get(key, DEFAULT_BITS if key == "bits" else 0)
        whole = isinstance(value, (int, float)) and math.isfinite(value) and value == int(value)
        if not whole or not low <= value <= high:
            found.append(Blocker(where, f"{name}({key}={value!r}) is not {low} to {high}"))
    return found


def _same(value: Any, allowed: Any) -> bool:
    if value is None or allowed is None:
        return value is allowed
    return isinstance(value, type(allowed) | int | float) and bool(value == allowed)
