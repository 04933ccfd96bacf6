"""Small float networks and data sets for tests."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from trigger_ml.compress.dataset import Dataset, _arrays, _digest
from trigger_ml.compress.networks.network import DenseLayer, FloatNetwork, GlobalAverage, Layer
from trigger_ml.graph.types import FixedType


def chain(
    sizes: Sequence[int], seed: int = 1, tail: str = "softmax", particles: int = 0
) -> FloatNetwork:
    """Dense layers with a ReLU between them; a set network averages before its last layer."""
    random = np.random.default_rng(seed)
    layers: list[Layer] = []
    for number, (rows, columns) in enumerate(pairwise(sizes)):
        last = number == len(sizes) - 2
        if last and particles:
            layers.append(GlobalAverage("mean"))
        kernel = random.normal(size=(rows, columns)) * (2 / rows) ** 0.5
        bias = random.normal(size=columns) * 0.2
        layers.append(DenseLayer(f"fc{number}", kernel, bias, "linear" if last else "relu"))
    shape = (particles, sizes[0]) if particles else (sizes[0],)
    return FloatNetwork("small", shape, tuple(layers), tail, None)


def inputs(network: FloatNetwork, kind: FixedType, events: int, seed: int = 2) -> np.ndarray:
    """Events on the grid of a type."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(events, *network.input_shape))
    return kind.decode(kind.encode(values)).astype(np.float32)


def labelled(network: FloatNetwork, kind: FixedType, events: int, seed: int = 2) -> Dataset:
    """Events whose labels are drawn from what the network answers; a third for each side."""
    x = inputs(network, kind, 3 * events, seed)
    logits = 3 * network.logits(x)
    noise = np.random.default_rng(seed + 1).gumbel(size=logits.shape)
    if logits.shape[1] == 1:
        y = (logits[:, 0] + noise[:, 0] > 0.5).astype(np.int64)
    else:
        y = (logits + noise).argmax(axis=1)
    parts = [part for k in range(3) for part in (x[k::3], y[k::3])]
    data = Dataset(*parts, classes=(), source="test", digest="")
    return replace(data, digest=_digest(dict(_arrays(data)), ()))
