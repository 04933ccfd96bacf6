"""An ONNX model as a network of Keras layers whose weights stand on their grids already.

Three dialects are read: QONNX (``Quant`` nodes), QCDQ (QuantizeLinear, Clip, DequantizeLinear,
which covers QDQ), and plain operators whose weights happen to stand on a grid. Nothing is run.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from trigger_ml.errors import BlockedError, Blocker, ModelError
from trigger_ml.frontends import (
    onnx_floats,
    onnx_images,
    onnx_layers,
    onnx_products,
    onnx_quantizers,
    onnx_tables,
)
from trigger_ml.frontends.keras_config import LayerReader
from trigger_ml.frontends.keras_files import checked_network
from trigger_ml.frontends.keras_network import KerasNetwork
from trigger_ml.frontends.model_file import TAIL, first_line
from trigger_ml.frontends.onnx_file import QONNX_DOMAINS, Node, OnnxModel, Port, read_onnx
from trigger_ml.frontends.onnx_tidy import tidied
from trigger_ml.frontends.onnx_values import FOLDED, QUANTS, fold
from trigger_ml.frontends.onnx_walk import Tensor, Walk, identifier

__all__ = ["ReadOnnx", "in_terms_of_onnx", "onnx_holds_floats", "read_onnx_network"]

ADVICE: Final[Mapping[str, tuple[str, str]]] = {
    "Trunc": ("drops bits in its own way", "use a Quant there"),
    "ArgMax": ("is a decision, not a layer", "leave it out and set firmware.output: argmax"),
    "LogSoftmax": ("has no firmware", "end in the layer before it, or in a Softmax"),
    "FloatQuant": ("quantizes to floating point", "use integers: Quant"),
}
QUANTIZING: Final = ("Clip", *QUANTS, "BipolarQuant", "QuantizeLinear", "DequantizeLinear")
"""Operators that keep the shape, and change which values there are."""
SHAPE_KEEPING: Final = (
    "BatchNormalization",
    "Elu",
    "Erf",
    "Exp",
    "Gelu",
    "HardSigmoid",
    "HardSwish",
    "InstanceNormalization",
    "LayerNormalization",
    "Mish",
    "PRelu",
    "Selu",
    "Sigmoid",
    "Softplus",
    "Softsign",
    "Swish",
    "Tanh",
    "Trunc",
)
"""Operators that are refused, or may be, and whose readers can be read all the same."""
INTEGER: Final = ("QLinearConv", "QLinearMatMul", "QGemm", "MatMulInteger", "ConvInteger")
GRAPHS: Final = ("If", "Loop", "Scan", "SequenceMap")
_MALFORMED: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What attributes and constants of other kinds and shapes than ONNX asks for give."""

Reader = Callable[[Walk, Node], None]


@dataclass(frozen=True, slots=True)
class ReadOnnx:
    """What was read.

    logits: the outputs by their names in ONNX, or the tensor before the tail. places: of ONNX, by
    the layer that stands for them, as blockers name them.
    """

    network: KerasNetwork
    logits: tuple[str, ...]
    places: Mapping[str, str]


Beyond = Callable[[KerasNetwork, Collection[str]], Sequence[Blocker]]
"""Checks of a part of a network beyond those of its layers, which are told of which inputs it is
not known what reads them first."""


def read_onnx_network(
    path: Path, beyond: Beyond | None = None, floats: LayerReader | None = None
) -> ReadOnnx:
    """Read and check an ONNX file. Raises ModelError with everything that cannot be firmware.

    beyond: more checks of what can be read where some nodes are refused. floats: reader of float
    layers, for a model whose weights stand on no grid; the network's layers are then such.
    """
    model = read_onnx(path)
    blockers = [*_ports(model), *_operators(model, _readers(floats is not None))]
    if not model.inputs or not all(map(_fixed, model.inputs)):
        raise ModelError(blockers)
    walk = _start(model)
    walk.floats = floats is not None
    blockers += _read_nodes(walk, {blocker.where for blocker in blockers})
    outputs: list[str] = []
    if not blockers:
        outputs, blockers = _finish(walk)
    if blockers and floats:
        raise ModelError(blockers)
    if blockers:
        found = [*_unquantized(walk, blockers), *blockers]
        raise ModelError([*found, *_rest(walk, found, beyond)])
    config = {
        "name": identifier(path.stem),
        "layers": tidied(walk.raw, outputs),
        "output_layers": [[name, 0, 0] for name in outputs],
    }
    architecture = {"class_name": "Functional", "config": config}
    part = (lambda network: beyond(network, ())) if beyond else None
    if floats:
        config["layers"] = onnx_floats.without_quantizers(tidied(walk.raw, outputs))
        network = checked_network(
            architecture, path, model.sha256, lambda _: walk.weights, floats, written_out=True
        )
        return ReadOnnx(network, _logits(model, network.tail), walk.nodes)
    try:
        network = checked_network(
            architecture, path, model.sha256, lambda _: walk.weights, beyond=part
        )
    except ModelError as error:
        raise ModelError(in_terms_of_onnx(error.blockers, walk.nodes)) from error
    return ReadOnnx(network, _logits(model, network.tail), walk.nodes)


