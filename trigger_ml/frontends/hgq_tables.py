"""The tables of HGQ2's functions and softmax, as hls4ml's C++ is to have them.

hls4ml 1.3.0 makes a table for the type of the layer's input quantizer, and its bit-exact pass may
then make that type smaller, so that each entry stands in a wrong place. Here a table is made
when all types are settled, one entry for each code of what the layer reads. The C++ makes the
two tables of a softmax itself; they are compared with HGQ2's.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, log2
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.graph.hls4ml_softmax import OWN, read_softmax
from trigger_ml.graph.hls4ml_values import NO_PADDING, Reading, fixed_type
from trigger_ml.graph.softmax_operation import Softmax
from trigger_ml.graph.types import Codes, FixedType

__all__ = ["register_tables", "settle_tables"]

MOST_BITS: Final = 14
"""Address bits of a table: 16,384 entries, as many as firmware.softmax_bits may ask for."""
UNARY: Final = ("QAffinedUnaryFunctionLUT", "QUnaryFunctionLUT")


def register_tables() -> None:
    """Teach hls4ml HGQ2's tables, and a sum of a softmax that never overflows.

    Calling it twice does no harm.
    """
    from hls4ml.converters.keras_v3.hgq2._base import QLayerHandler
    from hls4ml.model.layers import Softmax as HlsSoftmax
    from hls4ml.model.optimizer.passes import bit_exact
    from hls4ml.model.types import FixedPrecisionType, NamedType

    class Table(QLayerHandler):  # type: ignore[misc]
        """A table whose entries are only the ends of the range, until its input is known."""

        handles = tuple(f"hgq.layers.activation.{kind}" for kind in UNARY)

        def handle(self, layer: Any, _reads: Any, _makes: Any) -> tuple[dict[str, Any]]:
            k, i, f = (float(np.ravel(np.asarray(part))[0]) for part in layer.oq.quantizer.kif)
            step, end = 2.0**-f, 2.0**i
            ends = [-k * end, end - step, step] if k + i + f > 0 else [0.0]
            return (
                {
                    **self.default_config,
                    "class_name": "UnaryLUT",
                    "activation": "unary_lut",
                    "function": layer.activation.__name__,
                    "table_data": np.array(ends, dtype=np.float32),
                    "table_t": FixedPrecisionType(24, 12, True),
                },
            )

    by_hls4ml = bit_exact.register_precision.dispatch(HlsSoftmax)
    if by_hls4ml.__module__ == __name__:
        return

    def settle(node: Any) -> None:
        by_hls4ml(node)
        if node.attributes.get("_bit_exact", False):
            exponential = node.attributes["exp_table_t"].precision
            slices = int(node.attributes["n_outer"]) * int(node.attributes["n_inner"])
            more = ceil(log2(int(node.attributes["n_in"]) // slices))
            width, integer = exponential.width + more, exponential.integer + more
            sums = FixedPrecisionType(width, integer, exponential.signed)
            node.attributes["accum_t"] = NamedType(f"{node.name}_accum_t", sums)

    bit_exact.register_precision.register(HlsSoftmax, settle)


def settle_tables(model: Any, project: Any) -> None:
    """Fill the tables of a converted model, in place.

    model: of Keras 3 with HGQ2 layers. project: the ModelGraph that hls4ml made of it.
    Raises ModelError for tables that are too large, and those of which hls4ml's C++ would make
    others than HGQ2.
    """
    blockers: list[Blocker] = []
    layers = [item for item in project.get_layers() if item.class_name in ("UnaryLUT", "Softmax")]
    for layer in layers:
        source = _source_type(layer)
        found = list(_too_large(layer, source))
        if not found and layer.class_name == "UnaryLUT":
            found = list(_fill(model.get_layer(layer.name), layer, source))
        elif not found:
            found = list(_softmax_problems(model.get_layer(layer.name), layer, source))
        blockers += found
    if blockers:
        raise ModelError(blockers)
    if layers:
        applied = {name for group in project._applied_flows for name in group}
        for flow in sorted(name for name in applied if name.endswith(":apply_templates")):
            project.apply_flow(flow)


def _source_type(layer: Any) -> FixedType:
    precision = layer.get_input_variable().type.precision
    return fixed_type(precision, f"input of layer {layer.name}")


def _too_large(layer: Any, source: FixedType) -> Iterator[Blocker]:
    if layer.class_name == "UnaryLUT":
        addresses = {"it reads": (source.width, "iq_conf")}
    else:
        width = layer.get_attr("inv_inp_t").precision.width
        addresses = {"the sum": (width, "inv_iq_conf")}
        if layer.get_attr("implementation") == "stable":
            width = layer.get_attr("inp_norm_t").precision.width
            addresses["the difference from the largest"] = (width, "exp_iq_conf")
        else:
            addresses["it reads"] = (source.width, "iq_conf")
    for what, (width, quantizer) in addresses.items():
        if width > MOST_BITS:
            yield Blocker(
                f"layer {layer.name}",
                f"{what} has {width} bits, a table of {1 << width} entries, and "
                f"{1 << MOST_BITS} are the most",
                f"give its {quantizer} fewer bits and train again",
            )


def _values(kind: FixedType, rank: int) -> NDArray[np.float32]:
    """Every value of a type, the smallest first, as events of one element."""
    codes = np.arange(kind.min_code, kind.max_code + 1, dtype=np.int64)
    return kind.decode(codes).astype(np.float32).reshape(-1, *[1] * rank)


def _fill(keras_layer: Any, layer: Any, source: FixedType) -> Iterator[Blocker]:
    """Give hls4ml's layer one entry for each code that it reads, in the order of the bits."""
    rank = len(keras_layer.output.shape) - 1
    values = _values(source, rank)
    if type(keras_layer).__name__ == "QAffinedUnaryFunctionLUT":
        values = values * np.asarray(keras_layer.scale) + np.asarray(keras_layer.bias)
    results = np.asarray(keras_layer.oq(keras_layer.activation(values)), dtype=np.float64).ravel()
    if not np.isfinite(results).all():
        what = f"{layer.get_attr('function')} is infinite or no number within {source}"
        yield Blocker(f"layer {layer.name}", what, "give its iq_conf a smaller range")
        return
    if source.signed:
        results = np.roll(results, len(results) // 2)
    table = layer.weights["table"]
    table.data = results.astype(np.float32)
    table.shape, table.data_length = [len(results)], len(results)
    table.min, table.max = results.min(), results.max()
    table.nonzeros = int(np.count_nonzero(results))
    table.nzeros = len(results) - table.nonzeros
    layer.set_attr("table_size", len(results))


def _softmax_problems(keras_layer: Any, layer: Any, source: FixedType) -> Iterator[Blocker]:
    layer.set_attr(OWN, True)
    if layer.get_attr("implementation") != "stable":
        layer.set_attr("exp_table_size", 1 << source.width)
    shape = tuple(layer.get_output_variable().shape)
    operation, _ = read_softmax(layer, [Reading(source, shape, NO_PADDING)], source)
    assert isinstance(operation, Softmax)
    rank = len(keras_layer.output.shape) - 1
    size = operation.slices(shape)[1]
    order = np.arange(1 << operation.inverse_input_type.width)
    order = np.roll(order, len(order) // 2) if operation.inverse_input_type.signed else order
    inverse = operation.inverse_table[order]
    sums = _sums(operation, size)
    if (inverse[sums] < 0).any():
        what = "its sum overflows to below 0, where hls4ml's results have no sign"
        fix = "give its inv_iq_conf more integer bits, or its inv_oq_conf k0=0, and train again"
        yield Blocker(f"layer {layer.name}", what, fix)
    exponential = (operation.difference_type, operation.exp_type, operation.exp_table)
    sum_type, inverse_type = operation.inverse_input_type, operation.inverse_type
    for what, table, (keys, kind, codes), shown in (
        ("exp", keras_layer.exp_table, exponential, slice(None)),
        ("1/x", keras_layer.inv_table, (sum_type, inverse_type, inverse), sums),
    ):
        own = np.asarray(table(_values(keys, rank)), dtype=np.float64).ravel()
        different = int((own != kind.decode(codes))[shown].sum())
        if different:
            yield Blocker(
                f"layer {layer.name}",
                f"{different} of {len(codes[shown])} entries of its table of {what} are others in "
                "HGQ2 than in hls4ml's C++",
                "give its tables fewer bits, but no quantizer of it none at all, and train again",
            )


def _sums(operation: Softmax, size: int) -> slice:
    """Which of the sums' codes can occur, the smallest first; all where the sums overflow."""
    kind, fraction = operation.inverse_input_type, operation.exp_type.fraction
    table: Codes = operation.exp_table
    sure = int(table[-operation.difference_type.min_code]) if operation.stable else int(table.min())
    ends = np.array([sure + (size - 1) * int(table.min()), size * int(table.max())])
    free = FixedType(60, 60 - kind.fraction, True, kind.rounding)
    low, high = (int(code) for code in free.cast(ends, fraction))
    if low < kind.min_code or high > kind.max_code:
        return slice(None)
    return slice(low - kind.min_code, high - kind.min_code + 1)
