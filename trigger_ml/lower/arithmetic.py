"""alkaid's symbolic arithmetic with the graph's rules: casts, and products with constants."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from alkaid.trace import FVArray, HWConfig
from alkaid.trace.fixed_variable import FVariable
from numpy.typing import NDArray

from trigger_ml.graph.model import Conv2D, Dense, EinsumDense, Node
from trigger_ml.graph.types import Codes, FixedType, Overflow, Rounding

__all__ = ["HARDWARE", "Symbols", "affine", "array", "cast", "cast_element", "if_negative", "kif"]

Symbols = Any
"""An alkaid FVArray (its module has no type information)."""

HARDWARE: Final = HWConfig(1, 1, -1)
"""alkaid's adder_size and carry_size of one bit, as its own command uses; no cut in tracing."""


def kif(kind: FixedType) -> tuple[int, int, int]:
    """Sign bit, integer bits without it, fraction bits: alkaid's way to name a type."""
    return int(kind.signed), kind.integer - int(kind.signed), kind.fraction


def cast(symbols: Symbols, kind: FixedType) -> Symbols:
    """Assignment to a type, element by element: round, then handle overflow.

    Constants and ties to even are done here, because alkaid 0.8.2 gets some of them wrong:
    constants in unsigned wrapping types, and RND_CONV where few bits are left.
    """
    elements = [cast_element(element, kind) for element in np.ravel(symbols)]
    return array(elements, symbols).reshape(symbols.shape)


def cast_element(element: Any, kind: FixedType) -> Any:
    """Assignment of one element to a type."""
    if element.low == element.high:
        value = kind.decode(kind.encode(np.array([float(element.low)])))[0]
        return FVariable.from_const(float(value), HARDWARE)
    rounded = _round(element, kind)
    if rounded.low == rounded.high:
        return cast_element(rounded, kind)
    if kind.signed and kind.width == 1 and kind.overflow is not Overflow.WRAP:
        return _sign(rounded, kind)
    return rounded.quantize(*kif(kind), kind.overflow.value, "TRN")


def _sign(element: Any, kind: FixedType) -> Any:
    """Saturation in a type of one bit, its sign: minus one step, or zero.

    alkaid 0.8.2 gets every element of it wrong.
    """
    if element.low >= 0 or kind.overflow is Overflow.SAT_SYM:
        return FVariable.from_const(0.0, HARDWARE)
    if element.high < 0:
        return FVariable.from_const(-kind.step, HARDWARE)
    top = int(element.kif[1])
    return element.quantize(1, top, -top, "WRAP", "TRN") * 2.0 ** (-top - kind.fraction)


def _round(element: Any, kind: FixedType) -> Any:
    """Drop the bits below the type's last one; no bit above is touched."""
    fraction = kind.fraction
    if element.kif[2] <= fraction or kind.rounding is Rounding.TRN:
        return element
    above = element + 2.0 ** (-fraction - 1)
    signed, integer, below = (int(part) for part in above.kif)
    up = _bits(above, signed, integer, fraction)
    if kind.rounding is Rounding.RND:
        return up
    # A tie has nothing left below after adding one half: then the last bit becomes 0, which is
    # the even neighbour.
    rest = _bits(above, 0, -fraction, below)
    no_tie = rest.unary_bit_op("any") * 2.0**-fraction
    last = _bits(up, 0, 1 - fraction, fraction)
    upper = _bits(up, signed, max(integer, 1 - fraction), fraction - 1)
    return upper + (no_tie & last)


def _bits(element: Any, signed: int, integer: int, fraction: int) -> Any:
    """The bits of an element from 2**-fraction to the top of the given format."""
    if element.low != element.high:
        return element._wrap(signed, integer, fraction)
    span = 2.0**integer
    low = -span * signed
    value = math.floor(float(element.low) * 2.0**fraction) * 2.0**-fraction
    wrapped = (value - low) % (span * (1 + signed)) + low
    return FVariable.from_const(wrapped, HARDWARE)


def affine(
    node: Node,
    operation: Dense | EinsumDense | Conv2D,
    symbols: Symbols,
    source: FixedType,
    weight_codes: Codes,
    bias_codes: Codes,
) -> Symbols:
    """symbols @ weight + bias in the operation's accumulator, then in the node's type."""
    accumulator = operation.accumulator
    weight = operation.weight_type.decode(weight_codes)
    bias = accumulator.decode(accumulator.cast(bias_codes, operation.bias_type.fraction))
    fraction = operation.weight_type.fraction
    if source.fraction + fraction <= accumulator.fraction or _exact_products(
        symbols, weight_codes, fraction, accumulator
    ):
        total = _product(_without_sign_tables(symbols), weight) + bias
    else:
        products = cast(symbols[..., :, None] * weight, accumulator)
        total = np.sum(products, axis=-2) + bias
    return cast(cast(total, accumulator), node.type)


def _product(symbols: Symbols, weight: NDArray[np.float64]) -> Symbols:
    """symbols @ weight; sums of constants alone are done here, where alkaid 0.8.2 stops.

    A channel that a ReLU never lets through is constant, and so are zeros around an image.
    """
    used = np.any(weight != 0, axis=1)
    rows = symbols.reshape(-1, len(weight))
    constant = [all(element.low == element.high for element in row[used]) for row in rows]
    if not any(constant):
        return symbols @ weight
    made: list[Any] = []
    for row, fixed in zip(rows, constant, strict=True):
        if fixed:
            sums = np.array([float(element.low) for element in row]) @ weight
            made += [FVariable.from_const(float(value), HARDWARE) for value in sums]
        else:
            made += list(np.ravel(row @ weight))
    return array(made, symbols).reshape(*symbols.shape[:-1], weight.shape[1])


def _exact_products(symbols: Symbols, weight: Codes, fraction: int, kind: FixedType) -> bool:
    """Whether no product loses a bit below the last one of an accumulator.

    Then a sum may be cast once, at its end: accumulators wrap, as verify demands. Bits are counted
    element by element: with a width for each weight, the longest weight and the longest input
    rarely meet. symbols: (..., rows); weight: (rows, columns), of so many fraction bits.
    """
    own = np.array([element.kif[2] for element in np.ravel(symbols)]).reshape(symbols.shape)
    inputs = own.reshape(-1, symbols.shape[-1]).max(axis=0)
    trailing_zeros = np.log2(np.maximum(weight & -weight, 1)).astype(int)
    lowest = inputs[:, None] + fraction - trailing_zeros
    return bool(np.all((weight == 0) | (lowest <= kind.fraction)))


def _without_sign_tables(symbols: Symbols) -> Symbols:
    """The same elements, multiplied without tables of bits where one is a lone sign bit.

    alkaid 0.8.2 takes every one-bit element of a product for 0 or one step and addresses a table
    with six of them; a sign bit is 0 or minus one step, and its tracer stops there.
    """
    lone = any(element.low < 0 and sum(element.kif) == 1 for element in np.ravel(symbols))
    if not lone:
        return symbols
    return FVArray(np.asarray(symbols), {**symbols.solver_options, "binary_lut": False})


def if_negative(key: Any, then: Any, otherwise: Any) -> Any:
    """``then`` where key < 0. alkaid's own choice looks at the top bit, sign or not."""
    if key.low >= 0:
        return otherwise
    if key.high < 0:
        return then
    return key.msb_mux(then, otherwise)


def array(elements: list[Any], like: Symbols) -> Symbols:
    """Elements side by side, with another array's options for alkaid."""
    packed = np.empty(len(elements), dtype=object)
    packed[:] = elements
    return FVArray(packed, like.solver_options)
