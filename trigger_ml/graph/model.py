"""The fixed-point graph: what the firmware computes, to the last bit.

It is read once from hls4ml's converted model and never changed. Every other artifact is made
from it or judged against it. Nodes are in evaluation order; every edge carries one
:class:`~trigger_ml.graph.types.FixedType`; weights are integer codes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.graph.operations import (
    OPERATIONS,
    ArgMax,
    Concatenate,
    Conv2D,
    Dense,
    EinsumDense,
    GlobalAverage,
    Input,
    Lookup,
    MaxPool2D,
    Multiply,
    Operation,
    Quantize,
    QuantizeEach,
    Relu,
    Softmax,
    Threshold,
    Transpose,
    UpSample2D,
)
from trigger_ml.graph.types import Codes, FixedType, Overflow, Rounding

__all__ = [
    "SCHEMA",
    "ArgMax",
    "Concatenate",
    "Conv2D",
    "Dense",
    "EinsumDense",
    "FixedGraph",
    "GlobalAverage",
    "Input",
    "Lookup",
    "MaxPool2D",
    "Multiply",
    "Node",
    "Operation",
    "Quantize",
    "QuantizeEach",
    "Relu",
    "Softmax",
    "Threshold",
    "Transpose",
    "UpSample2D",
]

SCHEMA: Final = 1


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One operation with the edge that leaves it.

    name: the layer's name. inputs: names of the nodes it reads. shape: of one event, without
    the batch axis. type: of every element of the edge that leaves it. source: the name of the
    source model's layer that this edge corresponds to, empty where there is none.
    """

    name: str
    operation: Operation
    inputs: tuple[str, ...]
    shape: tuple[int, ...]
    type: FixedType
    source: str = ""

    @property
    def size(self) -> int:
        """Elements of one event."""
        return int(np.prod(self.shape, dtype=np.int64))


@dataclass(frozen=True, eq=False)
class FixedGraph:
    """A whole network. Nodes are in evaluation order; outputs name the nodes that leave it."""

    name: str
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]

    @cached_property
    def by_name(self) -> Mapping[str, Node]:
        """Nodes by name."""
        return {node.name: node for node in self.nodes}

    @property
    def input_nodes(self) -> tuple[Node, ...]:
        """The model inputs, in order."""
        return tuple(node for node in self.nodes if isinstance(node.operation, Input))

    @property
    def output_nodes(self) -> tuple[Node, ...]:
        """The model outputs, in order."""
        return tuple(self.by_name[name] for name in self.outputs)

    @property
    def input_size(self) -> int:
        """Elements of one event over all inputs."""
        return sum(node.size for node in self.input_nodes)

    @property
    def output_size(self) -> int:
        """Elements of one event over all outputs."""
        return sum(node.size for node in self.output_nodes)

    @property
    def input_types(self) -> tuple[FixedType, ...]:
        """Type of each element of a flat row of inputs."""
        return tuple(node.type for node in self.input_nodes for _ in range(node.size))

    @property
    def output_types(self) -> tuple[FixedType, ...]:
        """Type of each element of a flat row of outputs."""
        return tuple(node.type for node in self.output_nodes for _ in range(node.size))

    @cached_property
    def streamable(self) -> bool:
        """Whether it can be a stream of columns: it has a convolution and ends in an image.

        A stream has one input and one output, and treats every column alike: no element has a
        type of its own.
        """
        if any(isinstance(node.operation, QuantizeEach) for node in self.nodes):
            return False
        convolves = any(isinstance(node.operation, Conv2D) for node in self.nodes)
        single = len(self.input_nodes) == len(self.outputs) == 1
        return convolves and single and len(self.output_nodes[0].shape) == 3

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the JSON form; the name of the graph does not enter."""
        content = {**self.to_json(), "name": ""}
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return {
            "schema": SCHEMA,
            "name": self.name,
            "outputs": list(self.outputs),
            "nodes": [_node_to_json(node) for node in self.nodes],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> FixedGraph:
        """Inverse of :meth:`to_json`. Raises ValueError for another schema version."""
        if data["schema"] != SCHEMA:
            raise ValueError(f"graph schema {data['schema']}, this version reads {SCHEMA}")
        nodes = tuple(_node_from_json(item) for item in data["nodes"])
        return cls(data["name"], nodes, tuple(data["outputs"]))

    def split_inputs(self, codes: Codes) -> dict[str, Codes]:
        """Cut rows of flat codes, shape (events, input_size), into one array per input."""
        return _split(codes, self.input_nodes)

    def split_outputs(self, codes: Codes) -> dict[str, Codes]:
        """Cut rows of flat codes, shape (events, output_size), into one array per output."""
        return _split(codes, self.output_nodes)

    def decode_inputs(self, codes: Codes) -> NDArray[np.float64]:
        """Rows of flat input codes, shape (events, input_size), as values."""
        parts = self.split_inputs(codes).items()
        columns = [self.by_name[name].type.decode(part) for name, part in parts]
        return np.concatenate([column.reshape(len(codes), -1) for column in columns], axis=1)

    def __str__(self) -> str:
        lines = [f"graph {self.name} {self.digest[:12]}"]
        for node in self.nodes:
            reads = ", ".join(node.inputs)
            shape = "x".join(map(str, node.shape))
            lines.append(f"  %{node.name} = {node.operation.kind}({reads}) : {shape} {node.type}")
        return "\n".join([*lines, f"  return {', '.join(self.outputs)}"])


def _split(codes: Codes, nodes: tuple[Node, ...]) -> dict[str, Codes]:
    parts: dict[str, Codes] = {}
    start = 0
    for node in nodes:
        parts[node.name] = codes[:, start : start + node.size].reshape(-1, *node.shape)
        start += node.size
    return parts


def _node_to_json(node: Node) -> dict[str, Any]:
    operation = {
        field.name: _value_to_json(getattr(node.operation, field.name))
        for field in fields(node.operation)
    }
    return {
        "name": node.name,
        "kind": node.operation.kind,
        "inputs": list(node.inputs),
        "shape": list(node.shape),
        "type": node.type.to_json(),
        "source": node.source,
        "operation": operation,
    }


def _value_to_json(value: Any) -> Any:
    if isinstance(value, FixedType):
        return {"type": value.to_json()}
    if isinstance(value, np.ndarray):
        return {"codes": value.tolist()}
    if isinstance(value, Enum):
        return {"mode": value.value}
    if isinstance(value, tuple):
        return list(value)
    return value


def _value_from_json(value: Any) -> Any:
    if isinstance(value, dict):
        if "type" in value:
            return FixedType.from_json(value["type"])
        if "mode" in value:
            return _MODES[value["mode"]]
        return frozen_codes(np.array(value["codes"], dtype=np.int64))
    return tuple(value) if isinstance(value, list) else value


_MODES: Final[Mapping[str, Rounding | Overflow]] = {
    mode.value: mode for mode in (*Rounding, *Overflow)
}


def _node_from_json(data: Mapping[str, Any]) -> Node:
    operation = OPERATIONS[data["kind"]](
        **{key: _value_from_json(value) for key, value in data["operation"].items()}
    )
    return Node(
        data["name"],
        operation,
        tuple(data["inputs"]),
        tuple(data["shape"]),
        FixedType.from_json(data["type"]),
        data["source"],
    )


def frozen_codes(values: NDArray[Any]) -> Codes:
    """A read-only ``int64`` copy."""
    codes = np.array(values, dtype=np.int64)
    codes.setflags(write=False)
    return codes
