"""Products of two tensors: ``einsum`` and ``matmul`` as layers, and Dot of matrices.

Keras writes them as Einsum and Matmul (Keras 3, functions called on tensors), as TFOpLambda
(TensorFlow's functions called on tensors of Keras 2), and as Dot. Here all of them become one kind
of layer, EinsumOfTwo, whose equation has a letter for each axis but that of the events.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from string import ascii_letters
from typing import Any, Final

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.keras_broadcasts import repeat
from trigger_ml.frontends.keras_chain import Chain, Made
from trigger_ml.frontends.keras_sizes import Shape
from trigger_ml.frontends.model_file import Layer
from trigger_ml.graph.einsum_axes import pair_axes
from trigger_ml.graph.types import FixedType

__all__ = [
    "EINSUM_OF_TWO",
    "PRODUCTS",
    "letters_of",
    "product",
    "product_shape",
    "read_einsum_of_two",
    "read_matmul",
    "require_single_precision",
]

EINSUM_OF_TWO: Final = "EinsumOfTwo"
"""The layer that all products of two tensors become."""
PRODUCTS: Final = ("Einsum", "Matmul", EINSUM_OF_TWO)
"""Layers that read two others and multiply them."""
SINGLE: Final = 24
"""Bits of a whole number in single precision (IEEE 754 binary32)."""
REWRITE: Final = "use an equation of two tensors like 'abc,acd->abd', events first"
FLAGS: Final = ("transpose_a", "transpose_b")
MATRIX: Final = ("X", "Y", "Z")
"""Letters of row, inner axis and column of matrices that are multiplied."""

Letters = tuple[str, str, str]
"""Of the two tensors and of the result, without the batch axis."""


def read_einsum_of_two(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The equation of Keras' operation Einsum. Raises ModelError."""
    where, equation = f"layer {name}", config.get("subscripts")
    if not isinstance(equation, str):
        raise ModelError(Blocker(where, f"subscripts {equation!r} are no text", REWRITE))
    operands = equation.partition("->")[0].count(",") + 1
    if operands == 1:
        what = f"einsum {equation!r} of one tensor"
        fix = "use Permute, or EinsumDense with a kernel of ones, which sums"
        raise ModelError(Blocker(where, what, fix))
    if operands > 2:
        what = f"einsum {equation!r} of {operands} tensors"
        raise ModelError(Blocker(where, what, "multiply two, and their product with the next"))
    return {"name": name, "subscripts": equation, "dtype": "float32"}


