"""Architectures as Keras writes them, for tests that need no Keras."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trigger_ml.frontends.keras_files import checked_network
from trigger_ml.frontends.keras_network import KerasNetwork

__all__ = ["dense", "keras_input", "layer", "network", "quantizer"]

Item = dict[str, Any]


def keras_input(name: str, *shape: int) -> Item:
    """An input layer."""
    return layer("InputLayer", name, (), batch_input_shape=[None, *shape])


def layer(kind: str, name: str, reads: Sequence[str], **config: Any) -> Item:
    """A layer of Keras 2 that reads others."""
    nodes = [[[read, 0, 0, {}] for read in reads]] if reads else []
    return {
        "class_name": kind,
        "name": name,
        "config": {"name": name, **config},
        "inbound_nodes": nodes,
    }


def quantizer(name: str, read: str, text: str = "quantized_bits(6,2,alpha=1)") -> Item:
    """A QActivation."""
    return layer("QActivation", name, (read,), activation=text)


def dense(name: str, read: str, units: int, activation: str = "linear") -> Item:
    """A QDense."""
    bits = "quantized_bits(4,1,alpha=1)"
    options = {"kernel_quantizer": bits, "bias_quantizer": bits, "activation": activation}
    return layer("QDense", name, (read,), units=units, **options)


def network(
    items: Sequence[Item],
    inputs: Sequence[str] | None = None,
    outputs: Any = None,
    weights: Mapping[str, tuple[NDArray[np.float32], ...]] | None = None,
) -> KerasNetwork:
    """A checked network. inputs, outputs: names; those of Keras' own form are taken as they are."""
    config: dict[str, Any] = {"name": "net", "layers": list(items)}
    if inputs is not None:
        config["input_layers"] = [[name, 0, 0] for name in inputs]
    if outputs is not None:
        plain = isinstance(outputs, list | tuple) and all(isinstance(n, str) for n in outputs)
        config["output_layers"] = [[name, 0, 0] for name in outputs] if plain else outputs
    architecture = {"class_name": "Functional", "config": config}
    return checked_network(architecture, Path("net.h5"), "", lambda _layers: dict(weights or {}))