def onnx_holds_floats(path: Path, floats: LayerReader) -> bool:
    """Whether an ONNX file has float weights, and no quantizer at all. Never raises.

    floats: reader of float layers.
    """
    try:
        model = read_onnx(path)
    except BlockedError:
        return False
    if any(node.op in (*QUANTIZING[1:], *INTEGER) for node in model.nodes):
        return False
    try:
        read_onnx_network(path)
    except BlockedError as error:
        if any(" is float: " in blocker.what for blocker in error.blockers):
            return True
    else:
        return False
    try:
        read_onnx_network(path, floats=floats)
    except BlockedError:
        return False
    return True


def _read_nodes(walk: Walk, refused: Collection[str]) -> list[Blocker]:
    """Read every node that can be, and say what is wrong with the others.

    refused: nodes that are known to be wrong, by their places. What reads a node that is refused
    is left out, unless something can stand in for what it makes.
    """
    blockers: list[Blocker] = []
    broken: set[str] = set()
    for node in walk.model.nodes:
        if not broken.isdisjoint(node.inputs):
            broken.update(node.outputs)
            continue
        try:
            if node.where not in refused:
                _read_node(walk, node)
                continue
        except BlockedError as error:
            blockers += error.blockers
        except _MALFORMED as error:
            what = f"cannot be read: {type(error).__name__}: {first_line(error)}"
            blockers.append(Blocker(node.where, what, "is it valid? onnx.checker.check_model"))
        if not _stands_in(walk, node):
            broken.update(node.outputs)
    return blockers + walk.blockers


def _rest(walk: Walk, refused: Sequence[Blocker], beyond: Beyond | None) -> list[Blocker]:
    """What is wrong with the layers that were read, as far as nothing refused is in the way."""
    layers: dict[str, dict[str, Any]] = {}
    for item in walk.raw:
        config = item["config"]
        if config.get("activation") not in TAIL and layers.keys() >= _reads(item):
            layers[config["name"]] = item
    read = {name for item in layers.values() for name in _reads(item)}
    ends = [name for name in layers if name not in read and _reads(layers[name])]
    # What stands in for a refused node says nothing of what quantizes an input.
    unsure = {walk.tensors[name].layer for name in walk.excused if name in walk.tensors}
    architecture = {
        "class_name": "Functional",
        "config": {
            "layers": tidied(list(layers.values()), ends),
            "output_layers": [[n, 0, 0] for n in ends],
        },
    }
    told: list[Blocker] = []

    def look(network: KerasNetwork) -> Sequence[Blocker]:
        told.extend(beyond(network, unsure) if beyond else ())
        return ()

    found: list[Blocker] = []
    if not ends:
        return found
    try:
        look(
            checked_network(architecture, walk.model.path, "", lambda _: walk.weights, beyond=look)
        )
    except ModelError as error:
        found += [item for item in error.blockers if item.where.startswith("layer ")]
    known = {item.where for item in refused}
    found = in_terms_of_onnx([*found, *told], walk.nodes)
    return [item for item in dict.fromkeys(found) if item.where not in known]


def _reads(item: Mapping[str, Any]) -> set[str]:
    """Names of the layers that a layer reads."""
    return {str(read[0]) for node in item["inbound_nodes"] for read in node}


def _ports(model: OnnxModel) -> Iterator[Blocker]:
    if not model.inputs:
        yield Blocker(str(model.path), "has no input")
    for port in model.inputs:
        if not port.floats:
            what = "its elements are not in single precision"
            yield Blocker(f"input {port.name}", what, "export with float32 inputs")
        if not _fixed(port):
            what = f"its shape is {['?' if size is None else size for size in port.shape]}"
            fix = "the first axis is that of the events, and all others need a fixed size"
            yield Blocker(f"input {port.name}", what, fix)


