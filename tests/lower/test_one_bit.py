"""Casts into types of one bit, element by element, against the graph's own rules."""

import numpy as np
import pytest

from trigger_ml.graph.interpreter import evaluate
from trigger_ml.graph.model import FixedGraph, Input, Lookup, Node, Quantize, frozen_codes
from trigger_ml.graph.types import FixedType
from trigger_ml.graph.verify import verify
from trigger_ml.lower.rtl import trace_graph


@pytest.mark.parametrize("source", ["fixed<6,3>", "ufixed<5,2>", "fixed<4,-1>", "fixed<5,7>"])
@pytest.mark.parametrize("rounding", ["TRN", "RND", "RND_CONV"])
@pytest.mark.parametrize("overflow", ["WRAP", "SAT", "SAT_SYM"])
@pytest.mark.parametrize("one", ["fixed<1,1", "fixed<1,3", "fixed<1,-2", "ufixed<1,1"])
def test_a_cast_into_one_bit(source: str, rounding: str, overflow: str, one: str) -> None:
    kind, bit = FixedType.parse(source), FixedType.parse(f"{one},{rounding},{overflow}>")
    table = Lookup("levels", frozen_codes(np.array([-1, 1])))
    size = 1 + (overflow == "SAT_SYM" and bit.signed)
    nodes = [
        Node("x", Input(), (), (1,), kind),
        Node("bit", Quantize(), ("x",), (1,), bit),
    ]
    if size == 1:
        nodes.append(Node("y", table, ("bit",), (1,), FixedType(2, 2)))
    graph = verify(FixedGraph("one", tuple(nodes), (nodes[-1].name,)))
    codes = np.arange(kind.min_code, kind.max_code + 1)[:, None]
    assert np.array_equal(trace_graph(graph).predict(codes), evaluate(graph, codes))
