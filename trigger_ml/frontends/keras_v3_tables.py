"""Tables of functions of one variable, and softmax, in a ``.keras`` file of HGQ2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, Final

from trigger_ml.errors import Blocker
from trigger_ml.frontends.keras_v3_fields import Fields, read_quantized
from trigger_ml.frontends.keras_v3_rules import Rule, Shape
from trigger_ml.frontends.model_file import Layer

__all__ = ["RULES", "UNARY"]

UNARY: Final = (
    *("celu", "elu", "exponential", "gelu", "hard_shrink", "hard_sigmoid", "hard_silu"),
    *("hard_tanh", "leaky_relu", "linear", "log_sigmoid", "mish", "relu", "relu6", "selu"),
    *("sigmoid", "silu", "soft_shrink", "softplus", "softsign", "sparse_plus", "sparse_sigmoid"),
    *("squareplus", "tanh", "tanh_shrink"),
)
"""Keras 3's own functions of one variable, by the name that a file gives them."""
_SHARED: Final = "hls4ml 1.3 has one table for all elements"


def _read_softmax(fields: Fields) -> dict[str, Any]:
    stable = fields.flag("stable", True)
    if not stable and not fields.flag("enable_iq", True):
        what = "stable=False without a quantizer of its input: its table has no exact RTL"
        fields.block(what, "give it enable_iq=True, or stable=True")
    fields.must_be("allow_heterogeneous_table", False, f"leave it out: {_SHARED}")
    axes = fields.config.get("axes")
    if not isinstance(axes, list) or not axes or not all(type(axis) is int for axis in axes):
        fields.block(f"axes are {axes!r}, not whole numbers", "use axis=-1")
    scaler = fields.config.get("input_scaler", 1.0)
    if type(scaler) not in (int, float) or not isfinite(scaler) or scaler <= 0:
        fields.block(f"input_scaler is {scaler!r}, not a number above 0", "leave it out")
    factor = fields.config.get("parallelization_factor", -1)
    if type(factor) is not int or factor == 0 or not -1 <= factor < 1 << 31:
        fields.block(f"parallelization_factor is {factor!r}", "leave it out")
    tables = ("exp_oq_conf", "inv_iq_conf", "inv_oq_conf")
    return {
        **read_quantized(fields),
        "axes": axes,
        "stable": stable,
        "exp_iq_conf": fields.quantizer("exp_iq_conf") if stable else None,
        **{key: fields.quantizer(key) for key in tables},
        "allow_heterogeneous_table": False,
        "input_scaler": scaler,
        "parallelization_factor": factor,
    }


def _softmax_shape(layer: Layer, shapes: Sequence[Shape]) -> Shape | Blocker:
    (shape,) = shapes
    where = f"layer {layer.name}"
    axes = sorted(axis if axis >= 0 else axis + len(shape) + 1 for axis in layer.config["axes"])
    if not all(1 <= axis <= len(shape) for axis in axes) or len({*axes}) < len(axes):
        what = f"a softmax over the axes {layer.config['axes']} of a tensor of shape {shape}"
        return Blocker(where, what, "use axis=-1")
    if axes != list(range(axes[0], axes[0] + len(axes))):
        what = f"a softmax over the axes {axes}, and hls4ml 1.3 takes neighbours only"
        return Blocker(where, what, "bring them together with a Permute before it")
    keys = ("exp_iq_conf", "exp_oq_conf", "inv_iq_conf", "inv_oq_conf")
    return _shared(layer, keys, shape)


def _read_table(fields: Fields) -> dict[str, Any]:
    function = fields.config.get("activation")
    if function not in UNARY:
        fix = f"use one of {', '.join(UNARY)}"
        fields.block(f"activation {_named(function)} is no function of Keras of one variable", fix)
        function = "linear"
    if fields.config.get("enable_oq") is False:
        what = "has no quantizer of its results, and a table has one"
        fields.block(what, "leave out enable_oq=False")
    return {
        **read_quantized(fields),
        "activation": function,
        "allow_heterogeneous_input": True,
        "allow_heterogeneous_table": False,
    }


def _named(function: Any) -> str:
    return str(function.get("class_name")) if isinstance(function, dict) else repr(function)[:60]


def _table_shape(layer: Layer, shapes: Sequence[Shape]) -> Shape | Blocker:
    return _shared(layer, ("oq_conf",), shapes[0])


def _shared(layer: Layer, keys: Sequence[str], shape: Shape) -> Shape | Blocker:
    """The shape, where each of these quantizers has one width for all elements."""
    every = {*range(len(shape) + 1)}
    for key in keys:
        if layer.config[key] is None:
            continue
        config = layer.config[key]["config"]
        same = {axis % len(every) for axis in config["homogeneous_axis"] or ()}
        own = config["heterogeneous_axis"]
        if own if own is not None else same != every:
            what = f"{key} has widths of its own for elements; {_SHARED}"
            fix = "give it heterogeneous_axis=() and homogeneous_axis=None"
            return Blocker(f"layer {layer.name}", what, fix)
    return shape


def _table(name: str) -> Rule:
    return Rule("hgq.layers.activation", f"hgq>{name}", _read_table, _table_shape)


RULES: Final[Mapping[str, Rule]] = {
    "QAffinedUnaryFunctionLUT": _table("QAffinedUnaryFunctionLUT"),
    "QSoftmax": Rule("hgq.layers.softmax", "hgq>QSoftmax", _read_softmax, _softmax_shape),
    "QUnaryFunctionLUT": _table("QUnaryFunctionLUT"),
}
