"""Equations of einsum with one tensor and one kernel, parsed by hand: ``abc,cd->abd``.

A letter is an axis, ``...`` stands for axes that have none, ``,`` is between the operands and
``->`` before the result. The rules are those of Keras' EinsumDense: the batch axis is the first
one of the tensor and of the result.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import ascii_letters

__all__ = ["Axes", "kernel_axes"]

ELLIPSIS = "..."


@dataclass(frozen=True, slots=True)
class Axes:
    """Letters of the axes of a tensor, a kernel and the result, without the batch axis."""

    tensor: str
    kernel: str
    result: str


def kernel_axes(equation: str, rank: int) -> Axes:
    """The axes that an equation names. rank: axes of the tensor, without the batch axis.

    Raises ValueError saying what no dense layer computes.
    """
    text = "".join(equation.split())
    left, arrow, result = text.partition("->")
    operands = left.split(",")
    if not arrow or "->" in result or len(operands) != 2:
        raise ValueError("has not the form tensor,kernel->result")
    tensor, kernel = operands
    for operand in (tensor, kernel, result):
        letters = operand.replace(ELLIPSIS, "", 1)
        if not all(letter in ascii_letters for letter in letters):
            raise ValueError("holds other things than letters, and one ... in an operand")
        if len(set(letters)) < len(letters):
            raise ValueError("names an axis twice in one operand")
    axes = _without_ellipsis(tensor, kernel, result, rank)
    return _checked(*axes, rank)


def _without_ellipsis(tensor: str, kernel: str, result: str, rank: int) -> tuple[str, str, str]:
    places = [operand.find(ELLIPSIS) for operand in (tensor, result)]
    if ELLIPSIS in kernel or (places[0] < 0) != (places[1] < 0):
        raise ValueError("has ... in other places than in the tensor and in the result")
    if places[0] < 0:
        return tensor, kernel, result
    free = [letter for letter in ascii_letters if letter not in tensor + kernel + result]
    count = rank + 1 - len(tensor.replace(ELLIPSIS, ""))
    if not 0 <= count <= len(free):
        raise ValueError(f"names more axes than a tensor of {rank} axes has")
    stands = "".join(free[:count])
    return tensor.replace(ELLIPSIS, stands), kernel, result.replace(ELLIPSIS, stands)


def _checked(tensor: str, kernel: str, result: str, rank: int) -> Axes:
    if len(tensor) != rank + 1:
        raise ValueError(f"names {len(tensor) - 1} axes of a tensor that has {rank}")
    if not result or tensor[0] != result[0] or tensor[0] in kernel:
        raise ValueError("moves or multiplies the batch axis, which is the first one")
    if lost := sorted({*tensor} - {*kernel, *result}):
        raise ValueError(f"sums over {', '.join(lost)}, which is not an axis of the kernel")
    if lost := sorted({*kernel} - {*tensor, *result}):
        raise ValueError(f"sums the kernel alone over {', '.join(lost)}")
    if lost := sorted({*result} - {*tensor, *kernel}):
        raise ValueError(f"has the axis {', '.join(lost)} in its result alone")
    return Axes(tensor[1:], kernel, result[1:])
