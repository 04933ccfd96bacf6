"""An ONNX file as plain data, checked before anything is made of it.

The package onnx parses the protobuf and nothing more: no node is run, and no other file is opened.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.model_file import first_line, read_bytes

__all__ = ["QONNX_DOMAINS", "STANDARD_DOMAINS", "Node", "OnnxModel", "Port", "read_onnx"]

MOST_BYTES: Final = 1 << 28
"""A larger file is no network for a trigger."""
STANDARD_DOMAINS: Final = ("", "ai.onnx")
QONNX_DOMAINS: Final = (
    "onnx.brevitas",
    "qonnx.custom_op.general",
    "finn.custom_op.general",
    "finn",
)
"""Where exporters put the operators of QONNX, today and before."""

Constant = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Node:
    """One operator. attributes: numbers, texts (bytes), arrays and tuples of them."""

    name: str
    op: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    @property
    def where(self) -> str:
        """How a blocker names it."""
        return f"node {self.name} ({self.op})"


@dataclass(frozen=True, slots=True)
class Port:
    """An input of the graph. shape: None for an axis without a fixed size; floats: of 32 bits."""

    name: str
    shape: tuple[int | None, ...]
    floats: bool


@dataclass(frozen=True, slots=True)
class OnnxModel:
    """A graph in evaluation order, its constants, its inputs and the names of its outputs."""

    path: Path
    sha256: str
    nodes: tuple[Node, ...]
    constants: Mapping[str, Constant]
    inputs: tuple[Port, ...]
    outputs: tuple[str, ...]
    opset: int


def read_onnx(path: Path) -> OnnxModel:
    """Read an ONNX file. Raises ModelError with everything that no node can be read in."""
    data = read_bytes(path)
    if len(data) > MOST_BYTES:
        what = f"has {len(data) >> 20} MiB; at most {MOST_BYTES >> 20} are read"
        raise ModelError(Blocker(str(path), what))
    proto = _parsed(data, path)
    blockers = list(_problems(proto, str(path)))
    constants: dict[str, Constant] = {}
    for tensor in proto.graph.initializer:
        try:
            constants[_text(tensor.name)] = _array(tensor)
        except ValueError as error:
            where = f"initializer {_text(tensor.name)}"
            blockers.append(Blocker(where, *_tensor_trouble(error)))
    nodes = []
    for position, item in enumerate(proto.graph.node):
        op = _text(item.op_type)
        name = _text(item.name) or f"{op}_{position}"
        try:
            attributes = {_text(a.name): _attribute(a) for a in item.attribute}
        except ValueError as error:
            blockers.append(Blocker(f"node {name} ({op})", *_tensor_trouble(error)))
            continue
        reads, makes = (tuple(map(_text, names)) for names in (item.input, item.output))
        nodes.append(Node(name, op, _text(item.domain), reads, makes, attributes))
    if blockers:
        raise ModelError(blockers)
    return OnnxModel(
        path,
        hashlib.sha256(data).hexdigest(),
        tuple(nodes),
        constants,
        tuple(_port(item) for item in proto.graph.input if _text(item.name) not in constants),
        tuple(_text(item.name) for item in proto.graph.output),
        next((int(o.version) for o in proto.opset_import if o.domain in STANDARD_DOMAINS), 0),
    )


def _text(value: str | bytes) -> str:
    """Protobuf gives texts that are not UTF-8 as bytes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _parsed(data: bytes, path: Path) -> Any:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        proto = onnx.load_model_from_string(data)
    except (DecodeError, ValueError, RecursionError) as error:
        what = f"cannot be read as ONNX: {first_line(error)}"
        raise ModelError(Blocker(str(path), what, "is the file whole?")) from error
    if not proto.graph.node or not proto.graph.output:
        raise ModelError(Blocker(str(path), "holds no ONNX graph", "is the file whole?"))
    return proto


def _problems(proto: Any, where: str) -> Iterator[Blocker]:
    """What no reader of single nodes would see."""
    if proto.functions:
        owned = ", ".join(sorted({_text(item.name) for item in proto.functions})[:4])
        fix = "export with inlined functions: onnx.inliner.inline_local_functions(model)"
        yield Blocker(where, f"defines functions of its own ({owned})", fix)
    if proto.graph.sparse_initializer:
        yield Blocker(where, "has sparse initializers", "store the zeros")
    known = (*STANDARD_DOMAINS, *QONNX_DOMAINS)
    for domain in sorted({_text(item.domain) for item in proto.graph.node} - {*known}):
        names = sorted({_text(n.op_type) for n in proto.graph.node if _text(n.domain) == domain})
        fix = "export with standard operators, or as QONNX or QCDQ"
        yield Blocker(where, f"operators of the domain {domain}: {', '.join(names)}", fix)
    if len({item.name for item in proto.graph.initializer}) < len(proto.graph.initializer):
        yield Blocker(where, "two initializers have one name")


def _array(tensor: Any) -> Constant:
    """Raises ValueError for one that lies elsewhere, or holds less than it says."""
    from onnx import TensorProto, numpy_helper

    if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
        raise ValueError("external")
    if tensor.data_type in (TensorProto.STRING, TensorProto.UNDEFINED):
        raise ValueError("it holds no numbers")
    if any(size < 0 for size in tensor.dims):
        raise ValueError(f"its shape is {list(tensor.dims)}")
    try:
        array = np.asarray(numpy_helper.to_array(tensor))
    except (TypeError, KeyError, AttributeError, OverflowError, MemoryError) as error:
        raise ValueError(first_line(error)) from error
    # Single precision holds ml_dtypes' short floats; its short integers, int4 for instance, have
    # ranges that matter.
    if "float" in array.dtype.name and array.dtype.kind != "f":
        array = array.astype(np.float32)
    return array


def _tensor_trouble(error: ValueError) -> tuple[str, str]:
    if str(error) == "external":
        what = "its numbers lie in another file, which is not opened"
        return what, "torch.onnx.export(..., external_data=False), or onnx.save(onnx.load(path))"
    return f"cannot be read: {first_line(error)}", "is the file whole?"


def _attribute(attribute: Any) -> Any:
    """Raises ValueError for a graph, and for a tensor that cannot be read."""
    from onnx import AttributeProto

    match attribute.type:
        case AttributeProto.FLOAT:
            return float(attribute.f)
        case AttributeProto.INT:
            return int(attribute.i)
        case AttributeProto.STRING:
            return bytes(attribute.s)
        case AttributeProto.TENSOR:
            return _array(attribute.t)
        case AttributeProto.FLOATS:
            return tuple(map(float, attribute.floats))
        case AttributeProto.INTS:
            return tuple(map(int, attribute.ints))
        case AttributeProto.STRINGS:
            return tuple(map(bytes, attribute.strings))
        case _:
            raise ValueError(f"its attribute {attribute.name} is a graph or another thing")


def _port(item: Any) -> Port:
    from onnx import TensorProto

    kind = item.type.tensor_type
    dims: Sequence[Any] = kind.shape.dim
    shape = tuple(int(dim.dim_value) if dim.dim_value > 0 else None for dim in dims)
    return Port(_text(item.name), shape, kind.elem_type == TensorProto.FLOAT)
