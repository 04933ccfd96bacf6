"""Tanh and Sigmoid of ONNX with a quantizer right behind them: one function of one variable.

Such a pair is QKeras' quantized_tanh(use_real_tanh=True) or quantized_sigmoid(use_real_sigmoid=
True), which becomes a table. Its entries are what onnxruntime itself makes of every value: single
precision decides what lies next to the middle between two steps, and each library in its own way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.folding import by_qkeras
from trigger_ml.frontends.onnx_file import Node
from trigger_ml.frontends.onnx_grids import Grid
from trigger_ml.frontends.onnx_layers import read_tail
from trigger_ml.frontends.onnx_walk import Function, Walk

__all__ = ["by_onnxruntime", "function_quantizer", "read_function"]

OPSET: Final = 13
IR_VERSION: Final = 8
"""Of ONNX 1.8, which every onnxruntime reads that this package takes."""
_REAL: Final[Mapping[str, tuple[str, str, int]]] = {
    "quantized_tanh": ("Tanh", "use_real_tanh", 1),
    "quantized_sigmoid": ("Sigmoid", "use_real_sigmoid", 0),
}
"""Operator of ONNX, the parameter that asks for it, and the bits that are not of its fraction."""


def read_function(walk: Walk, node: Node) -> None:
    """Tanh and Sigmoid: left to the quantizer behind them. A last Sigmoid is a tail."""
    if node.op == "Sigmoid" and node.outputs[0] in walk.model.outputs:
        read_tail(walk, node)
        return
    tensor = walk.tensor(node)
    walk.require_values(node, tensor)
    walk.put(node, replace(tensor, function=Function(node.op, node.where)))


def function_quantizer(function: Function, grid: Grid, where: str) -> dict[str, Any]:
    """The quantizer of QKeras that a function and the grid behind it are.

    where: the quantizer. Raises ModelError for a grid that does not end right below one.
    """
    name = f"quantized_{function.op.lower()}"
    _, real, sign = _REAL[name]
    bits, last = sign - grid.exponent, 2.0**-grid.exponent - 1
    symmetric = grid.low == -last
    if bits <= sign or grid.high != last or grid.low > (-last if sign else 0):
        what = (
            f"the codes {grid.low} to {grid.high} in steps of 2**{grid.exponent} behind a "
            f"{function.op}, and a table ends one step below 1"
        )
        fix = "quantize 8 bits with a sign in steps of 2**-7"
        fix += "" if sign else ", or 8 bits without a sign in steps of 2**-8"
        raise ModelError(Blocker(where, what, fix))
    options = {"bits": bits, "symmetric": int(bool(sign) and symmetric), real: True}
    return {"class_name": name, "config": options}


def by_onnxruntime(layer: Any, key: str, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a quantizer of a layer makes of numbers, its tanh or sigmoid as onnxruntime has it.

    layer: of QKeras. key: "activation", or a kind of weights.
    """
    quantizer: Any = layer.quantizer if key == "activation" else None
    operator, real, sign = _REAL.get(type(quantizer).__name__, ("", "", 0))
    if not operator or not getattr(quantizer, real, False):
        return by_qkeras(layer, key, values)
    levels = np.float32(2.0 ** (int(quantizer.bits) - sign))
    steps = np.rint(_run(operator, values) * levels)
    least = int(bool(quantizer.symmetric)) - levels * sign
    return np.asarray(np.clip(steps, least, levels - 1) / levels, dtype=np.float32)


def _run(operator: str, values: NDArray[np.float32]) -> NDArray[np.float32]:
    import onnxruntime
    from onnx import TensorProto, helper

    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in "xy"]
    graph = helper.make_graph([helper.make_node(operator, ["x"], ["y"])], "f", ports[:1], ports[1:])
    opset = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    providers = ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=providers)
    made: NDArray[np.float32] = session.run(None, {"x": values.astype(np.float32).ravel()})[0]
    return made.reshape(values.shape)
