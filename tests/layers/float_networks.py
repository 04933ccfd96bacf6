"""Float networks of a few layers, written for whichever Keras is handed in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

__all__ = ["NETWORKS", "Network", "Shapes", "Tensors", "save"]

Shapes = tuple[tuple[int, ...], ...]
Tensors = tuple[Any, ...]
Network = Callable[[Any, Tensors], Any]
"""A Keras and a model's inputs to its output, or a list of them."""

CHANGING: Final = (0.4, 0.9)
"""Variances of normalizations, at least and at most."""


def save(keras: Any, path: Path, shapes: Shapes, network: Network) -> None:
    """Write a model of inputs of these shapes, with drawn weights."""
    inputs = [keras.Input(shape, name=f"in_{n}") for n, shape in enumerate(shapes)]
    model = keras.Model(inputs, network(keras, tuple(inputs)))
    random = np.random.default_rng(5)
    for layer in _all(model):
        kind = type(layer).__name__
        # Kernels of more above zero than below, so that no ReLU is zero throughout.
        drawn = [
            random.normal(0.3, 0.8, a.shape) if a.ndim > 1 else random.normal(0, 0.2, a.shape)
            for a in layer.get_weights()
        ]
        if kind == "BatchNormalization":
            drawn[0] += 1
            drawn[3] = random.uniform(*CHANGING, drawn[3].shape)
        if kind == "PReLU":
            drawn = [np.abs(values) / 2 for values in drawn]
        if kind == "Normalization" and drawn:
            drawn[1:] = [random.uniform(*CHANGING, drawn[1].shape), np.zeros(())]
        layer.set_weights(drawn)
    model.save(path)


def _all(layer: Any) -> Iterator[Any]:
    """The layers that hold weights, within models and wrappers too."""
    inner = getattr(layer, "layers", None) or [getattr(layer, "layer", None)]
    if inner == [None]:
        yield layer
    else:
        for part in inner:
            yield from _all(part)


def _end(keras: Any, tensor: Any, units: int = 3, name: str = "logits") -> Any:
    if len(tensor.shape) > 2:
        tensor = keras.layers.Flatten(name=f"{name}_flat")(tensor)
    return keras.layers.Dense(units, name=name)(tensor)


def _dense(keras: Any, inputs: Tensors) -> Any:
    layers = keras.layers
    tensor = layers.Dense(4, "relu", name="d0")(inputs[0])
    tensor = layers.Dense(4, "tanh", use_bias=False, name="d1")(layers.Dropout(0.5)(tensor))
    tensor = layers.Dense(4, "sigmoid", name="d2")(layers.GaussianNoise(0.1)(tensor))
    tensor = layers.Dense(3, name="d3")(tensor)
    return layers.Softmax(name="soft")(tensor)


def _rectifiers(keras: Any, inputs: Tensors) -> Any:
    layers = keras.layers
    tensor = layers.LeakyReLU(0.3, name="leaky")(layers.Dense(4, name="d0")(inputs[0]))
    tensor = layers.PReLU(name="slopes")(layers.Dense(4, name="d1")(tensor))
    tensor = layers.ReLU(max_value=2, name="bounded")(layers.Dense(4, name="d2")(tensor))
    tensor = layers.Activation("relu6", name="six")(layers.Dense(4, name="d3")(tensor))
    return layers.Dense(3, "sigmoid", name="d4")(tensor)


def _normalizations(keras: Any, inputs: Tensors) -> Any:
    """Before a layer with weights, behind one, and between layers without any."""
    layers = keras.layers
    tensor = layers.Dense(4, name="d0")(layers.BatchNormalization(name="first")(inputs[0]))
    tensor = layers.ReLU(name="act")(layers.BatchNormalization(name="behind")(tensor))
    alone = layers.BatchNormalization(name="alone")(tensor)
    return _end(keras, layers.Concatenate(name="both")([alone, tensor]))


def _steps(keras: Any, inputs: Tensors) -> Any:
    """Dense on each step, convolutions along them, a mean over 3 of 4 and one over both left."""
    layers = keras.layers
    tensor = layers.Dense(2, "relu", name="each")(inputs[0])
    tensor = layers.Conv1D(2, 2, padding="causal", activation="relu", name="conv")(tensor)
    tensor = layers.SeparableConv1D(2, 3, padding="same", activation="relu", name="sep")(tensor)
    tensor = layers.AveragePooling1D(3, 1, name="mean")(tensor)
    tensor = layers.Conv1D(2, 1, activation="relu", name="one")(tensor)
    return _end(keras, layers.GlobalAveragePooling1D(name="all")(tensor))


def _images(keras: Any, inputs: Tensors) -> Any:
    layers = keras.layers
    tensor = layers.Conv2D(2, 2, padding="same", activation="relu", name="conv")(inputs[0])
    tensor = layers.BatchNormalization(name="bn")(layers.DepthwiseConv2D(2, name="deep")(tensor))
    tensor = layers.ReLU(name="act")(tensor)
    tensor = layers.SeparableConv2D(2, 2, padding="same", name="sep")(tensor)
    return _end(keras, layers.GlobalMaxPooling2D(name="most")(tensor))


def _moved(keras: Any, inputs: Tensors) -> Any:
    layers = keras.layers
    tensor = layers.Conv2D(2, 1, activation="relu", name="conv")(inputs[0])
    tensor = layers.MaxPooling2D(2, padding="same", name="pool")(tensor)
    tensor = layers.UpSampling2D(2, name="up")(tensor)
    tensor = layers.ZeroPadding2D(((0, 1), (1, 0)), name="zeros")(tensor)
    tensor = layers.Cropping2D(((1, 1), (2, 0)), name="crop")(tensor)
    tensor = layers.Permute((3, 1, 2), name="turned")(tensor)
    return _end(keras, layers.Reshape((-1,), name="flat")(tensor))


