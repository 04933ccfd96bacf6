"""Inputs, quantizers, activations and dense layers of a ``.keras`` file of HGQ2."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from trigger_ml.errors import Blocker
from trigger_ml.frontends.keras_v3_fields import Fields, is_size, read_function, read_quantized
from trigger_ml.frontends.keras_v3_rules import Rule, Shape
from trigger_ml.frontends.model_file import Layer

__all__ = ["RULES"]


def _read_input(fields: Fields) -> dict[str, Any]:
    shape = fields.config.get("batch_shape")
    sizes = shape[1:] if isinstance(shape, list) else []
    if not 1 <= len(sizes) <= 3 or not all(is_size(size) for size in sizes):
        fields.block(f"input shape {shape}", "one to three axes of fixed size are read")
    for key in ("sparse", "ragged", "optional"):
        fields.must_be(key, False, "firmware reads whole tensors")
    return {"batch_shape": [None, *sizes], "dtype": "float32"}


def _read_activation(fields: Fields) -> dict[str, Any]:
    return {"activation": read_function(fields), "dtype": "float32"}


def _read_dense(fields: Fields) -> dict[str, Any]:
    bias = fields.flag("use_bias", True)
    fields.must_be("quantization_config", None, "HGQ2's own quantizers are read")
    return {
        "units": fields.size("units"),
        "use_bias": bias,
        "activation": read_function(fields),
        **read_quantized(fields, ("kq_conf", "bq_conf") if bias else ("kq_conf",)),
    }


def _read_normalized_dense(fields: Fields) -> dict[str, Any]:
    epsilon = fields.config.get("epsilon", 1e-3)
    if not isinstance(epsilon, int | float) or not 0 <= epsilon < 1:
        fields.block(f"epsilon is {epsilon!r}, not 0 to 1")
    return {**_read_dense(fields), "scale": fields.flag("scale", True), "epsilon": epsilon}


def _read_einsum_dense(fields: Fields) -> dict[str, Any]:
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
        "activation": read_function(fields),
        **read_quantized(fields, ("kq_conf", "bq_conf") if axes is not None else ("kq_conf",)),
    }


def _read_standalone(fields: Fields) -> dict[str, Any]:
    return {"dtype": "float32", "config": fields.quantizer("config")}


def _input_shape(layer: Layer, _shapes: Sequence[Shape]) -> Shape | Blocker:
    return tuple(layer.config["batch_shape"][1:])


def _dense_shape(layer: Layer, shapes: Sequence[Shape]) -> Shape | Blocker:
    (shape,) = shapes
    if len(shape) != 1:
        fix = "use QEinsumDense, with an equation like bnc,cd->bnd"
        what = f"reads a tensor of shape {shape}, not one axis"
        return Blocker(f"layer {layer.name}", what, fix)
    return (int(layer.config["units"]),)


def _einsum_shape(layer: Layer, shapes: Sequence[Shape]) -> Shape | Blocker:
    (shape,) = shapes
    equation, sizes = str(layer.config["equation"]), tuple(layer.config["output_shape"])
    reads, makes = equation.split(",")[0][1:], equation.split("->")[1][1:]
    where = f"layer {layer.name}"
    if len(reads) != len(shape) or len(makes) != len(sizes):
        return Blocker(where, f"equation {equation} does not fit the shapes {shape} and {sizes}")
    known = dict(zip(reads, shape, strict=True))
    for axis, size in zip(makes, sizes, strict=True):
        if known.get(axis, size) != size:
            return Blocker(where, f"axis {axis} has size {known[axis]} before and {size} after it")
    return sizes


def _dense(name: str, reader: Any) -> Rule:
    module = "hgq.layers.core.dense"
    return Rule(module, f"hgq>{name}", reader, _dense_shape, weights=True, function=True)


def _einsum(name: str, module: str) -> Rule:
    reader, shape = _read_einsum_dense, _einsum_shape
    return Rule(module, f"hgq>{name}", reader, shape, weights=True, function=True)


RULES: Final[Mapping[str, Rule]] = {
    "Activation": Rule("keras.layers", None, _read_activation, function=True),
    "InputLayer": Rule("keras.layers", None, _read_input, _input_shape, inputs=(0, 0)),
    "QBatchNormDense": _dense("QBatchNormDense", _read_normalized_dense),
    "QDense": _dense("QDense", _read_dense),
    "QEinsumDense": _einsum("QEinsumDense", "hgq.layers.core.einsum_dense"),
    "QEinsumDenseBatchnorm": _einsum("QEinsumDenseBatchnorm", "hgq.layers.einsum_dense_batchnorm"),
    "Quantizer": Rule("hgq.quantizer.quantizer", "hgq>Quantizer", _read_standalone),
}
