"""The HGQ2 and Keras 3 layers that a ``.keras`` file may hold, reduced to what they compute.

The parameters are written anew from plain numbers and words: initializers, regularizers and
constraints only matter in training, and are left out.

The semantics are those of HGQ2 0.2.0 (hgq/layers, hgq/quantizer) on Keras 3.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.model_file import TAIL

__all__ = ["ORIGINS", "WITH_WEIGHTS", "read_layer"]

ORIGINS: Final[Mapping[str, tuple[str, str | None]]] = {
    "Activation": ("keras.layers", None),
    "InputLayer": ("keras.layers", None),
    "QBatchNormDense": ("hgq.layers.core.dense", "hgq>QBatchNormDense"),
    "QDense": ("hgq.layers.core.dense", "hgq>QDense"),
    "QEinsumDense": ("hgq.layers.core.einsum_dense", "hgq>QEinsumDense"),
    "QEinsumDenseBatchnorm": (
        "hgq.layers.einsum_dense_batchnorm",
        "hgq>QEinsumDenseBatchnorm",
    ),
    "QGlobalAveragePooling1D": ("hgq.layers.pooling", "hgq>QGlobalAveragePooling1D"),
    "Quantizer": ("hgq.quantizer.quantizer", "hgq>Quantizer"),
}
"""Layer classes with firmware, and the module and registered name that a file must give them."""

WITH_WEIGHTS: Final = ("QBatchNormDense", "QDense", "QEinsumDense", "QEinsumDenseBatchnorm")

_QUANTIZER: Final = "QuantizerConfig"
_ROUNDING: Final = ("RND", "RND_CONV", "TRN")
_OVERFLOW: Final = ("SAT", "SAT_SYM", "WRAP")
_PLACES: Final = ("bias", "datalane", "table", "weight")
_MUST_BE_NONE: Final[Mapping[str, str]] = {
    "affine": "hls4ml leaves out a quantizer's affine map",
    "bw_mapper": "widths by axis are what firmware knows",
    "scaler": "hls4ml leaves out a quantizer's scale",
}
_TRAINING_ONLY: Final = (
    *("k0", "b0", "i0", "f0", "bc", "ic", "fc", "br", "ir", "fr"),
    *("i_decay_speed", "qnoise_factor"),
)
"""Starting points (the trained widths are weights), their limits and losses, and noise."""


def read_layer(kind: str, name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The layer's parameters that matter, in Keras' own terms.

    Raises ModelError with everything that is wrong in this layer.
    """
    reader = _READERS.get(kind)
    if reader is None:
        raise ModelError(Blocker(f"layer {name}", *_refusal(kind)))
    fields = _Fields(f"layer {name}", config)
    _read_dtype(fields)
    found = reader(fields)
    if fields.blockers:
        raise ModelError(fields.blockers)
    return {"name": name, **found}


def _refusal(kind: str) -> tuple[str, str]:
    known = ", ".join(sorted(_READERS))
    if kind == "Lambda":
        return "a Lambda layer holds code, which is never run", "write it with layers"
    if kind == "ReLU":
        return "hls4ml 1.3 does not convert ReLU layers exactly", "use Activation('relu')"
    return f"the layer class {kind} has no firmware here", f"use one of {known}"


