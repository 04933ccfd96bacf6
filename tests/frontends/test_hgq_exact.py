"""When float32 is enough: the bits that sums need, counted against exact arithmetic."""

from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trigger_ml.frontends import hgq_exact
from trigger_ml.frontends.hgq_calls import Call
from trigger_ml.frontends.hgq_spans import NONE, Span, contract, fraction_bits


@given(st.floats(-1e6, 1e6, width=32))
def test_fraction_bits_are_the_least_that_hold_a_value(value: float) -> None:
    found = int(fraction_bits(np.array([value]))[0])
    if value == 0:
        assert found == NONE
    else:
        assert Fraction(value) * Fraction(2) ** found == int(Fraction(value) * Fraction(2) ** found)
        half = Fraction(value) * Fraction(2) ** (found - 1)
        assert half.denominator == 2


@pytest.mark.parametrize(
    ("equation", "left", "right"),
    [
        ("c,cd->d", (4,), (4, 3)),
        ("nc,cd->nd", (5, 4), (4, 3)),
        ("nc,cd->dn", (5, 4), (4, 3)),
        ("nc,ncd->nd", (5, 4), (5, 4, 3)),
        ("nc,nm->mc", (5, 4), (5, 2)),
        ("nc,ncd->d", (5, 4), (5, 4, 3)),
    ],
)
def test_contract_is_einsum(equation: str, left: tuple[int, ...], right: tuple[int, ...]) -> None:
    random = np.random.default_rng(1)
    a, b = random.integers(-9, 9, left), random.integers(-9, 9, right)
    found = contract(equation, a, b, np.multiply, np.sum)
    assert np.array_equal(found, np.einsum(equation, a, b))


def test_bits_of_a_span_are_those_of_its_worst_element() -> None:
    span = Span(np.array([4.0, 1.0, 0.0]), np.array([3, 7, 50]))
    assert span.bits == 7
    assert Span(np.zeros(2), np.zeros(2, dtype=np.int64)).bits == 0


def layer(kind: str, name: str, **more: Any) -> Any:
    """A layer of HGQ2, as far as its sums go."""
    return type(kind, (), {"name": name, "enable_iq": False, "enable_oq": False, **more})()


def quantizer(name: str, integer: int, fraction: int) -> Any:
    kif = tuple(np.array([[part, part]]) for part in (1, integer, fraction))
    return layer("Quantizer", name, quantizer=SimpleNamespace(kif=kif))


def branches(
    monkeypatch: pytest.MonkeyPatch, left: Any, right: Any, sources: tuple[str, str]
) -> list[str]:
    """What is said of quantizers of two inputs of two elements, or of one, and of their sum."""
    shape = (2,)
    calls = [
        *(Call(layer("InputLayer", name), (), (), shape) for name in sorted({*sources})),
        Call(left, sources[:1], (shape,), shape),
        Call(right, sources[1:], (shape,), shape),
        Call(layer("QAdd", "total"), (left.name, right.name), (shape, shape), shape),
    ]
    monkeypatch.setattr(hgq_exact, "calls_of", lambda _model: calls)
    return [str(blocker.where) for blocker in hgq_exact.inexact_layers(None)]


def test_a_sum_is_as_wide_as_both_of_its_branches(monkeypatch: pytest.MonkeyPatch) -> None:
    fine, wide = quantizer("fine", 2, 12), quantizer("wide", 12, 1)
    assert branches(monkeypatch, fine, quantizer("narrow", 10, 1), ("x", "y")) == []
    assert branches(monkeypatch, fine, wide, ("x", "y")) == ["layer total"]
    assert branches(monkeypatch, wide, fine, ("x", "y")) == ["layer total"]


def test_a_quantizer_reads_an_input_as_fine_as_another_needs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    coarse = quantizer("coarse", 6, 0)
    assert branches(monkeypatch, coarse, quantizer("other", 6, 4), ("x", "x")) == []
    fine = quantizer("fine", 0, 18)
    assert branches(monkeypatch, coarse, fine, ("x", "y")) == ["layer total"]
    assert "layer coarse" in branches(monkeypatch, coarse, fine, ("x", "x"))
