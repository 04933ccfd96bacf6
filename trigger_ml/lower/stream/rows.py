"""Networks whose rows are alike, as those on graphs: an edge, or a node, is a row of an image.

Where every row is treated alike, one kernel for a single row is traced, and it stands there once
for each row. Rows meet only in a *mix*: Permute((3, 2, 1)), a convolution with one weight for
each pair of rows, and the same Permute again. There every new row is a weighted sum of some rows,
in this column or its neighbours. Gathering the nodes of an edge is a mix, and so is adding up the
edges of a node. A kernel has the mixes that it reads inside, each as a sum over as many rows as
its longest one has; which rows these are is wiring, and differs from place to place.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

import numpy as np

from trigger_ml.graph.merge_operations import ELEMENTWISE as MERGED
from trigger_ml.graph.model import (
    Concatenate,
    Conv2D,
    FixedGraph,
    Input,
    Lookup,
    Multiply,
    Node,
    Quantize,
    Relu,
    Threshold,
    Transpose,
    frozen_codes,
)
from trigger_ml.graph.rectify_operation import Rectify
from trigger_ml.graph.scale_operation import Scale
from trigger_ml.lower.stream.layout import Pick, RowInput
from trigger_ml.lower.stream.windows import resized

__all__ = ["RowKernel", "RowNetwork"]

SWAP: Final = (2, 1, 0)
"""Axes of the Transpose that makes channels of rows, and rows of channels."""
ROW_BY_ROW: Final = (Quantize, Relu, Lookup, Threshold, Scale, Concatenate, Multiply, *MERGED)


@dataclass(frozen=True, slots=True)
class _Mix:
    """Weighted sums of rows.

    parts: for each source of rows, its name and the Transpose behind it. joined: the Concatenate
    of several. convolution: with a kernel of one row. after: what is done element by element
    before ``last``, the Transpose that ends the mix.
    """

    parts: tuple[tuple[str, Node], ...]
    joined: Node | None
    convolution: Node
    after: tuple[Node, ...]
    last: Node

    @property
    def operation(self) -> Conv2D:
        """The convolution's operation."""
        operation = self.convolution.operation
        assert isinstance(operation, Conv2D)
        return operation

    @property
    def reach(self) -> tuple[int, int]:
        """Columns to the left and to the right of its own that a row is made from."""
        left = self.operation.padding[2]
        return left, self.operation.weight.shape[1] - 1 - left


@dataclass(frozen=True, slots=True)
class RowKernel:
    """What makes one row.

    graph: with an input of shape (rows, 1, channels) for each of ``inputs``, and an output of
    shape (1, 1, channels). sources: node of the network behind each input. taps: columns of its
    window. left: those to the left of the row's own column.
    """

    graph: FixedGraph
    sources: tuple[str, ...]
    inputs: tuple[RowInput, ...]
    taps: int
    left: int


