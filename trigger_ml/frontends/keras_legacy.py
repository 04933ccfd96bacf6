"""Layers of other libraries and of older Keras: what they are, and what to do about each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from trigger_ml.errors import Blocker

__all__ = ["advice", "foreign_advice", "function_advice", "legacy_problems"]

KERAS_1: Final = ("Convolution1D", "Convolution2D", "AtrousConvolution2D", "Merge", "MaxoutDense")
"""Layer classes that Keras 2 does not write."""
KERAS_1_KEYS: Final = ("output_dim", "nb_filter", "nb_row", "border_mode", "subsample")
"""Parameters that Keras 2 does not write."""
OWN_OUTPUT_DIM: Final = ("Embedding",)
"""Layer classes whose output_dim is not of Keras 1."""
_RETRAIN: Final = "and train again, starting from these weights"
_BINARY: Final = {
    "BinaryDense": f"use QDense with kernel_quantizer='binary(alpha=1)' {_RETRAIN}",
    "TernaryDense": f"use QDense with kernel_quantizer='ternary(alpha=1)' {_RETRAIN}",
    "BinaryConv2D": f"use QConv2D with kernel_quantizer='binary(alpha=1)' {_RETRAIN}",
    "TernaryConv2D": f"use QConv2D with kernel_quantizer='ternary(alpha=1)' {_RETRAIN}",
}
_EVERY_EVENT: Final = "divides by what it computes in every event, and a division has no firmware"
_NORMALIZE: Final = "use BatchNormalization, whose constants are known, and train again"
_ATTEND: Final = "use HGQ2's QSoftmax between two QEinsum, or a set network (docs/graphs.md)"
_UPSAMPLE: Final = "use UpSampling and a convolution behind it, and train again"
_FOUR_AXES: Final = "put one axis into the channels, and use the layer of two dimensions"
_PLACES: Final = "use EinsumDense with places of its own, abc,bcd->abd for instance"
_CONTRIBUTED: Final = "write it with QDense, Multiply and means, and train again: docs/graphs.md"
_OTHERS: Final[Mapping[str, tuple[str, str]]] = {
    "Embedding": (
        "looks up a row of a table by an index",
        "give the model the index in one-hot form, and a QDense without bias in its place, "
        "whose kernel is the table",
    ),
    "RepeatVector": ("repeats a vector", "use Reshape((1, size)) and UpSampling1D(times)"),
    **dict.fromkeys(
        ("GroupNormalization", "LayerNormalization", "RMSNormalization", "UnitNormalization"),
        (_EVERY_EVENT, _NORMALIZE),
    ),
    **dict.fromkeys(
        ("AdditiveAttention", "Attention", "GroupQueryAttention", "MultiHeadAttention"),
        ("weighs by a softmax of floating-point numbers, which no table gives exactly", _ATTEND),
    ),
    **dict.fromkeys(
        ("Conv1DTranspose", "Conv2DTranspose", "QConv2DTranspose"),
        ("is a transposed convolution, which has no firmware here", _UPSAMPLE),
    ),
    **dict.fromkeys(
        ("AveragePooling3D", "Conv3D", "GlobalAveragePooling3D", "GlobalMaxPooling3D")
        + ("MaxPooling3D", "UpSampling3D", "ZeroPadding3D"),
        ("has three dimensions and channels, and two are read", _FOUR_AXES),
    ),
    **dict.fromkeys(
        ("LocallyConnected1D", "LocallyConnected2D"),
        ("has weights of its own at every place", _PLACES),
    ),
    **dict.fromkeys(
        ("GarNet", "GarNetStack", "GravNetConv"),
        (
            "is of hls4ml, not of Keras, and makes its weights in every event",
            _CONTRIBUTED,
        ),
    ),
}
_FUNCTIONS: Final = {
    "binary_tanh": "use QActivation('binary(alpha=1)'), which differs at 0 alone",
    "ternary_tanh": "use QActivation('ternary(alpha=1)'), and train again",
    "relu1": "use QActivation('quantized_relu(8,0)'), which ends just below 1",
}


def legacy_problems(item: Mapping[str, Any]) -> list[Blocker]:
    """A blocker for a layer as Keras 1 wrote it."""
    kind, config = item["class_name"], item["config"]
    keys = [key for key in KERAS_1_KEYS if key in config]
    if kind in OWN_OUTPUT_DIM or (kind not in KERAS_1 and not keys):
        return []
    found = f"a {kind} with {', '.join(keys)}" if keys else f"a {kind}"
    what = f"{found} is of Keras 1, whose parameters have other names"
    fix = "load the model in Keras 2.0 to 2.2, which still reads it, and save it again"
    return [Blocker(f"layer {config.get('name')}", what, fix)]


def advice(kind: str) -> tuple[str, str] | None:
    """Why a class of layers has no firmware, and what to use, where there is more to say."""
    if kind in _BINARY:
        return f"a {kind} is no layer of Keras or QKeras", _BINARY[kind]
    if kind == "Masking":
        what = "a Masking layer leaves steps out of what is behind it, a mean for instance"
        return what, "leave it out where no mean reads it and mask_value is 0: it does nothing then"
    if kind in ("FixedPointQuantizer",) or kind.startswith("HGQ>"):
        return f"{kind} is of HGQ 1", foreign_advice("HGQ")
    return _OTHERS.get(kind)


def function_advice(name: str) -> str:
    """What to use instead of an activation that is not known."""
    known = "use linear, relu, tanh, softmax, sigmoid, or a quantizer like quantized_relu(6,0)"
    return _FUNCTIONS.get(name, known)


def foreign_advice(module: str) -> str:
    """What to do about a layer of another library."""
    if module.split(".")[0] in ("HGQ", "hls4ml"):
        return "HGQ 1 is not read: train the model in HGQ2, whose .keras files are"
    if module.split(".")[0] == "hgq":
        return "HGQ2 models are read from .keras files: model.save('model.keras')"
    return "use a layer of Keras or QKeras"
