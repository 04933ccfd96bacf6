"""Depthwise and separable convolutions, written as plain ones for hls4ml.

Runs in the front-end process; the source model keeps its own layers. hls4ml 1.3 has depthwise
convolutions of one filter a channel alone. A depthwise convolution is a plain one whose kernel is
zero where channels would mix; what a kernel of zeros multiplies takes no logic. A separable
convolution is a depthwise one and then a plain one of one pixel: between the two nothing is
rounded, so it is the same sum.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.frontends.folding import Arrays, Entry
from trigger_ml.frontends.keras_convolutions import CONVOLUTIONS

__all__ = ["expanded_convolutions"]

MIXED: Final = "_mixed"
"""Appended to a separable convolution's name for its first half."""
WINDOW: Final = ("kernel_size", "strides", "padding", "data_format")


def expanded_convolutions(
    architecture: str, arrays: Arrays
) -> tuple[dict[str, tuple[Entry, ...]], Arrays]:
    """Plain convolutions in place of the others, by layer, and their weights.

    architecture: as Keras' JSON, its quantizers elementwise and zero at zero. arrays: weights of
    these layers at least.
    """
    changes: dict[str, tuple[Entry, ...]] = {}
    made: dict[str, list[NDArray[np.float32]]] = {}
    layers = json.loads(architecture)["config"]["layers"]
    taken = {str(item["config"]["name"]).lower() for item in layers}
    for item in layers:
        kind, config = item["class_name"], item["config"]
        known = CONVOLUTIONS.get(kind)
        if known is None or not known.depthwise:
            continue
        name, own = str(config["name"]), list(arrays[config["name"]])
        diagonal = _diagonal(own[0])
        if len(known.kernels) == 1:
            changes[name] = (Entry(name, "QConv2D", _plain(config, diagonal, own[1:])),)
            made[name] = [diagonal, *own[1:]]
            continue
        plain = f"QConv{known.axes}D"
        first = {**config, "activation": "linear", "use_bias": False}
        second = {
            **config,
            "kernel_size": [1] * known.axes,
            "strides": [1] * known.axes,
            "padding": "valid",
            "depthwise_quantizer": config["pointwise_quantizer"],
        }
        half = f"{name}{MIXED}"
        while half.lower() in taken:
            half += "_"
        taken.add(half.lower())
        changes[name] = (
            Entry(half, plain, _plain(first, diagonal, [])),
            Entry(name, plain, _plain(second, own[1], own[2:])),
        )
        made[half] = [diagonal]
        made[name] = own[1:]
    return changes, made


def _plain(
    config: Mapping[str, Any], kernel: NDArray[np.float32], bias: list[NDArray[np.float32]]
) -> dict[str, Any]:
    """Parameters of a plain convolution. config: of a layer with a depthwise_quantizer."""
    return {
        **{key: config[key] for key in WINDOW},
        "filters": int(kernel.shape[-1]),
        "kernel_quantizer": config["depthwise_quantizer"],
        "bias_quantizer": config["bias_quantizer"] if bias else None,
        "use_bias": bool(bias),
        "activation": config["activation"],
    }


def _diagonal(kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """The kernel (..., channels, filters a channel) as one of (..., channels, all filters)."""
    *window, channels, multiplier = kernel.shape
    wide = np.zeros((*window, channels, channels, multiplier), dtype=np.float32)
    every = np.arange(channels)
    wide[..., every, every, :] = kernel
    return wide.reshape(*window, channels, channels * multiplier)