class RowNetwork:
    """The rows of a network: which nodes end a kernel for single rows, and what is in it."""

    def __init__(self, graph: FixedGraph) -> None:
        self._graph = graph
        self._readers: dict[str, list[Node]] = defaultdict(list)
        for node in graph.nodes:
            for name in node.inputs:
                self._readers[name].append(node)
        found = [mix for node in graph.nodes if (mix := self._mix(node)) is not None]
        self._mixes = {mix.last.name: mix for mix in found}

    @cached_property
    def inside(self) -> frozenset[str]:
        """Nodes that exist only inside kernels for single rows."""
        hidden = {name for name in self._by_rows if not self._ends(self._graph.by_name[name])}
        for mix in self._mixes.values():
            hidden |= {node.name for node in (mix.convolution, *mix.after)}
            wires = [transpose for _, transpose in mix.parts]
            wires += [mix.joined] if mix.joined else []
            hidden |= {node.name for node in wires if self._only_mixed(node)}
        return frozenset(hidden)

    @cached_property
    def _by_rows(self) -> frozenset[str]:
        """Nodes that make each row of what they read in the same way, mixes among them.

        None in a network without mixes: there, a whole column is a better kernel.
        """
        if not self._mixes:
            return frozenset()
        return frozenset(
            node.name
            for node in self._graph.nodes
            if node.name in self._mixes
            or (len(node.shape) == len(SWAP) and self._row_by_row(node) and not self._wire(node))
        )

    def ends_kernel(self, name: str) -> bool:
        """Whether this node ends a kernel for single rows."""
        return name in self._by_rows and name not in self.inside

    def _row_by_row(self, node: Node) -> bool:
        operation = node.operation
        if isinstance(operation, Conv2D):
            plain = operation.strides == (1, 1) and not any(operation.padding)
            return plain and operation.weight.shape[:2] == (1, 1)
        if isinstance(operation, Rectify):
            return not (operation.slope != operation.slope[:1, :1]).any()
        return isinstance(operation, ROW_BY_ROW)

    def _wire(self, node: Node) -> bool:
        """Whether a node lies inside a mix."""
        return any(
            node is mix.convolution or node is mix.joined or node in mix.after
            for mix in self._mixes.values()
        )

    def _ends(self, node: Node) -> bool:
        """Whether a node's rows must be there as such: for a mix, for several readers, for one
        that is no kernel for rows, or for the output."""
        readers = self._readers[node.name]
        if node.name in self._graph.outputs or len(readers) != 1:
            return True
        return readers[0].name not in self._by_rows

    def _only_mixed(self, node: Node) -> bool:
        """Whether all that reads a node is inside mixes."""
        return all(self._wire(reader) for reader in self._readers[node.name])

    def _mix(self, last: Node) -> _Mix | None:
        """The mix that a node ends, or None."""
        if not _is_swap(last):
            return None
        after: list[Node] = []
        node = self._graph.by_name[last.inputs[0]]
        while isinstance(node.operation, Quantize | Relu):
            after.insert(0, node)
            node = self._graph.by_name[node.inputs[0]]
        operation = node.operation
        if not isinstance(operation, Conv2D) or not _mixes_rows(operation):
            return None
        chain = [node, *after]
        if any(len(self._readers[part.name]) != 1 for part in chain):
            return None
        source = self._graph.by_name[node.inputs[0]]
        joined = source if isinstance(source.operation, Concatenate) else None
        swaps = [self._graph.by_name[name] for name in joined.inputs] if joined else [source]
        if not all(_is_swap(swap) for swap in swaps):
            return None
        parts = tuple((swap.inputs[0], swap) for swap in swaps)
        return _Mix(parts, joined, node, tuple(after), last)

    def kernel(self, name: str) -> RowKernel:
        """The kernel that a node ends. name: one for which :meth:`ends_kernel` holds."""
        root = self._graph.by_name[name]
        inside = list(dict.fromkeys(self._inside(root)))
        mixes = [self._mixes[node] for node in inside if node in self._mixes]
        left, right = np.max([(0, 0), *(mix.reach for mix in mixes)], axis=0).tolist()
        builder = _Builder(self._graph, self._mixes, frozenset(inside), left, root.shape[0])
        builder.row(root)
        nodes = sorted(builder.nodes, key=lambda node: not isinstance(node.operation, Input))
        graph = FixedGraph(root.name, tuple(nodes), (nodes[-1].name,))
        sources = tuple(builder.sources[node.name] for node in graph.input_nodes)
        inputs = tuple(builder.picks[node.name] for node in graph.input_nodes)
        return RowKernel(graph, sources, inputs, left + 1 + right, left)

    def _inside(self, node: Node) -> Iterator[str]:
        """Nodes of the network that the kernel of a node holds, the node itself among them."""
        yield node.name
        if node.name in self._mixes:
            return
        for name in node.inputs:
            if name in self._by_rows and name in self.inside:
                yield from self._inside(self._graph.by_name[name])


def _is_swap(node: Node) -> bool:
    return isinstance(node.operation, Transpose) and node.operation.axes == SWAP


def _mixes_rows(operation: Conv2D) -> bool:
    """Whether a convolution, seen from rows, keeps all columns, and has one bias for all rows and
    something to add up."""
    above, below, left, right = operation.padding
    height, width = operation.weight.shape[:2]
    keeps = operation.strides == (1, 1) and left + right == width - 1
    one_row = height == 1 and above == below == 0
    alike = bool((operation.bias == operation.bias[0]).all())
    return keeps and one_row and alike and bool(operation.weight.any())


