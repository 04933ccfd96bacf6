"""Softmax by two tables: against exact arithmetic, slice by slice, and what is wrong in a node."""

from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from trigger_ml.errors import ModelError
from trigger_ml.graph.hls4ml_softmax import OWN, read_softmax
from trigger_ml.graph.hls4ml_values import NO_PADDING, Reading
from trigger_ml.graph.interpreter import evaluate
from trigger_ml.graph.model import FixedGraph, Input, Node
from trigger_ml.graph.softmax_operation import Softmax
from trigger_ml.graph.tables import softmax_tables
from trigger_ml.graph.types import Codes, FixedType
from trigger_ml.graph.verify import verify

SOURCE, OUT = FixedType(6, 3), FixedType(14, 2, signed=False)
EXP = FixedType.parse("ufixed<8,1,RND_CONV,SAT>")
SUMS = FixedType(11, 4, signed=False)


def softmax(
    stable: bool = True,
    key: str = "fixed<6,4,RND,WRAP>",
    inverse: str = "fixed<6,3,RND,WRAP>",
    scale: float = 1.0,
    **places: Any,
) -> Softmax:
    kind, read = FixedType.parse(key) if stable else SOURCE, FixedType.parse(inverse)
    sign = -scale if stable else scale
    tables = softmax_tables(kind, 1 << kind.width, EXP, read, 1 << read.width, EXP, sign)
    return Softmax(kind, tables[0], EXP, SUMS, read, tables[1], EXP, **places, stable=stable)


def graph(operation: Softmax, shape: tuple[int, ...]) -> FixedGraph:
    nodes = (Node("x", Input(), (), shape, SOURCE), Node("y", operation, ("x",), shape, OUT))
    return FixedGraph("softmax", nodes, ("y",))


def by_hand(operation: Softmax, slice_codes: Codes) -> list[int]:
    """One slice in fractions, casts and tables alone left to the types."""
    values = [Fraction(int(code)) / 2**SOURCE.fraction for code in slice_codes]
    if operation.stable:
        values = [max(values) - value for value in values]
    kind = operation.difference_type
    keys = [kind.encode(np.array(float(value))).item() for value in values]
    entries = [int(operation.exp_table[key - kind.min_code]) for key in keys]
    total = Fraction(sum(entries), 2**EXP.fraction)
    read = operation.inverse_input_type
    code = read.encode(SUMS.decode(SUMS.encode(np.array(float(total))))).item()
    inverse = int(operation.inverse_table[code % (1 << read.width)])
    exact = [Fraction(entry * inverse, 2 ** (2 * EXP.fraction)) for entry in entries]
    return [OUT.encode(np.array(float(value))).item() for value in exact]


@pytest.mark.parametrize("stable", [True, False])
@pytest.mark.parametrize(
    ("shape", "outer", "inner"), [((5,), 1, 1), ((2, 3), 2, 1), ((2, 3), 1, 3), ((2, 3, 2), 2, 2)]
)
def test_every_slice_by_itself(
    shape: tuple[int, ...], outer: int, inner: int, stable: bool
) -> None:
    operation = softmax(stable, outer=outer, inner=inner)
    network = verify(graph(operation, shape))
    random = np.random.default_rng(2)
    size = int(np.prod(shape))
    codes = random.integers(SOURCE.min_code, SOURCE.max_code + 1, (50, size))
    made = evaluate(network, codes).reshape(50, outer, -1, inner)
    assert len(np.unique(made)) > 20
    for event, parts in enumerate(codes.reshape(50, outer, -1, inner)):
        for row in range(outer):
            for column in range(inner):
                expected = by_hand(operation, parts[row, :, column])
                assert made[event, row, :, column].tolist() == expected


def test_tables_of_types_with_a_sign_start_with_the_smallest_code() -> None:
    operation = softmax(scale=0.5)
    kind = operation.difference_type
    values = kind.decode(np.arange(kind.min_code, kind.max_code + 1))
    assert operation.exp_table.tolist() == EXP.encode(np.exp(-0.5 * values)).tolist()
    ones = EXP.decode(operation.inverse_table[[1, 8, 16]])
    assert ones.tolist() == [EXP.decode(np.array(EXP.max_code)), 1.0, 0.5]
    below = operation.inverse_table[32:]
    assert not below.any(), "1/x below zero is cut at zero"


@pytest.mark.parametrize(
    ("change", "shape", "text"),
    [
        ({"outer": 2}, (5,), "(5,) is not 2 x slices x 1"),
        ({"inner": 0}, (5,), "(5,) is not 1 x slices x 0"),
        ({"exp_table": np.zeros(8, np.int64)}, (5,), "needs 64 entries, found 8"),
        ({"inverse_table": np.zeros(6, np.int64)}, (5,), "6 entries, not a power of two"),
        ({"inverse_table": np.full(64, 999)}, (5,), "inverse table codes 0..999 do not fit"),
    ],
)
def test_what_is_wrong_with_a_node(
    change: dict[str, Any], shape: tuple[int, ...], text: str
) -> None:
    with pytest.raises(ModelError) as caught:
        verify(graph(replace(softmax(), **change), shape))
    assert text in str(caught.value)


class Layer:
    """An hls4ml layer, as far as it is asked."""

    name = "soft"

    def __init__(self, **attributes: Any) -> None:
        self.attributes = attributes

    def get_attr(self, key: str, default: Any = None) -> Any:
        return self.attributes.get(key, default)


def hls4ml_type(width: int, integer: int) -> Any:
    from hls4ml.model.types import FixedPrecisionType

    return SimpleNamespace(precision=FixedPrecisionType(width, integer, False, "RND_CONV", "SAT"))


@pytest.mark.parametrize("implementation", ["stable", "latency", "legacy"])
def test_read_from_hls4ml(implementation: str) -> None:
    layer = Layer(
        implementation=implementation,
        inp_norm_t=hls4ml_type(5, 3),
        exp_table_t=hls4ml_type(8, 1),
        accum_t=hls4ml_type(10, 3),
        inv_inp_t=hls4ml_type(6, 3),
        inv_table_t=hls4ml_type(8, 1),
        exp_table_size=1 << (5 if implementation == "stable" else 6),
        inv_table_size=64,
        exp_scale=0.25,
        n_outer=2,
        n_inner=3,
        **{OWN: True},
    )
    reads = [Reading(SOURCE, (2, 4, 3), NO_PADDING)]
    if implementation == "legacy":
        with pytest.raises(ModelError, match="softmax implementation legacy"):
            read_softmax(layer, reads, OUT)
        return
    operation, kind = read_softmax(layer, reads, OUT)
    assert isinstance(operation, Softmax) and kind == OUT
    assert operation.slices((2, 4, 3)) == (2, 4, 3) and operation.own
    if implementation == "stable":
        assert (len(operation.exp_table), operation.difference_type.width) == (32, 5)
        assert operation.exp_table[4] == round(np.exp(-0.25) * 128)
    else:
        assert operation.difference_type == SOURCE and not operation.stable
        assert operation.exp_table[32 - 8] == round(np.exp(-0.25) * 128)
