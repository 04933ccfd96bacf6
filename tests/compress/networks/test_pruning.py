"""Fewer inputs, neurons and weights."""

from dataclasses import replace

import numpy as np
import pytest

from tests.compress.small_networks import chain
from trigger_ml.compress.networks.network import DenseLayer, FloatNetwork
from trigger_ml.compress.networks.pruning import (
    apply_masks,
    input_relevance,
    magnitude_masks,
    prune_features,
    prune_neurons,
)
from trigger_ml.errors import ConfigError


def loss(network: FloatNetwork, x: np.ndarray, y: np.ndarray, binary: bool) -> np.ndarray:
    logits = network.logits(x)
    if binary:
        return np.logaddexp(0, logits[:, 0]) - y * logits[:, 0]
    return np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(y)), y]


@pytest.mark.parametrize("particles", [0, 4])
@pytest.mark.parametrize("outputs", [1, 3])
def test_relevance_is_that_of_finite_differences(particles: int, outputs: int) -> None:
    network = chain((5, 6, 4, outputs), particles=particles)
    random = np.random.default_rng(1)
    x = random.normal(size=(300, *network.input_shape)) + 0.5
    y = random.integers(0, max(outputs, 2), 300)
    step, expected = 1e-6, np.zeros(5)
    mean = x.reshape(-1, 5).mean(axis=0)
    for place in np.ndindex(network.input_shape):
        up, down = x.copy(), x.copy()
        up[(slice(None), *place)] += step
        down[(slice(None), *place)] -= step
        slope = (loss(network, up, y, outputs == 1) - loss(network, down, y, outputs == 1)) / 2e-6
        expected[place[-1]] += np.abs(slope * (x[(slice(None), *place)] - mean[place[-1]])).mean()
    np.testing.assert_allclose(input_relevance(network, x, y), expected, rtol=2e-3)


def test_features_that_do_nothing_go_first() -> None:
    network = chain((6, 8, 3))
    first = network.dense[0]
    kernel = first.kernel.copy()
    kernel[[1, 4]] = 0
    network = replace(network, layers=(replace(first, kernel=kernel), *network.layers[1:]))
    random = np.random.default_rng(2)
    x = random.normal(size=(500, 6))
    x[:, 2] = 1.75
    y = network.logits(x).argmax(axis=1)
    pruned = prune_features(network, x, y, keep=3)
    assert not {1, 2, 4} & set(pruned.kept) and len(pruned.kept) == 3
    three = prune_features(network, x, y, keep=3).relevance
    assert three[[1, 2, 4]].tolist() == [0.0, 0.0, 0.0]
    exact = prune_features(network, x, y, keep=3)
    assert exact.network.input_shape == (3,) and exact.network.dense[0].kernel.shape == (3, 8)
    np.testing.assert_allclose(
        exact.network.logits(x[:, exact.kept]), network.logits(x), atol=1e-12
    )


def test_features_of_a_set_are_the_last_axis() -> None:
    network = chain((5, 6, 4, 2), particles=3)
    x = np.random.default_rng(3).normal(size=(200, 3, 5))
    x[..., 0] = -2.0
    pruned = prune_features(network, x, network.logits(x).argmax(axis=1), keep=4)
    assert pruned.kept == (1, 2, 3, 4) and pruned.network.input_shape == (3, 4)
    np.testing.assert_allclose(
        pruned.network.logits(x[..., list(pruned.kept)]), network.logits(x), atol=1e-12
    )


@pytest.mark.parametrize("keep", [0, 7])
def test_a_number_of_features_that_is_not_there(keep: int) -> None:
    network = chain((6, 8, 3))
    with pytest.raises(ConfigError, match=f"{keep} of 6 features"):
        prune_features(network, np.zeros((4, 6)), np.zeros(4, dtype=np.int64), keep)


@pytest.mark.parametrize("particles", [0, 4])
def test_constant_neurons_go_without_a_trace(particles: int) -> None:
    network = chain((4, 6, 5, 2), particles=particles)
    first, second = network.dense[:2]
    kernel, bias = first.kernel.copy(), first.bias.copy()
    kernel[:, [0, 3]] = 0
    bias[[0, 3]] = [1.5, -2.0]
    dead = second.bias.copy()
    dead[1] = -1e6
    layers = (replace(first, kernel=kernel, bias=bias), replace(second, bias=dead))
    network = replace(network, layers=(*layers, *network.layers[2:]))
    x = np.random.default_rng(4).normal(size=(300, *network.input_shape))
    pruned = prune_neurons(network, x, keep=1.0)
    assert pruned.kept == {"fc0": (1, 2, 4, 5), "fc1": (0, 2, 3, 4)}
    assert [layer.kernel.shape for layer in pruned.network.dense] == [(4, 4), (4, 4), (4, 2)]
    np.testing.assert_allclose(pruned.network.logits(x), network.logits(x), atol=1e-10)


def test_the_neurons_that_move_the_next_layer_stay() -> None:
    network = chain((4, 10, 3))
    first, last = network.dense
    quiet = last.kernel.copy()
    quiet[[2, 5, 7]] *= 1e-4
    network = replace(network, layers=(first, replace(last, kernel=quiet)))
    x = np.random.default_rng(5).normal(size=(500, 4))
    pruned = prune_neurons(network, x, keep=0.7)
    assert pruned.kept["fc0"] == (0, 1, 3, 4, 6, 8, 9)
    change = pruned.network.logits(x) - network.logits(x)
    assert np.abs(change).max() < 1e-3
    np.testing.assert_allclose(change.mean(axis=0), 0, atol=1e-12)


@pytest.mark.parametrize("keep", [0.0, 1.2])
def test_a_share_of_neurons_that_makes_no_sense(keep: float) -> None:
    with pytest.raises(ConfigError, match="keep more than 0, up to 1"):
        prune_neurons(chain((4, 5, 2)), np.zeros((3, 4)), keep)


def test_masks_take_the_smallest() -> None:
    network = chain((4, 10, 3))
    masks = magnitude_masks(network, 0.35)
    assert [int((~mask).sum()) for mask in masks.values()] == [14, 10]
    kept = apply_masks(network, masks)
    for before, after in zip(network.dense, kept.dense, strict=True):
        gone = after.kernel == 0
        assert np.abs(before.kernel[gone]).max() <= np.abs(after.kernel[~gone]).min()
        assert np.array_equal(before.bias, after.bias)
    large = replace(network.dense[1], kernel=network.dense[1].kernel * 100)
    lopsided = replace(network, layers=(network.dense[0], large))
    masks = magnitude_masks(lopsided, 0.5, scope="global")
    assert (
        int((~masks["fc0"]).sum())
        > 30
        > int((~masks["fc1"]).sum())
        == 35 - int((~masks["fc0"]).sum())
    )
    assert int((~magnitude_masks(network, {"fc1": 0.5})["fc1"]).sum()) == 15
    assert magnitude_masks(network, {"fc1": 0.5})["fc0"].all()


def test_masks_that_make_no_sense() -> None:
    network = chain((4, 10, 3))
    with pytest.raises(ConfigError) as caught:
        magnitude_masks(network, {"fc7": 0.5, "fc0": 1.5}, scope="global")
    assert [b.where for b in caught.value.blockers] == ["sparsity.fc7", "sparsity.fc0", "sparsity"]
    assert isinstance(network.layers[0], DenseLayer)
