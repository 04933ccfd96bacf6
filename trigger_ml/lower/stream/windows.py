"""Windows over the width: what one layer sees of it, and what that makes of its graph."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from trigger_ml.graph.image_operations import AveragePool, Crop, MaxPool, ZeroPad
from trigger_ml.graph.model import Conv2D, FixedGraph, Input, MaxPool2D, Node, frozen_codes
from trigger_ml.graph.rectify_operation import Rectify
from trigger_ml.lower.stream.layout import Border, Stream

__all__ = ["Window", "borders", "kernel_graph", "resized", "window_of"]


@dataclass(frozen=True, slots=True)
class Window:
    """A window over the width: its columns, the columns from one to the next, and the columns
    of zeros to the left of the image; fewer than none where columns of the image are left out."""

    taps: int
    stride: int
    left: int


def window_of(node: Node) -> Window:
    """The window of a convolution or a pooling; a single column for all other layers."""
    match node.operation:
        case Conv2D() as conv:
            return Window(conv.weight.shape[1], conv.strides[1], conv.padding[2])
        case MaxPool2D(size=(_, columns)):
            return Window(columns, columns, 0)
        case MaxPool() | AveragePool() as pool:
            return Window(pool.size[1], pool.strides[1], pool.padding[2])
        case Crop(cropping=(_, _, left, _)):
            return Window(1, 1, -left)
        case _:
            return Window(1, 1, 0)


def resized(node: Node, rows: int, columns: int) -> Node:
    """A node for so many rows and columns of its image, whose width is cut by the window alone.

    Slopes of a Rectify are those of the first rows and columns.
    """
    operation = node.operation
    match operation:
        case Conv2D() | MaxPool() | AveragePool() | ZeroPad():
            above, below, _, _ = operation.padding
            operation = replace(operation, padding=(above, below, 0, 0))
        case Crop(cropping=(above, below, _, _)):
            operation = replace(operation, cropping=(above, below, 0, 0))
        case Rectify(slope=slope):
            shape = (rows, columns, slope.shape[2])
            one = np.broadcast_to(slope[:rows, :1], shape)
            operation = replace(operation, slope=frozen_codes(one))
    return replace(node, operation=operation, shape=(rows, columns, node.shape[2]))


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
    nodes += [resized(node, node.shape[0], taps) for node in before]
    nodes += [resized(node, node.shape[0], 1) for node in (root, *after)]
    return FixedGraph(root.name, tuple(nodes), (nodes[-1].name,))


def borders(width: int, output: Stream, window: Window, groups: int) -> tuple[Border, ...]:
    """Taps that lie outside the image, by output lane, with the steps at which they do."""
    first: dict[tuple[int, int], list[int]] = defaultdict(list)
    last: dict[tuple[int, int], list[int]] = defaultdict(list)
    within: dict[tuple[int, int], list[int]] = defaultdict(list)
    for place in range(output.width):
        step, lane = divmod(place + output.offset, output.lanes)
        for tap in range(window.taps):
            column = place * window.stride - window.left + tap
            if column < 0:
                first[lane, tap].append(step)
            elif column >= width and step < groups - 1:
                within[lane, tap].append(step)
            elif column >= width:
                last[lane, tap].append(step - (groups - 1))
    return tuple(
        Border(lane, tap, *(tuple(steps[lane, tap]) for steps in (first, last, within)))
        for lane, tap in sorted({*first, *last, *within})
    )
