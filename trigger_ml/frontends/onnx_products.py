"""MatMul and Einsum of ONNX: of two tensors of the events, and of one with constants."""

from __future__ import annotations

from string import ascii_letters
from typing import Any, Final

from numpy.typing import NDArray

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.onnx_file import Node
from trigger_ml.frontends.onnx_layers import read_matmul
from trigger_ml.frontends.onnx_walk import Tensor, Walk
from trigger_ml.graph.einsum_axes import pair_axes

__all__ = ["read_einsum", "read_product"]

ROWS: Final = ("X", "Y", "Z")
"""Letters of row, inner axis and column of matrices that are multiplied."""
MATRIX: Final = 2
"""Axes of one."""


def read_product(walk: Walk, node: Node) -> None:
    """MatMul: with constant weights a QDense, of two tensors, or of constants first, an einsum."""
    sides = [_side(walk, node, position) for position in range(2)]
    if not isinstance(sides[1], Tensor) and sides[1].ndim <= MATRIX:
        read_matmul(walk, node)
        return
    sides = [side if isinstance(side, Tensor) else _squeezed(side) for side in sides]
    ranks = [len(side.shape) + isinstance(side, Tensor) for side in sides]
    row, inner, column = ROWS
    places = ascii_letters[: max(ranks) - 2]
    first, second = (places[max(ranks) - rank :] for rank in ranks)
    alike = ranks[0] == ranks[1] or not all(isinstance(side, Tensor) for side in sides)
    if min(ranks) < MATRIX or max(ranks) <= MATRIX or not alike:
        what = f"multiplies {sides[0].shape} and {sides[1].shape} for each event"
        fix = "multiply matrices in as many axes: Unsqueeze or Reshape before it"
        raise ModelError(Blocker(node.where, what, fix))
    equation = f"{first}{row}{inner},{second}{inner}{column}->{places}{row}{column}"
    _product(walk, node, equation, sides)


def read_einsum(walk: Walk, node: Node) -> None:
    """Einsum of two tensors, or of a tensor and constants."""
    equation = node.attributes.get("equation", "")
    equation = equation.decode() if isinstance(equation, bytes) else str(equation)
    if len(node.inputs) != 2:
        what = f"einsum {equation!r} of {len(node.inputs)} tensors"
        fix = "multiply two, and their product with the next; Transpose and ReduceSum of one"
        raise ModelError(Blocker(node.where, what, fix))
    _product(walk, node, equation, [_side(walk, node, position) for position in range(2)])


def _side(walk: Walk, node: Node, position: int) -> Tensor | NDArray[Any]:
    """What a node reads there: a tensor of the events, or constants."""
    name = node.inputs[position] if position < len(node.inputs) else ""
    return walk.tensors[name] if name in walk.tensors else walk.need(node, position)


def _squeezed(values: NDArray[Any]) -> NDArray[Any]:
    """Constants without axes of one in front of a matrix, along which they would be repeated."""
    while values.ndim > MATRIX and values.shape[0] == 1:
        values = values[0]
    return values


def _product(walk: Walk, node: Node, equation: str, sides: list[Tensor | NDArray[Any]]) -> None:
    """An einsum, as a layer Einsum, or as EinsumDense where constants are in it."""
    tensors = [side for side in sides if isinstance(side, Tensor)]
    try:
        letters = pair_axes(equation, [len(s.shape) + isinstance(s, Tensor) for s in sides])
    except ValueError as error:
        raise ModelError(_problem(node, f"its equation {equation!r} {error}")) from error
    result = letters[2]
    operands = list(zip(letters, sides, strict=False))
    if any(
        text[:1] != result[:1] if isinstance(side, Tensor) else result[:1] in text
        for text, side in operands
    ):
        what = f"its equation {equation!r} moves or multiplies the axis of the events"
        raise ModelError(_problem(node, what))
    sizes: dict[str, int] = {}
    for text, side in operands:
        for letter, size in zip(text[int(isinstance(side, Tensor)) :], side.shape, strict=True):
            sizes[letter] = max(size, sizes.get(letter, 1))
    reads = [walk.arranged(node, tensor, range(len(tensor.shape))) for tensor in tensors]
    kernels = [(text, side) for text, side in operands if not isinstance(side, Tensor)]
    if kernels:
        (kernel, values), own = kernels[0], letters[isinstance(sides[1], Tensor)]
        options = {"equation": f"{own},{kernel}->{result}", "bias_axes": None}
        layer = walk.emit(node, "EinsumDense", reads, options, [values])
    else:
        config = {"subscripts": f"{letters[0]},{letters[1]}->{result}"}
        layer = walk.emit(node, "Einsum", reads, config)
    shape = tuple(sizes[letter] for letter in result[1:])
    walk.put(node, Tensor(layer, shape, tuple(range(len(shape)))))


def _problem(node: Node, what: str) -> Blocker:
    return Blocker(node.where, what, "use an equation like 'abc,acd->abd', events first")
