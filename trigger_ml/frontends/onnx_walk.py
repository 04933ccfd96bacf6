"""What grows while an ONNX graph is read: Keras layers, their weights, and where tensors lie.

ONNX puts channels before places (NCHW), Keras after. A tensor keeps the order that its layer
gave it, and says where each axis of ONNX lies in it; a Permute is put in only where a layer, a
join or the output needs another order.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.onnx_file import Node, OnnxModel
from trigger_ml.frontends.onnx_grids import weight_quantizer

__all__ = ["Codes", "Function", "Tensor", "Walk", "identifier"]

Array = NDArray[Any]
PLUMBING: Final = ("export_handler", "activation_impl", "act_quant", "tensor_quant")
"""Parts of names that Brevitas gives to nodes within its layers."""
RESERVED: Final = ("input", "input_data", "output_data", "softmax", "sigmoid")
"""Names that hls4ml cannot use, and those of a tail."""


@dataclass(frozen=True, slots=True)
class Codes:
    """What a QuantizeLinear made: its scale and zero point, and the codes that are left."""

    scale: float
    zero: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Function:
    """An operator on real numbers that waits for the quantizer behind it. where: its node."""

    op: str
    where: str


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of events.

    layer: of Keras, that makes it. shape: in ONNX, without the batch. axes: for each axis of it
    the axis of the layer's output, None for one of size 1 that the output has not. codes: set
    between QuantizeLinear and DequantizeLinear. function: of what the layer makes, between an
    operator and its quantizer.
    """

    layer: str
    shape: tuple[int, ...]
    axes: tuple[int | None, ...]
    codes: Codes | None = None
    function: Function | None = None

    @property
    def places(self) -> int:
        """Axes of the layer's output."""
        return sum(axis is not None for axis in self.axes)


