"""The layers that a Keras file may hold, each reduced to what decides its output."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from trigger_ml.errors import BlockedError, Blocker, ModelError
from trigger_ml.frontends.keras_images import (
    pair,
    read_concatenate,
    read_max_pooling,
    read_multiply,
    read_permute,
    read_up_sampling,
    window_options,
)
from trigger_ml.frontends.model_file import input_shape
from trigger_ml.frontends.quantizers import activation_quantizer, canonical_quantizer

__all__ = ["read_layer"]

FLOAT: Final = ("Conv2D", "Dense")
"""Known, and refused with advice."""


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
    if "batchnorm" in kind.lower():
        return (
            f"a {kind} is not exact in hls4ml 1.3",
            "fold it into the weights and bias of the layer before it, then quantize those",
        )
    known = ", ".join(sorted({*_READERS} - {*FLOAT}))
    return f"the layer class {kind} has no firmware here", f"use one of {known}"


def _read_input(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    shape = input_shape(config)
    sizes = shape[1:] if isinstance(shape, list) else []
    if len(sizes) not in (1, 3) or not all(isinstance(size, int) and size > 0 for size in sizes):
        raise ModelError(
            Blocker(
                f"layer {name}",
                f"input shape {shape}",
                "one fixed axis of features is read, or height x width x channels",
            )
        )
    return {"name": name, "batch_input_shape": [None, *sizes], "dtype": "float32"}


def _read_dense(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    units = config.get("units")
    if not isinstance(units, int) or units < 1:
        raise ModelError(Blocker(f"layer {name}", f"{units!r} units"))
    parameters, blockers = _weighted(name, config)
    if blockers:
        raise ModelError(blockers)
    return {**parameters, "units": units}


def _read_conv2d(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    where = f"layer {name}"
    parameters, blockers = _weighted(name, config)
    options, wrong = window_options(where, config)
    blockers += wrong
    filters, kernel = config.get("filters"), pair(config.get("kernel_size"))
    if not isinstance(filters, int) or filters < 1:
        blockers.append(Blocker(where, f"{filters!r} filters"))
    if kernel is None:
        blockers.append(Blocker(where, f"kernel_size {config.get('kernel_size')!r}"))
    for key, plain in (("dilation_rate", [1, 1]), ("groups", 1)):
        value = config.get(key, plain)
        if value not in (plain, 1):
            blockers.append(Blocker(where, f"{key} {value!r}", f"only {plain} is exact here"))
    strides = options["strides"] or [1, 1]
    if strides != [1, 1] and options["padding"] == "same":
        fix = "pool after it, or use padding='valid'"
        blockers.append(Blocker(where, "strides with padding='same'", fix))
    if kernel is not None and kernel[0] == 1 < kernel[1] and strides[0] > 1:
        what = f"a kernel of one row with strides {strides}: hls4ml's stream skips no rows"
        blockers.append(Blocker(where, what, "use a kernel of two rows, or strides of one row"))
    if blockers:
        raise ModelError(blockers)
    return {**parameters, **options, "filters": filters, "kernel_size": kernel}


def _weighted(name: str, config: Mapping[str, Any]) -> tuple[dict[str, Any], list[Blocker]]:
    """What all quantized layers with a kernel and a bias have, and what is wrong with it."""
    where = f"layer {name}"
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
    parameters = {
        "name": name,
        "use_bias": bool(config.get("use_bias", True)),
        "activation": activation,
        "dtype": "float32",
        **quantizers,
    }
    return parameters, blockers


def _read_float(kind: str, instead: str) -> Callable[[str, Mapping[str, Any]], dict[str, Any]]:
    def refuse(name: str, _config: Mapping[str, Any]) -> dict[str, Any]:
        raise ModelError(
            Blocker(
                f"layer {name}",
                f"a {kind} layer has float weights, and fixed-point types for them come from data",
                f"use {instead} with quantized_bits(..., alpha=1)",
            )
        )

    return refuse


def _read_activation(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    function = _function(config.get("activation"), f"layer {name}")
    return {"name": name, "activation": function, "dtype": "float32"}


def _read_qactivation(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    quantizer = activation_quantizer(config.get("activation"), f"layer {name}")
    if quantizer is None:
        raise ModelError(Blocker(f"layer {name}", "a QActivation without a quantizer"))
    return {"name": name, "activation": quantizer, "dtype": "float32"}


def _function(value: Any, where: str) -> Any:
    """A plain activation by name, or a quantizer."""
    if value in ("linear", "relu", "softmax", "sigmoid", "tanh"):
        return value
    return activation_quantizer(value, f"{where} activation")


_READERS: Final[Mapping[str, Callable[[str, Mapping[str, Any]], dict[str, Any]]]] = {
    "InputLayer": _read_input,
    "QDense": _read_dense,
    "QConv2D": _read_conv2d,
    "MaxPooling2D": read_max_pooling,
    "UpSampling2D": read_up_sampling,
    "Concatenate": read_concatenate,
    "Multiply": read_multiply,
    "Permute": read_permute,
    "Dense": _read_float("Dense", "QDense"),
    "Conv2D": _read_float("Conv2D", "QConv2D"),
    "QActivation": _read_qactivation,
    "Activation": _read_activation,
}
