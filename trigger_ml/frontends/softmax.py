"""The sizes of hls4ml's softmax by two tables, and the node that it becomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import ceil, log2
from typing import Final

from trigger_ml.graph.model import FixedGraph, Node, Softmax, frozen_codes
from trigger_ml.graph.tables import softmax_tables
from trigger_ml.graph.types import FixedType, Overflow, Rounding
from trigger_ml.graph.verify import verify

__all__ = ["softmax_types", "with_softmax"]

REACH_BITS: Final = 4
"""exp(-16) is below half of the tables' last bit, so larger differences need no entry."""
TABLE: Final = "ufixed<18,1,RND,SAT>"


def softmax_types(logits: FixedType, size: int, bits: int) -> dict[str, str]:
    """Types of the two tables, sized from the range of the logits, by hls4ml's names.

    Differences of logits span 2**logits.integer, of which only the first 16 matter; the sum of
    exponentials lies in [1, size].
    """
    reach = max(min(logits.integer, REACH_BITS), 1)
    sum_bits = ceil(log2(size + 1))
    return {
        "inp_norm_t": f"ufixed<{bits},{reach},RND,SAT>",
        "exp_table_t": TABLE,
        "inv_inp_t": f"ufixed<{bits},{sum_bits},RND,SAT>",
        "inv_table_t": TABLE,
    }


def with_softmax(graph: FixedGraph, name: str, bits: int) -> FixedGraph:
    """The graph with a softmax behind its only output, a vector, as hls4ml makes it."""
    (logits,) = graph.output_nodes
    texts = softmax_types(logits.type, logits.size, bits)
    kinds = {key: FixedType.parse(text) for key, text in texts.items()}
    difference, exponential = kinds["inp_norm_t"], kinds["exp_table_t"]
    inverse_input, inverse = kinds["inv_inp_t"], kinds["inv_table_t"]
    exp_table, inverse_table = softmax_tables(
        difference,
        1 << difference.width,
        exponential,
        inverse_input,
        1 << inverse_input.width,
        inverse,
    )
    operation = Softmax(
        difference,
        frozen_codes(exp_table),
        exponential,
        _sum_type(kinds, logits.size),
        inverse_input,
        frozen_codes(inverse_table),
        inverse,
    )
    fraction = exponential.fraction + inverse.fraction
    integer = exponential.integer + inverse.integer
    kind = FixedType(integer + fraction, integer, signed=False)
    node = Node(name, operation, (logits.name,), logits.shape, kind, source=name)
    return verify(FixedGraph(graph.name, (*graph.nodes, node), (name,)))


def _sum_type(kinds: Mapping[str, FixedType], size: int) -> FixedType:
    """Of the sum of exponentials, as hls4ml's bit-exact pass settles it, which spares no bits."""
    more = ceil(log2(size))
    read = kinds["inv_inp_t"]
    width = kinds["exp_table_t"].fraction + read.integer + 3 * more
    sums = replace(read, width=width, integer=read.integer + more)
    return replace(sums, rounding=Rounding.TRN, overflow=Overflow.WRAP)
