"""A scale and a bias for each channel, against plain fractions and in alkaid."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.graph.networks import small_types
from tests.graph.test_merges import cast, values
from trigger_ml.errors import ModelError
from trigger_ml.graph.interpreter import evaluate
from trigger_ml.graph.model import FixedGraph, Input, Node, frozen_codes
from trigger_ml.graph.scale_operation import Scale
from trigger_ml.graph.types import FixedType
from trigger_ml.graph.verify import verify
from trigger_ml.lower.rtl import trace_graph


def drawn(seed: int, kinds: tuple[FixedType, FixedType], shape: tuple[int, ...]) -> Scale:
    random = np.random.default_rng(seed)
    codes = [
        frozen_codes(random.integers(kind.min_code, kind.max_code + 1, shape[-1])) for kind in kinds
    ]
    return Scale(codes[0], kinds[0], codes[1], kinds[1])


def network(
    operation: Scale, source: FixedType, out: FixedType, shape: tuple[int, ...]
) -> FixedGraph:
    nodes = (
        Node("x", Input(), (), shape, source),
        Node("bn", operation, ("x",), shape, out),
    )
    return FixedGraph("net", nodes, ("bn",))


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(0, 2**32 - 1), st.sampled_from([(3,), (2, 2, 3)]))
def test_scales_of_any_types(data: st.DataObject, seed: int, shape: tuple[int, ...]) -> None:
    source, scale, bias, out = (data.draw(small_types()) for _ in range(4))
    operation = drawn(seed, (scale, bias), shape)
    graph = verify(network(operation, source, out, shape))
    random = np.random.default_rng(seed)
    codes = random.integers(source.min_code, source.max_code + 1, (50, graph.input_size))
    codes[0], codes[1] = source.min_code, source.max_code
    made = evaluate(graph, codes)
    scales = values(operation.scale, scale)
    biases = values(operation.bias, bias)
    for row in (0, 1, 2):
        exact = [
            cast(value * scales[at % 3] + biases[at % 3], out)
            for at, value in enumerate(values(codes[row], source))
        ]
        assert values(made[row], out) == exact
    assert np.array_equal(trace_graph(graph).predict(codes), made)
    assert FixedGraph.from_json(graph.to_json()).digest == graph.digest


def test_what_no_scale_is() -> None:
    kind = FixedType(6, 3)
    operation = drawn(0, (kind, kind), (3,))
    good = network(operation, kind, kind, (3,))
    verify(good)
    for broken, said in (
        (replace(operation, scale=operation.scale[:2]), "do not fit"),
        (replace(operation, bias=frozen_codes(np.full(3, 99))), "bias codes 99..99 do not fit"),
        (replace(operation, scale_type=FixedType(62, 60)), "do not fit 62"),
    ):
        with pytest.raises(ModelError, match=said):
            verify(network(broken, kind, kind, (3,)))
