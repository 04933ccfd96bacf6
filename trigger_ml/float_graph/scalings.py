"""Rescaling and Normalization of a float network, as the batch normalizations that they are.

Both are x * scale + shift with constants. As Keras has them in inference
(keras/src/layers/preprocessing/rescaling.py and normalization.py, version 3.15): Rescaling has
both in its parameters, and Normalization divides by the root of a variance, which is 1e-7 at
least.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.keras_images import layer_shapes
from trigger_ml.frontends.keras_network import KerasNetwork
from trigger_ml.frontends.keras_sizes import Shape
from trigger_ml.frontends.model_file import Layer

__all__ = ["SCALINGS", "read_scaling", "without_scalings"]

SCALINGS: Final = ("Normalization", "Rescaling")
SMALLEST: Final = 1e-7
"""Least divisor: keras.config.epsilon(), which no file says."""

Array = NDArray[np.float64]


def read_scaling(kind: str, name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that matter, in Keras' own terms. Raises ModelError."""
    where = f"layer {name}"
    if kind == "Rescaling":
        known = {"scale": config.get("scale", 1.0), "offset": config.get("offset", 0.0)}
        return {"name": name, **{key: _numbers(where, key, known[key]) for key in known}}
    axis = config.get("axis", -1)
    axes = [] if axis is None else [axis] if isinstance(axis, int) else list(axis)
    if len(axes) > 1 or not all(isinstance(item, int) for item in axes):
        what = f"has constants for the places of axes {axis}"
        raise ModelError(Blocker(where, what, "use axis=-1, the last one, or axis=None"))
    constants = {
        key: None if config.get(key) is None else _numbers(where, key, config[key])
        for key in ("mean", "variance")
    }
    invert = bool(config.get("invert"))
    return {"name": name, "axis": axes[0] if axes else None, "invert": invert, **constants}


def _numbers(where: str, key: str, value: Any) -> Array:
    if isinstance(value, Mapping):
        value = value.get("config", {}).get("value")
    try:
        numbers = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        numbers = np.array(np.nan)
    if not np.isfinite(numbers).all():
        what = f"its {key} is no number, and no list of numbers"
        raise ModelError(Blocker(where, what, "save the model again"))
    return numbers


def without_scalings(network: KerasNetwork) -> KerasNetwork:
    """The network with a BatchNormalization in the place of each.

    Raises ModelError where constants do not fit what they scale.
    """
    if not any(layer.kind in SCALINGS for layer in network.layers):
        return network
    shapes, _ = layer_shapes(network.layers)
    weights, layers = dict(network.weights), []
    blockers: list[Blocker] = []
    for layer in network.layers:
        if layer.kind not in SCALINGS or layer.name not in shapes:
            layers.append(layer)
            continue
        try:
            constants = _constants(layer, shapes[layer.name], network.weights.get(layer.name, ()))
        except ModelError as error:
            blockers += error.blockers
            continue
        channels = len(constants[0])
        arrays = (*constants, np.zeros(channels), np.ones(channels))
        weights[layer.name] = tuple(values.astype(np.float32) for values in arrays)
        options = {"axis": -1, "epsilon": 0.0, "center": True, "scale": True, "dtype": "float32"}
        layers.append(
            replace(layer, kind="BatchNormalization", config={"name": layer.name, **options})
        )
    if blockers:
        raise ModelError(blockers)
    return replace(network, layers=tuple(layers), weights=weights)


def _constants(
    layer: Layer, shape: Shape, stored: Sequence[NDArray[np.float32]]
) -> tuple[Array, Array]:
    """Scale and shift of each channel. Raises ModelError."""
    config, where = layer.config, f"layer {layer.name}"
    if layer.kind == "Rescaling":
        scale, shift = config["scale"], config["offset"]
    else:
        if config["axis"] not in (None, -1, len(shape)):
            what = f"has constants for the places of axis {config['axis']}, not of the last one"
            raise ModelError(Blocker(where, what, "use axis=-1"))
        mean, variance = config["mean"], config["variance"]
        if mean is None or variance is None:
            if len(stored) < 2:
                what = "has no mean and no variance"
                raise ModelError(Blocker(where, what, "call its adapt with events, save again"))
            mean, variance = (values.astype(np.float64) for values in stored[:2])
        if (variance < 0).any():
            raise ModelError(Blocker(where, "its variance is negative", "adapt it again"))
        root = np.maximum(np.sqrt(variance), SMALLEST)
        scale, shift = (root, mean) if config["invert"] else (1 / root, -mean / root)
    try:
        flat = [np.broadcast_to(np.squeeze(values), shape[-1:]) for values in (scale, shift)]
    except ValueError as error:
        what = f"has constants of shapes {scale.shape} and {shift.shape} for {shape[-1]} channels"
        raise ModelError(Blocker(where, what, "give one for each channel, or one")) from error
    return flat[0].astype(np.float64), flat[1].astype(np.float64)
