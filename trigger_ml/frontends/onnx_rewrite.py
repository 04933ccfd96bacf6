"""An ONNX model as onnxruntime can run it: QONNX's quantizers written with standard operators.

This says what a ``Quant`` means a second time, apart from the reading that firmware is made of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.graph.types import FixedType

__all__ = ["LOGITS", "runnable"]

LOGITS: Final = "trigger_ml_logits_"
QUANTS: Final = ("Quant", "IntQuant", "BipolarQuant")
MOST_IR_VERSION: Final = 13
"""Of the file format that onnxruntime 1.31 reads; later ones add nothing that gets this far."""
ROUND_SINCE: Final = 11
"""Opset that has Round."""
TO_WHOLE: Final = 1.5 * 2**23
"""Added to a number below 2**22 and subtracted again, it leaves the nearest whole one, the even
one at ties: single precision has no bits for the rest."""


def runnable(
    model: Any, logits: Sequence[str], normalizations: Mapping[str, Mapping[str, Any]] | None = None
) -> Any:
    """A copy of a ModelProto without operators of QONNX that also gives the tensors ``logits``.

    normalizations: scale and bias of each channel, and the type to round the input to or None, of
    batch normalizations that get other constants than the file's; by their places, as
    :attr:`trigger_ml.frontends.onnx_file.Node.where` names them.
    They are its last outputs, named LOGITS with their positions. Inputs of one event are said to
    take any number, which the graph may allow or not; sizes that follow from that are left open.
    """
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    copy.ir_version = min(copy.ir_version, MOST_IR_VERSION)
    for port in copy.graph.input:
        axes = port.type.tensor_type.shape.dim
        if axes and axes[0].dim_value == 1:
            axes[0].dim_param = "events"
    for port in copy.graph.output:
        port.type.tensor_type.ClearField("shape")
    del copy.graph.value_info[:]
    standard = [item.version for item in copy.opset_import if item.domain in ("", "ai.onnx")]
    opset = max(standard, default=ROUND_SINCE)
    nodes: list[Any] = []
    for position, node in enumerate(model.graph.node):
        where = f"node {node.name or f'{node.op_type}_{position}'} ({node.op_type})"
        known = (normalizations or {}).get(where)
        if known is not None:
            nodes += _Writer(f"trigger_ml_{position}", opset).normalization(node, known)
        elif node.op_type in QUANTS:
            nodes += _Writer(f"trigger_ml_{position}", opset).quant(node)
        else:
            nodes.append(node)
    for position, name in enumerate(logits):
        nodes.append(onnx.helper.make_node("Identity", [name], [f"{LOGITS}{position}"]))
    del copy.graph.node[:]
    copy.graph.node.extend(nodes)
    for position in range(len(logits)):
        name = f"{LOGITS}{position}"
        output = onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
        copy.graph.output.append(output)
    del copy.opset_import[:]
    copy.opset_import.append(onnx.helper.make_opsetid("", opset))
    return copy


class _Writer:
    """Writes standard nodes, one after another, with names of their own."""

    def __init__(self, prefix: str, opset: int) -> None:
        self._prefix, self._opset = prefix, opset
        self._nodes: list[Any] = []

    def quant(self, node: Any) -> list[Any]:
        """The nodes that do what a Quant or a BipolarQuant does."""
        import onnx

        options = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
        values, scale = node.input[0], node.input[1]
        if node.op_type == "BipolarQuant":
            codes = self._sign(values)
        else:
            codes = self._codes(values, scale, node.input[2], node.input[3], options)
        self._nodes.append(onnx.helper.make_node("Mul", [codes, scale], [node.output[0]]))
        return self._nodes

    def normalization(self, node: Any, constants: Mapping[str, Any]) -> list[Any]:
        """The nodes of a BatchNormalization with these constants."""
        import onnx

        read, grid = node.input[0], constants["grid"]
        if grid is not None:
            kind = FixedType.from_json(grid)
            scale = self._number(kind.step)
            numbers = scale, self._number(0), self._number(kind.width)
            codes = self._codes(read, *numbers, {"signed": int(kind.signed)})
            read = self._make("Mul", codes, scale)
        zeros = np.zeros(len(constants["scale"]), np.float32)
        arrays = constants["scale"], constants["bias"], zeros, zeros + 1
        names = [self._number(np.asarray(values, np.float32)) for values in arrays]
        made = onnx.helper.make_node(
            "BatchNormalization", [read, *names], [node.output[0]], epsilon=0.0
        )
        self._nodes.append(made)
        return self._nodes

    def _codes(self, values: str, scale: str, zero: str, bits: str, options: dict[str, Any]) -> str:
        """Clamped, then rounded, as qonnx 1.0.0 does; the zero point is taken off again."""
        signed, narrow = bool(options.get("signed", 1)), bool(options.get("narrow", 0))
        width = self._make("Cast", bits, to=1)
        shifted = self._make("Add", self._make("Div", values, scale), zero)
        if signed:
            half = self._make("Pow", self._number(2), self._make("Sub", width, self._number(1)))
            high = self._make("Sub", half, self._number(1))
            low = self._make("Sub", self._number(int(narrow)), half)
        else:
            top = self._make("Pow", self._number(2), width)
            high = self._make("Sub", top, self._number(1 + int(narrow)))
            low = self._number(0)
        clamped = self._make("Max", self._make("Min", shifted, high), low)
        mode = options.get("rounding_mode", b"ROUND").decode().upper()
        rounded = self._rounded(clamped, mode)
        if signed:
            one = self._make("Less", width, self._number(1.5))
            rounded = self._make("Where", one, self._sign(shifted), rounded)
        return self._make("Sub", rounded, zero)

    def _rounded(self, values: str, mode: str) -> str:
        match mode:
            case "FLOOR":
                return self._make("Floor", values)
            case "CEIL":
                return self._make("Ceil", values)
            case "ROUND_TO_ZERO" | "DOWN":
                whole = self._make("Floor", self._make("Abs", values))
                return self._make("Mul", self._make("Sign", values), whole)
        if self._opset >= ROUND_SINCE:
            return self._make("Round", values)
        return self._make(
            "Sub", self._make("Add", values, self._number(TO_WHOLE)), self._number(TO_WHOLE)
        )

    def _sign(self, values: str) -> str:
        """-1 below zero, 1 from zero on."""
        below = self._make("Less", values, self._number(0))
        return self._make("Where", below, self._number(-1), self._number(1))

    def _number(self, value: float | NDArray[np.float32]) -> str:
        import onnx

        tensor = onnx.numpy_helper.from_array(np.array(value, np.float32))
        return self._make("Constant", value=tensor)

    def _make(self, op: str, *inputs: str, **attributes: Any) -> str:
        import onnx

        name = f"{self._prefix}_{len(self._nodes)}"
        self._nodes.append(onnx.helper.make_node(op, list(inputs), [name], name, **attributes))
        return name
