"""Read hls4ml's converted ModelGraph into a FixedGraph. Runs in the front-end process only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from trigger_ml.errors import BlockedError, Blocker, ModelError
from trigger_ml.graph import tables
from trigger_ml.graph.hls4ml_einsum import read_einsum
from trigger_ml.graph.hls4ml_images import (
    is_wire,
    read_concatenate,
    read_conv,
    read_cropping,
    read_global_pooling,
    read_padding,
    read_pooling,
    read_resize,
    read_transpose,
    wire_edges,
)
from trigger_ml.graph.hls4ml_merges import read_dot, read_merge, read_reshape
from trigger_ml.graph.hls4ml_rectify import read_clipped_relu, read_parametrized, read_prelu
from trigger_ml.graph.hls4ml_scales import read_scale, read_unary_table
from trigger_ml.graph.hls4ml_softmax import read_softmax
from trigger_ml.graph.hls4ml_values import (
    Edge,
    Read,
    Reading,
    fixed_type,
    output_shape,
    output_type,
    read_weights,
)
from trigger_ml.graph.model import (
    Dense,
    EinsumDense,
    FixedGraph,
    GlobalAverage,
    Input,
    Lookup,
    Node,
    Quantize,
    QuantizeEach,
    Relu,
    frozen_codes,
)
from trigger_ml.graph.types import FixedType, Overflow, Rounding
from trigger_ml.graph.verify import verify

__all__ = ["read_graph"]


def read_graph(model: Any, name: str) -> FixedGraph:
    """FixedGraph of a converted ``hls4ml.model.ModelGraph``.

    Raises ModelError listing every layer that has no counterpart here, with the reason.
    """
    blockers: list[Blocker] = []
    nodes: dict[str, Node] = {}
    edges: dict[str, Edge] = {}
    for layer in model.get_layers():
        try:
            if is_wire(layer):
                edges.update(wire_edges(layer, edges, nodes))
                continue
            node = _read_layer(layer, edges, nodes)
        except BlockedError as error:
            blockers.extend(error.blockers)
            continue
        nodes[node.name] = node
        edges.update({str(output): Edge(node.name) for output in layer.outputs})
    if blockers:
        raise ModelError(blockers)
    outputs = tuple(edges[str(output)].node for output in model.outputs)
    # The C++ takes its inputs in the model's order, which need not be that of the layers.
    inputs = [nodes.pop(edges[str(source)].node) for source in model.inputs]
    return verify(FixedGraph(name, (*inputs, *nodes.values()), outputs))


def _read_layer(layer: Any, edges: Mapping[str, Edge], nodes: Mapping[str, Node]) -> Node:
    reader = _READERS.get(layer.class_name)
    if reader is None:
        raise ModelError(
            Blocker(
                layer.name,
                f"hls4ml's {layer.class_name} has no fixed-point meaning here yet",
                f"use one of {', '.join(sorted(_READERS))}",
            )
        )
    out_type = output_type(layer)
    is_input = layer.class_name == "Input"
    known = [] if is_input else [edges[str(name)] for name in layer.inputs if str(name) in edges]
    reads = [Reading(nodes[edge.node].type, nodes[edge.node].shape, edge.padding) for edge in known]
    operation, out_type = reader(layer, reads, out_type)
    inputs = tuple(edge.node for edge in known)
    return Node(layer.name, operation, inputs, output_shape(layer), out_type, source=layer.name)


def _input(_layer: Any, _reads: list[Reading], out: FixedType) -> Read:
    return Input(), out


def _dense(layer: Any, _reads: list[Reading], out: FixedType) -> Read:
    weight, weight_type = read_weights(layer, "weight")
    bias, bias_type = read_weights(layer, "bias")
    accumulator = fixed_type(layer.get_attr("accum_t").precision, f"{layer.name} accumulator")
    columns = int(layer.get_attr("n_out"))
    if layer.get_attr("_weights_transposed", False):
        weight = weight.reshape(columns, -1).T
    return (
        Dense(
            frozen_codes(weight.reshape(-1, columns)),
            weight_type,
            frozen_codes(bias.reshape(-1)),
            bias_type,
            accumulator,
        ),
        out,
    )


def _einsum_dense(layer: Any, _reads: list[Reading], out: FixedType) -> Read:
    weight, weight_type = read_weights(layer, "weight")
    bias, bias_type = read_weights(layer, "bias")
    blocks, free, contracted, outputs = (
        int(layer.get_attr(key))
        for key in ("n_inplace", "n_free_data", "n_contract", "n_free_kernel")
    )
    return (
        EinsumDense(
            str(layer.get_attr("equation")),
            frozen_codes(weight.reshape(blocks, contracted, outputs)),
            weight_type,
            frozen_codes(bias.reshape(blocks, free, outputs)),
            bias_type,
            fixed_type(layer.get_attr("accum_t").precision, f"{layer.name} accumulator"),
            tuple(int(axis) for axis in layer.get_attr("inp_tpose_idxs")),
            tuple(int(size) for size in layer.get_attr("out_interpert_shape")),
            tuple(int(axis) for axis in layer.get_attr("out_tpose_idxs")),
        ),
        out,
    )


def _quantize_each(layer: Any, _reads: list[Reading], out: FixedType) -> Read:
    shape = output_shape(layer)
    signed, width, integer = (
        frozen_codes(np.broadcast_to(np.asarray(mask)[0], shape)) for mask in layer.mask_kbi
    )
    rounding, overflow = Rounding(layer.RND), Overflow(layer.SAT)
    return QuantizeEach(signed, width, integer, rounding, overflow), out


def _global_pooling1d(layer: Any, reads: list[Reading], out: FixedType) -> Read:
    if str(layer.get_attr("pool_op")) != "Average":
        return read_global_pooling(layer, reads, out)
    accumulator = fixed_type(layer.get_attr("accum_t").precision, f"{layer.name} accumulator")
    return GlobalAverage(accumulator), out


def _activation(layer: Any, reads: list[Reading], out: FixedType) -> Read:
    function = str(layer.get_attr("activation")).lower()
    if function == "linear":
        return Quantize(), out
    if function in ("relu", "quantized_relu"):
        return Relu(), out
    if function in tables.FUNCTIONS:
        table = tables.hls4ml_table(
            function,
            reads[0].type,
            fixed_type(layer.get_attr("table_t").precision, f"{layer.name} table"),
            int(layer.get_attr("table_size")),
            out,
        )
        return Lookup(function, frozen_codes(table)), out
    known = ", ".join(["linear", "relu", *tables.FUNCTIONS])
    raise ModelError(
        Blocker(layer.name, f"the activation {function} is not known", f"use one of {known}")
    )


_READERS: Final[Mapping[str, Callable[[Any, list[Reading], FixedType], Read]]] = {
    "Input": _input,
    "Dense": _dense,
    "Conv1D": read_conv,
    "PointwiseConv1D": read_conv,
    "Conv2D": read_conv,
    "PointwiseConv2D": read_conv,
    "Pooling1D": read_pooling,
    "Pooling2D": read_pooling,
    "GlobalPooling2D": read_global_pooling,
    "ZeroPadding1D": read_padding,
    "ZeroPadding2D": read_padding,
    "Cropping1D": read_cropping,
    "Cropping2D": read_cropping,
    "Resize": read_resize,
    "Concatenate": read_concatenate,
    "Merge": read_merge,
    "Dot": read_dot,
    "Reshape": read_reshape,
    "Repack": read_reshape,
    "ClippedRelu": read_clipped_relu,
    "ParametrizedActivation": read_parametrized,
    "PReLU": read_prelu,
    "Transpose": read_transpose,
    "EinsumDense": _einsum_dense,
    "Einsum": read_einsum,
    "FixedPointQuantizer": _quantize_each,
    "BatchNormalization": read_scale,
    "UnaryLUT": read_unary_table,
    "GlobalPooling1D": _global_pooling1d,
    "Activation": _activation,
    "Softmax": read_softmax,
}
