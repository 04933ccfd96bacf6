"""The layers that a Keras file may hold, each reduced to what decides its output."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from trigger_ml.errors import BlockedError, Blocker, ModelError
from trigger_ml.frontends.quantizers import canonical_quantizer

__all__ = ["read_layer"]


def read_layer(kind: str, name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The layer's parameters that matter, in Keras' own terms.

    Raises ModelError with everything that is wrong in this layer.
    """
    reader = _READERS.get(kind)
    if reader is None:
        raise ModelError(Blocker(f"layer {name}", *_refusal(kind)))
    return reader(name, config)


def _refusal(kind: str) -> tuple[str, str]:
    if kind == "Lambda":
        return "a Lambda layer holds code, which is never run", "write it with layers"
    if kind == "PruneLowMagnitude":
        return "is still wrapped for pruning", "apply tfmot.sparsity.keras.strip_pruning first"
    known = ", ".join(sorted(_READERS))
    return f"the layer class {kind} has no firmware here", f"use one of {known}"


def _read_input(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    shape = config.get("batch_input_shape")
    sizes = shape[1:] if isinstance(shape, list) else []
    if len(sizes) != 1 or not all(isinstance(size, int) and size > 0 for size in sizes):
        raise ModelError(
            Blocker(f"layer {name}", f"input shape {shape}", "one fixed axis of features is read")
        )
    return {"name": name, "batch_input_shape": [None, *sizes], "dtype": "float32"}


def _read_dense(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    where = f"layer {name}"
    units = config.get("units")
    if not isinstance(units, int) or units < 1:
        raise ModelError(Blocker(where, f"{units!r} units"))
    blockers: list[Blocker] = []
    quantizers: dict[str, Any] = {}
    for key in ("kernel_quantizer", "bias_quantizer"):
        needed = key == "kernel_quantizer" or config.get("use_bias", True)
        try:
            quantizers[key] = canonical_quantizer(config.get(key), f"{where} {key}")
        except BlockedError as error:
            blockers.extend(error.blockers)
            continue
        if quantizers[key] is None and needed:
            fix = "give it a quantizer, quantized_bits(6,0,alpha=1) for instance"
            blockers.append(Blocker(f"{where} {key}", "is missing: weights stay float", fix))
    activation = config.get("activation") or "linear"
    try:
        activation = _function(activation, where)
    except BlockedError as error:
        blockers.extend(error.blockers)
    if blockers:
        raise ModelError(blockers)
    return {
        "name": name,
        "units": units,
        "use_bias": bool(config.get("use_bias", True)),
        "activation": activation,
        "dtype": "float32",
        **quantizers,
    }


def _read_float_dense(name: str, _config: Mapping[str, Any]) -> dict[str, Any]:
    raise ModelError(
        Blocker(
            f"layer {name}",
            "a Dense layer has float weights, and fixed-point types for them come from data",
            "use QDense with quantized_bits(..., alpha=1)",
        )
    )


def _read_activation(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    function = _function(config.get("activation"), f"layer {name}")
    return {"name": name, "activation": function, "dtype": "float32"}


def _read_qactivation(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    quantizer = canonical_quantizer(config.get("activation"), f"layer {name}")
    if quantizer is None:
        raise ModelError(Blocker(f"layer {name}", "a QActivation without a quantizer"))
    return {"name": name, "activation": quantizer, "dtype": "float32"}


def _function(value: Any, where: str) -> Any:
    """A plain activation by name, or a quantizer."""
    if value in ("linear", "relu", "softmax", "sigmoid", "tanh"):
        return value
    return canonical_quantizer(value, f"{where} activation")


_READERS: Final[Mapping[str, Callable[[str, Mapping[str, Any]], dict[str, Any]]]] = {
    "InputLayer": _read_input,
    "QDense": _read_dense,
    "Dense": _read_float_dense,
    "QActivation": _read_qactivation,
    "Activation": _read_activation,
}
