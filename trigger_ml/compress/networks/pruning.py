"""Smaller networks before any quantization: fewer inputs, fewer neurons, fewer weights.

What is removed is replaced by its mean on the data, which goes into the bias behind it: exact
where it never varies, the best constant otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from trigger_ml.compress.fixed_point.curvature import is_binary
from trigger_ml.compress.networks.network import DenseLayer, FloatNetwork, Layer
from trigger_ml.errors import Blocker, ConfigError

__all__ = [
    "PrunedFeatures",
    "PrunedNeurons",
    "apply_masks",
    "input_relevance",
    "magnitude_masks",
    "prune_features",
    "prune_neurons",
]

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class PrunedFeatures:
    """A network that takes fewer input features.

    kept: which of the old features it takes, in order. relevance: of every old one.
    """

    network: FloatNetwork
    kept: tuple[int, ...]
    relevance: Values


@dataclass(frozen=True, slots=True, eq=False)
class PrunedNeurons:
    """A network with fewer neurons. kept: by hidden layer, which of the old ones are left."""

    network: FloatNetwork
    kept: Mapping[str, tuple[int, ...]]


def input_relevance(
    network: FloatNetwork, values: NDArray[Any], labels: NDArray[np.int64]
) -> Values:
    """How much the loss depends on every input feature: mean of |dL/dx (x - mean of x)|.

    That is the first-order change of an event's loss when the feature is replaced by its mean
    (the criterion of P. Molchanov et al., arXiv:1611.06440, for inputs), so a feature that never
    varies has none. L is the cross entropy. values: shape (events, *input_shape). labels: class
    numbers, shape (events,), or 0 and 1 for every output. Returns shape (features,), summed over
    the particles of an event.
    """
    inputs = np.asarray(values, dtype=np.float64).reshape(-1, *network.input_shape)
    slopes = _loss_slopes(network, inputs, labels)
    features = network.input_shape[-1]
    mean = inputs.reshape(-1, features).mean(axis=0)
    change = np.abs(slopes * (inputs - mean))
    return np.asarray(change.reshape(len(inputs), -1, features).sum(axis=1).mean(axis=0))


def prune_features(
    network: FloatNetwork, values: NDArray[Any], labels: NDArray[np.int64], keep: int
) -> PrunedFeatures:
    """Keep the most relevant input features (see :func:`input_relevance`).

    keep: how many. The features of a set of particles are those of each particle.
    Raises ConfigError for a number that the network does not have.
    """
    features = network.input_shape[-1]
    if not 1 <= keep <= features:
        raise ConfigError(Blocker("keep", f"{keep} of {features} features", "keep 1 or more"))
    if not isinstance(network.layers[0], DenseLayer):
        raise ConfigError(
            Blocker(f"layer {network.layers[0].name}", "its inputs have no weights to take away")
        )
    relevance = input_relevance(network, values, labels)
    kept = np.sort(np.argsort(-relevance, kind="stable")[:keep])
    mean = np.asarray(values, dtype=np.float64).reshape(-1, features).mean(axis=0)
    first = _without_inputs(network.layers[0], kept, mean)
    shape = (*network.input_shape[:-1], keep)
    smaller = replace(network, input_shape=shape, layers=(first, *network.layers[1:]))
    return PrunedFeatures(smaller, tuple(int(index) for index in kept), relevance)


def prune_neurons(network: FloatNetwork, values: NDArray[Any], keep: float) -> PrunedNeurons:
    """Keep a share of every hidden layer's neurons, and none that never varies on the data.

    A neuron counts by the spread of what it says times the norm of the weights that hear it: by
    how much it moves the next layer. values: shape (events, *input_shape). keep: share, rounded
    up. Layers are pruned in order, each on what those before it then say.
    Raises ConfigError for a share that leaves nothing.
    """
    if not 0 < keep <= 1:
        raise ConfigError(Blocker("keep", f"a share of {keep:g}", "keep more than 0, up to 1"))
    kept: dict[str, tuple[int, ...]] = {}
    places = [k for k, item in enumerate(network.layers) if isinstance(item, DenseLayer)]
    for here, there in pairwise(places):
        layers = list(network.layers)
        heard = network.activations(values)[layers[there - 1].name]
        said = heard.reshape(-1, heard.shape[-1])
        layer, following = layers[here], layers[there]
        assert isinstance(layer, DenseLayer) and isinstance(following, DenseLayer)
        chosen = _strongest(said.std(axis=0), following.kernel, keep)
        layers[here] = replace(layer, kernel=layer.kernel[:, chosen], bias=layer.bias[chosen])
        layers[there] = _without_inputs(following, chosen, said.mean(axis=0))
        network = replace(network, layers=tuple(layers))
        kept[layer.name] = tuple(int(index) for index in chosen)
    return PrunedNeurons(network, kept)


def _strongest(spread: Values, kernel: Values, keep: float) -> NDArray[np.intp]:
    score = spread * np.linalg.norm(kernel, axis=1)
    order = np.argsort(-score, kind="stable")[: ceil(keep * len(score))]
    alive = order[score[order] > 0]
    return np.sort(alive if alive.size else order[:1])


def _without_inputs(layer: DenseLayer, kept: NDArray[np.intp], mean: Values) -> DenseLayer:
    """The layer on some of its inputs, the others standing at their mean."""
    gone = np.setdiff1d(np.arange(len(layer.kernel)), kept)
    bias = layer.bias + mean[gone] @ layer.kernel[gone]
    return replace(layer, kernel=layer.kernel[kept], bias=bias)


def _loss_slopes(network: FloatNetwork, inputs: Values, labels: NDArray[np.int64]) -> Values:
    """Derivative of each event's loss by its inputs, shape of the inputs."""
    logits = network.logits(inputs)
    if is_binary(network) or labels.ndim == 2:
        slopes = expit(logits) - labels.reshape(logits.shape)
    else:
        slopes = softmax(logits, axis=1) - np.eye(logits.shape[1])[labels]
    said = network.activations(inputs)
    slopes = slopes.reshape(said[network.layers[-1].name].shape)
    for number in reversed(range(len(network.layers))):
        layer = network.layers[number]
        if isinstance(layer, DenseLayer):
            if layer.activation == "relu":
                slopes = slopes * (said[layer.name] > 0)
            slopes = slopes @ layer.kernel.T
        else:
            shape = said[network.layers[number - 1].name].shape if number else inputs.shape
            slopes = np.broadcast_to(slopes[:, None, :] / shape[1], shape)
    return np.asarray(slopes)