def _fixed(port: Port) -> bool:
    return len(port.shape) > 1 and None not in port.shape[1:]


def _readers(floats: bool) -> Mapping[str, Reader]:
    return {**_READERS, **onnx_floats.FLOAT_READERS} if floats else _READERS


def _operators(model: OnnxModel, readers: Mapping[str, Reader]) -> Iterator[Blocker]:
    """A blocker for each node that no reader knows."""
    for node in model.nodes:
        quantizes = node.op in (*QUANTS, "BipolarQuant")
        if node.op in ADVICE and node.op not in readers:
            yield Blocker(node.where, *ADVICE[node.op])
        elif node.op in INTEGER:
            fix = "export in the QDQ form: QuantFormat.QDQ, or Brevitas' export_onnx_qcdq"
            yield Blocker(node.where, "computes with integers and scales of its own", fix)
        elif node.op in GRAPHS:
            yield Blocker(node.where, "controls what runs", "export a fixed graph")
        elif node.op not in readers and node.op not in (*FOLDED, "Shape"):
            known = ", ".join(sorted(readers))
            yield Blocker(node.where, "this operator has no firmware here", f"use one of {known}")
        elif (node.domain in QONNX_DOMAINS) != quantizes:
            what = f"of the domain {node.domain or 'ai.onnx'} is not known"
            yield Blocker(node.where, what, "export as QONNX or QCDQ")


def _start(model: OnnxModel) -> Walk:
    reads = [name for node in model.nodes for name in node.inputs]
    walk = Walk(model, dict(model.constants), Counter([*reads, *model.outputs]))
    for port in model.inputs:
        shape = tuple(int(size or 0) for size in port.shape[1:])
        axes: tuple[int, ...] = tuple(range(len(shape)))
        if len(shape) > 1 and shape[0] == 1:
            # With one channel both orders are the same row of numbers.
            axes = (len(shape) - 1, *range(len(shape) - 1))
        sizes = [0] * len(shape)
        for size, axis in zip(shape, axes, strict=True):
            sizes[axis] = size
        name = walk.free_name(port.name)
        config = {"name": name, "batch_input_shape": [None, *sizes], "dtype": "float32"}
        walk.raw.append({"class_name": "InputLayer", "config": config, "inbound_nodes": []})
        walk.nodes[name] = f"input {port.name}"
        walk.tensors[port.name] = Tensor(name, shape, axes)
    return walk


def _read_node(walk: Walk, node: Node) -> None:
    names = [name for name in node.inputs if name]
    unknown = [n for n in names if n not in walk.constants and n not in walk.tensors]
    if unknown:
        raise ModelError(Blocker(node.where, f"reads {unknown[0]}, which nothing before it makes"))
    if not node.outputs or not node.outputs[0]:
        raise ModelError(Blocker(node.where, "has no output"))
    if any(name in walk.constants or name in walk.tensors for name in node.outputs if name):
        raise ModelError(Blocker(node.where, f"makes {node.outputs[0]}, which is there already"))
    if node.op in ("Clip", "DequantizeLinear") and not walk.excused.isdisjoint(names[:1]):
        _stands_in(walk, node)
    elif node.op == "Shape" and names and names[0] in walk.tensors:
        # One event stands for all.
        shape = (1, *walk.tensors[names[0]].shape)
        part = slice(node.attributes.get("start", 0), node.attributes.get("end"))
        walk.constants[node.outputs[0]] = np.array(shape[part], np.int64)
    elif all(name in walk.constants for name in names) and node.op in FOLDED:
        reads = [walk.constants[name] if name else None for name in node.inputs]
        walk.constants[node.outputs[0]] = fold(node, reads)
        if node.op in QUANTIZING[1:] or not walk.quantized.isdisjoint(names):
            walk.quantized.add(node.outputs[0])
        if not walk.excused.isdisjoint(names):
            walk.excused.add(node.outputs[0])
    elif node.op in _readers(walk.floats):
        _readers(walk.floats)[node.op](walk, node)
    elif node.op == "BipolarQuant":
        what = "values of -1 and 1 alone are no fixed-point type"
        raise ModelError(Blocker(node.where, what, "use a Quant of two bits, narrow: -1, 0 and 1"))
    else:
        what = "may compute with constants, and here it computes with the events"
        raise ModelError(Blocker(node.where, what, f"use one of {', '.join(sorted(_READERS))}"))


