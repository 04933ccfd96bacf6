"""Constants of an ONNX graph that other constants make: quantized weights, shapes, transposes.

Everything is computed in the arrays' own types, as an ONNX runtime would.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.onnx_file import Node
from trigger_ml.frontends.onnx_grids import bit_width, quant_range, read_scale

__all__ = [
    "FOLDED",
    "QUANTS",
    "along",
    "axes_of",
    "code_kind",
    "code_limits",
    "fold",
    "rounding_mode",
    "target_shape",
]

Array = NDArray[Any]
Reads = Sequence[Array | None]

QUANTS: Final = ("Quant", "IntQuant")
"""The quantizer of QONNX, under its name and its new one."""
MOST_ELEMENTS: Final = 1 << 26
"""A constant that grows beyond this is no weight of a trigger's network."""

_ROUND: Final[Mapping[str, Callable[[Array], Array]]] = {
    "ROUND": np.rint,
    "HALF_EVEN": np.rint,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "ROUND_TO_ZERO": np.trunc,
    "DOWN": np.trunc,
}


def fold(node: Node, reads: Reads) -> Array:
    """What a node makes of constants. reads: its inputs, None for one that is left out.

    Raises ModelError where that cannot be said, for a node of other operators too.
    """
    maker = _FOLDS.get(node.op)
    if maker is None:
        what = "computes with constants alone, and is not known here"
        raise ModelError(Blocker(node.where, what, "fold constants: onnxsim model.onnx out.onnx"))
    try:
        _require_room(node, reads)
        # Numbers that are no weights are found where they become weights.
        with np.errstate(all="ignore"):
            made = maker(node, reads)
    except (ValueError, TypeError, IndexError, AttributeError, OverflowError) as error:
        what = f"cannot be computed: {str(error).splitlines()[0] if str(error) else error!r}"
        raise ModelError(Blocker(node.where, what)) from error
    return np.asarray(made)


def _require_room(node: Node, reads: Reads) -> None:
    shapes = [np.shape(value) for value in reads if value is not None]
    size = sum(math.prod(shape) for shape in shapes)
    if node.op in ("Add", "Sub", "Mul", "Div", "Quant", "IntQuant", "BipolarQuant"):
        size = max(size, math.prod(np.broadcast_shapes(*shapes)))
    if size > MOST_ELEMENTS:
        raise ValueError(f"it has more than {MOST_ELEMENTS} elements")


def along(values: Array, rank: int, axis: int) -> Array:
    """Scales or zero points in the shape that lies along one axis of a tensor of ``rank``."""
    if values.size == 1:
        return values.reshape(())
    if values.ndim != 1:
        raise ValueError(f"scales of shape {values.shape}, in blocks")
    shape = [1] * rank
    shape[axis] = values.size
    return values.reshape(shape)


def axes_of(node: Node, reads: Reads, position: int = 1) -> tuple[int, ...] | None:
    """The axes of a Squeeze and its like: an attribute, and an input since opset 13."""
    if "axes" in node.attributes:
        return tuple(node.attributes["axes"])
    value = reads[position] if len(reads) > position else None
    return None if value is None else tuple(int(axis) for axis in value.reshape(-1))


def target_shape(shape: Sequence[int], asked: Sequence[int], allow_zero: bool) -> tuple[int, ...]:
    """The shape that Reshape gives a tensor. Raises ValueError."""
    sizes = [
        shape[axis] if size == 0 and not allow_zero else int(size)
        for axis, size in enumerate(asked)
    ]
    total = math.prod(shape)
    if sizes.count(-1) == 1:
        rest = math.prod(size for size in sizes if size != -1)
        if rest <= 0 or total % rest:
            raise ValueError(f"{tuple(shape)} does not fit into {tuple(asked)}")
        sizes[sizes.index(-1)] = total // rest
    if math.prod(sizes) != total or any(size < 0 for size in sizes):
        raise ValueError(f"{tuple(shape)} does not fit into {tuple(asked)}")
    return tuple(sizes)


def code_kind(node: Node, reads: Reads) -> tuple[np.dtype[Any], Array]:
    """The integers that a QuantizeLinear makes, and its zero point."""
    zero = reads[2] if len(reads) > 2 else None
    if zero is not None:
        return zero.dtype, zero
    asked = int(node.attributes.get("output_dtype", 0))
    kind = _numpy_kind(asked) if asked else np.dtype(np.uint8)
    return kind, np.zeros(1, kind)


def code_limits(kind: np.dtype[Any]) -> tuple[int, int]:
    """Least and largest integer of a type, of one of less than 8 bits too. Raises ValueError."""
    match = re.fullmatch(r"(u?)int(\d+)", kind.name)
    if match is None:
        raise ValueError(f"codes of the type {kind.name}")
    bits = int(match[2])
    return (0, (1 << bits) - 1) if match[1] else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def _numpy_kind(number: int) -> np.dtype[Any]:
    from onnx import helper

    try:
        return np.dtype(helper.tensor_dtype_to_np_dtype(number))
    except KeyError as error:
        raise ValueError(f"the element type {number}") from error


def _need(reads: Reads, position: int) -> Array:
    value = reads[position] if position < len(reads) else None
    if value is None:
        raise ValueError(f"its input {position} is missing")
    return value


def _constant(node: Node, _reads: Reads) -> Array:
    for key in ("value", "value_float", "value_floats", "value_int", "value_ints"):
        if key in node.attributes:
            value = node.attributes[key]
            kind = {"value_float": np.float32, "value_floats": np.float32}.get(key)
            return np.asarray(value, kind)
    raise ValueError("it holds no number")


