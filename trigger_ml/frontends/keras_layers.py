"""The layers that a Keras file may hold, each reduced to what decides its output."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from trigger_ml.errors import BlockedError, Blocker, ModelError
from trigger_ml.frontends.keras_averages import AVERAGES
from trigger_ml.frontends.keras_convolutions import CONVOLUTIONS, convolution_options
from trigger_ml.frontends.keras_einsum import read_einsum
from trigger_ml.frontends.keras_folding import FOLDING, read_folding
from trigger_ml.frontends.keras_identities import IDENTITIES
from trigger_ml.frontends.keras_legacy import advice, function_advice
from trigger_ml.frontends.keras_merges import (
    read_concatenate,
    read_dot,
    read_flatten,
    read_merge,
    read_permute,
    read_reshape,
)
from trigger_ml.frontends.keras_operations import OPERATION, read_operation
from trigger_ml.frontends.keras_products import read_einsum_of_two, read_matmul
from trigger_ml.frontends.keras_quantizers import (
    read_normalization,
    read_quantized_normalization,
)
from trigger_ml.frontends.keras_rectifiers import REAL_VALUED, RECTIFIERS, real_valued
from trigger_ml.frontends.keras_recurrent import RTL_REFUSERS
from trigger_ml.frontends.keras_windows import WINDOW_READERS
from trigger_ml.frontends.model_file import input_shape
from trigger_ml.frontends.quantizers import (
    KNOWN,
    activation_quantizer,
    canonical_quantizer,
    kernel_quantizer,
)

__all__ = ["read_layer"]

FLOAT: Final = ("Dense", *(kind.removeprefix("Q") for kind in CONVOLUTIONS))
"""Known, and refused with advice."""


def read_layer(kind: str, name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The layer's parameters that matter, in Keras' own terms.

    Raises ModelError with everything that is wrong in this layer.
    """
    if kind in RTL_REFUSERS:
        return RTL_REFUSERS[kind](name, config)
    if kind == OPERATION:
        return read_operation(name, config)
    reader = _READERS.get(kind)
    if kind.lower() in REAL_VALUED:
        raise ModelError(real_valued(kind, f"layer {name}"))
    if reader is None:
        raise ModelError(Blocker(f"layer {name}", *_refusal(kind)))
    return reader(name, config)


def _refusal(kind: str) -> tuple[str, str]:
    if kind == "Lambda":
        return "a Lambda layer holds code, which is never run", "write it with layers"
    if (known := advice(kind)) is not None:
        return known
    if kind == "PruneLowMagnitude":
        return "is still wrapped for pruning", "apply tfmot.sparsity.keras.strip_pruning first"
    classes = ", ".join(sorted({*_READERS, *IDENTITIES} - {*FLOAT}))
    return f"the layer class {kind} has no firmware here", f"use one of {classes}"


def _read_input(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    shape = input_shape(config)
    sizes = shape[1:] if isinstance(shape, list) else []
    if len(sizes) not in (1, 2, 3) or not all(isinstance(size, int) and size > 0 for size in sizes):
        raise ModelError(
            Blocker(
                f"layer {name}",
                f"input shape {shape}",
                "read are features, steps x channels, or height x width x channels, all fixed",
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


def _read_convolution(kind: str) -> Callable[[str, Mapping[str, Any]], dict[str, Any]]:
    def read(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
        parameters, blockers = _weighted(name, config, CONVOLUTIONS[kind].quantizers)
        options, wrong = convolution_options(kind, f"layer {name}", config)
        if blockers + wrong:
            raise ModelError(blockers + wrong)
        return {**parameters, **options}

    return read


def _weighted(
    name: str, config: Mapping[str, Any], kernels: tuple[str, ...] = ("kernel_quantizer",)
) -> tuple[dict[str, Any], list[Blocker]]:
    """What all quantized layers with kernels and a bias have, and what is wrong with it.

    kernels: keys of the kernels' quantizers.
    """
    where = f"layer {name}"
    blockers: list[Blocker] = []
    quantizers: dict[str, Any] = {}
    for key in (*kernels, "bias_quantizer"):
        needed = key in kernels or config.get("use_bias", True)
        try:
            read = kernel_quantizer if key in kernels else canonical_quantizer
            quantizers[key] = read(config.get(key), f"{where} {key}")
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
        what = f"a {kind} layer has float weights, and fixed-point types for them come from data"
        fix = (
            f"use {instead} with quantized_bits(..., alpha=1), or give --data events, from which "
            "types are chosen"
        )
        if kind == "Dense":
            fix += "; where all layers are Dense, trigger-ml compress makes a small network of it"
        raise ModelError(Blocker(f"layer {name}", what, fix))

    return refuse


def _read_activation(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    function = config.get("activation")
    if function != "relu6":
        function = _function(function, f"layer {name}")
    return {"name": name, "activation": function, "dtype": "float32"}


def _read_softmax(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """A softmax as a layer of its own. Raises ModelError."""
    axis = config.get("axis", -1)
    if axis not in (-1, [-1]):
        fix = "use axis=-1, the last one"
        raise ModelError(Blocker(f"layer {name}", f"softmax over axis {axis!r}", fix))
    return {"name": name, "activation": "softmax", "dtype": "float32"}


def _read_qactivation(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    quantizer = activation_quantizer(config.get("activation"), f"layer {name}")
    if quantizer is None:
        raise ModelError(Blocker(f"layer {name}", "a QActivation without a quantizer"))
    return {"name": name, "activation": quantizer, "dtype": "float32"}


def _function(value: Any, where: str) -> Any:
    """A plain activation by name, or a quantizer."""
    if value in ("linear", "relu", "softmax", "sigmoid", "tanh"):
        return value
    if value in REAL_VALUED:
        raise ModelError(real_valued(value, f"{where} activation"))
    if isinstance(value, str) and value.isidentifier() and value not in KNOWN:
        what = f"{value} is no activation of Keras and no quantizer of QKeras"
        raise ModelError(Blocker(f"{where} activation", what, function_advice(value)))
    return activation_quantizer(value, f"{where} activation")


_READERS: Final[Mapping[str, Callable[[str, Mapping[str, Any]], dict[str, Any]]]] = {
    "InputLayer": _read_input,
    "QDense": _read_dense,
    **{kind: _read_convolution(kind) for kind in CONVOLUTIONS},
    **WINDOW_READERS,
    "Concatenate": read_concatenate,
    "Add": read_merge,
    "Subtract": read_merge,
    "Multiply": read_merge,
    "Average": read_merge,
    "Maximum": read_merge,
    "Minimum": read_merge,
    "Dot": read_dot,
    "Flatten": read_flatten,
    "Reshape": read_reshape,
    "Permute": read_permute,
    "EinsumDense": read_einsum,
    "Einsum": read_einsum_of_two,
    "Matmul": read_matmul,
    **AVERAGES,
    **RECTIFIERS,
    **{kind: _read_float(kind, f"Q{kind}") for kind in FLOAT},
    "BatchNormalization": read_normalization,
    "QBatchNormalization": read_quantized_normalization,
    "QDenseBatchnorm": read_folding("QDenseBatchnorm", _read_dense, 1),
    **{
        kind: read_folding(kind, _read_convolution(plain), 3)
        for kind, plain in FOLDING.items()
        if plain in CONVOLUTIONS
    },
    "QActivation": _read_qactivation,
    "Softmax": _read_softmax,
    "Activation": _read_activation,
}