def _means(keras: Any, inputs: Tensors) -> Any:
    """Over 2 and over 6 elements; a normalization behind the second one goes into the logits."""
    layers = keras.layers
    tensor = layers.Conv2D(2, 1, activation="relu", name="conv")(inputs[0])
    tensor = layers.AveragePooling2D((1, 2), name="two")(tensor)
    tensor = layers.GlobalAveragePooling2D(name="all")(tensor)
    return _end(keras, layers.BatchNormalization(name="bn")(tensor))


def _joins(keras: Any, inputs: Tensors) -> Any:
    """Two inputs, two outputs; one of the sums repeats elements."""
    layers = keras.layers
    left, right = (
        layers.Dense(2, activation, name=f"d{n}")(tensor)
        for n, (tensor, activation) in enumerate(zip(inputs, ("relu", "linear"), strict=True))
    )
    sums = [
        getattr(layers, kind)(name=kind.lower())([left, right])
        for kind in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")
    ]
    joined = layers.Concatenate(name="joined")(sums)
    one = layers.Add(name="repeated")([left, layers.Dense(1, name="one")(joined)])
    inner = layers.Dot(axes=1, name="inner")([left, right])
    both = layers.Concatenate(name="both")([one, inner])
    return [_end(keras, joined, 1, "first"), _end(keras, both, 2, "second")]


def _block(keras: Any, name: str) -> Any:
    layers = keras.layers
    tensor = source = keras.Input((2,), name=f"{name}_in")
    for n in range(2):
        tensor = layers.BatchNormalization(name=f"bn{n}")(layers.Dense(2, name=f"fc{n}")(tensor))
        tensor = layers.ReLU(name=f"act{n}")(tensor)
    return keras.Model(source, tensor, name=name)


def _shared(keras: Any, inputs: Tensors) -> Any:
    """A layer three times in a row, and a model for each of two inputs."""
    layers = keras.layers
    block, again = _block(keras, "block"), layers.Dense(2, name="again")
    leaky = layers.LeakyReLU(0.3, name="leaky")
    tensor, other = (block(tensor) for tensor in inputs)
    for n in range(3):
        tensor = leaky(layers.Subtract(name=f"less{n}")([again(tensor), other]))
    return _end(keras, tensor)


def _timed(keras: Any, inputs: Tensors) -> Any:
    """What TimeDistributed holds: a layer, a model, a layer of images."""
    layers = keras.layers
    timed = layers.TimeDistributed
    tensor = timed(layers.Dense(2, "relu", name="fc"), name="each")(inputs[0])
    tensor = timed(_block(keras, "block"), name="model")(tensor)
    rows = layers.Reshape((2, 2, 2), name="rows")(tensor)
    rows = timed(layers.Conv1D(2, 2, activation="relu", name="c"), name="conv")(rows)
    return _end(keras, timed(layers.Flatten(name="f"), name="flat")(rows))


def _einsum(keras: Any, inputs: Tensors) -> Any:
    """The same at every place; a kernel for every place; sums over places."""
    einsum = keras.layers.EinsumDense
    tensor = einsum("abc,cd->abd", (2, 2), "relu", "d", name="alike")(inputs[0])
    tensor = einsum("abc,bcd->abd", (2, 2), "tanh", "bd", name="own")(tensor)
    tensor = einsum("abc,bd->adc", (3, 2), "relu", name="mixed")(tensor)
    return _end(keras, tensor)


def _scalings(keras: Any, inputs: Tensors) -> Any:
    """With constants in parameters and in weights; zeros around an image, and places behind."""
    layers = keras.layers
    image = layers.Rescaling(1 / 3, name="third")(inputs[0])
    image = layers.Conv2D(2, 2, padding="same", activation="relu", name="conv")(image)
    image = layers.Flatten(name="flat")(layers.BatchNormalization(name="bn")(image))
    given = layers.Normalization(mean=[0.5, -0.25], variance=[2.0, 0.3], name="given")(inputs[1])
    shifted = layers.Rescaling(1.5, offset=0.3, name="shifted")(given)
    stored = layers.Normalization(name="stored")(layers.Dense(2, "tanh", name="d0")(shifted))
    return _end(keras, layers.Concatenate(name="both")([image, stored]))


NETWORKS: Final[dict[str, tuple[Network, Shapes]]] = {
    "Dense, relu, tanh, sigmoid, Softmax, Dropout": (_dense, ((4,),)),
    "LeakyReLU, PReLU, ReLU with a bound, relu6": (_rectifiers, ((4,),)),
    "BatchNormalization: folded and not": (_normalizations, ((3,),)),
    "Dense on steps, Conv1D, SeparableConv1D, means": (_steps, ((4, 2),)),
    "Conv2D, DepthwiseConv2D, SeparableConv2D": (_images, ((3, 3, 1),)),
    "MaxPooling, UpSampling, padding, Cropping, Permute, Reshape": (_moved, ((3, 3, 1),)),
    "AveragePooling2D, GlobalAveragePooling2D": (_means, ((2, 6, 1),)),
    "Add to Minimum, Concatenate, Dot; two inputs and outputs": (_joins, ((2,), (3,))),
    "A layer and a model used again": (_shared, ((2,), (2,))),
    "TimeDistributed: Dense, a model, Conv1D, Flatten": (_timed, ((4, 2),)),
    "EinsumDense": (_einsum, ((2, 3),)),
    "Rescaling, Normalization": (_scalings, ((2, 2, 1), (2,))),
}
"""By name: a network and the shapes of its inputs."""
