"""Products of two tensors of HGQ2 files: what is read, what is refused, what float32 holds."""

from __future__ import annotations

from itertools import product
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.frontends.test_keras_v3_images import QUANTIZER
from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.hgq_exact_einsum import SPANS
from trigger_ml.frontends.hgq_spans import NONE, Span
from trigger_ml.frontends.keras_v3_layers import RULES, read_layer
from trigger_ml.frontends.model_file import Layer

Shape = tuple[int, ...]
IQS: dict[str, Any] = {"iq_confs": [QUANTIZER, QUANTIZER]}


def shape_of(kind: str, config: dict[str, Any], *shapes: Shape) -> Any:
    found = read_layer(kind, "it", {**IQS, **config}, 2)
    return RULES[kind].shape(Layer("it", kind, ("a", "b"), found), list(shapes))


def refusal(kind: str, config: dict[str, Any], *shapes: Shape) -> str:
    try:
        found = shape_of(kind, config, *shapes)
    except ModelError as error:
        return str(error)
    assert isinstance(found, Blocker), found
    return f"{found.where}: {found.what} -> {found.fix}"


@pytest.mark.parametrize(
    ("equation", "left", "right", "made"),
    [
        ("abc,acd->abd", (2, 3), (3, 4), (2, 4)),
        ("abc, acd -> adb", (2, 3), (3, 4), (4, 2)),
        ("ab,ac->abc", (2,), (3,), (2, 3)),
        ("...ij,...jk->...ik", (5, 2, 3), (5, 3, 4), (5, 2, 4)),
        ("abc,abc->ab", (2, 3), (2, 3), (2,)),
    ],
)
def test_an_einsum(equation: str, left: Shape, right: Shape, made: Shape) -> None:
    assert shape_of("QEinsum", {"equation": equation}, left, right) == made
    found = read_layer("QEinsum", "it", {**IQS, "equation": equation}, 2)
    assert found["equation"] == "".join(equation.split())
    assert len(found["iq_confs"]) == 2


@pytest.mark.parametrize(
    ("equation", "left", "right", "reason"),
    [
        (None, (2, 3), (3, 4), "layer it: equation is None"),
        ("abc,acd", (2, 3), (3, 4), "layer it: equation is 'abc,acd'"),
        ("a" * 65 + "->", (2, 3), (3, 4), "layer it: equation is"),
        ("abc,acd->abd", (2, 3), (2, 4), "does not fit tensors of (2, 3) and (2, 4)"),
        ("abc,acd->abd", (2,), (3, 4), "names 3 axes of a tensor that has 2"),
        ("abc,dce->abde", (2, 3), (3, 4), "moves or multiplies the batch axis"),
        ("abc,acd->ad", (2, 3), (3, 4), "sums one tensor alone over b -> use an equation of two"),
        ("abc,abc->a", (2, 3), (2, 3), "leaves no axis but that of the events -> use QDot(axes=1)"),
        ("abc,acd,ade->abe", (2, 3), (3, 4), "has not the form left,right->result"),
        ("__import__('os')->a", (2, 3), (3, 4), "has not the form left,right->result"),
    ],
)
def test_equations_that_are_refused(equation: Any, left: Shape, right: Shape, reason: str) -> None:
    assert reason in refusal("QEinsum", {"equation": equation}, left, right)


@pytest.mark.parametrize("axes", [1, -1, [1, 1], [-1, -1]])
def test_a_dot_of_vectors(axes: Any) -> None:
    config = {"axes": axes, "normalize": False}
    assert shape_of("QDot", config, (3,), (3,)) == (1,)
    assert read_layer("QDot", "it", {**IQS, **config}, 2)["axes"] == 1


@pytest.mark.parametrize(
    ("config", "left", "right", "reason"),
    [
        ({"axes": [2, 1]}, (2, 3), (3, 4), "axes is [2, 1] -> use QDot(axes=1) of two vectors, or"),
        ({"axes": True}, (3,), (3,), "axes is True"),
        ({"axes": 1, "normalize": True}, (3,), (3,), "normalize is True"),
        ({"axes": 1}, (3, 2), (3, 4), "a dot product of (3, 2) and (3, 4) -> use two vectors"),
        ({"axes": 1}, (3,), (4,), "a dot product of (3,) and (4,)"),
    ],
)
def test_dots_that_are_refused(
    config: dict[str, Any], left: Shape, right: Shape, reason: str
) -> None:
    assert reason in refusal("QDot", config, left, right).replace("\n    ", " ")


def test_each_tensor_has_a_quantizer_of_its_own() -> None:
    with pytest.raises(ModelError, match="iq_confs are not 2 quantizers"):
        read_layer("QEinsum", "it", {"equation": "ab,ab->ab", "iq_confs": [QUANTIZER]}, 2)


LEFT = Span(np.array([[2.0, 1.0], [0.0, 0.5]]), np.array([[1, 0], [NONE, 2]]))
RIGHT = Span(np.array([1.0, 2.0]), np.array([1, 0]))


def values(reach: float, fraction: int) -> list[float]:
    """Every number that an element can be."""
    steps = int(reach * 2.0 ** max(fraction, 0)) if reach else 0
    return [code / 2.0 ** max(fraction, 0) for code in range(-steps, steps + 1)]


def test_sums_reach_what_their_inputs_can_make_and_no_further() -> None:
    layer = SimpleNamespace(equation="ebc,ec->eb")
    found, bits = SPANS["QEinsum"](layer, [LEFT, RIGHT], (2,))
    for row in range(2):
        parts = [*zip(LEFT.reach[row], LEFT.fraction[row], strict=True)]
        parts += zip(RIGHT.reach, RIGHT.fraction, strict=True)
        made = [
            a * c + b * d for a, b, c, d in product(*(values(float(x), int(f)) for x, f in parts))
        ]
        assert max(map(abs, made)) == found.reach[row]
        steps = [number * 2.0 ** int(found.fraction[row]) for number in made]
        assert all(step == int(step) for step in steps)
    assert bits == found.bits == pytest.approx(np.log2(4 * 2**2))


def test_a_dot_is_an_einsum_of_vectors() -> None:
    row = Span(LEFT.reach[0], LEFT.fraction[0])
    found, bits = SPANS["QDot"](None, [row, RIGHT], (1,))
    assert (found.reach.tolist(), found.fraction.tolist()) == ([4.0], [2])
    assert bits == found.bits
