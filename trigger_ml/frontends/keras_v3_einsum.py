"""Sums of products of two tensors in a ``.keras`` file of HGQ2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from trigger_ml.errors import Blocker
from trigger_ml.frontends.keras_v3_fields import Fields, read_quantized
from trigger_ml.frontends.keras_v3_rules import Rule, Shape
from trigger_ml.frontends.model_file import Layer
from trigger_ml.graph.einsum_axes import pair_axes

__all__ = ["RULES", "axes_of_events"]

MOST_LETTERS: Final = 64
"""Characters of an equation."""
REWRITE: Final = "use an equation of two tensors like 'abc,acd->abd', events first"


def _read_einsum(fields: Fields) -> dict[str, Any]:
    equation = fields.config.get("equation")
    if not isinstance(equation, str) or "->" not in equation or len(equation) > MOST_LETTERS:
        fields.block(f"equation is {equation!r:.80}", REWRITE)
        equation = ""
    return {**read_quantized(fields, several=True), "equation": "".join(equation.split())}


def _read_dot(fields: Fields) -> dict[str, Any]:
    axes = fields.config.get("axes", -1)
    if axes not in (1, -1, [1, 1], [-1, -1]) or isinstance(axes, bool):
        fix = "use QDot(axes=1) of two vectors, or QEinsum('abc,acd->abd') of matrices"
        fields.block(f"axes is {axes!r}", fix)
    fields.must_be("normalize", False, "leave it out: lengths have no fixed-point form")
    return {**read_quantized(fields, several=True), "axes": 1, "normalize": False}


def axes_of_events(equation: str, ranks: Sequence[int]) -> tuple[str, str, str]:
    """Letters of two tensors and of the result, without the batch axis.

    ranks: axes of the tensors without it. Raises ValueError saying what hls4ml does not compute.
    """
    left, right, result = pair_axes(equation, [rank + 1 for rank in ranks])
    if not left[0] == right[0] == result[:1]:
        raise ValueError("moves or multiplies the batch axis, which is the first one")
    return left[1:], right[1:], result[1:]


def _einsum_shape(layer: Layer, shapes: Sequence[Shape]) -> Shape | Blocker:
    where, equation = f"layer {layer.name}", layer.config["equation"]
    try:
        letters = axes_of_events(equation, [len(shape) for shape in shapes])
    except ValueError as error:
        fix = f"{REWRITE}; sum a tensor alone before it, with a QEinsumDense"
        return Blocker(where, f"its equation {equation!r} {error}", fix)
    sizes: dict[str, int] = {}
    for axes, shape in zip(letters, shapes, strict=False):
        for letter, size in zip(axes, shape, strict=True):
            if sizes.setdefault(letter, size) != size:
                what = f"its equation {equation!r} does not fit tensors of {shapes[0]} and "
                return Blocker(where, f"{what}{shapes[1]}", "give them axes of one size")
    if not letters[2]:
        what = f"its equation {equation!r} leaves no axis but that of the events"
        return Blocker(where, what, "use QDot(axes=1) behind Flatten layers")
    return tuple(sizes[letter] for letter in letters[2])


def _dot_shape(layer: Layer, shapes: Sequence[Shape]) -> Shape | Blocker:
    if len(shapes[0]) == 1 and shapes[0] == shapes[1]:
        return (1,)
    what = f"a dot product of {shapes[0]} and {shapes[1]}"
    fix = "use two vectors of one length, or QEinsum('abc,acd->abd') of matrices"
    return Blocker(f"layer {layer.name}", what, fix)


RULES: Final[Mapping[str, Rule]] = {
    "QDot": Rule("hgq.layers.ops.merge", "hgq>QDot", _read_dot, _dot_shape, inputs=(2, 2)),
    "QEinsum": Rule(
        "hgq.layers.ops.einsum", "hgq>QEinsum", _read_einsum, _einsum_shape, inputs=(2, 2)
    ),
}