def magnitude_masks(
    network: FloatNetwork,
    sparsity: float | Mapping[str, float],
    scope: Literal["global", "layer"] = "layer",
) -> dict[str, NDArray[np.bool_]]:
    """Which weights stay when the smallest go, by layer; biases stay.

    sparsity: share of zeros: of all weights together (scope "global"), of every layer's, or by
    layer, those that are not named keeping all theirs. Exactly round(share x weights) go.
    Raises ConfigError for shares outside 0 to 1 and names that are not there.
    """
    kernels = {layer.name: layer.kernel for layer in network.dense}
    shares = sparsity if isinstance(sparsity, Mapping) else dict.fromkeys(kernels, sparsity)
    blockers = [
        Blocker(f"sparsity.{name}", f"{share:g} for {name}", "name a layer and a share from 0 to 1")
        for name, share in shares.items()
        if name not in kernels or not 0 <= share <= 1
    ]
    if isinstance(sparsity, Mapping) and scope == "global":
        blockers.append(Blocker("sparsity", "shares by layer are not global", "give one number"))
    if blockers:
        raise ConfigError(blockers)
    if scope == "layer":
        return {name: _largest(kernel, shares.get(name, 0.0)) for name, kernel in kernels.items()}
    flat = np.concatenate([kernel.ravel() for kernel in kernels.values()])
    masks = _largest(flat, float(next(iter(shares.values()))))
    ends = np.cumsum([kernel.size for kernel in kernels.values()])[:-1]
    parts = np.split(masks, ends)
    return {
        name: part.reshape(kernel.shape)
        for (name, kernel), part in zip(kernels.items(), parts, strict=True)
    }


def _largest(kernel: Values, sparsity: float) -> NDArray[np.bool_]:
    mask = np.ones(kernel.size, dtype=np.bool_)
    gone = round(sparsity * kernel.size)
    mask[np.argsort(np.abs(kernel), axis=None, kind="stable")[:gone]] = False
    return mask.reshape(kernel.shape)


def apply_masks(network: FloatNetwork, masks: Mapping[str, NDArray[np.bool_]]) -> FloatNetwork:
    """The network with zeros where a mask is False; a layer without a mask stays as it is."""
    layers: list[Layer] = [
        replace(layer, kernel=layer.kernel * masks[layer.name])
        if isinstance(layer, DenseLayer) and layer.name in masks
        else layer
        for layer in network.layers
    ]
    return replace(network, layers=tuple(layers))