def read_matmul(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Which of the two matrices are transposed."""
    return {"name": name, **{key: bool(config.get(key)) for key in FLAGS}, "dtype": "float32"}


def product(layer: Layer, reads: Sequence[Shape], names: Iterator[str]) -> Made | None:
    """A layer of PRODUCTS or a Dot as an EinsumOfTwo or a Dot of vectors; None for one that is.

    Tensors are repeated where Keras broadcasts them. Raises ModelError.
    """
    if layer.kind == EINSUM_OF_TWO:
        return None
    where = f"layer {layer.name}"
    try:
        axes = _FORMS[layer.kind](layer, reads)
        sizes = _sizes(axes, reads)
    except ValueError as error:
        what, fix = str(error), _ADVICE[layer.kind]
        raise ModelError(Blocker(where, what, fix)) from error
    left, right, result = axes
    if not result and len(left) == 1:
        return Made((Layer(layer.name, "Dot", layer.inputs, _dot(layer.name)),))
    layers: list[Layer] = []
    inputs: list[str] = []
    for source, shape, letters in zip(layer.inputs, reads, (left, right), strict=True):
        chain = Chain(where, shape)
        repeat(chain, shape, tuple(sizes[letter] for letter in letters))
        if not result and not inputs:
            # hls4ml's result has an axis: one that the first tensor is given.
            chain.reshape((1, *chain.shape))
        if chain.steps:
            made = chain.made(next(names), source, names).layers
            layers += made
            source = made[-1].name
        inputs.append(source)
    if not result:
        own = next(letter for letter in ascii_letters if letter not in left + right)
        left, result = own + left, own
    config = {"name": layer.name, "equation": f"{left},{right}->{result}", "dtype": "float32"}
    return Made((*layers, Layer(layer.name, EINSUM_OF_TWO, tuple(inputs), config)))


def _dot(name: str) -> dict[str, Any]:
    return {"name": name, "axes": 1, "normalize": False, "dtype": "float32"}


def _of_einsum(layer: Layer, reads: Sequence[Shape]) -> Letters:
    equation = layer.config["subscripts"]
    try:
        left, right, result = pair_axes(equation, [len(shape) + 1 for shape in reads])
    except ValueError as error:
        raise ValueError(f"its equation {equation!r} {error}") from error
    if not left[0] == right[0] == result[:1]:
        what = f"its equation {equation!r} moves or multiplies the batch axis, which is the first"
        raise ValueError(what)
    return left[1:], right[1:], result[1:]


def _of_matmul(layer: Layer, reads: Sequence[Shape]) -> Letters:
    """Matrices in the last two axes, in as many places as the axes before have."""
    ranks = {len(shape) for shape in reads}
    if len(ranks) > 1 or ranks == {1}:
        what = f"multiplies tensors of shapes {reads[0]} and {reads[1]} for each event"
        raise ValueError(f"{what}, where matrices in as many axes are needed")
    places = ascii_letters[: ranks.pop() - 2]
    row, inner, column = MATRIX
    first, second = places + row + inner, places + inner + column
    if layer.config.get("transpose_a"):
        first = places + inner + row
    if layer.config.get("transpose_b"):
        second = places + column + inner
    return first, second, places + row + column


def _of_dot(layer: Layer, reads: Sequence[Shape]) -> Letters:
    """One axis of each tensor is summed over; the result has the others, one after another."""
    axes = layer.config["axes"]
    pair = [axes, axes] if isinstance(axes, int) else list(axes)
    free = iter(ascii_letters[1:])
    operands = []
    for axis, shape in zip(pair, reads, strict=True):
        place = axis - 1 if axis > 0 else axis + len(shape)
        if not 0 <= place < len(shape):
            raise ValueError(f"axes {axes!r} of tensors of shapes {reads[0]} and {reads[1]}")
        letters = [next(free) for _ in shape]
        letters[place] = "a"
        operands.append("".join(letters))
    left, right = operands
    return left, right, (left + right).replace("a", "")


_FORMS: Final = {"Einsum": _of_einsum, "Matmul": _of_matmul, "Dot": _of_dot}
_ADVICE: Final = {
    "Einsum": f"{REWRITE}; sum a tensor alone before it, with EinsumDense and a kernel of ones",
    "Matmul": "use matrices of fitting sizes: Reshape before it, and Dot(axes=1) for two vectors",
    "Dot": "sum over axes of one size: axes=(2, 1) multiplies (3, 4) and (4, 5)",
}


def _sizes(axes: Letters, reads: Sequence[Shape]) -> dict[str, int]:
    """Size of every axis. Raises ValueError; one axis of one place may be repeated."""
    left, right, result = axes
    sizes = dict(zip(left, reads[0], strict=True))
    for letter, size in zip(right, reads[1], strict=True):
        other = sizes.setdefault(letter, size)
        if other != size and (letter not in result or 1 not in (other, size)):
            what = f"multiplies tensors of shapes {reads[0]} and {reads[1]}"
            raise ValueError(f"{what}: {other} and {size} are to be one axis")
        sizes[letter] = max(other, size)
    return sizes


def letters_of(layer: Layer) -> Letters:
    """The equation of an EinsumOfTwo."""
    operands, _, result = str(layer.config["equation"]).partition("->")
    left, _, right = operands.partition(",")
    return left, right, result


def product_shape(layer: Layer, reads: Sequence[Shape]) -> Shape | Blocker:
    """Shape of what leaves an EinsumOfTwo, or why it cannot be."""
    where = f"layer {layer.name}"
    if layer.kind != EINSUM_OF_TWO:
        return Blocker(where, f"a {layer.kind} of tensors whose shapes are not known")
    axes = letters_of(layer)
    try:
        sizes = _sizes(axes, reads)
    except ValueError as error:
        return Blocker(where, str(error), _ADVICE["Einsum"])
    return tuple(sizes[letter] for letter in axes[2])


def require_single_precision(where: str, sums: FixedType) -> None:
    """Refuse sums that the model's own framework may round. Raises ModelError."""
    bits = sums.width - int(sums.signed)
    if bits > SINGLE:
        what = f"its sums take {bits} bits, and the model computes them in single precision"
        fix = f"quantize what it reads to fewer bits: {SINGLE} are exact"
        raise ModelError(Blocker(where, what, fix))
