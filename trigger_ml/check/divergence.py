"""Where two witnesses part, and why: the first layer, element and event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from trigger_ml.graph.model import FixedGraph, Input, Lookup, Node, Softmax
from trigger_ml.graph.operations import WEIGHTED
from trigger_ml.graph.types import Codes, FixedType

__all__ = ["Divergence", "explain", "first_divergence"]


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first difference between a witness and the graph.

    witnesses: "csim~graph". layer: node where they part. element: flat index in it. event: row
    of the vectors. left, right: the two codes. type: of the edge. cause: in words.
    segment: which vectors the event comes from.
    """

    witnesses: str
    layer: str
    element: int
    event: int
    left: int
    right: int
    type: str
    cause: str
    segment: str = ""

    def __str__(self) -> str:
        return (
            f"{self.witnesses}: first difference in layer {self.layer}, element {self.element}, "
            f"event {self.event} ({self.segment}): {self.left} against {self.right} "
            f"as codes of {self.type}. Likely cause: {self.cause}"
        )

    def to_json(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


def first_divergence(
    witnesses: str,
    graph: FixedGraph,
    left: Mapping[str, Codes],
    right: Mapping[str, Codes],
    events: Codes,
    segment: str,
) -> Divergence | None:
    """First node, in evaluation order, whose edges differ; then its first event and element.

    left: the edges that the other witness can show, by node name, each (events, *shape).
    right: the graph's edges. events: row numbers of these events in the vectors.
    """
    for node in graph.nodes:
        if isinstance(node.operation, Input) or node.name not in left:
            continue
        a = left[node.name].reshape(len(events), -1)
        b = right[node.name].reshape(len(events), -1)
        if np.array_equal(a, b):
            continue
        row, element = (int(k) for k in np.argwhere(a != b)[0])
        cause = explain(node, a, b)
        return Divergence(
            witnesses,
            node.name,
            element,
            int(events[row]),
            int(a[row, element]),
            int(b[row, element]),
            str(node.type),
            cause,
            segment,
        )
    return None


def explain(node: Node, left: Codes, right: Codes) -> str:
    """Likely cause of the differences at the first node that differs."""
    different = left != right
    delta = (left - right)[different]
    share = f"{int(different.any(axis=1).sum())} of {len(left)} events differ here"
    if isinstance(node.operation, Lookup | Softmax):
        return f"a table entry; {share}"
    if np.all(delta % (1 << node.type.width) == 0):
        return f"overflow handling, by whole turns of {node.type.width} bits; {share}"
    if np.all(np.abs(delta) == 1):
        return f"rounding: every difference is one last bit; {share}"
    if _at_range_end(left[different], right[different], node.type):
        return f"saturation: one side is at the end of its range; {share}"
    scale = _power_of_two(left, right)
    if scale:
        return f"scale: a factor of 2**{scale}, a binary point in another place; {share}"
    if isinstance(node.operation, WEIGHTED):
        width = node.shape[-1]
        columns = sorted({int(k) % width for k in np.nonzero(different)[1]})
        some = ", ".join(map(str, columns[:8]))
        return f"a weight or bias of {len(columns)} of {width} outputs ({some}); {share}"
    return f"not a pattern that is known; {share}"


def _at_range_end(left: Codes, right: Codes, kind: FixedType) -> bool:
    ends = (kind.min_code, kind.max_code)
    return bool(np.all(np.isin(left, ends) | np.isin(right, ends)))


def _power_of_two(left: Codes, right: Codes) -> int:
    """k where left == right * 2**k everywhere and k is not 0, else 0."""
    for shift in range(1, 17):
        if np.array_equal(left, right << shift):
            return shift
        if np.array_equal(left << shift, right):
            return -shift
    return 0