@dataclass(frozen=True, slots=True)
class _Fields:
    """A layer's parameters as they are read, and what was found wrong with them."""

    where: str
    config: Mapping[str, Any]
    blockers: list[Blocker] = field(default_factory=list)

    def block(self, what: str, fix: str = "") -> None:
        self.blockers.append(Blocker(self.where, what, fix))

    def size(self, key: str) -> int:
        value = self.config.get(key)
        if value is not None and _is_size(value):
            return int(value)
        self.block(f"{key} is {value!r}, not a whole number above 0")
        return 1

    def sizes(self, key: str) -> list[int]:
        value = self.config.get(key)
        found = value if isinstance(value, list) else [value]
        if found and all(_is_size(size) for size in found):
            return list(found)
        self.block(f"{key} is {value!r}, and every axis needs a fixed size")
        return [1]

    def flag(self, key: str, default: bool) -> bool:
        value = self.config.get(key, default)
        if not isinstance(value, bool):
            self.block(f"{key} is {value!r}, not true or false")
        return bool(value)

    def must_be(self, key: str, value: Any, fix: str) -> None:
        found = self.config.get(key, value)
        if found != value or isinstance(found, bool) != isinstance(value, bool):
            self.block(f"{key} is {found!r}", fix)

    def word(self, key: str, known: tuple[str, ...], default: str = "") -> str:
        value = self.config.get(key)
        value = default if value is None else value
        if not isinstance(value, str) or value not in known:
            self.block(f"{key} is {value!r}", f"use one of {', '.join(known)}")
            return known[0]
        return value

    def quantizer(self, key: str) -> dict[str, Any] | None:
        """A quantizer's serialized form, from its known parameters alone."""
        item = self.config.get(key)
        if not isinstance(item, dict) or item.get("class_name") != _QUANTIZER:
            self.block(f"{key} is {_short(item)}, not a {_QUANTIZER}", "give the layer a quantizer")
            return None
        inner = _Fields(f"{self.where} {key}", item.get("config") or {}, self.blockers)
        return _read_quantizer(inner)


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 31


def _short(value: Any) -> str:
    return str(value.get("class_name")) if isinstance(value, dict) else repr(value)[:60]


def _read_dtype(fields: _Fields) -> None:
    """Everything is computed in float32: its sums are held to be exact (see hgq_worker)."""
    dtype = fields.config.get("dtype")
    if isinstance(dtype, dict):
        inner = dtype.get("config")
        dtype = inner.get("name") if isinstance(inner, dict) else None
    if dtype not in (None, "float32"):
        fields.block(f"its dtype is {dtype!r}", "make the model with float32")


def _read_quantizer(fields: _Fields) -> dict[str, Any] | None:
    kind = fields.config.get("q_type")
    if kind not in ("kbi", "kif"):
        fields.block(f"a quantizer of type {kind!r} is not fixed-point", "use kif or kbi")
        return None
    for key, why in _MUST_BE_NONE.items():
        if fields.config.get(key) is not None:
            fields.block(f"{key} is {_short(fields.config[key])}; {why}", "leave it out")
    kept = {
        "q_type": kind,
        "place": fields.word("place", _PLACES),
        "round_mode": fields.word("round_mode", _ROUNDING),
        "overflow_mode": fields.word("overflow_mode", _OVERFLOW),
        "trainable": fields.flag("trainable", True),
        "is_weight": fields.flag("is_weight", False),
        **_read_axes(fields),
    }
    for key in fields.config:
        if key not in (*kept, *_TRAINING_ONLY, *_MUST_BE_NONE):
            fields.block(f"a quantizer has no parameter {key}")
    return {
        "module": "hgq.quantizer.config",
        "class_name": _QUANTIZER,
        "config": kept,
        "registered_name": f"hgq>{_QUANTIZER}",
    }


def _read_axes(fields: _Fields) -> dict[str, Any]:
    """Axes that share one width, or those that do not: exactly one of the two."""
    keys = ("homogeneous_axis", "heterogeneous_axis")
    found = {key: fields.config.get(key) for key in keys}
    given = [axes for axes in found.values() if axes is not None]
    plain = all(
        isinstance(axes, list) and all(type(axis) is int and -8 < axis < 8 for axis in axes)
        for axes in given
    )
    if len(given) != 1 or not plain:
        fields.block(f"{keys[0]} is {found[keys[0]]!r} and {keys[1]} is {found[keys[1]]!r}")
        return {}
    return found


def _read_input(fields: _Fields) -> dict[str, Any]:
    shape = fields.config.get("batch_shape")
    sizes = shape[1:] if isinstance(shape, list) else []
    if not 1 <= len(sizes) <= 3 or not all(_is_size(size) for size in sizes):
        fields.block(f"input shape {shape}", "one to three axes of fixed size are read")
    for key in ("sparse", "ragged", "optional"):
        fields.must_be(key, False, "firmware reads whole tensors")
    return {"batch_shape": [None, *sizes], "dtype": "float32"}


