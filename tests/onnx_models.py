"""Small ONNX models for tests, in both dialects, node by node as Brevitas exports them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

QONNX, QCDQ = "QONNX", "QCDQ"
Shape = Sequence[int | str]
Shapes = Shape | Mapping[str, Shape]
OPSETS = {QONNX: 20, QCDQ: 13}
DOMAIN = "qonnx.custom_op.general"


class Builder:
    """Writes a graph from its input on; every method returns the name of the tensor it makes."""

    def __init__(self, dialect: str = QONNX, opset: int = 0, seed: int = 5) -> None:
        self.dialect, self.opset = dialect, opset or OPSETS[dialect]
        self.random = np.random.default_rng(seed)
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.domain = DOMAIN

    def constant(self, values: Any, kind: Any = np.float32) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, kind), name))
        return name

    def node(self, op: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        name = name or f"/{op.lower()}{len(self.nodes)}/{op}"
        domain = self.domain if op in ("Quant", "IntQuant", "BipolarQuant", "Trunc") else ""
        made = f"{name}_output_0"
        self.nodes.append(
            helper.make_node(op, list(inputs), [made], name, domain=domain, **attributes)
        )
        return made

    def quant(
        self,
        read: str,
        bits: int,
        scale: float | Sequence[float],
        signed: bool = True,
        narrow: bool = False,
        rounding: str = "ROUND",
        zero: float = 0,
    ) -> str:
        if self.dialect == QONNX:
            options = {"signed": int(signed), "narrow": int(narrow), "rounding_mode": rounding}
            inputs = (self.constant(scale), self.constant(zero), self.constant(bits))
            return self.node("Quant", read, *inputs, **options)
        kind = np.int8 if signed else np.uint8
        steps, shift = self.constant(scale), self.constant(zero, kind)
        codes = self.node("QuantizeLinear", read, steps, shift)
        if bits < 8 or narrow:
            low = narrow - 2 ** (bits - 1) if signed else 0
            high = 2 ** (bits - 1) - 1 if signed else 2**bits - 1
            codes = self.node("Clip", codes, self.constant(low, kind), self.constant(high, kind))
        return self.node("DequantizeLinear", codes, steps, shift)

    def weights(self, shape: Sequence[int], bits: int = 4, scale: float = 2.0**-3) -> str:
        """Random weights of a sign, on a grid: float ones in QONNX, integers in QCDQ."""
        high = 2 ** (bits - 1) - 1
        codes = self.random.integers(-high, high + 1, shape)
        if self.dialect == QONNX:
            noise = self.random.uniform(-0.4, 0.4, shape)
            return self.quant(self.constant((codes + noise) * scale), bits, scale, narrow=True)
        limits = (self.constant(-high, np.int8), self.constant(high, np.int8))
        clipped = self.node("Clip", self.constant(codes, np.int8), *limits)
        return self.node("DequantizeLinear", clipped, self.constant(scale))

    def dense(self, read: str, inputs: int, outputs: int, **options: Any) -> str:
        weights = self.weights((outputs, inputs), **options)
        return self.node("Gemm", read, weights, self.weights((outputs,), **options), transB=1)

    def relu(self, read: str, bits: int = 4, scale: float = 2.0**-2) -> str:
        return self.quant(self.node("Relu", read), bits, scale, signed=False)

    def model(self, outputs: str | Sequence[str], shapes: Shapes = ("events", 4)) -> Any:
        """shapes: of the input x, or of each input by its name."""
        shapes = shapes if isinstance(shapes, Mapping) else {"x": shapes}
        outputs = [outputs] if isinstance(outputs, str) else outputs
        floats = TensorProto.FLOAT
        graph = helper.make_graph(
            self.nodes,
            "graph",
            [helper.make_tensor_value_info(name, floats, list(s)) for name, s in shapes.items()],
            [helper.make_tensor_value_info(name, floats, None) for name in outputs],
            self.constants,
        )
        opsets = [helper.make_opsetid("", self.opset)]
        if self.dialect == QONNX:
            opsets.append(helper.make_opsetid(self.domain, 2))
        return helper.make_model(graph, opset_imports=opsets, ir_version=9)

    def save(
        self, path: Path, outputs: str | Sequence[str], shapes: Shapes = ("events", 4)
    ) -> Path:
        onnx.save(self.model(outputs, shapes), path)
        return path


def rounded(values: NDArray[Any], scale: float, low: int, high: int) -> NDArray[Any]:
    """What a quantizer makes of values, in double precision."""
    return np.clip(np.rint(values / scale), low, high) * scale
