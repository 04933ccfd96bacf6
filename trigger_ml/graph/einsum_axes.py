"""Equations of einsum with two tensors, parsed by hand: ``abc,acd->abd``.

A letter is an axis, ``...`` stands for axes that have none, ``,`` is between the tensors and
``->`` before the result. Without ``->`` the result has what ``...`` stands for and then the letters
of one tensor alone, in order, as in NumPy.
"""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_letters

__all__ = ["ELLIPSIS", "pair_axes"]

ELLIPSIS = "..."


def pair_axes(equation: str, ranks: Sequence[int]) -> tuple[str, str, str]:
    """Letters of the axes of two tensors and of the result.

    ranks: axes of the tensors. Where both have ``...``, the axes that it stands for are counted
    from the last one. Raises ValueError saying what no product of two tensors computes.
    """
    text = "".join(equation.split())
    operands, arrow, result = text.partition("->")
    parts = operands.split(",")
    if len(parts) != 2 or "->" in result:
        raise ValueError("has not the form left,right->result")
    for operand in (*parts, result):
        letters = operand.replace(ELLIPSIS, "", 1)
        if not all(letter in ascii_letters for letter in letters):
            raise ValueError("holds other things than letters, and one ... in an operand")
        if len(set(letters)) < len(letters):
            raise ValueError("names an axis twice in one operand")
    pairs = list(zip(parts, ranks, strict=True))
    left, right = (_written_out(part, rank, text) for part, rank in pairs)
    longest = max((_stand_ins(part, rank, text) for part, rank in pairs), key=len)
    if not arrow:
        once = sorted(a for a in "".join(parts).replace(".", "") if text.count(a) == 1)
        result = (ELLIPSIS if ELLIPSIS in text else "") + "".join(once)
    if (ELLIPSIS in result) != (ELLIPSIS in operands):
        raise ValueError("has ... in other places than in a tensor and in the result")
    made = result.replace(ELLIPSIS, longest)
    if lost := sorted({*made} - {*left, *right}):
        raise ValueError(f"has the axis {', '.join(lost)} in its result alone")
    for own, other in ((left, right), (right, left)):
        if lost := sorted({*own} - {*other, *made}):
            raise ValueError(f"sums one tensor alone over {', '.join(lost)}")
    return left, right, made


def _stand_ins(operand: str, rank: int, text: str) -> str:
    """Letters that the equation has not, for the axes that ``...`` stands for in a tensor."""
    if ELLIPSIS not in operand:
        return ""
    free = [letter for letter in ascii_letters if letter not in text]
    count = rank - len(operand.replace(ELLIPSIS, ""))
    if not 0 <= count <= len(free):
        raise ValueError(f"names more axes than a tensor of {rank} axes has")
    # The last axis has the same letter in both tensors.
    return "".join(free[:count][::-1])


def _written_out(operand: str, rank: int, text: str) -> str:
    made = operand.replace(ELLIPSIS, _stand_ins(operand, rank, text))
    if len(made) != rank:
        raise ValueError(f"names {len(made)} axes of a tensor that has {rank}")
    return made
