"""Windows over the width: what one layer sees of it, and what that makes of its graph."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from trigger_ml.graph.model import Conv2D, FixedGraph, Input, MaxPool2D, Node
from trigger_ml.lower.stream.layout import Border, Stream

__all__ = ["Window", "borders", "kernel_graph", "window_of"]


@dataclass(frozen=True, slots=True)
class Window:
    """A window over the width: its columns, the columns from one to the next, and the columns
    of zeros to the left of the image."""

    taps: int
    stride: int
    left: int


def window_of(node: Node) -> Window:
    """The window of a convolution or a pooling; a single column for all other layers."""
    operation = node.operation
    if isinstance(operation, Conv2D):
        return Window(operation.weight.shape[1], operation.strides[1], operation.padding[2])
    if isinstance(operation, MaxPool2D):
        return Window(operation.size[1], operation.size[1], 0)
    return Window(1, 1, 0)


def kernel_graph(
    before: Sequence[Node],
    root: Node,
    after: Sequence[Node],
    sources: Sequence[Stream],
    taps: int,
) -> FixedGraph:
    """The part of a graph that one kernel computes, over a window of columns."""
    nodes = [
        Node(stream.name, Input(), (), (stream.height, taps, stream.channels), stream.kind)
        for stream in sources
    ]
    nodes += [replace(node, shape=(node.shape[0], taps, node.shape[2])) for node in before]
    operation = root.operation
    if isinstance(operation, Conv2D):
        above, below, _, _ = operation.padding
        operation = replace(operation, padding=(above, below, 0, 0))
    nodes.append(replace(root, operation=operation, shape=(root.shape[0], 1, root.shape[2])))
    nodes += [replace(node, shape=(node.shape[0], 1, node.shape[2])) for node in after]
    return FixedGraph(root.name, tuple(nodes), (nodes[-1].name,))


def borders(width: int, output: Stream, window: Window, groups: int) -> tuple[Border, ...]:
    """Taps that lie outside the image, by output lane, with the steps at which they do."""
    first: dict[tuple[int, int], list[int]] = defaultdict(list)
    last: dict[tuple[int, int], list[int]] = defaultdict(list)
    for place in range(output.width):
        step, lane = divmod(place + output.offset, output.lanes)
        for tap in range(window.taps):
            column = place * window.stride - window.left + tap
            if column < 0:
                first[lane, tap].append(step)
            elif column >= width:
                last[lane, tap].append(step - (groups - 1))
    return tuple(
        Border(lane, tap, tuple(first[lane, tap]), tuple(last[lane, tap]))
        for lane, tap in sorted({*first, *last})
    )
