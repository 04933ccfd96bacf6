"""QKeras quantizers as plain data, read without evaluating anything.

A model file names a quantizer either as ``{"class_name": ..., "config": {...}}`` or as text,
``"quantized_bits(6,0,alpha=1)"``. QKeras evaluates the text; we parse it and accept nothing but
a call of a known quantizer with literal arguments.

Weights are constants, so any quantizer of weights will do whose results are numbers in binary
(:mod:`trigger_ml.frontends.folding` evaluates them); values need one that firmware can compute.

The semantics are those of qkeras/quantizers.py, version 0.9.0.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.quantizer_rules import (
    DEFAULT_BITS,
    KNOWN,
    OF_VALUES,
    value_problems,
    weight_problems,
)
from trigger_ml.graph.narrow import narrowest_type
from trigger_ml.graph.types import FixedType, Overflow, Rounding

__all__ = [
    "AS_DATA",
    "DEFAULT_BITS",
    "KNOWN",
    "activation_quantizer",
    "canonical_quantizer",
    "is_hard",
    "is_plain",
    "kernel_quantizer",
    "needs_table",
    "quantizer_type",
]

_LATER: Final = ("post_training_scale",)
"""Parameters that qkeras-v3 added: left out where they are not set."""
AS_DATA: Final = {"__passive_serialization__": True}
"""Tells Keras to hand a quantizer's dictionary to its layer as it is."""


def canonical_quantizer(value: Any, where: str) -> dict[str, Any] | None:
    """A quantizer of weights: ``{"class_name", "config"}`` of its known parameters; None is None.

    Raises ModelError, listing every parameter that has no fixed-point meaning.
    """
    read = _read(value, where)
    if read is None:
        return None
    name, config = read
    _refuse_unknown(name, where, tuple(KNOWN))
    _raise(weight_problems(name, config, where))
    quantizer = _canonical(name, config)
    if name == "quantized_bits" and config.get("alpha") is None:
        quantizer["config"]["alpha"] = 1
    return quantizer


def kernel_quantizer(value: Any, where: str) -> dict[str, Any] | None:
    """A quantizer of a kernel: without an alpha, QKeras' layers make it "auto_po2".

    Raises ModelError, as :func:`canonical_quantizer` does.
    """
    quantizer = canonical_quantizer(value, where)
    if quantizer is not None and _alpha_of(value, where) is None:
        name, config = quantizer["class_name"], quantizer["config"]
        if "alpha" in KNOWN[name] and config.get("threshold") is None:
            config["alpha"] = "auto_po2"
    return quantizer


def activation_quantizer(value: Any, where: str) -> dict[str, Any] | None:
    """A quantizer of values rather than weights: one that firmware can compute.

    Raises ModelError, listing every parameter that firmware cannot have.
    """
    read = _read(value, where)
    if read is None:
        return None
    name, config = read
    _refuse_unknown(name, where, OF_VALUES)
    _raise(value_problems(name, config, where))
    quantizer = _canonical(name, config)
    if name == "quantized_bits":
        quantizer["config"]["alpha"] = 1
    return quantizer


def is_plain(quantizer: Mapping[str, Any] | None) -> bool:
    """Whether hls4ml reads the quantizer of weights as QKeras means it."""
    if quantizer is None:
        return True
    config = quantizer["config"]
    bits, alpha = int(config.get("bits", DEFAULT_BITS)), config.get("alpha")
    return quantizer["class_name"] == "quantized_bits" and bits > 1 and _same(alpha, 1)


def is_hard(quantizer: Mapping[str, Any]) -> bool:
    """Whether a quantizer of values is a cast to its type that hls4ml reads as another function.

    QKeras' quantized_tanh is such a one: its tanh is a line cut off at -1 and 1.
    """
    return quantizer["class_name"] == "quantized_tanh" and not needs_table(quantizer)


def needs_table(quantizer: Mapping[str, Any]) -> bool:
    """Whether a quantizer of values is more than a cast, or a ReLU and a cast, to its type."""
    config = quantizer["config"]
    match quantizer["class_name"]:
        case "quantized_bits":
            return False
        case "quantized_relu":
            return bool(config.get("negative_slope")) or _bound(config) is not None
        case "quantized_tanh":
            return bool(config.get("use_real_tanh", False))
        case _:
            return True


def quantizer_type(quantizer: Mapping[str, Any]) -> FixedType:
    """Fixed-point type of a canonical quantizer's results: ties to even, saturation.

    hls4ml 1.3 reads quantized_bits without a sign as one with a sign, and drops rounding and
    saturation where there are no fraction bits.
    """
    config, name = quantizer["config"], quantizer["class_name"]
    bits, integer = int(config.get("bits", DEFAULT_BITS)), int(config.get("integer") or 0)
    symmetric = bool(config.get("symmetric", False))
    match name:
        case "quantized_relu":
            leaky = bool(config.get("negative_slope"))
            return FixedType(bits, integer + leaky, leaky, Rounding.RND_CONV, Overflow.SAT)
        case "quantized_sigmoid":
            return FixedType(bits, 0, False, Rounding.RND_CONV, Overflow.SAT)
        case "quantized_tanh":
            integer, signed = 0, True
        case "binary" | "ternary":
            level = abs(float(config.get("alpha") or 1))
            kind = narrowest_type(np.array([-level, level]))
            assert kind is not None
            return kind
        case _:
            signed = bool(config.get("keep_negative", True))
    overflow = Overflow.SAT_SYM if symmetric and signed else Overflow.SAT
    return FixedType(bits, integer + int(signed), signed, Rounding.RND_CONV, overflow)


def _alpha_of(value: Any, where: str) -> Any:
    read = _read(value, where)
    return None if read is None else read[1].get("alpha")


def _bound(config: Mapping[str, Any]) -> float | None:
    """The upper bound of a quantized_relu, where it is below what its type ends at."""
    bound = config.get("relu_upper_bound")
    # QKeras leaves the bound out where it clips at the type's end, as it does by default.
    return None if bound is None or config.get("is_quantized_clip", True) else float(bound)


def _canonical(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: config[key] for key in KNOWN[name] if key in config and key != "var_name"}
    if kept.get("alpha") in ("1", "1.0"):
        kept["alpha"] = 1
    if isinstance(kept.get("alpha"), dict):
        kept["alpha"] = kept["alpha"]["config"]["value"]
    return {"class_name": name, "config": kept, **AS_DATA}


def _read(value: Any, where: str) -> tuple[str, dict[str, Any]] | None:
    """Name and parameters. Raises ModelError."""
    if value is None:
        return None
    if isinstance(value, str):
        return _parse(value, where)
    if isinstance(value, dict) and isinstance(value.get("class_name"), str):
        config = value.get("config") or {}
        if isinstance(config, dict):
            kept = {k: v for k, v in config.items() if not (k in _LATER and v is None)}
            return value["class_name"].removeprefix("qkeras>"), kept
    raise ModelError(Blocker(where, f"{value!r} is not a quantizer"))


def _refuse_unknown(name: str, where: str, known: tuple[str, ...]) -> None:
    if name in known:
        return
    what = f"the quantizer {name} has no fixed-point meaning here"
    if name in KNOWN:
        what = f"the quantizer {name} has no fixed-point meaning for values, only for weights"
    raise ModelError(Blocker(where, what, f"use one of {', '.join(known)}"))


def _raise(blockers: list[Blocker]) -> None:
    if blockers:
        raise ModelError(blockers)


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


def _same(value: Any, number: float) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and value == number
