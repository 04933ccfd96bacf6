"""Equations of einsum with a kernel, and those that no dense layer computes."""

import pytest

from trigger_ml.frontends.einsum_equation import Axes, kernel_axes


@pytest.mark.parametrize(
    ("equation", "rank", "axes"),
    [
        ("abc,cd->abd", 2, Axes("bc", "cd", "bd")),
        (" abc, cd -> adb ", 2, Axes("bc", "cd", "db")),
        ("abc,bcd->ad", 2, Axes("bc", "bcd", "d")),
        ("AbC,CbD->AD", 2, Axes("bC", "CbD", "D")),
        ("...x,xy->...y", 1, Axes("x", "xy", "y")),
        ("...x,xy->...y", 3, Axes("bcx", "xy", "bcy")),
        ("ab...,bc->ac...", 3, Axes("bde", "bc", "cde")),
    ],
)
def test_the_batch_axis_goes_and_axes_without_a_letter_get_one(
    equation: str, rank: int, axes: Axes
) -> None:
    assert kernel_axes(equation, rank) == axes


@pytest.mark.parametrize(
    ("equation", "rank", "reason"),
    [
        ("abc,cd", 2, "has not the form tensor,kernel->result"),
        ("abc->abc", 2, "has not the form"),
        ("ab,bc,cd->ad", 1, "has not the form"),
        ("ab,bc->ac->ac", 1, "has not the form"),
        ("abb,bc->ac", 2, "names an axis twice in one operand"),
        ("ab,b1->a1", 1, "holds other things than letters"),
        ("ab,__import__('os')->a", 1, "holds other things than letters"),
        ("......x,xy->...y", 2, "holds other things than letters"),
        ("...x,...xy->...y", 1, "has ... in other places"),
        ("...x,xy->y", 1, "has ... in other places"),
        ("...wxyz,zk->...wxyk", 1, "names more axes than a tensor of 1 axes has"),
        ("abc,cd->abd", 1, "names 2 axes of a tensor that has 1"),
        ("abc,cd->bad", 2, "the batch axis, which is the first one"),
        ("ab,ab->ab", 1, "the batch axis, which is the first one"),
        ("abc,cd->ad", 2, "sums over b, which is not an axis of the kernel"),
        ("abc,cde->abd", 2, "sums the kernel alone over e"),
        ("abc,cd->abe", 2, "sums the kernel alone over d"),
        ("abc,c->abe", 2, "has the axis e in its result alone"),
    ],
)
def test_other_equations_say_what_is_wrong(equation: str, rank: int, reason: str) -> None:
    with pytest.raises(ValueError) as caught:
        kernel_axes(equation, rank)
    assert reason in str(caught.value)
