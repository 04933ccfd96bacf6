"""How a convolutional network is laid out as a stream: which kernels, which windows.

Every convolution and pooling becomes a kernel, with the elementwise layers that only it feeds;
what keeps a zero a zero before it (a quantizer, a concatenation) is done inside its window.
Networks whose rows are alike get kernels for single rows: :mod:`trigger_ml.lower.stream.rows`.
Upsampling is wires. :mod:`trigger_ml.lower.stream.layout` says what the result means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import ceil, lcm

from trigger_ml.errors import Blocker, ConfigError
from trigger_ml.graph.model import FixedGraph, Node, UpSample2D
from trigger_ml.lower.stream.cuts import cut_before_product
from trigger_ml.lower.stream.layout import (
    KernelPlan,
    Read,
    Repeat,
    RowInput,
    Stream,
    StreamPlan,
)
from trigger_ml.lower.stream.rows import RowNetwork
from trigger_ml.lower.stream.streamed import (
    ELEMENTWISE,
    keeps_zero,
    require_streamable,
    zero_columns,
)
from trigger_ml.lower.stream.windows import Window, borders, kernel_graph, window_of

__all__ = ["lanes_for", "plan"]


def lanes_for(graph: FixedGraph, groups: int) -> int:
    """Fewest columns a clock that bring an image within ``groups`` clocks.

    A multiple of all that pooling divides the width by. Raises ConfigError for groups < 1.
    """
    if groups < 1:
        raise ConfigError(
            Blocker(
                "budget.ii_ns",
                "is shorter than a clock, and a stream takes one image a clock at most",
                "raise it, or raise target.clock_mhz",
            )
        )
    grain = _grain(graph)
    width = graph.input_nodes[0].shape[1]
    return ceil(ceil(width / groups) / grain) * grain


def plan(graph: FixedGraph, lanes: int) -> StreamPlan:
    """Lay a network out for so many input columns a clock.

    Raises ModelError listing every layer that cannot be streamed, and ConfigError when ``lanes``
    is not a multiple of all that pooling divides the width by, or is more than an image has.
    """
    require_streamable(graph)
    grain = _grain(graph)
    width = graph.input_nodes[0].shape[1]
    most = ceil(width / grain) * grain
    if lanes > most:
        raise ConfigError(
            Blocker(
                "firmware.columns_per_clock",
                f"is {lanes}, and an image has {width} columns",
                f"use at most {most}: an image a clock",
            )
        )
    if lanes < 1 or lanes % grain:
        raise ConfigError(
            Blocker(
                "firmware.columns_per_clock",
                f"is {lanes}, and the pooling layers need a multiple of {grain}",
                f"use {max(ceil(lanes / grain), 1) * grain}",
            )
        )
    laid = cut_before_product(graph)
    return _Planner(laid, lanes, RowNetwork(laid)).run()


def _grain(graph: FixedGraph) -> int:
    """Least common multiple of the width's reduction at every node."""
    down: dict[str, int] = {}
    for node in graph.nodes:
        reads = [down[name] for name in node.inputs]
        here = max(reads, default=1) * window_of(node).stride
        if isinstance(node.operation, UpSample2D):
            here = max(here // node.operation.size[1], 1)
        down[node.name] = here
    return lcm(*down.values())


@dataclass
class _Planner:
    """Walks the graph once; streams so far, nodes left to their readers, parts made."""

    graph: FixedGraph
    lanes: int
    by_rows: RowNetwork
    streams: dict[str, Stream] = field(default_factory=dict)
    inlined: dict[str, Node] = field(default_factory=dict)
    parts: list[KernelPlan | Repeat] = field(default_factory=list)
    groups: int = 0

    def run(self) -> StreamPlan:
        source = self._source(self.graph.input_nodes[0])
        done: set[str] = {source.name}
        for node in self.graph.nodes:
            if node.name in done or node.name in self.by_rows.inside:
                continue
            if self.by_rows.ends_kernel(node.name):
                self._row_kernel(node)
                continue
            if isinstance(node.operation, UpSample2D):
                self._repeat(node, node.operation)
            elif keeps_zero(node) and not self._leaves(node.name):
                self.inlined[node.name] = node
            else:
                done.update(self._kernel(node))
        result = self.streams[self.graph.outputs[0]]
        return StreamPlan(self.graph, source, tuple(self.parts), result, self.groups)

    def _source(self, node: Node) -> Stream:
        height, width, channels = node.shape
        stream = Stream(node.name, height, channels, node.type, width, self.lanes, 0)
        self.streams[node.name] = stream
        self.groups = ceil(width / self.lanes)
        return stream

    def _leaves(self, name: str) -> bool:
        return name in self.graph.outputs

    def _readers(self, name: str) -> list[Node]:
        return [node for node in self.graph.nodes if name in node.inputs]

    def _repeat(self, node: Node, operation: UpSample2D) -> None:
        name = node.inputs[0]
        if name in self.inlined:
            self._kernel(self.inlined.pop(name))
        source = self.streams[name]
        rows, columns = operation.size
        output = Stream(
            node.name,
            source.height * rows,
            source.channels,
            source.kind,
            source.width * columns,
            source.lanes * columns,
            source.offset * columns,
        )
        self.streams[node.name] = output
        self.parts.append(Repeat(source, rows, columns, output))

    def _kernel(self, root: Node) -> list[str]:
        """Make the kernel of a node and of what only it feeds; names of the nodes in it."""
        before = self._inlined_before(root)
        after = [root]
        while not self._leaves(after[-1].name):
            readers = self._readers(after[-1].name)
            if len(readers) != 1 or not isinstance(readers[0].operation, ELEMENTWISE):
                break
            after.append(readers[0])
        window = self._window(root)
        sources = self._sources([*before, root])
        graph = kernel_graph(before, root, after[1:], sources, window.taps)
        self._place(root.name, graph, sources, window, after[-1])
        return [node.name for node in after]

    def _window(self, root: Node) -> Window:
        """What a node sees of the width, columns of zeros that are put around it included."""
        window, node = window_of(root), root
        while node.inputs[0] in self.inlined:
            node = self.inlined[node.inputs[0]]
            window = replace(window, left=window.left + zero_columns(node))
        return window

    def _row_kernel(self, root: Node) -> None:
        """Make the kernel for single rows that a node ends."""
        kernel = self.by_rows.kernel(root.name)
        names = tuple(dict.fromkeys(kernel.sources))
        for name in names:
            if name in self.inlined:
                self._kernel(self.inlined.pop(name))
        rows = tuple(
            (names.index(name), rows)
            for name, rows in zip(kernel.sources, kernel.inputs, strict=True)
        )
        window = Window(kernel.taps, 1, kernel.left)
        self._place(
            root.name, kernel.graph, [self.streams[name] for name in names], window, root, rows
        )

    def _place(
        self,
        name: str,
        graph: FixedGraph,
        sources: Sequence[Stream],
        window: Window,
        tail: Node,
        rows: tuple[tuple[int, RowInput], ...] = (),
    ) -> None:
        """Add a kernel and the stream that leaves it. tail: the node whose edge that carries."""
        taps, stride, left = window.taps, window.stride, window.left
        first = sources[0]
        offset = max(
            0,
            *(ceil((source.offset + taps - stride - left) / stride) for source in sources),
        )
        output = Stream(
            tail.name,
            tail.shape[0],
            tail.shape[2],
            tail.type,
            tail.shape[1],
            first.lanes // stride,
            offset,
        )
        reads = []
        for source in sources:
            history = max(0, offset * stride + left - source.offset)
            start = history + source.offset - left - offset * stride
            reads.append(Read(source, history, start))
        gates = borders(first.width, output, window, self.groups)
        self.parts.append(
            KernelPlan(name, graph, tuple(reads), taps, stride, left, output, gates, rows)
        )
        self.streams[tail.name] = output

    def _inlined_before(self, root: Node) -> list[Node]:
        """Inlined nodes that a node reads, directly or through others, in evaluation order."""
        wanted: set[str] = set()
        queue = list(root.inputs)
        while queue:
            name = queue.pop()
            if name in self.inlined and name not in wanted:
                wanted.add(name)
                queue.extend(self.inlined[name].inputs)
        return [node for name, node in self.inlined.items() if name in wanted]

    def _sources(self, nodes: Sequence[Node]) -> list[Stream]:
        """Streams that these nodes read, each once."""
        inside = {node.name for node in nodes}
        names = [name for node in nodes for name in node.inputs if name not in inside]
        return [self.streams[name] for name in dict.fromkeys(names)]