@dataclass(slots=True)
class Walk:
    """The state of one reading.

    constants, tensors: by their names in ONNX. raw: Keras layers as a file lists them. nodes: of
    ONNX, by the layer that stands for them. readers: how many nodes and outputs read a tensor.
    sums: layers with weights, by the tensor that they make, to which a bias may be added.
    quantized: constants that a quantizer made, or that were made of such. excused: tensors and
    constants that stand in for what was refused, so that the rest can be read. quantizers: of
    values, as many as were found. blockers: what was refused where reading went on. floats:
    whether weights stay as they are and need no grid.
    """

    model: OnnxModel
    constants: dict[str, Array]
    readers: Mapping[str, int]
    tensors: dict[str, Tensor] = field(default_factory=dict)
    raw: list[dict[str, Any]] = field(default_factory=list)
    weights: dict[str, tuple[NDArray[np.float32], ...]] = field(default_factory=dict)
    nodes: dict[str, str] = field(default_factory=dict)
    sums: dict[str, str] = field(default_factory=dict)
    quantized: set[str] = field(default_factory=set)
    excused: set[str] = field(default_factory=set)
    quantizers: int = 0
    blockers: list[Blocker] = field(default_factory=list)
    floats: bool = False
    _orders: dict[tuple[str, tuple[int, ...]], str] = field(default_factory=dict)

    def tensor(self, node: Node, position: int = 0) -> Tensor:
        """The tensor of events that a node reads there. Raises ModelError where there is none."""
        name = node.inputs[position] if position < len(node.inputs) else ""
        found = self.tensors.get(name)
        if found is None:
            what = f"its input {position} is not a tensor of the events"
            raise ModelError(Blocker(node.where, what, "put the constant second"))
        return found

    def constant(self, node: Node, position: int) -> Array | None:
        """A constant that a node reads there, or None where the input is left out.

        Raises ModelError where it is computed from the events.
        """
        name = node.inputs[position] if position < len(node.inputs) else ""
        if not name:
            return None
        if name not in self.constants:
            what = f"its input {position}, {name}, is computed from the events"
            raise ModelError(Blocker(node.where, what, "make it a constant"))
        return self.constants[name]

    def need(self, node: Node, position: int) -> Array:
        """A constant that must be there. Raises ModelError."""
        value = self.constant(node, position)
        if value is None:
            raise ModelError(Blocker(node.where, f"its input {position} is missing"))
        return value

    def emit(
        self,
        node: Node,
        kind: str,
        reads: Sequence[str],
        config: Mapping[str, Any],
        weights: Sequence[Array] = (),
        suffix: str = "",
    ) -> str:
        """Add a Keras layer for a node and return its name. weights: in the order of Keras."""
        name = self.free_name(_label(node) + suffix)
        self.nodes[name] = node.where
        inbound = [[[read, 0, 0, {}] for read in reads]]
        self.raw.append(
            {"class_name": kind, "config": {"name": name, **config}, "inbound_nodes": inbound}
        )
        if weights:
            self.weights[name] = tuple(np.asarray(values, np.float32) for values in weights)
        return name

    def free_name(self, text: str) -> str:
        """An identifier like a name of ONNX that no layer has yet."""
        base = identifier(text)
        taken = {item["config"]["name"] for item in self.raw}
        if base not in taken:
            return base
        return next(name for n in range(2, len(taken) + 3) if (name := f"{base}_{n}") not in taken)

    def arranged(self, node: Node, tensor: Tensor, axes: Sequence[int | None]) -> str:
        """The layer that gives a tensor with its axes where ``axes`` says.

        Raises ModelError where the tensor has another rank.
        """
        self.require_values(node, tensor)
        if tensor.axes == tuple(axes):
            return tensor.layer
        order = [0] * len(axes)
        for here, there in zip(tensor.axes, axes, strict=False):
            if here is None or there is None or len(tensor.axes) != len(axes):
                what = f"reads a tensor of shape {tensor.shape}, whose axes cannot be ordered"
                raise ModelError(Blocker(node.where, what, "put a Flatten before it"))
            order[there] = here + 1
        key = (tensor.layer, tuple(order))
        if key not in self._orders:
            config = {"dims": order}
            self._orders[key] = self.emit(node, "Permute", [tensor.layer], config, suffix="_order")
        return self._orders[key]

    def channels_last(self, node: Node, tensor: Tensor) -> str:
        """The layer that gives a tensor (channels, places...) with its channels last."""
        rank = len(tensor.shape)
        return self.arranged(node, tensor, (rank - 1, *range(rank - 1)))

    def in_order(self, node: Node, tensor: Tensor) -> str:
        """The layer whose elements, one after another, are those of the tensor in ONNX."""
        self.require_values(node, tensor)
        large = [
            axis
            for axis, size in zip(tensor.axes, tensor.shape, strict=True)
            if size > 1 and axis is not None
        ]
        if large == sorted(large):
            return tensor.layer
        return self.arranged(node, tensor, range(len(tensor.shape)))

    def require_values(self, node: Node, tensor: Tensor) -> None:
        """Raise ModelError for codes, which only DequantizeLinear and Clip may read, and for the
        real numbers of a function, which only a quantizer may."""
        if tensor.function is not None:
            what = "in the middle of a network, and no quantizer is right behind it"
            fix = "put one there, or use a Relu; Brevitas has QuantTanh and QuantSigmoid"
            raise ModelError(Blocker(tensor.function.where, what, fix))
        if tensor.codes is not None:
            what = "computes with the integers of a QuantizeLinear"
            fix = "export in the QCDQ or QDQ form, in which a DequantizeLinear comes first"
            raise ModelError(Blocker(node.where, what, fix))

    def set_kernel(
        self, node: Node, kind: str, read: str, config: Mapping[str, Any], arrays: Sequence[Array]
    ) -> str:
        """Add a layer with a kernel and maybe a bias, the node's inputs 1 and 2.

        They get the grids that hold them; those that stand on none become blockers.
        """
        quantizers: dict[str, Any] = {"bias_quantizer": None}
        for position, (key, values) in enumerate(zip(("kernel", "bias"), arrays, strict=False), 1):
            found = self._grid(node, position, values, key)
            quantizers[f"{key}_quantizer"] = found
        options = {"use_bias": len(arrays) > 1, "activation": "linear", **quantizers, **config}
        return self.emit(node, kind, [read], options, arrays)

    def add_bias(self, node: Node, layer: str, bias: Array, position: int) -> None:
        """Add constants, one for each channel, to the bias of a layer.

        position: of the node's input that they are. Without a grid they become a blocker.
        """
        kernel, *own = self.weights[layer]
        total = np.asarray(bias, np.float64) + (own[0] if own else 0.0)
        quantizer = self._grid(node, position, total, "bias")
        config = next(item["config"] for item in self.raw if item["config"]["name"] == layer)
        config.update(use_bias=True, bias_quantizer=quantizer)
        self.weights[layer] = (kernel, np.asarray(total, np.float32))

    def scale_sum(self, node: Node, layer: str, factors: Array) -> None:
        """Multiply the kernel and the bias of a layer by powers of two, one for each channel."""
        config = next(item["config"] for item in self.raw if item["config"]["name"] == layer)
        arrays = [values * factors for values in self.weights[layer]]
        for key, values in zip(("kernel", "bias"), arrays, strict=False):
            # What was refused stays so, and what stood on a grid still does.
            if config[f"{key}_quantizer"] is not None:
                found = weight_quantizer(values, node.where, key, quantized=True)
                config[f"{key}_quantizer"] = found
        self.weights[layer] = tuple(np.asarray(values, np.float32) for values in arrays)

    def _grid(self, node: Node, position: int, values: Array, key: str) -> dict[str, Any] | None:
        name = node.inputs[position]
        if name in self.excused or self.floats:
            return None
        try:
            return weight_quantizer(values, node.where, key, quantized=name in self.quantized)
        except ModelError as error:
            self.blockers += error.blockers
            return None

    def put(self, node: Node, tensor: Tensor) -> None:
        """Say what a node's first output is."""
        self.tensors[node.outputs[0]] = tensor

    def put_sum(self, node: Node, tensor: Tensor) -> None:
        """The same for the tensor of a layer with weights."""
        self.put(node, tensor)
        self.sums[node.outputs[0]] = tensor.layer

    def elementwise(
        self, node: Node, tensor: Tensor, kind: str, config: Mapping[str, Any]
    ) -> Tensor:
        """A layer that keeps every element in its place."""
        self.require_values(node, tensor)
        layer = self.emit(node, kind, [tensor.layer], config)
        made = replace(tensor, layer=layer)
        self.put(node, made)
        return made


def _label(node: Node) -> str:
    """The short name of a node: /act1/act_quant/export_handler/Quant is act1_quant."""
    parts = [part for part in node.name.split("/") if part not in PLUMBING]
    if node.op == "DequantizeLinear" and parts[-1].startswith(node.op):
        parts[-1] = "quant"
    return "_".join(parts)


def identifier(text: str) -> str:
    """A name of ONNX, such as /fc1/Gemm, as an identifier of C++ that hls4ml takes: fc1_gemm."""
    name = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_").lower()
    if not name or not name[0].isalpha() or name in RESERVED:
        name = f"node_{name}".rstrip("_")
    return name
