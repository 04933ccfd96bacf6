"""Softmax in RTL: over any axis, with tables of signed types, and without a maximum."""

import numpy as np
import pytest

from tests.graph.test_softmax import SOURCE, graph, softmax
from trigger_ml.graph.interpreter import evaluate
from trigger_ml.graph.verify import verify
from trigger_ml.lower.rtl import trace_graph


@pytest.mark.parametrize("stable", [True, False])
@pytest.mark.parametrize(
    ("shape", "outer", "inner"), [((3,), 1, 1), ((2, 3), 2, 1), ((3, 2), 1, 2), ((2, 2), 1, 1)]
)
def test_slices(shape: tuple[int, ...], outer: int, inner: int, stable: bool) -> None:
    network = verify(graph(softmax(stable, outer=outer, inner=inner), shape))
    random = np.random.default_rng(4)
    size = int(np.prod(shape))
    codes = random.integers(SOURCE.min_code, SOURCE.max_code + 1, (4096, size))
    assert np.array_equal(trace_graph(network).predict(codes), evaluate(network, codes))


@pytest.mark.parametrize("inverse", ["ufixed<5,2,RND,SAT>", "ufixed<6,3,RND_CONV,WRAP>"])
@pytest.mark.parametrize("key", ["ufixed<5,3,RND_CONV,SAT>", "fixed<4,3,TRN,WRAP>"])
def test_types_within(key: str, inverse: str) -> None:
    network = verify(graph(softmax(key=key, inverse=inverse, scale=0.75), (4,)))
    random = np.random.default_rng(4)
    codes = random.integers(SOURCE.min_code, SOURCE.max_code + 1, (4096, 4))
    assert np.array_equal(trace_graph(network).predict(codes), evaluate(network, codes))
