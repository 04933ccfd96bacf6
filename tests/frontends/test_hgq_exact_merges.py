"""What joins need of float32, against every sum and product that their inputs can make."""

from itertools import product
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from trigger_ml.frontends.hgq_exact_merges import SPANS
from trigger_ml.frontends.hgq_spans import NONE, Span, input_span

FIRST = Span(np.array([4.0, 1.0, 0.0]), np.array([1, 3, NONE]))
SECOND = Span(np.array([2.0, 2.0, 1.0]), np.array([2, 0, 2]))
THIRD = Span(np.array([1.0, 4.0, 0.5]), np.array([0, 1, 2]))


def values(span: Span, place: int) -> list[float]:
    """Every number that an element can be."""
    reach, fraction = span.reach[place], int(span.fraction[place])
    if reach == 0:
        return [0.0]
    steps = int(reach * 2**fraction)
    return [code / 2**fraction for code in range(-steps, steps + 1)]


JOINS = {
    "QAdd": lambda numbers: sum(numbers),
    "Add": lambda numbers: sum(numbers),
    "QSubtract": lambda numbers: numbers[0] - sum(numbers[1:]),
    "QMultiply": lambda numbers: np.prod(numbers),
    "QMaximum": max,
    "QMinimum": min,
}


@pytest.mark.parametrize("kind", JOINS)
@pytest.mark.parametrize("spans", [(FIRST, SECOND), (SECOND, FIRST, THIRD)], ids=["two", "three"])
def test_a_join_reaches_what_its_inputs_can_make_and_no_further(
    kind: str, spans: tuple[Span, ...]
) -> None:
    if kind == "QSubtract" and len(spans) > 2:
        return
    found, bits = SPANS[kind](None, spans, (3,))
    for place in range(3):
        made = [JOINS[kind](x) for x in product(*(values(span, place) for span in spans))]
        largest = max(map(abs, made))
        assert largest <= found.reach[place]
        if "M" not in kind or kind == "QMultiply":
            assert largest == found.reach[place]
        scaled = [number * 2.0 ** max(int(found.fraction[place]), -60) for number in made]
        assert all(number == int(number) for number in scaled)
    assert bits == (0.0 if "Maximum" in kind or "Minimum" in kind else found.bits)


def test_a_mean_needs_the_bits_of_its_sum() -> None:
    spans = (FIRST, SECOND, THIRD, SECOND)
    total, bits = SPANS["QAdd"](None, spans, (3,))
    for kind in ("QAveragePow2", "Average"):
        found, worst = SPANS[kind](None, spans, (3,))
        assert worst == bits == total.bits
        assert np.array_equal(found.reach, total.reach / 4)
        assert np.array_equal(found.fraction, total.fraction + 2)


def test_places_that_are_renamed_keep_what_they_are() -> None:
    span = Span(np.arange(6.0).reshape(2, 3), np.arange(6).reshape(2, 3))
    flat, bits = SPANS["Flatten"](None, (span,), (6,))
    assert (flat.reach.tolist(), bits) == ([0, 1, 2, 3, 4, 5], 0.0)
    turned, _ = SPANS["Permute"](SimpleNamespace(dims=(2, 1)), (span,), (3, 2))
    assert turned.fraction.tolist() == [[0, 3], [1, 4], [2, 5]]
    joined, _ = SPANS["Concatenate"](None, (span, span), (2, 6))
    assert joined.reach.tolist() == [[0, 1, 2, 0, 1, 2], [3, 4, 5, 3, 4, 5]]


def quantizer(integer: Any, fraction: Any) -> Any:
    """What a quantizer of HGQ2 says of its widths."""
    sign = np.ones_like(np.asarray(integer))
    kif = tuple(np.asarray(part)[None] for part in (sign, integer, fraction))
    return SimpleNamespace(quantizer=SimpleNamespace(kif=kif))


def test_an_input_lies_on_the_finest_grid_of_all_that_read_it() -> None:
    fine = quantizer([0, 1, 0, 0], [5, 0, 1, 1])
    wide = quantizer([[3, 0], [0, 0]], [[-1, 0], [0, 0]])
    found = input_span([(fine, (4,)), (wide, (2, 2))], (4,))
    assert found.reach.tolist() == [8, 8, 8, 8]
    assert found.fraction.tolist() == [6, 6, 6, 6]
