"""Products of two tensors in float models: where quantizers stand, and what comes out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.float_graph.networks import Model, draw
from tests.frontends.keras_json import Item, keras_input, layer
from trigger_ml.float_graph.network import simplified
from trigger_ml.float_graph.quantized import Types, places, quantized
from trigger_ml.frontends.direct import direct_graph
from trigger_ml.frontends.keras_network import KerasNetwork
from trigger_ml.graph.einsum_operation import Einsum
from trigger_ml.graph.interpreter import evaluate
from trigger_ml.graph.types import FixedType

EVENTS = 200
BITS = 16


def read(product: Item) -> tuple[KerasNetwork, Any]:
    kernels = draw(1, 2, 3), draw(2, 4, 2)
    items = [
        keras_input("x", 2, 2),
        keras_input("z", 3, 2),
        layer("Dense", "mix", ("x",), units=3, use_bias=False, activation="linear"),
        product,
        layer("Flatten", "flat", ("product",)),
        layer("Dense", "out", ("flat",), units=2, use_bias=False, activation="linear"),
    ]
    weights = {name: (kernel,) for name, kernel in zip(("mix", "out"), kernels, strict=True)}
    return simplified(Model(items, weights).read()), kernels


@pytest.mark.parametrize(
    "product",
    [
        layer("Einsum", "product", ("mix", "z"), subscripts="eij,ejk->eik"),
        layer("Matmul", "product", ("mix", "z")),
        layer("Dot", "product", ("mix", "z"), axes=[2, 1], normalize=False),
    ],
)
def test_a_product_gets_types_from_events(product: Item) -> None:
    network, (mix, out) = read(product)
    most = {place.tensor: place.most_bits for place in places(network)}
    assert most["mix"] == 10 and most["product"] > 10
    kinds = {name: FixedType(min(bits, BITS), 5) for name, bits in most.items()}
    inputs = {"x": FixedType(10, 4), "z": FixedType(10, 4)}
    graph = direct_graph(quantized(network, Types(inputs, kinds, 10)), None).graph
    assert sum(isinstance(node.operation, Einsum) for node in graph.nodes) == 1
    random = np.random.default_rng(3)
    x, z = random.normal(0, 1, (EVENTS, 2, 2)), random.normal(0, 1, (EVENTS, 3, 2))
    rows = np.concatenate([x.reshape(EVENTS, -1), z.reshape(EVENTS, -1)], axis=1)
    codes = inputs["x"].encode(rows)
    got = graph.output_types[0].decode(evaluate(graph, codes))
    wanted = (x @ mix @ z).reshape(EVENTS, -1) @ out
    assert np.abs(got - wanted).max() < 0.25
    assert np.corrcoef(got.ravel(), wanted.ravel())[0, 1] > 0.999