def _read_activation(fields: _Fields) -> dict[str, Any]:
    return {"activation": _function(fields), "dtype": "float32"}


def _function(fields: _Fields) -> str:
    return fields.word("activation", ("relu", "linear", *TAIL), "linear")


def _read_quantized(fields: _Fields, weights: tuple[str, ...]) -> dict[str, Any]:
    """What all layers of HGQ2 have: quantizers of inputs, outputs and of the weights named.

    The count of arrays in the file depends on enable_ebops, so it is kept.
    """
    found: dict[str, Any] = {
        "dtype": "float32",
        "beta0": 0.0,
        "enable_ebops": fields.flag("enable_ebops", False),
        "enable_iq": fields.flag("enable_iq", True),
        "enable_oq": fields.flag("enable_oq", False),
    }
    for place in ("iq", "oq"):
        found[f"{place}_conf"] = (
            fields.quantizer(f"{place}_conf") if found[f"enable_{place}"] else None
        )
    for key in weights:
        found[key] = fields.quantizer(key)
    if weights:
        found["kernel_initializer"] = "zeros"  # quick to make; the file's weights come after
    return found


def _read_dense(fields: _Fields) -> dict[str, Any]:
    bias = fields.flag("use_bias", True)
    fields.must_be("quantization_config", None, "HGQ2's own quantizers are read")
    return {
        "units": fields.size("units"),
        "use_bias": bias,
        "activation": _function(fields),
        **_read_quantized(fields, ("kq_conf", "bq_conf") if bias else ("kq_conf",)),
    }


def _read_normalized_dense(fields: _Fields) -> dict[str, Any]:
    epsilon = fields.config.get("epsilon", 1e-3)
    if not isinstance(epsilon, int | float) or not 0 <= epsilon < 1:
        fields.block(f"epsilon is {epsilon!r}, not 0 to 1")
    return {**_read_dense(fields), "scale": fields.flag("scale", True), "epsilon": epsilon}


def _read_einsum_dense(fields: _Fields) -> dict[str, Any]:
    equation = fields.config.get("equation")
    match = re.fullmatch(r"([a-z]+),([a-z]+)->([a-z]+)", str(equation))
    repeats = match is not None and any(len({*part}) < len(part) for part in match.groups())
    if match is None or repeats or match[1][0] != match[3][0] or match[1][0] in match[2]:
        fields.block(
            f"equation {equation!r} is not one of named axes with the events first",
            "write it like bnc,cd->bnd",
        )
    axes = fields.config.get("bias_axes")
    if axes is not None and not re.fullmatch(r"[a-z]+", str(axes)):
        fields.block(f"bias_axes is {axes!r}", "name axes of the output, d for instance")
    fields.must_be("quantization_config", None, "HGQ2's own quantizers are read")
    return {
        "equation": equation,
        "output_shape": fields.sizes("output_shape"),
        "bias_axes": axes,
        "activation": _function(fields),
        **_read_quantized(fields, ("kq_conf", "bq_conf") if axes is not None else ("kq_conf",)),
    }


def _read_pooling(fields: _Fields) -> dict[str, Any]:
    fields.must_be("data_format", "channels_last", "put the channels last")
    fields.must_be("keepdims", False, "leave the axis out")
    return {
        "data_format": "channels_last",
        "keepdims": False,
        **_read_quantized(fields, ()),
    }


def _read_standalone(fields: _Fields) -> dict[str, Any]:
    return {"dtype": "float32", "config": fields.quantizer("config")}


_READERS: Final[Mapping[str, Callable[[_Fields], dict[str, Any]]]] = {
    "Activation": _read_activation,
    "InputLayer": _read_input,
    "QBatchNormDense": _read_normalized_dense,
    "QDense": _read_dense,
    "QEinsumDense": _read_einsum_dense,
    "QEinsumDenseBatchnorm": _read_einsum_dense,
    "QGlobalAveragePooling1D": _read_pooling,
    "Quantizer": _read_standalone,
}
