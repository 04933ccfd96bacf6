"""What a node of the fixed-point graph can do; each operation ends in a cast to its node's type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from trigger_ml.graph.einsum_operation import Einsum
from trigger_ml.graph.image_operations import IMAGE_OPERATIONS
from trigger_ml.graph.merge_operations import MERGES, Reshape
from trigger_ml.graph.operation import Operation
from trigger_ml.graph.rectify_operation import Rectify
from trigger_ml.graph.scale_operation import Scale
from trigger_ml.graph.softmax_operation import Softmax
from trigger_ml.graph.types import Codes, FixedType, Overflow, Rounding

__all__ = [
    "OPERATIONS",
    "WEIGHTED",
    "ArgMax",
    "Concatenate",
    "Conv2D",
    "Dense",
    "EinsumDense",
    "GlobalAverage",
    "Input",
    "Lookup",
    "MaxPool2D",
    "Multiply",
    "Operation",
    "Quantize",
    "QuantizeEach",
    "Relu",
    "Softmax",
    "Threshold",
    "Transpose",
    "UpSample2D",
]


@dataclass(frozen=True, slots=True, eq=False)
class Input(Operation):
    """A model input. Its codes arrive already in the node's type."""

    kind: ClassVar[str] = "input"


@dataclass(frozen=True, slots=True, eq=False)
class Quantize(Operation):
    """A cast of every element into the node's type (linear activation, quantizer)."""

    kind: ClassVar[str] = "quantize"


@dataclass(frozen=True, slots=True, eq=False)
class Relu(Operation):
    """max(x, 0), then a cast into the node's type."""

    kind: ClassVar[str] = "relu"


@dataclass(frozen=True, slots=True, eq=False)
class Dense(Operation):
    """x @ weight + bias, accumulated in ``accumulator``, then a cast into the node's type.

    As in hls4ml's ``dense_latency``: the bias and every product are cast into the accumulator
    type before they are added, and every addition wraps there.

    weight: codes, shape (inputs, outputs). bias: codes, shape (outputs,).
    """

    kind: ClassVar[str] = "dense"
    weight: Codes
    weight_type: FixedType
    bias: Codes
    bias_type: FixedType
    accumulator: FixedType


@dataclass(frozen=True, slots=True, eq=False)
class Conv2D(Operation):
    """A convolution over height x width x channels, as Keras means it: the kernel is not flipped.

    A sequence, steps x channels, is an image of one row, here and in the two after it.

    y[i, j] = sum over (a, b) of x[i * strides[0] + a, j * strides[1] + b] @ weight[a, b] + bias,
    where x has ``padding`` rows of zeros above and below and columns of zeros left and right of
    it; accumulated and cast as in :class:`Dense` (hls4ml runs the same dense function on each
    window).

    weight: codes, shape (kernel height, kernel width, input channels, output channels). bias:
    codes, shape (output channels,). strides: rows, columns. padding: rows above, rows below,
    columns left, columns right.
    """

    kind: ClassVar[str] = "conv2d"
    weight: Codes
    weight_type: FixedType
    bias: Codes
    bias_type: FixedType
    accumulator: FixedType
    strides: tuple[int, int]
    padding: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class MaxPool2D(Operation):
    """Largest element of each window, then a cast into the node's type.

    size: rows, columns of a window; windows touch and do not overlap, and rows and columns that
    fill no whole window are left out.
    """

    kind: ClassVar[str] = "max_pool2d"
    size: tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class UpSample2D(Operation):
    """Every element repeated ``size`` times (rows, columns), then a cast into the node's type."""

    kind: ClassVar[str] = "up_sample2d"
    size: tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Concatenate(Operation):
    """All inputs side by side along the last axis, each cast into the node's type.

    The inputs may have different types; they have the same shape but for the last axis.
    """

    kind: ClassVar[str] = "concatenate"


@dataclass(frozen=True, slots=True, eq=False)
class Multiply(Operation):
    """Two inputs of one shape, element by element: the exact product, cast into the node's type."""

    kind: ClassVar[str] = "multiply"