@dataclass
class _Builder:
    """Writes the graph of one row.

    inside: nodes of the network that are computed in it; all others are read. left: columns of
    the window to the left of the row's own. height: rows that the kernel will make.
    """

    graph: FixedGraph
    mixes: Mapping[str, _Mix]
    inside: frozenset[str]
    left: int
    height: int
    nodes: list[Node] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)
    picks: dict[str, RowInput] = field(default_factory=dict)

    def row(self, node: Node) -> str:
        """Add what makes one row of a node; returns its name in the kernel."""
        if any(made.name == node.name for made in self.nodes):
            return node.name
        if node.name not in self.inside:
            own = tuple((Pick(self.left, row),) for row in range(self.height))
            return self._input(node.name, node, own)
        if node.name in self.mixes:
            return self._mixed(self.mixes[node.name])
        reads = tuple(self.row(self.graph.by_name[name]) for name in node.inputs)
        self.nodes.append(replace(resized(node, 1, 1), inputs=reads))
        return node.name

    def _input(self, name: str, source: Node, picks: RowInput) -> str:
        shape = (len(picks[0]), 1, source.shape[2])
        self.nodes.append(Node(name, Input(), (), shape, source.type))
        self.sources[name], self.picks[name] = source.name, picks
        return name

    def _mixed(self, mix: _Mix) -> str:
        """Add a sum over as many rows as the longest one has, in groups of one source and one
        weight; shorter ones are filled up with rows of zeros."""
        operation, place = mix.operation, mix.convolution.name
        weights: list[int] = []
        reads: list[str] = []
        for number, (weight, part, picks) in enumerate(self._groups(mix)):
            name, swap = mix.parts[part]
            rows = self._input(f"{place}_rows{number}", self.graph.by_name[name], picks)
            shape = (swap.shape[0], 1, len(picks[0]))
            reads.append(self._add(swap, f"{place}_swap{number}", (rows,), shape))
            weights += [weight] * len(picks[0])
        channels = mix.last.shape[2]
        # Without a Concatenate, there may still be several weights, of one source and its type.
        joined = mix.joined or mix.parts[0][1]
        together = Concatenate() if len(reads) > 1 else Quantize()
        reads = [
            self._add(
                replace(joined, operation=together),
                f"{place}_joined",
                tuple(reads),
                (channels, 1, len(weights)),
            )
        ]
        summed = replace(
            operation,
            weight=frozen_codes(np.reshape(weights, (1, 1, -1, 1))),
            bias=operation.bias[:1],
            padding=(0, 0, 0, 0),
        )
        one = (channels, 1, 1)
        last = self._add(replace(mix.convolution, operation=summed), place, tuple(reads), one)
        for node in mix.after:
            last = self._add(node, node.name, (last,), one)
        return self._add(mix.last, mix.last.name, (last,), (1, 1, channels))

    def _add(self, node: Node, name: str, reads: tuple[str, ...], shape: tuple[int, ...]) -> str:
        self.nodes.append(replace(node, name=name, inputs=reads, shape=shape))
        return name

    def _groups(self, mix: _Mix) -> Iterator[tuple[int, int, RowInput]]:
        """Weight, part of the mix, and rows of each place, those of one length."""
        operation = mix.operation
        shift = self.left - operation.padding[2]
        heights = [self.graph.by_name[name].shape[0] for name, _ in mix.parts]
        first = np.cumsum([0, *heights])
        found: dict[tuple[int, int], list[list[Pick | None]]] = {}
        for tap, row, made in np.argwhere(operation.weight[0]).tolist():
            weight = int(operation.weight[0, tap, row, made])
            part = int(np.searchsorted(first, row, side="right")) - 1
            places = found.setdefault((part, weight), [[] for _ in range(self.height)])
            places[made].append(Pick(shift + tap, row - int(first[part])))
        for (part, weight), places in sorted(found.items()):
            longest = max(map(len, places))
            yield (
                weight,
                part,
                tuple(tuple(place + [None] * (longest - len(place))) for place in places),
            )
