"""What must hold in every graph, checked after each stage that makes one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.graph.einsum import einsum_problems
from trigger_ml.graph.einsum_operation import Einsum
from trigger_ml.graph.image_operations import AveragePool, Crop, MaxPool, ZeroPad
from trigger_ml.graph.images import image_problems
from trigger_ml.graph.merge_operations import Merge, Reshape
from trigger_ml.graph.merges import merge_problems, reshape_problems
from trigger_ml.graph.model import (
    Concatenate,
    Conv2D,
    Dense,
    EinsumDense,
    FixedGraph,
    GlobalAverage,
    Input,
    Lookup,
    MaxPool2D,
    Multiply,
    Node,
    QuantizeEach,
    Softmax,
    Transpose,
    UpSample2D,
)
from trigger_ml.graph.rectify import rectify_problems
from trigger_ml.graph.rectify_operation import Rectify
from trigger_ml.graph.scale import scale_problems
from trigger_ml.graph.scale_operation import Scale
from trigger_ml.graph.softmax import softmax_problems
from trigger_ml.graph.types import MAX_WIDTH, Codes, FixedType, Overflow
from trigger_ml.graph.windows import as_image, window_count

__all__ = ["verify"]


def verify(graph: FixedGraph) -> FixedGraph:
    """Return the graph unchanged, or raise ModelError with everything that is wrong in it."""
    blockers = list(_problems(graph))
    if blockers:
        raise ModelError(blockers)
    return graph


def _problems(graph: FixedGraph) -> Iterator[Blocker]:
    seen: dict[str, Node] = {}
    if not graph.input_nodes:
        yield Blocker(graph.name, "the graph has no input")
    if not graph.outputs:
        yield Blocker(graph.name, "the graph has no output")
    for node in graph.nodes:
        if node.name in seen:
            yield Blocker(node.name, "two nodes have this name")
        missing = [name for name in node.inputs if name not in seen]
        for name in missing:
            yield Blocker(node.name, f"reads {name}, which does not come before it")
        if not missing:
            yield from _node_problems(node, [seen[name] for name in node.inputs])
        seen[node.name] = node
    for name in graph.outputs:
        if name not in seen:
            yield Blocker(name, "is an output and not in the graph")


def _node_problems(node: Node, reads: list[Node]) -> Iterator[Blocker]:
    if node.size == 0:
        yield Blocker(node.name, f"the shape {node.shape} holds no element")
    if isinstance(node.operation, Input):
        if reads:
            yield Blocker(node.name, "an input reads nothing")
        return
    if isinstance(node.operation, Concatenate):
        yield from _concatenate_problems(node, reads)
        return
    if isinstance(node.operation, Multiply):
        yield from _multiply_problems(node, reads)
        return
    if isinstance(node.operation, Merge):
        yield from merge_problems(node, reads)
        return
    if isinstance(node.operation, Einsum):
        yield from einsum_problems(node, reads)
        return
    if len(reads) != 1:
        yield Blocker(node.name, f"{node.operation.kind} reads one edge, found {len(reads)}")
        return
    match node.operation:
        case Dense() as dense:
            yield from _dense_problems(node, dense, reads[0])
        case EinsumDense() as einsum:
            yield from _einsum_problems(node, einsum, reads[0])
        case Conv2D() as convolution:
            yield from _conv2d_problems(node, convolution, reads[0])
        case MaxPool2D() | UpSample2D() as resize:
            yield from _resize_problems(node, resize, reads[0])
        case Rectify() as rectify:
            yield from rectify_problems(node, rectify, reads[0])
        case Reshape():
            yield from reshape_problems(node, reads[0])
        case MaxPool() | AveragePool() | ZeroPad() | Crop():
            yield from image_problems(node, reads[0])
        case Scale():
            yield from scale_problems(node, reads[0])
        case Transpose() as transpose:
            yield from _transpose_problems(node, transpose, reads[0])
        case QuantizeEach() as quantizer:
            yield from _each_problems(node, quantizer, reads[0])
        case GlobalAverage() as average:
            yield from _average_problems(node, average, reads[0])
        case Lookup() as lookup:
            width = reads[0].type.width
            if len(lookup.table) != 1 << width:
                size = len(lookup.table)
                yield Blocker(node.name, f"a {width}-bit input needs {1 << width} entries: {size}")
            yield from _range(node.name, "table", lookup.table, node.type)
        case Softmax():
            yield from softmax_problems(node, reads[0])
        case _:
            pass


def _dense_problems(node: Node, dense: Dense, read: Node) -> Iterator[Blocker]:
    rows, columns = dense.weight.shape
    if read.shape[-1] != rows or node.shape[-1] != columns or dense.bias.shape != (columns,):
        yield Blocker(
            node.name,
            f"weight {dense.weight.shape} and bias {dense.bias.shape} do not fit "
            f"{read.shape} -> {node.shape}",
        )
        return
    yield from _sum_problems(node, dense, read, rows)


def _einsum_problems(node: Node, einsum: EinsumDense, read: Node) -> Iterator[Blocker]:
    blocks, contracted, outputs = einsum.weight.shape
    free = read.size // max(blocks * contracted, 1)
    unfolded = einsum.unfolded_shape
    if (
        sorted(einsum.input_axes) != list(range(len(read.shape)))
        or sorted(einsum.output_axes) != list(range(len(unfolded)))
        or blocks * free * contracted != read.size
        or blocks * free * outputs != node.size
        or einsum.bias.shape != (blocks, free, outputs)
        or tuple(unfolded[axis] for axis in einsum.output_axes) != node.shape
    ):
        yield Blocker(
            node.name,
            f"{einsum.equation} with weight {einsum.weight.shape} and bias {einsum.bias.shape} "
            f"does not fit {read.shape} -> {node.shape}",
        )
        return
    yield from _sum_problems(node, einsum, read, contracted)


def _conv2d_problems(node: Node, convolution: Conv2D, read: Node) -> Iterator[Blocker]:
    rank = len(read.shape)
    if convolution.weight.ndim != 4 or rank not in (2, 3) or len(node.shape) != rank:
        yield Blocker(
            node.name,
            f"a convolution of {read.shape} -> {node.shape} with weight "
            f"{convolution.weight.shape}: height x width x channels and a kernel of four axes",
        )
        return
    height, width, channels, filters = convolution.weight.shape
    sane = True
    for what, values, least in (
        ("strides", convolution.strides, 1),
        ("padding", convolution.padding, 0),
    ):
        if min(values) < least:
            sane = False
            yield Blocker(node.name, f"{what} {values}: each must be at least {least}")
    if read.shape[-1] != channels:
        yield Blocker(node.name, f"reads {read.shape[-1]} channels, its kernel has {channels}")
    if convolution.bias.shape != (filters,):
        yield Blocker(node.name, f"bias {convolution.bias.shape} for {filters} filters")
    if sane:
        shape = as_image(read.shape)
        places = window_count(shape, (height, width), convolution.strides, convolution.padding)
        if (*places, filters) != as_image(node.shape):
            yield Blocker(
                node.name,
                f"a {height}x{width} kernel with {filters} filters, strides "
                f"{convolution.strides} and padding {convolution.padding} makes "
                f"{(*places, filters)} of {read.shape}, not {node.shape}",
            )
    yield from _sum_problems(node, convolution, read, height * width * channels)


def _resize_problems(
    node: Node, operation: MaxPool2D | UpSample2D, read: Node
) -> Iterator[Blocker]:
    if len(read.shape) not in (2, 3) or min(operation.size) < 1:
        yield Blocker(
            node.name, f"{operation.kind} of {operation.size} reads {read.shape}, not an image"
        )
        return
    rows, columns = operation.size
    height, width, channels = as_image(read.shape)
    if isinstance(operation, MaxPool2D):
        made = (height // rows, width // columns, channels)
    else:
        made = (height * rows, width * columns, channels)
    if len(node.shape) != len(read.shape) or made != as_image(node.shape):
        yield Blocker(
            node.name,
            f"{operation.kind} of {operation.size} makes {made} of {read.shape}, not {node.shape}",
        )


def _concatenate_problems(node: Node, reads: list[Node]) -> Iterator[Blocker]:
    if len(reads) < 2:
        yield Blocker(node.name, f"concatenate reads two edges or more, found {len(reads)}")
        return
    shapes = [read.shape for read in reads]
    made = (*shapes[0][:-1], sum(shape[-1] for shape in shapes))
    if len({shape[:-1] for shape in shapes}) != 1 or made != node.shape:
        joined = ", ".join(map(str, shapes))
        yield Blocker(node.name, f"{joined} side by side are not {node.shape}")


def _multiply_problems(node: Node, reads: list[Node]) -> Iterator[Blocker]:
    if len(reads) != 2:
        yield Blocker(node.name, f"multiply reads two edges, found {len(reads)}")
        return
    if {read.shape for read in reads} != {node.shape}:
        shapes = " times ".join(str(read.shape) for read in reads)
        yield Blocker(node.name, f"{shapes}, element by element, is not {node.shape}")
    width = sum(read.type.width for read in reads)
    if width > MAX_WIDTH:
        yield Blocker(
            node.name, f"products of {width} bits do not fit {MAX_WIDTH}", "use narrower inputs"
        )


def _transpose_problems(node: Node, transpose: Transpose, read: Node) -> Iterator[Blocker]:
    axes = transpose.axes
    if sorted(axes) != list(range(len(read.shape))):
        yield Blocker(node.name, f"axes {axes} are not an order of those of {read.shape}")
    elif tuple(read.shape[axis] for axis in axes) != node.shape:
        yield Blocker(node.name, f"{read.shape} with its axes as {axes} is not {node.shape}")


def _each_problems(node: Node, quantizer: QuantizeEach, read: Node) -> Iterator[Blocker]:
    shapes = {array.shape for array in (quantizer.signed, quantizer.width, quantizer.integer)}
    if shapes != {node.shape} or read.shape != node.shape:
        yield Blocker(node.name, f"widths for {shapes} do not fit {read.shape} -> {node.shape}")
    elif quantizer.width.min() < 0 or quantizer.width.max() > MAX_WIDTH:
        yield Blocker(node.name, f"a width must be 0 to {MAX_WIDTH} bits")


def _average_problems(node: Node, average: GlobalAverage, read: Node) -> Iterator[Blocker]:
    count = read.shape[0]
    if read.shape[1:] != node.shape or len(read.shape) < 2:
        yield Blocker(node.name, f"an average over the first axis of {read.shape} is {node.shape}")
    elif count & (count - 1):
        yield Blocker(
            node.name,
            f"an average over {count} is not exact in fixed point",
            "pad the axis to a power of two, or multiply by a constant",
        )
    elif average.accumulator.fraction < read.type.fraction + count.bit_length() - 1:
        yield Blocker(node.name, f"the accumulator {average.accumulator} cannot hold the quotient")


def _sum_problems(
    node: Node, layer: Dense | EinsumDense | Conv2D, read: Node, rows: int
) -> Iterator[Blocker]:
    yield from _range(node.name, "weight", layer.weight, layer.weight_type)
    yield from _range(node.name, "bias", layer.bias, layer.bias_type)
    accumulator = layer.accumulator
    if accumulator.overflow is not Overflow.WRAP:
        yield Blocker(
            node.name,
            f"the accumulator {accumulator} saturates, so its result depends on the order of sums",
            "use a wrapping accumulator wide enough for the sum",
        )
    product = read.type.width + layer.weight_type.width + rows.bit_length()
    spread = max(accumulator.fraction - read.type.fraction - layer.weight_type.fraction, 0)
    if product + spread > MAX_WIDTH:
        yield Blocker(
            node.name,
            f"sums of {product + spread} bits do not fit {MAX_WIDTH}",
            "use narrower inputs or weights",
        )


def _range(name: str, what: str, codes: Codes, kind: FixedType) -> Iterator[Blocker]:
    low, high = int(np.min(codes, initial=0)), int(np.max(codes, initial=0))
    if low < kind.min_code or high > kind.max_code:
        yield Blocker(name, f"{what} codes {low}..{high} do not fit {kind}")
