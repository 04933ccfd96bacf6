"""Which operations a stream of columns can hold, and which are done inside a window."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.graph.image_operations import AveragePool, Crop, MaxPool, ZeroPad
from trigger_ml.graph.merge_operations import ELEMENTWISE as MERGED
from trigger_ml.graph.model import (
    Concatenate,
    Conv2D,
    FixedGraph,
    Input,
    Lookup,
    MaxPool2D,
    Multiply,
    Node,
    Quantize,
    Relu,
    Threshold,
    Transpose,
    UpSample2D,
)
from trigger_ml.graph.rectify_operation import Rectify
from trigger_ml.graph.scale_operation import Scale
from trigger_ml.graph.types import FixedType

__all__ = ["ELEMENTWISE", "keeps_zero", "require_streamable", "zero_columns"]

WINDOWED: Final = (Conv2D, MaxPool2D, MaxPool, AveragePool)
ELEMENTWISE: Final = (Quantize, Relu, Lookup, Threshold, Scale, Rectify)
"""Operations on single elements of one edge."""
STREAMED: Final = (
    Input,
    *WINDOWED,
    *ELEMENTWISE,
    *MERGED,
    Concatenate,
    Multiply,
    Transpose,
    UpSample2D,
    ZeroPad,
    Crop,
)


def keeps_zero(node: Node) -> bool:
    """Whether a zero of the padding is still zero behind a node, so that it may be done inside
    the window of the layer that reads it."""
    match node.operation:
        case Quantize() | Relu() | Concatenate() | Multiply() | Transpose() | ZeroPad():
            return True
        case Crop(cropping=(_, _, left, right)):
            # What lies beyond an image that lost columns is not zero.
            return left == right == 0
        case Rectify(bound=bound):
            return bound is None or bound >= 0
        case _:
            return False


def zero_columns(node: Node) -> int:
    """Columns of zeros that a node puts to the left of an image."""
    return node.operation.padding[2] if isinstance(node.operation, ZeroPad) else 0


def require_streamable(graph: FixedGraph) -> None:
    """Raise ModelError listing everything in a graph that cannot be streamed."""
    blockers = [blocker for node in graph.nodes for blocker in _problems(graph, node)]
    if len(graph.input_nodes) != 1 or len(graph.outputs) != 1:
        found = f"{len(graph.input_nodes)} inputs and {len(graph.outputs)} outputs"
        blockers.append(Blocker("model", f"has {found}; a stream has one of each"))
    if not blockers and len(graph.input_nodes[0].shape) != 3:
        shape = graph.input_nodes[0].shape
        blockers.append(
            Blocker(
                graph.input_nodes[0].name,
                f"has shape {shape}; a stream reads height x width x channels",
                "give the input three axes",
            )
        )
    if blockers:
        raise ModelError(blockers)


def _problems(graph: FixedGraph, node: Node) -> Iterator[Blocker]:
    match node.operation:
        case operation if not isinstance(operation, STREAMED):
            yield Blocker(
                node.name,
                f"{operation.kind} cannot be streamed over the width",
                "a stream takes convolutions, pooling, upsampling, joins of two images, scales, "
                "activations, zeros around an image, cropping and Permute((3, 2, 1)); end the "
                "network with a convolution, and decide behind the firmware",
            )
        case UpSample2D():
            source = graph.by_name[node.inputs[0]]
            if not _same_grid(node.type, source.type):
                yield Blocker(
                    node.name,
                    f"turns {source.type} into {node.type}, and upsampling in a stream is wires",
                    "give it the type of its input, and quantize in the layer before or behind it",
                )
        case Transpose(axes=axes) if axes[1] != 1:
            yield Blocker(
                node.name,
                f"puts the axes in the order {axes}, and the width of a stream is its second axis",
                "use Permute((3, 2, 1)), which swaps rows and channels",
            )
        case MaxPool(padding=padding) | AveragePool(padding=padding) if any(padding[2:]):
            yield Blocker(
                node.name,
                "its windows reach beyond the image's columns, where a stream has zeros",
                "use padding='valid'",
            )
        case Rectify(slope=slope) if (slope != slope[:, :1]).any():
            yield Blocker(
                node.name,
                "has slopes of its own for each column, and all columns take one kernel",
                "use PReLU(shared_axes=[1, 2])",
            )
        case ZeroPad(padding=(_, _, left, right)) if left or right:
            if not _only_in_windows(graph, node):
                yield Blocker(
                    node.name,
                    f"makes the image {left + right} columns wider, and a stream gives no more "
                    "columns than it takes",
                    "put a convolution or a pooling behind it that takes them in again",
                )


def _only_in_windows(graph: FixedGraph, node: Node) -> bool:
    """Whether all that reads a node is a window, or a cast or a ReLU before windows."""
    readers = [other for other in graph.nodes if node.name in other.inputs]
    return node.name not in graph.outputs and all(
        isinstance(reader.operation, WINDOWED)
        or (
            isinstance(reader.operation, Quantize | Relu | Rectify | ZeroPad)
            and keeps_zero(reader)
            and _only_in_windows(graph, reader)
        )
        for reader in readers
    )


def _same_grid(one: FixedType, other: FixedType) -> bool:
    """Whether two types hold the same values; how they round and saturate does not matter."""
    return (one.width, one.integer, one.signed) == (other.width, other.integer, other.signed)
