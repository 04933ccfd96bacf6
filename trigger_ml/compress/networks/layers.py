"""The layers that a network may have before it is compressed, each reduced to what matters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.quantizers import activation_quantizer, needs_table

__all__ = ["read_float_layer"]

FUNCTIONS: Final = ("linear", "relu", "softmax", "sigmoid")
QUANTIZED_FUNCTIONS: Final = {"quantized_bits": "linear", "quantized_relu": "relu"}


def read_float_layer(kind: str, name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The layer's parameters that matter; the quantizers of its weights are left out.

    Raises ModelError with everything that is wrong in this layer.
    """
    reader = _READERS.get(kind)
    if reader is None:
        if kind == "Lambda":
            what, fix = "a Lambda layer holds code, which is never run", "write it with layers"
        elif kind == "PruneLowMagnitude":
            what = "is still wrapped for pruning"
            fix = "apply tfmot.sparsity.keras.strip_pruning first"
        else:
            what = f"a network with a {kind} layer cannot be compressed"
            fix = f"use {', '.join(sorted(_READERS))}"
        raise ModelError(Blocker(f"layer {name}", what, fix))
    return {"name": name, **reader(f"layer {name}", config)}


def _input(where: str, config: Mapping[str, Any]) -> dict[str, Any]:
    shape = config.get("batch_input_shape", config.get("batch_shape"))
    sizes = shape[1:] if isinstance(shape, list) else []
    if len(sizes) not in (1, 2) or not all(isinstance(n, int) and n > 0 for n in sizes):
        fix = "one axis (features) or two (particles, features), of fixed sizes"
        raise ModelError(Blocker(where, f"input shape {shape}", fix))
    return {"batch_input_shape": [None, *sizes]}


def _dense(where: str, config: Mapping[str, Any]) -> dict[str, Any]:
    units = config.get("units")
    if not isinstance(units, int) or units < 1:
        raise ModelError(Blocker(where, f"{units!r} units"))
    function = _function(where, config.get("activation") or "linear")
    return {
        "units": units,
        "use_bias": bool(config.get("use_bias", True)),
        "activation": function,
    }


def _activation(where: str, config: Mapping[str, Any]) -> dict[str, Any]:
    return {"activation": _function(where, config.get("activation"))}


def _quantizer(where: str, config: Mapping[str, Any]) -> dict[str, Any]:
    quantizer = activation_quantizer(config.get("activation"), where)
    if quantizer is None:
        raise ModelError(Blocker(where, "a QActivation without a quantizer"))
    return {"activation": _quantized(where, quantizer), "quantizer": quantizer}


def _function(where: str, value: Any) -> str:
    if isinstance(value, str) and value in FUNCTIONS:
        return value
    if isinstance(value, str) and "(" not in value:
        raise ModelError(
            Blocker(where, f"the activation {value}", f"use one of {', '.join(FUNCTIONS)}")
        )
    quantizer = activation_quantizer(value, where)
    return "linear" if quantizer is None else _quantized(where, quantizer)


def _quantized(where: str, quantizer: Mapping[str, Any]) -> str:
    name = str(quantizer["class_name"])
    if name not in QUANTIZED_FUNCTIONS or needs_table(quantizer):
        known = ", ".join(QUANTIZED_FUNCTIONS)
        raise ModelError(Blocker(where, f"the quantizer {name}", f"use one of {known}"))
    return QUANTIZED_FUNCTIONS[name]


def _relu(where: str, config: Mapping[str, Any]) -> dict[str, Any]:
    for key in ("negative_slope", "threshold", "max_value"):
        if config.get(key):
            raise ModelError(Blocker(where, f"{key}={config[key]}", "use a plain ReLU"))
    return {"activation": "relu"}


def _softmax(where: str, config: Mapping[str, Any]) -> dict[str, Any]:
    if config.get("axis", -1) != -1:
        raise ModelError(Blocker(where, f"softmax over axis {config['axis']}", "use axis=-1"))
    return {"activation": "softmax"}


def _batch_norm(_where: str, config: Mapping[str, Any]) -> dict[str, Any]:
    axis = config.get("axis", -1)
    axis = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
    keys = {"center": True, "scale": True, "epsilon": 1e-3}
    return {"axis": axis, **{key: config.get(key, value) for key, value in keys.items()}}


def _pooling(where: str, config: Mapping[str, Any]) -> dict[str, Any]:
    if config.get("data_format", "channels_last") != "channels_last" or config.get("keepdims"):
        fix = "use channels_last and keepdims=False"
        raise ModelError(Blocker(where, "averages in another way than over the first axis", fix))
    return {}


def _nothing(_where: str, _config: Mapping[str, Any]) -> dict[str, Any]:
    return {}


_READERS: Final[Mapping[str, Callable[[str, Mapping[str, Any]], dict[str, Any]]]] = {
    "Activation": _activation,
    "BatchNormalization": _batch_norm,
    "Dense": _dense,
    "Dropout": _nothing,
    "GlobalAveragePooling1D": _pooling,
    "InputLayer": _input,
    "QActivation": _quantizer,
    "QDense": _dense,
    "ReLU": _relu,
    "Softmax": _softmax,
}
