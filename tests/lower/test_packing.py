from __future__ import annotations

import random
from collections.abc import Sequence
from fractions import Fraction

import pytest
from alkaid.codegen.rtl.verilog.io_map import gen_io_map
from alkaid.types import Precision

from trigger_ml.graph.types import FixedType
from trigger_ml.lower.packing import Element, Piece, connect, total_bits, unused_bits


def pack(elements: Sequence[Element], codes: Sequence[int]) -> int:
    word = low = 0
    for element, code in zip(elements, codes, strict=True):
        word |= (code & ((1 << element.width) - 1)) << low
        low += element.width
    return word


def unpack(elements: Sequence[Element], word: int) -> list[int]:
    codes = []
    for element in elements:
        code = word & ((1 << element.width) - 1)
        if element.signed and element.width and code >> (element.width - 1):
            code -= 1 << element.width
        codes.append(code)
        word >>= element.width
    return codes


def through(pieces: Sequence[Piece], word: int) -> int:
    out = 0
    for piece in pieces:
        if piece.source is None:
            continue
        if piece.repeat:
            bits = ((1 << piece.width) - 1) * ((word >> piece.source) & 1)
        else:
            bits = (word >> piece.source) & ((1 << piece.width) - 1)
        out |= bits << piece.low
    return out


def draw_element(draw: random.Random) -> Element:
    if draw.random() < 0.15:
        return Element(False, 0, 0)
    signed = draw.random() < 0.5
    integer = draw.randint(-3, 6)
    return Element(signed, integer, draw.randint(max(-4, 1 - integer - signed), 8 - integer))


def draw_code(draw: random.Random, element: Element) -> int:
    low = -(1 << (element.width - 1)) if element.signed and element.width else 0
    return draw.randint(low, low + (1 << element.width) - 1)


def value(element: Element, code: int) -> Fraction:
    return code * Fraction(2) ** -element.fraction


@pytest.mark.parametrize("seed", range(100))
def test_values_survive_where_they_fit(seed: int) -> None:
    draw = random.Random(seed)
    sources = [draw_element(draw) for _ in range(5)]
    sinks = [
        element
        if element.width == 0
        else Element(
            element.signed or draw.random() < 0.5,
            element.integer + draw.randint(0, 3),
            element.fraction + draw.randint(0, 3),
        )
        for element in sources
    ]
    assert all(a.fits(b) for a, b in zip(sources, sinks, strict=True))
    pieces = connect(sources, sinks)
    assert unused_bits(pieces, total_bits(sources)) == ()
    for _ in range(50):
        codes = [draw_code(draw, element) for element in sources]
        found = unpack(sinks, through(pieces, pack(sources, codes)))
        assert [value(e, c) for e, c in zip(sinks, found, strict=True)] == [
            value(e, c) for e, c in zip(sources, codes, strict=True)
        ]


@pytest.mark.parametrize("seed", range(100))
def test_bits_that_do_not_fit_are_dropped_as_a_wrapping_cast_does(seed: int) -> None:
    draw = random.Random(seed)
    sources = [draw_element(draw) for _ in range(4)]
    sinks = [draw_element(draw) for _ in range(4)]
    pieces = connect(sources, sinks)
    for _ in range(50):
        codes = [draw_code(draw, element) for element in sources]
        wanted = []
        for source, sink, code in zip(sources, sinks, codes, strict=True):
            shift = sink.fraction - source.fraction
            aligned = code << shift if shift >= 0 else code >> -shift
            wanted.append(aligned & ((1 << sink.width) - 1))
        assert through(pieces, pack(sources, codes)) == pack(sinks, wanted)


@pytest.mark.parametrize("seed", range(50))
def test_same_as_alkaid(seed: int) -> None:
    """alkaid's own map does the same where source and sink share a bit."""
    draw = random.Random(seed)
    sources: list[Element] = []
    sinks: list[Element] = []
    while len(sources) < 6:
        a, b = draw_element(draw), draw_element(draw)
        shared = min(a.integer + a.signed, b.integer + b.signed) + min(a.fraction, b.fraction)
        if a.width and b.width and shared > 0:
            sources.append(a)
            sinks.append(b)
    theirs, _ = gen_io_map([Precision(*e) for e in sources], [Precision(*e) for e in sinks])
    word = draw.getrandbits(total_bits(sources))
    out = 0
    for (low, end), (to_low, to_end) in theirs:
        width = to_end - to_low
        bits = 0 if low < 0 else (word >> low) & ((1 << (end - low)) - 1)
        if low >= 0 and end - low == 1 and width > 1:
            bits *= (1 << width) - 1
        out |= bits << to_low
    assert through(connect(sources, sinks), word) == out


def test_a_straight_connection_is_one_piece() -> None:
    elements = [Element(True, 5, 10)] * 16
    assert connect(elements, elements) == (Piece(0, 256, 0),)


def test_dead_elements_leave_a_gap() -> None:
    declared = [Element.of_type(FixedType(4, 2))] * 3
    pieces = connect(declared, [declared[0], Element(False, 0, 0), declared[2]])
    assert pieces == (Piece(0, 4, 0), Piece(4, 4, 8))
    assert unused_bits(pieces, 12) == ((4, 7),)


def test_a_dead_source_is_zero() -> None:
    assert connect([Element(True, 0, -1)], [Element(True, 2, 3)]) == (Piece(0, 6, None),)


@pytest.mark.parametrize(
    ("small", "large", "fits"),
    [
        (Element(False, 3, 2), Element(True, 3, 2), True),
        (Element(True, 3, 2), Element(False, 4, 2), False),
        (Element(True, 3, 2), Element(True, 2, 3), False),
        (Element(True, 3, 2), Element(True, 3, 1), False),
        (Element(False, 0, 0), Element(True, -2, 5), True),
        (Element(False, 4, -2), Element(False, 4, 0), True),
    ],
)
def test_fits(small: Element, large: Element, fits: bool) -> None:
    assert small.fits(large) is fits