@dataclass(frozen=True, slots=True, eq=False)
class Transpose(Operation):
    """The input's axes in another order, then a cast into the node's type.

    axes: for each axis of the output, the one of the input (as ``numpy.transpose``), without the
    batch axis.
    """

    kind: ClassVar[str] = "transpose"
    axes: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class QuantizeEach(Operation):
    """A cast of every element into a type of its own, then into the node's type.

    signed (0 or 1), width and integer: shape of the node. A width of 0 makes the element zero.
    As the function that hls4ml writes for a quantizer with a width for each element.
    """

    kind: ClassVar[str] = "quantize_each"
    signed: Codes
    width: Codes
    integer: Codes
    rounding: Rounding
    overflow: Overflow

    def type_at(self, element: int) -> FixedType | None:
        """Type of one element, by its flat index; None for a width of 0."""
        width = int(self.width.flat[element])
        if width == 0:
            return None
        return FixedType(
            width,
            int(self.integer.flat[element]),
            bool(self.signed.flat[element]),
            self.rounding,
            self.overflow,
        )


@dataclass(frozen=True, slots=True, eq=False)
class EinsumDense(Operation):
    """A contraction of the input with weights, plus a bias, as hls4ml's ``einsum_dense``.

    The input's axes are put in the order ``input_axes`` and seen as (inplace, free, contracted);
    each of the inplace blocks is multiplied with its own weight, plus bias, accumulated and cast
    as in :class:`Dense`; the result, seen as ``unfolded_shape``, has its axes put in the order
    ``output_axes``.

    equation: for people, without the batch axis. weight: codes, shape (inplace, contracted,
    outputs). bias: codes, shape (inplace, free, outputs).
    """

    kind: ClassVar[str] = "einsum_dense"
    equation: str
    weight: Codes
    weight_type: FixedType
    bias: Codes
    bias_type: FixedType
    accumulator: FixedType
    input_axes: tuple[int, ...]
    unfolded_shape: tuple[int, ...]
    output_axes: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class GlobalAverage(Operation):
    """Mean over the first axis, whose length is a power of two.

    The sum wraps in ``accumulator``, which has enough fraction bits to hold the quotient; then a
    cast into the node's type (``global_pooling1d_cl`` in hls4ml's nnet_pooling.h).
    """

    kind: ClassVar[str] = "global_average"
    accumulator: FixedType


@dataclass(frozen=True, slots=True, eq=False)
class Lookup(Operation):
    """An element-wise function given as one output code for every input code.

    table: codes of the node's type, shape (2**input width,), entry 0 for the input type's
    smallest code. function: its name, for people.
    """

    kind: ClassVar[str] = "lookup"
    function: str
    table: Codes


@dataclass(frozen=True, slots=True, eq=False)
class ArgMax(Operation):
    """Index of the largest element of a vector; the first one wins a tie."""

    kind: ClassVar[str] = "argmax"


@dataclass(frozen=True, slots=True, eq=False)
class Threshold(Operation):
    """One bit an element: 1 where x >= threshold.

    threshold: code with ``fraction`` fraction bits.
    """

    kind: ClassVar[str] = "threshold"
    threshold: int
    fraction: int


WEIGHTED: Final = (Dense, EinsumDense, Conv2D)
"""Operations with weights."""

OPERATIONS: Final[Mapping[str, type[Operation]]] = {
    cls.kind: cls
    for cls in (
        Input,
        Quantize,
        QuantizeEach,
        Relu,
        Dense,
        EinsumDense,
        Conv2D,
        MaxPool2D,
        UpSample2D,
        Concatenate,
        Multiply,
        Transpose,
        GlobalAverage,
        Lookup,
        Softmax,
        ArgMax,
        Threshold,
        *MERGES,
        Reshape,
        Rectify,
        *IMAGE_OPERATIONS,
        Scale,
        Einsum,
    )
}
"""Operations by the name they have in the JSON form."""
