"""Decisions appended to a network: what a trigger does with the logits."""

from __future__ import annotations

from trigger_ml.errors import Blocker, ConfigError
from trigger_ml.graph.model import ArgMax, FixedGraph, Node, Operation, Threshold
from trigger_ml.graph.types import FixedType
from trigger_ml.graph.verify import verify

__all__ = ["with_argmax", "with_threshold"]

THRESHOLD_FRACTION = 24
"""Fraction bits that a threshold is rounded to; finer than any logit."""


def with_argmax(graph: FixedGraph) -> FixedGraph:
    """The graph with the index of its output's largest element as its only output."""
    logits = _only_output(graph)
    bits = max((logits.size - 1).bit_length(), 1)
    return _append(graph, logits, ArgMax(), (1,), FixedType(bits, bits, signed=False))


def with_threshold(graph: FixedGraph, threshold: float) -> FixedGraph:
    """The graph with one bit for each element of its output: element >= threshold."""
    logits = _only_output(graph)
    code = round(threshold * 2**THRESHOLD_FRACTION)
    operation = Threshold(code, THRESHOLD_FRACTION)
    return _append(graph, logits, operation, logits.shape, FixedType(1, 1, signed=False))


def _only_output(graph: FixedGraph) -> Node:
    if len(graph.outputs) != 1:
        raise ConfigError(
            Blocker(
                "firmware.output",
                f"a decision needs one output, this model has {len(graph.outputs)}",
                "use firmware.output: logits",
            )
        )
    return graph.output_nodes[0]


def _append(
    graph: FixedGraph, logits: Node, operation: Operation, shape: tuple[int, ...], kind: FixedType
) -> FixedGraph:
    node = Node(operation.kind, operation, (logits.name,), shape, kind)
    return verify(FixedGraph(graph.name, (*graph.nodes, node), (node.name,)))
