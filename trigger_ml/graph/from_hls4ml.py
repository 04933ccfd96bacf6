"""Read hls4ml's converted ModelGraph into a FixedGraph. Runs in the front-end process only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import BlockedError, Blocker, ModelError
from trigger_ml.graph import tables
from trigger_ml.graph.model import (
    Dense,
    EinsumDense,
    FixedGraph,
    GlobalAverage,
    Input,
    Lookup,
    Node,
    Operation,
    Quantize,
    QuantizeEach,
    Relu,
    Softmax,
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
    nodes: list[Node] = []
    types: dict[str, FixedType] = {}
    for layer in model.get_layers():
        try:
            node = _read_layer(layer, types)
        except BlockedError as error:
            blockers.extend(error.blockers)
            continue
        types[node.name] = node.type
        nodes.append(node)
    if blockers:
        raise ModelError(blockers)
    outputs = tuple(str(output) for output in model.outputs)
    return verify(FixedGraph(name, tuple(nodes), outputs))


def _read_layer(layer: Any, types: Mapping[str, FixedType]) -> Node:
    reader = _READERS.get(layer.class_name)
    if reader is None:
        raise ModelError(
            Blocker(
                layer.name,
                f"hls4ml's {layer.class_name} has no fixed-point meaning here yet",
                f"use one of {', '.join(sorted(_READERS))}",
            )
        )
    out_type = fixed_type(layer.get_output_variable().type.precision, layer.name)
    is_input = layer.class_name == "Input"
    inputs = () if is_input else tuple(str(name) for name in layer.inputs)
    read_types = [types[name] for name in inputs if name in types]
    operation, out_type = reader(layer, read_types, out_type)
    shape = tuple(int(size) for size in layer.get_output_variable().shape)
    return Node(layer.name, operation, inputs, shape, out_type, source=layer.name)


def fixed_type(precision: Any, where: str) -> FixedType:
    """FixedType of an hls4ml precision. Raises ModelError for floats and exponents."""
    from hls4ml.model.types import FixedPrecisionType, IntegerPrecisionType

    if not isinstance(precision, FixedPrecisionType | IntegerPrecisionType):
        raise ModelError(
            Blocker(where, f"the type {precision} is not fixed-point", "quantize this layer")
        )
    return FixedType(
        int(precision.width),
        int(precision.integer),
        bool(precision.signed),
        Rounding(precision.rounding_mode.name),
        Overflow(precision.saturation_mode.name),
    )


Read = tuple[Operation, FixedType]


def _input(_layer: Any, _reads: list[FixedType], out: FixedType) -> Read:
    return Input(), out


def _dense(layer: Any, _reads: list[FixedType], out: FixedType) -> Read:
    weight, weight_type = _weights(layer, "weight")
    bias, bias_type = _weights(layer, "bias")
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


def _einsum_dense(layer: Any, _reads: list[FixedType], out: FixedType) -> Read:
    weight, weight_type = _weights(layer, "weight")
    bias, bias_type = _weights(layer, "bias")
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


def _quantize_each(layer: Any, _reads: list[FixedType], out: FixedType) -> Read:
    shape = tuple(int(size) for size in layer.get_output_variable().shape)
    signed, width, integer = (
        frozen_codes(np.broadcast_to(np.asarray(mask)[0], shape)) for mask in layer.mask_kbi
    )
    rounding, overflow = Rounding(layer.RND), Overflow(layer.SAT)
    return QuantizeEach(signed, width, integer, rounding, overflow), out


def _global_average(layer: Any, _reads: list[FixedType], out: FixedType) -> Read:
    operation = str(layer.get_attr("pool_op"))
    if operation != "Average":
        raise ModelError(
            Blocker(layer.name, f"a global {operation.lower()} has no meaning here yet", "average")
        )
    accumulator = fixed_type(layer.get_attr("accum_t").precision, f"{layer.name} accumulator")
    return GlobalAverage(accumulator), out


def _weights(layer: Any, name: str) -> tuple[NDArray[np.int64], FixedType]:
    variable = layer.weights[name]
    kind = fixed_type(variable.type.precision, f"{layer.name} {name}")
    values = np.asarray(variable.data, dtype=np.float64)
    codes = kind.encode(values)
    wrong = int((kind.decode(codes) != values).sum())
    if wrong:
        raise ModelError(
            Blocker(
                f"{layer.name} {name}",
                f"{wrong} of {values.size} values are not on the grid of {kind}",
                "give the layer a fixed-point quantizer for it (alpha=1)",
            )
        )
    return codes, kind


def _activation(layer: Any, reads: list[FixedType], out: FixedType) -> Read:
    function = str(layer.get_attr("activation")).lower()
    if function == "linear":
        return Quantize(), out
    if function in ("relu", "quantized_relu"):
        return Relu(), out
    if function in tables.FUNCTIONS:
        table = tables.hls4ml_table(
            function,
            reads[0],
            fixed_type(layer.get_attr("table_t").precision, f"{layer.name} table"),
            int(layer.get_attr("table_size")),
            out,
        )
        return Lookup(function, frozen_codes(table)), out
    known = ", ".join(["linear", "relu", *tables.FUNCTIONS])
    raise ModelError(
        Blocker(layer.name, f"the activation {function} is not known", f"use one of {known}")
    )


def _softmax(layer: Any, _reads: list[FixedType], out: FixedType) -> Read:
    implementation = str(layer.get_attr("implementation"))
    if implementation != "stable":
        raise ModelError(
            Blocker(layer.name, f"softmax implementation {implementation}", "use stable")
        )
    kinds = {
        key: fixed_type(layer.get_attr(key).precision, f"{layer.name} {key}")
        for key in ("inp_norm_t", "exp_table_t", "accum_t", "inv_inp_t", "inv_table_t")
    }
    exp_table, inverse_table = tables.softmax_tables(
        kinds["inp_norm_t"],
        int(layer.get_attr("exp_table_size")),
        kinds["exp_table_t"],
        kinds["inv_inp_t"],
        int(layer.get_attr("inv_table_size")),
        kinds["inv_table_t"],
    )
    return (
        Softmax(
            kinds["inp_norm_t"],
            frozen_codes(exp_table),
            kinds["exp_table_t"],
            kinds["accum_t"],
            kinds["inv_inp_t"],
            frozen_codes(inverse_table),
            kinds["inv_table_t"],
        ),
        out,
    )


_READERS: Final[Mapping[str, Callable[[Any, list[FixedType], FixedType], Read]]] = {
    "Input": _input,
    "Dense": _dense,
    "EinsumDense": _einsum_dense,
    "FixedPointQuantizer": _quantize_each,
    "GlobalPooling1D": _global_average,
    "Activation": _activation,
    "Softmax": _softmax,
}