def rounding_mode(node: Node) -> str:
    """How a Quant rounds. Raises ModelError where nobody knows."""
    mode = bytes(node.attributes.get("rounding_mode", b"ROUND")).decode("utf-8", "replace").upper()
    if mode not in _ROUND:
        fix = f"use ROUND, which is to even at ties; known are {', '.join(_ROUND)}"
        raise ModelError(Blocker(node.where, f"rounding_mode {mode}", fix))
    return mode


def _quant(node: Node, reads: Reads) -> Array:
    values = _need(reads, 0)
    scale = read_scale(_need(reads, 1), node.where).astype(values.dtype)
    zero = _need(reads, 2).astype(values.dtype)
    bits = bit_width(_need(reads, 3), node.where)
    codes = values / scale + zero
    if bits == 1 and node.attributes.get("signed", 1):
        codes = np.where(codes >= 0, 1, -1).astype(values.dtype)
    else:
        low, high = quant_range(node.attributes, bits)
        codes = _ROUND[rounding_mode(node)](np.clip(codes, low, high))
    made: Array = (codes - zero) * scale
    return made


def _bipolar(node: Node, reads: Reads) -> Array:
    values = _need(reads, 0)
    scale = read_scale(_need(reads, 1), node.where).astype(values.dtype)
    made: Array = np.where(values >= 0, scale, -scale)
    return made


def _quantize(node: Node, reads: Reads) -> Array:
    values, axis = _need(reads, 0), int(node.attributes.get("axis", 1))
    if node.attributes.get("block_size", 0):
        raise ValueError("scales in blocks")
    scale = along(read_scale(_need(reads, 1), node.where), values.ndim, axis)
    kind, zero = code_kind(node, reads)
    low, high = code_limits(kind)
    shift = along(zero.astype(np.int64), values.ndim, axis)
    codes = np.rint(values / scale).astype(np.float64) + shift
    return np.clip(codes, low, high).astype(kind)


def _dequantize(node: Node, reads: Reads) -> Array:
    codes, axis = _need(reads, 0), int(node.attributes.get("axis", 1))
    if node.attributes.get("block_size", 0):
        raise ValueError("scales in blocks")
    scale = along(read_scale(_need(reads, 1), node.where), codes.ndim, axis)
    zero = reads[2] if len(reads) > 2 and reads[2] is not None else np.zeros(1, np.int64)
    shifted = codes.astype(np.int64) - along(zero.astype(np.int64), codes.ndim, axis)
    made: Array = shifted.astype(np.float64) * scale
    if np.any(made.astype(np.float32) != made):
        raise ValueError("its values take more than the 24 bits of single precision")
    return made.astype(np.float32)


def _clip(node: Node, reads: Reads) -> Array:
    values = _need(reads, 0)
    low, high = (reads[at] if at < len(reads) else None for at in (1, 2))
    low = node.attributes.get("min") if low is None else low
    high = node.attributes.get("max") if high is None else high
    if low is not None:
        values = np.maximum(values, np.asarray(low, values.dtype))
    if high is not None:
        values = np.minimum(values, np.asarray(high, values.dtype))
    return values


def _transpose(node: Node, reads: Reads) -> Array:
    return np.transpose(_need(reads, 0), node.attributes.get("perm"))


def _reshape(node: Node, reads: Reads) -> Array:
    values = _need(reads, 0)
    asked = [int(size) for size in _need(reads, 1).reshape(-1)]
    allow_zero = bool(node.attributes.get("allowzero", 0))
    return values.reshape(target_shape(values.shape, asked, allow_zero))


def _squeeze(node: Node, reads: Reads) -> Array:
    return np.squeeze(_need(reads, 0), axes_of(node, reads))


def _unsqueeze(node: Node, reads: Reads) -> Array:
    axes = axes_of(node, reads)
    if axes is None:
        raise ValueError("its axes are missing")
    return np.expand_dims(_need(reads, 0), axes)


def _gather(node: Node, reads: Reads) -> Array:
    axis = int(node.attributes.get("axis", 0))
    return np.take(_need(reads, 0), _need(reads, 1).astype(np.int64), axis=axis)


def _concat(node: Node, reads: Reads) -> Array:
    parts = [_need(reads, at) for at in range(len(reads))]
    return np.concatenate(parts, int(node.attributes["axis"]))


def _cast(node: Node, reads: Reads) -> Array:
    kind = _numpy_kind(int(node.attributes["to"]))
    if kind.kind not in "fiub":
        raise ValueError(f"a cast to {kind}")
    return _need(reads, 0).astype(kind)


def _binary(function: Callable[[Array, Array], Array]) -> Callable[[Node, Reads], Array]:
    def make(_node: Node, reads: Reads) -> Array:
        return function(_need(reads, 0), _need(reads, 1))

    return make


def _divide(left: Array, right: Array) -> Array:
    if not np.all(right):
        raise ValueError("it divides by zero")
    made: Array = left // right if left.dtype.kind in "iu" else left / right
    return made


_FOLDS: Final[Mapping[str, Callable[[Node, Reads], Array]]] = {
    "Add": _binary(np.add),
    "BipolarQuant": _bipolar,
    "Cast": _cast,
    "Clip": _clip,
    "Concat": _concat,
    "Constant": _constant,
    "DequantizeLinear": _dequantize,
    "Div": _binary(_divide),
    "Gather": _gather,
    "Identity": lambda _node, reads: _need(reads, 0),
    "IntQuant": _quant,
    "Mul": _binary(np.multiply),
    "Quant": _quant,
    "QuantizeLinear": _quantize,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Sub": _binary(np.subtract),
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
FOLDED: Final = tuple(_FOLDS)
"""Operators that may compute with constants."""
