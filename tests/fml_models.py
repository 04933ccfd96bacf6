"""Small networks of floats, converted by hls4ml by default and saved as ``.fml``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["convolution", "dense_relu", "dense_softmax", "merged", "narrow", "save_fml"]


def save_fml(
    model: Any,
    path: Path,
    *,
    granularity: str = "name",
    change: Callable[[dict[str, Any]], None] | None = None,
    **options: Any,
) -> None:
    """Convert a model of Keras 2 and save the graph. change: made to hls4ml's configuration."""
    import hls4ml

    options = {"backend": "Vitis", "io_type": "io_parallel"} | options
    backend = options["backend"]
    choice = hls4ml.utils.config_from_keras_model(model, granularity=granularity, backend=backend)
    if change is not None:
        change(choice)
    project = hls4ml.converters.convert_from_keras_model(
        model, hls_config=choice, output_dir="saved_project", project_name="saved", **options
    )
    project.save(path)


def dense_relu() -> Any:
    """5 features, two dense layers."""
    layers = _keras().layers
    start = layers.Input((5,), name="features")
    hidden = layers.Dense(6, activation="relu", name="fc1")(start)
    return _random(start, layers.Dense(3, name="fc2")(hidden))


def dense_softmax() -> Any:
    """4 features, two dense layers, a softmax."""
    layers = _keras().layers
    start = layers.Input((4,), name="features")
    hidden = layers.Dense(5, activation="relu", name="fc1")(start)
    return _random(start, layers.Dense(3, activation="softmax", name="fc2")(hidden))


def merged() -> Any:
    """Normalizations, LeakyReLU, tanh, a sum, a concatenation, a sigmoid."""
    layers = _keras().layers
    start = layers.Input((4,), name="features")
    one = layers.BatchNormalization(name="scale")(start)
    one = layers.Dense(4, name="fc1")(one)
    one = layers.LeakyReLU(0.25, name="leaky")(one)
    two = layers.Dense(4, activation="tanh", name="fc2")(one)
    both = layers.BatchNormalization(name="norm")(layers.Add(name="add")([one, two]))
    both = layers.Concatenate(name="join")([both, two])
    return _random(start, layers.Dense(1, activation="sigmoid", name="score")(both))


def convolution() -> Any:
    """An image, a convolution with zeros around it, a pool, one of single pixels."""
    layers = _keras().layers
    start = layers.Input((4, 5, 2), name="image")
    image = layers.Conv2D(3, 3, padding="same", activation="relu", name="conv")(start)
    image = layers.MaxPooling2D(2, name="pool")(image)
    image = layers.Conv2D(2, 1, name="pixels")(image)
    return _random(start, layers.Dense(2, name="scores")(layers.Flatten(name="flat")(image)))


def narrow(choice: dict[str, Any]) -> None:
    """Weights of 8 bits, and results of 12 where weights are."""
    for layer in choice["LayerName"].values():
        if "weight" in layer.get("Precision", {}):
            layer["Precision"] |= {"weight": "fixed<8,2>", "result": "fixed<12,6,RND,SAT>"}


def _keras() -> Any:
    from trigger_ml.keras2 import bind_keras

    bind_keras()
    import tf_keras

    return tf_keras


def _random(start: Any, last: Any) -> Any:
    """The model, its weights of about unit size and its variances positive."""
    model = _keras().Model(start, last)
    random = np.random.default_rng(3)
    for layer in model.layers:
        arrays = [random.normal(0, 0.6, weight.shape) for weight in layer.weights]
        for place, weight in enumerate(layer.weights):
            if "variance" in weight.name:
                arrays[place] = np.abs(arrays[place]) + 0.3
        layer.set_weights(arrays)
    return model
