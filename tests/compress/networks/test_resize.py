"""Networks of other sizes."""

import numpy as np
import pytest

from trigger_ml.compress.networks.network import DenseLayer, FloatNetwork, GlobalAverage
from trigger_ml.compress.networks.resize import resized
from trigger_ml.errors import ConfigError


def dense(name: str, inputs: int, units: int, activation: str = "relu") -> DenseLayer:
    return DenseLayer(name, np.ones((inputs, units)), np.zeros(units), activation)


FLAT = FloatNetwork(
    "flat", (16,), (dense("a", 16, 8), dense("b", 8, 8), dense("c", 8, 5, "linear")), "", None
)
SET = FloatNetwork(
    "set",
    (4, 3),
    (dense("a", 3, 8), GlobalAverage("mean"), dense("b", 8, 8), dense("c", 8, 5, "linear")),
    "softmax",
    None,
)


def sizes(network: FloatNetwork) -> list[tuple[int, ...]]:
    return [layer.kernel.shape for layer in network.dense]


def test_a_flat_network_may_have_another_number_of_layers() -> None:
    assert sizes(resized(FLAT, (32,), 1)) == [(16, 32), (32, 5)]
    assert sizes(resized(FLAT, (4, 6, 2), 1)) == [(16, 4), (4, 6), (6, 2), (2, 5)]
    assert sizes(resized(FLAT, (), 1)) == [(16, 5)]
    assert resized(FLAT, None, 1) is FLAT


def test_a_set_network_keeps_its_layers() -> None:
    found = resized(SET, (2, 6), 1)
    assert sizes(found) == [(3, 2), (2, 6), (6, 5)]
    assert [type(layer) for layer in found.layers] == [type(layer) for layer in SET.layers]
    assert found.logits(np.ones((7, 4, 3))).shape == (7, 5)
    with pytest.raises(ConfigError, match="has 1 sizes, the network has 2 hidden layers"):
        resized(SET, (2,), 1)


def test_weights_are_drawn_from_the_seed() -> None:
    one, same, other = (resized(FLAT, (32,), seed).dense[0].kernel for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert np.abs(one).max() <= np.sqrt(6 / 48)
