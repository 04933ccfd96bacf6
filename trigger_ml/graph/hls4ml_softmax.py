"""hls4ml's softmax, read into an operation."""

from __future__ import annotations

from typing import Any, Final

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.graph.hls4ml_values import Read, Reading, fixed_type
from trigger_ml.graph.model import frozen_codes
from trigger_ml.graph.softmax_operation import Softmax
from trigger_ml.graph.tables import softmax_tables
from trigger_ml.graph.types import FixedType

__all__ = ["OWN", "read_softmax"]

OWN: Final = "source_has_tables"
"""Attribute of an hls4ml layer whose tables are the source model's."""

IMPLEMENTATIONS: Final = ("stable", "latency")


def read_softmax(layer: Any, reads: list[Reading], out: FixedType) -> Read:
    """A softmax over a slice of the elements. Raises ModelError for another implementation."""
    implementation = str(layer.get_attr("implementation"))
    if implementation not in IMPLEMENTATIONS:
        raise ModelError(
            Blocker(layer.name, f"softmax implementation {implementation}", "use stable")
        )
    stable = implementation == "stable"
    exponential, sums, inverse_input, inverse = (
        fixed_type(layer.get_attr(key).precision, f"{layer.name} {key}")
        for key in ("exp_table_t", "accum_t", "inv_inp_t", "inv_table_t")
    )
    key = layer.get_attr("inp_norm_t")
    difference = fixed_type(key.precision, layer.name) if stable else reads[0].type
    exp_table, inverse_table = softmax_tables(
        difference,
        int(layer.get_attr("exp_table_size")),
        exponential,
        inverse_input,
        int(layer.get_attr("inv_table_size")),
        inverse,
        float(layer.get_attr("exp_scale", 1.0)) * (-1.0 if stable else 1.0),
    )
    operation = Softmax(
        difference,
        frozen_codes(exp_table),
        exponential,
        sums,
        inverse_input,
        frozen_codes(inverse_table),
        inverse,
        int(layer.get_attr("n_outer", 1)),
        int(layer.get_attr("n_inner", 1)),
        stable,
        bool(layer.get_attr(OWN, False)),
    )
    return operation, out
