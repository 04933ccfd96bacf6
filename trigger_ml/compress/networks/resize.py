"""The same network with other sizes, its weights drawn anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from trigger_ml.compress.networks.network import DenseLayer, FloatNetwork, GlobalAverage
from trigger_ml.errors import Blocker, ConfigError

__all__ = ["resized"]


def resized(network: FloatNetwork, hidden: Sequence[int] | None, seed: int) -> FloatNetwork:
    """A network with hidden dense layers of these sizes; the network itself for None.

    Without an average over particles, the hidden layers are as many as there are sizes. With
    one, each hidden layer of the network keeps its place and gets its size.
    Weights are uniform with the variance of X. Glorot and Y. Bengio (AISTATS 2010), biases zero.
    Raises ConfigError for a number of sizes that does not fit.
    """
    if hidden is None:
        return network
    draw = np.random.default_rng(seed)
    channels = network.input_shape[-1]
    last = network.dense[-1]
    pooled = any(isinstance(layer, GlobalAverage) for layer in network.layers)
    if pooled and len(hidden) != len(network.dense) - 1:
        raise ConfigError(
            Blocker(
                "hgq.hidden",
                f"has {len(hidden)} sizes, the network has {len(network.dense) - 1} hidden layers "
                "around its average over particles",
                "give a size for each",
            )
        )
    order = network.layers[:-1] if pooled else tuple(_hidden_names(hidden))
    sizes = iter(hidden)
    layers: list[DenseLayer | GlobalAverage] = []
    for layer in order:
        if isinstance(layer, GlobalAverage):
            layers.append(layer)
            continue
        name = layer.name if isinstance(layer, DenseLayer) else layer
        units = next(sizes)
        layers.append(_drawn(name, channels, units, "relu", draw))
        channels = units
    layers.append(_drawn(last.name, channels, last.kernel.shape[1], last.activation, draw))
    return replace(network, layers=tuple(layers))


def _hidden_names(hidden: Sequence[int]) -> list[str]:
    return [f"hidden_{number}" for number in range(1, len(hidden) + 1)]


def _drawn(
    name: str, channels: int, units: int, activation: str, draw: np.random.Generator
) -> DenseLayer:
    reach = np.sqrt(6 / (channels + units))
    kernel = draw.uniform(-reach, reach, (channels, units))
    return DenseLayer(name, kernel, np.zeros(units), activation)