def _stands_in(walk: Walk, node: Node) -> bool:
    """Let what a refused node reads stand in for what it makes, so that reading goes on."""
    if node.op not in (*QUANTIZING, *SHAPE_KEEPING) or not node.inputs or not node.outputs:
        return False
    read, made = node.inputs[0], node.outputs[0]
    if read in walk.tensors:
        walk.tensors[made] = replace(walk.tensors[read], codes=None, function=None)
    elif read in walk.constants:
        walk.constants[made] = walk.constants[read].astype(np.float32)
    else:
        return False
    walk.excused.add(made)
    return True


def _finish(walk: Walk) -> tuple[list[str], list[Blocker]]:
    """The layers that make the outputs, in the order of ONNX within and among them."""
    layers: list[str] = []
    blockers: list[Blocker] = []
    makers = {name: node for node in walk.model.nodes for name in node.outputs}
    for name in walk.model.outputs:
        if name not in walk.tensors or name not in makers:
            what = "it does not depend on an input, or is one"
            blockers.append(Blocker(f"output {name}", what, "leave it out"))
            continue
        try:
            layers.append(walk.in_order(makers[name], walk.tensors[name]))
        except ModelError as error:
            blockers += error.blockers
    return layers, blockers


def _unquantized(walk: Walk, blockers: Sequence[Blocker]) -> Iterator[Blocker]:
    """Says of a model of floats once what every layer of it then repeats."""
    if not walk.quantizers and any(" is float: " in blocker.what for blocker in blockers):
        yield Blocker(
            str(walk.model.path),
            "has no quantizers: fixed-point types come from training, or from data",
            "give --data events, from which types are chosen; or train it with Brevitas and export "
            "QONNX or QCDQ (docs/pytorch.md)",
        )


def in_terms_of_onnx(blockers: Sequence[Blocker], places: Mapping[str, str]) -> list[Blocker]:
    """Blockers of layers as blockers of the nodes and inputs that they stand for."""
    found = []
    for blocker in blockers:
        match = re.match(r"layer (\w+)", blocker.where)
        where = places.get(match[1]) if match else None
        found.append(Blocker(where or blocker.where, blocker.what, blocker.fix))
    return found


def _logits(model: OnnxModel, tail: str) -> tuple[str, ...]:
    if not tail:
        return model.outputs
    return tuple(n.inputs[0] for n in model.nodes if model.outputs[0] in n.outputs)


_READERS: Final[Mapping[str, Reader]] = {
    "Add": onnx_layers.read_join,
    "AveragePool": onnx_images.read_pool,
    "BatchNormalization": onnx_floats.read_normalization,
    "Cast": onnx_layers.read_same,
    "Clip": onnx_quantizers.read_clip,
    "Concat": onnx_layers.read_concat,
    "Conv": onnx_images.read_conv,
    "DequantizeLinear": onnx_quantizers.read_dequantize,
    "Div": onnx_layers.read_join,
    "Dropout": onnx_layers.read_same,
    "Einsum": onnx_products.read_einsum,
    "Flatten": onnx_layers.read_flatten,
    "Gemm": onnx_layers.read_gemm,
    "GlobalAveragePool": onnx_images.read_global_pool,
    "GlobalMaxPool": onnx_images.read_global_pool,
    "Identity": onnx_layers.read_same,
    "IntQuant": onnx_quantizers.read_quant,
    "LeakyRelu": onnx_layers.read_leaky_relu,
    "MatMul": onnx_products.read_product,
    "Max": onnx_layers.read_join,
    "MaxPool": onnx_images.read_pool,
    "Min": onnx_layers.read_join,
    "Mul": onnx_layers.read_join,
    "Quant": onnx_quantizers.read_quant,
    "QuantizeLinear": onnx_quantizers.read_quantize,
    "ReduceMean": onnx_images.read_mean,
    "Relu": onnx_layers.read_relu,
    "Reshape": onnx_layers.read_reshape,
    "Resize": onnx_images.read_resize,
    "Sigmoid": onnx_tables.read_function,
    "Softmax": onnx_layers.read_tail,
    "Squeeze": onnx_layers.read_squeeze,
    "Sub": onnx_layers.read_join,
    "Tanh": onnx_tables.read_function,
    "Transpose": onnx_layers.read_transpose,
    "Unsqueeze": onnx_layers.read_unsqueeze,
    "Upsample": onnx_images.read_resize,
}
