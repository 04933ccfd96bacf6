"""A cut on a product with a bit, done in front of the product.

``x * bit >= cut`` is ``x >= cut and bit`` where the cut lies above zero. The second form needs no
product of wide values, and the kernel that makes x leaves one bit for each element.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from trigger_ml.graph.model import FixedGraph, Multiply, Node, Threshold
from trigger_ml.graph.types import FixedType
from trigger_ml.graph.verify import verify

__all__ = ["cut_before_product"]


def cut_before_product(graph: FixedGraph) -> FixedGraph:
    """The graph with every such cut and product in the other order, under the old names.

    Nothing changes where the cut is zero or less, where no factor is a single bit worth 0 or 1,
    where the product's type does not hold every value of the other factor, and where something
    else reads the product.
    """
    changed = {node.name: node for cut in graph.nodes for node in _swapped(graph, cut)}
    if not changed:
        return graph
    nodes = tuple(changed.get(node.name, node) for node in graph.nodes)
    return verify(FixedGraph(graph.name, nodes, graph.outputs))


def _swapped(graph: FixedGraph, cut: Node) -> Iterator[Node]:
    """The two nodes in their new order, or none."""
    if not isinstance(cut.operation, Threshold) or cut.operation.threshold <= 0:
        return
    product = graph.by_name[cut.inputs[0]]
    if not isinstance(product.operation, Multiply) or product.name in graph.outputs:
        return
    if sum(product.name in node.inputs for node in graph.nodes) > 1:
        return
    for value, bit in (product.inputs, product.inputs[::-1]):
        kind, one = graph.by_name[value].type, graph.by_name[bit].type
        if (one.width, one.integer, one.signed) == (1, 1, False) and _holds(product.type, kind):
            yield replace(product, operation=cut.operation, inputs=(value,), type=cut.type)
            yield replace(cut, operation=product.operation, inputs=(product.name, bit))
            return


def _holds(kind: FixedType, other: FixedType) -> bool:
    """Whether every value of another type is one of this type."""
    if other.signed and not kind.signed:
        return False
    room = kind.integer - kind.signed >= other.integer - other.signed
    return room and kind.fraction >= other.fraction
