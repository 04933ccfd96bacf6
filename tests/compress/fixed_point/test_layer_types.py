"""Types make a graph that computes exactly what the numbers say."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compress.small_networks import chain, inputs
from trigger_ml.compress.fixed_point.layer_types import (
    DenseTypes,
    LayerTypes,
    activation_type,
    fixed_graph,
    weight_codes,
)
from trigger_ml.compress.networks.network import DenseLayer, FloatNetwork
from trigger_ml.errors import ConfigError, ModelError
from trigger_ml.graph.interpreter import evaluate
from trigger_ml.graph.types import FixedType

GRID = FixedType.parse("fixed<6,3,RND_CONV,SAT>")


def types_for(
    network: FloatNetwork, weight: str, bias: str, width: int, integer: int
) -> LayerTypes:
    act = activation_type(width, integer, relu=True)
    return LayerTypes(
        GRID,
        {
            layer.name: DenseTypes(
                FixedType.parse(weight),
                FixedType.parse(bias),
                act if layer.activation == "relu" else None,
            )
            for layer in network.dense
        },
    )


def by_hand(network: FloatNetwork, types: LayerTypes, x: np.ndarray) -> np.ndarray:
    """The same in float64, which holds every number here exactly."""
    current = x.astype(np.float64)
    for layer in network.layers:
        if layer.name not in types.layers:
            current = current.mean(axis=1)
            continue
        own = types.layers[layer.name]
        kernel = own.weight.decode(weight_codes(layer.kernel, own.weight))
        bias = own.bias.decode(weight_codes(layer.bias, own.bias))
        current = current @ kernel + bias
        if own.activation is not None:
            step, top = own.activation.step, own.activation.max_code
            current = np.clip(np.rint(current / step), 0, top) * step
    return current.reshape(len(current), -1)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from(["fixed<4,1>", "fixed<7,2>", "fixed<3,-1>"]),
    st.sampled_from(["fixed<3,1>", "fixed<12,3>"]),
    st.integers(1, 8),
    st.integers(-1, 3),
    st.sampled_from([0, 4]),
)
def test_the_graph_is_exact(
    seed: int, weight: str, bias: str, width: int, integer: int, particles: int
) -> None:
    network = chain((4, 5, 3, 2), seed, particles=particles)
    types = types_for(network, weight, bias, width, integer)
    graph = fixed_graph(network, types)
    x = inputs(network, GRID, 200, seed)
    out = evaluate(graph, GRID.encode(x.reshape(200, -1)))
    assert np.array_equal(graph.output_nodes[0].type.decode(out), by_hand(network, types, x))


def test_no_input_overflows_a_sum() -> None:
    network = chain((2, 3, 2))
    types = types_for(network, "fixed<7,2>", "fixed<7,2>", 6, 2)
    graph = fixed_graph(network, types)
    codes = np.arange(GRID.min_code, GRID.max_code + 1)
    every = np.stack(np.meshgrid(codes, codes), axis=-1).reshape(-1, 2)
    found = graph.output_nodes[0].type.decode(evaluate(graph, every))
    assert np.array_equal(found, by_hand(network, types, GRID.decode(every)))


def test_types_survive_json() -> None:
    types = types_for(chain((2, 3, 2)), "fixed<7,2>", "fixed<7,2>", 6, 2)
    assert LayerTypes.from_json(json.loads(json.dumps(types.to_json()))) == types


def test_types_that_do_not_fit_are_all_told() -> None:
    network = chain((2, 3, 3, 2))
    good = types_for(network, "fixed<7,2>", "fixed<7,2>", 6, 2).layers
    layers = {
        "fc0": DenseTypes(FixedType(1, 1), FixedType(4, 1, signed=False), None),
        "fc2": DenseTypes(FixedType(4, 1), FixedType(4, 1), activation_type(6, 2, relu=True)),
        "fc9": good["fc0"],
    }
    with pytest.raises(ConfigError) as caught:
        fixed_graph(network, LayerTypes(GRID, layers))
    assert [(b.where, b.what) for b in caught.value.blockers] == [
        ("layer fc1", "has no types"),
        ("layer fc9", "is in the types and not in the network"),
        ("layer fc0", "the weight type fixed<1,1> is not signed with 2 bits or more"),
        ("layer fc0", "the bias type ufixed<4,1> is not signed with 2 bits or more"),
        ("layer fc0", "a ReLU needs an unsigned type, found None"),
        ("layer fc2", "a linear layer needs a signed type, found ufixed<6,2,RND_CONV,SAT>"),
    ]


def test_an_average_over_six_cannot_be_exact() -> None:
    network = chain((3, 4, 2), particles=6)
    types = types_for(network, "fixed<7,2>", "fixed<7,2>", 6, 2)
    with pytest.raises(ModelError, match="mean: an average over 6 is not exact in fixed point"):
        fixed_graph(network, types)


@pytest.mark.parametrize("kernel", [(-1.75, -1.75), (1.75, -1.75), (1.75, 1.75), (-2.0, 0.25)])
@pytest.mark.parametrize("bias", [-7.5, 0.0, 7.5])
@pytest.mark.parametrize("kind", ["fixed<3,3>", "ufixed<3,1>"])
def test_sums_are_as_wide_as_they_must_be(
    kernel: tuple[float, float], bias: float, kind: str
) -> None:
    grid = FixedType.parse(kind)
    layer = DenseLayer("fc0", np.array(kernel)[:, None], np.array([bias]), "linear")
    own = DenseTypes(FixedType.parse("fixed<4,2>"), FixedType.parse("fixed<6,4>"), None)
    network = FloatNetwork("one", (2,), (layer,), "", None)
    node = fixed_graph(network, LayerTypes(grid, {"fc0": own})).output_nodes[0]
    ends = grid.decode(np.array([grid.min_code, grid.max_code]))
    sums = [a * kernel[0] + b * kernel[1] + bias for a in ends for b in ends]
    codes = [int(np.ldexp(total, node.type.fraction)) for total in sums]
    assert node.type.min_code <= min(codes) and max(codes) <= node.type.max_code
    narrower = FixedType(node.type.width - 1, node.type.integer - 1)
    assert min(codes) < narrower.min_code or max(codes) > narrower.max_code
