"""Quantizers of values in ONNX, QONNX's and those of ONNX itself, and Clip."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.onnx_file import Node
from trigger_ml.frontends.onnx_grids import Grid, bit_width, quant_range, read_scale
from trigger_ml.frontends.onnx_tables import function_quantizer
from trigger_ml.frontends.onnx_values import code_kind, code_limits, rounding_mode
from trigger_ml.frontends.onnx_walk import Codes, Tensor, Walk

__all__ = ["read_clip", "read_dequantize", "read_quant", "read_quantize"]


def read_quant(walk: Walk, node: Node) -> None:
    """QONNX's Quant of values: a QActivation."""
    tensor = walk.tensor(node)
    bits = bit_width(walk.need(node, 3), node.where)
    scale, zero = _one_scale(walk, node)
    blockers = []
    mode = rounding_mode(node)
    if mode not in ("ROUND", "HALF_EVEN"):
        what = f"rounding_mode {mode}: no quantizer of QKeras rounds so"
        blockers.append(Blocker(node.where, what, "use ROUND, which is to even at ties"))
    if zero % 2:
        what = f"zero_point {zero}, added before rounding, makes ties go elsewhere"
        blockers.append(Blocker(node.where, what, "use zero_point 0"))
    if bits == 1 and node.attributes.get("signed", 1):
        what = "a quantizer of one bit with a sign is -1 and 1, which is no fixed-point type"
        blockers.append(Blocker(node.where, what, "use two bits, narrow: -1, 0 and 1"))
    if blockers:
        raise ModelError(blockers)
    low, high = quant_range(node.attributes, bits)
    _quantized(walk, node, tensor, Codes(scale, zero, low, high))


def read_quantize(walk: Walk, node: Node) -> None:
    """QuantizeLinear of values: codes, until a DequantizeLinear."""
    tensor = walk.tensor(node)
    walk.require_values(node, replace(tensor, function=None))
    scale, zero = _one_scale(walk, node)
    constants = [walk.constants.get(name) for name in node.inputs]
    try:
        low, high = code_limits(code_kind(node, constants)[0])
    except ValueError as error:
        raise ModelError(Blocker(node.where, str(error), "use integers")) from error
    walk.put(node, replace(tensor, codes=Codes(scale, zero, low, high)))


def read_dequantize(walk: Walk, node: Node) -> None:
    """DequantizeLinear: with the QuantizeLinear before it, a QActivation."""
    tensor = walk.tensor(node)
    if tensor.codes is None:
        raise ModelError(Blocker(node.where, "no QuantizeLinear is before it", "use QCDQ or QDQ"))
    scale, zero = _one_scale(walk, node)
    if (scale, zero) != (tensor.codes.scale, tensor.codes.zero):
        what = f"scale {scale:g} and zero point {zero}, where the QuantizeLinear before it has "
        what += f"{tensor.codes.scale:g} and {tensor.codes.zero}"
        raise ModelError(Blocker(node.where, what, "give both the same"))
    _quantized(walk, node, replace(tensor, codes=None), tensor.codes)


def read_clip(walk: Walk, node: Node) -> None:
    """Clip: of codes, between QuantizeLinear and DequantizeLinear; of values, a bounded relu."""
    tensor = walk.tensor(node)
    bounds = []
    for position, key in ((1, "min"), (2, "max")):
        value = walk.constant(node, position)
        value = node.attributes.get(key) if value is None else value
        bounds.append(None if value is None else float(np.asarray(value).reshape(())))
    low, high = bounds
    if tensor.codes is not None:
        codes = tensor.codes
        if low is not None:
            codes = replace(codes, low=max(codes.low, int(low)))
        if high is not None:
            codes = replace(codes, high=min(codes.high, int(high)))
        walk.put(node, replace(tensor, codes=codes))
        return
    if low != 0:
        what = f"clips values at {low} and {high}"
        raise ModelError(Blocker(node.where, what, "put a quantizer there: its range clips"))
    if high is None:
        walk.elementwise(node, tensor, "Activation", {"activation": "relu"})
    else:
        walk.elementwise(node, tensor, "ReLU", {"max_value": high})


def _one_scale(walk: Walk, node: Node) -> tuple[float, int]:
    """Scale and zero point of a quantizer of values. Raises ModelError."""
    scale = read_scale(walk.need(node, 1), node.where).astype(np.float64).reshape(-1)
    zero = walk.constant(node, 2)
    shift = np.zeros(1) if zero is None else zero.astype(np.float64).reshape(-1)
    blockers = []
    if np.any(scale != scale[0]):
        what = f"{scale.size} scales, one for each channel"
        blockers.append(Blocker(node.where, what, "quantize values with one scale"))
    if np.any(shift != shift[0]) or shift[0] != np.rint(shift[0]):
        blockers.append(Blocker(node.where, f"zero points {shift[:4].tolist()}", "use 0"))
    if blockers:
        raise ModelError(blockers)
    return float(scale[0]), int(shift[0])


def _quantized(walk: Walk, node: Node, tensor: Tensor, codes: Codes) -> None:
    exponent = int(np.frexp(codes.scale)[1]) - 1
    grid = Grid(exponent, codes.low - codes.zero, codes.high - codes.zero)
    try:
        if tensor.function is None:
            quantizer = grid.quantizer(node.where)
        else:
            quantizer = function_quantizer(tensor.function, grid, node.where)
    except ModelError as error:
        if codes.zero:
            what = f"zero_point {codes.zero} with codes {codes.low} to {codes.high}"
            raise ModelError(Blocker(node.where, what, "use zero_point 0")) from error
        raise
    walk.quantizers += 1
    tensor = replace(tensor, function=None)
    walk.elementwise(node, tensor, "QActivation", {"activation": quantizer})
