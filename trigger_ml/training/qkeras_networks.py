"""QKeras networks: built from types, pruned while they train, saved with what they use.

For training processes only: TensorFlow, QKeras and its pruning are imported when a function is
called, after :func:`trigger_ml.keras2.bind_keras`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.graph.types import FixedType

__all__ = [
    "PACKAGES",
    "QuantizedLayer",
    "compiled",
    "grid",
    "on_grid",
    "pruner",
    "pruning_callbacks",
    "quantized_chain",
    "unwrapped",
    "weight_counts",
    "without_tail",
]

PACKAGES: Final = (
    "tensorflow",
    "tf_keras",
    "QKeras",
    "tensorflow-model-optimization",
    "numpy",
)
MASK_EVERY: Final = 20
"""Steps between two looks at which weights are the smallest."""

Wrap = Callable[[Any, int], Any]
"""What to put around a layer with weights, given its position among those."""


@dataclass(frozen=True, slots=True)
class QuantizedLayer:
    """A dense layer and the activation behind it.

    weight, bias: signed types; their rounding and overflow do not matter, QKeras rounds ties to
    even and saturates. activation: unsigned for a ReLU, signed for a cast, None for neither.
    activation_name: of that layer. masks: 0 or 1 for each weight and each bias, kept so through
    a training, or None.
    """

    name: str
    units: int
    weight: FixedType
    bias: FixedType
    activation: FixedType | None
    activation_name: str = ""
    masks: tuple[NDArray[Any], NDArray[Any]] | None = None


def quantized_chain(
    name: str,
    inputs: int,
    input_type: FixedType,
    layers: Sequence[QuantizedLayer],
    tail: str,
    wrap: Wrap | None = None,
) -> Any:
    """QKeras model of one axis of inputs, with a quantizer on them.

    tail: the activation at the end, "softmax", "sigmoid" or "".
    """
    import tf_keras as keras
    from qkeras import QActivation, QDense

    tensor = source = keras.Input((inputs,), name="features")
    tensor = QActivation(grid(input_type, relu=False), name="input_grid")(tensor)
    for position, layer in enumerate(layers):
        constraints: dict[str, Any] = {}
        if layer.masks is not None:
            kernel, bias = (_kept(mask) for mask in layer.masks)
            constraints = {"kernel_constraint": kernel, "bias_constraint": bias}
        dense = QDense(
            layer.units,
            kernel_quantizer=grid(layer.weight, relu=False),
            bias_quantizer=grid(layer.bias, relu=False),
            name=layer.name,
            **constraints,
        )
        tensor = (wrap(dense, position) if wrap else dense)(tensor)
        kind = layer.activation
        if kind is not None:
            quantizer = grid(kind, relu=not kind.signed)
            tensor = QActivation(quantizer, name=layer.activation_name)(tensor)
    if tail:
        tensor = keras.layers.Activation(tail, name=tail)(tensor)
    return keras.Model(source, tensor, name=name)


def grid(kind: FixedType, *, relu: bool) -> Any:
    """QKeras quantizer of a type; QKeras counts integer bits without the sign."""
    from qkeras import quantized_bits, quantized_relu

    if relu:
        return quantized_relu(kind.width, kind.integer)
    integer = kind.integer - int(kind.signed)
    return quantized_bits(kind.width, integer, keep_negative=kind.signed, alpha=1)


def _kept(mask: NDArray[Any]) -> Any:
    """A Keras constraint that holds weights at zero where the mask is zero."""
    import tensorflow as tf
    import tf_keras as keras

    class Masked(keras.constraints.Constraint):  # type: ignore[misc]
        def __call__(self, weights: Any) -> Any:
            return weights * tf.constant(mask, dtype=weights.dtype)

    return Masked()


def without_tail(network: Any) -> Any:
    """The model up to its logits."""
    import tf_keras as keras

    last = network.layers[-1]
    if type(last).__name__ != "Activation":
        return network
    return keras.Model(network.input, network.layers[-2].output)


def compiled(network: Any, rate: float, steps: int, *, binary: bool = False) -> Any:
    """A model that answers logits, ready to train: Adam, its rate falling on a cosine to zero.

    steps: batches in all. binary: each output answers a question of its own.
    """
    import tf_keras as keras

    model = without_tail(network)
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    losses = keras.losses
    loss = losses.BinaryCrossentropy if binary else losses.CategoricalCrossentropy
    model.compile(keras.optimizers.Adam(schedule), loss(from_logits=True))
    return model


def pruner(sparsity: Sequence[float], begin: float, end: float, steps: int) -> Wrap:
    """What wraps a layer for magnitude pruning on a cubic schedule (arXiv:1710.01878).

    sparsity: final share of zeros, by position. begin, end: shares of all the steps.
    """
    from tensorflow_model_optimization.sparsity import keras as sparsity_keras

    first = int(begin * steps)
    span = max(int((end - begin) * steps), 1)
    frequency = max(1, min(MASK_EVERY, span // 10))
    last = first + frequency * math.ceil(span / frequency)  # so that the last look is at the end

    def wrap(layer: Any, position: int) -> Any:
        schedule = sparsity_keras.PolynomialDecay(
            initial_sparsity=0.0,
            final_sparsity=sparsity[position],
            begin_step=first,
            end_step=last,
            frequency=frequency,
        )
        return sparsity_keras.prune_low_magnitude(layer, schedule, name=f"pruned_{layer.name}")

    return wrap


def pruning_callbacks() -> list[Any]:
    """What ``fit`` needs for a model with wrapped layers."""
    from tensorflow_model_optimization.sparsity import keras as sparsity_keras

    return [sparsity_keras.UpdatePruningStep()]


def unwrapped(model: Any, name: str) -> Any:
    """The layer of that name, whether it is wrapped for pruning or not."""
    for layer in model.layers:
        inner = getattr(layer, "layer", layer)
        if inner.name == name:
            return inner
    raise KeyError(name)


def on_grid(layer: Any, weights: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    """Weights as the layer's own quantizers round them, so that the file holds what is used."""
    quantizers = (layer.kernel_quantizer_internal, layer.bias_quantizer_internal)
    return [
        np.asarray(quantizer(np.asarray(values, dtype=np.float32)))
        for quantizer, values in zip(quantizers, weights, strict=True)
    ]


def weight_counts(network: Any) -> dict[str, list[int]]:
    """Weights (without biases) and zeros among them, by layer."""
    kernels: Mapping[str, Any] = {
        layer.name: layer.get_weights()[0] for layer in network.layers if layer.get_weights()
    }
    return {name: [kernel.size, int((kernel == 0).sum())] for name, kernel in kernels.items()}
