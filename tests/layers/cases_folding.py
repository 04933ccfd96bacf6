"""Layers that inference leaves out, or folds into their neighbours, in QKeras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.layers.case import Case

KIND = "QKeras .h5"


def _saved(path: Path, source: Any, result: Any) -> None:
    """Save the model, its normalizations with statistics as after training."""
    import numpy as np
    import tf_keras

    model = tf_keras.Model(source, result)
    draw = np.random.default_rng(5)
    ranges = {"gamma": (0.5, 1.5), "beta": (-1, 1), "mean": (-1, 1), "variance": (0.5, 2)}
    for weight in model.weights:
        kind = weight.name.split(":")[0].split("/")[-1].removeprefix("moving_")
        if kind in ranges:
            weight.assign(draw.uniform(*ranges[kind], weight.shape))
    model.save(path)


def _folding(path: Path) -> None:
    import tf_keras
    from qkeras import (
        QActivation,
        QConv2DBatchnorm,
        QDense,
        QDepthwiseConv2DBatchnorm,
        quantized_bits,
    )

    tf_keras.utils.set_random_seed(1)
    bits, bias = quantized_bits(5, 1, alpha=1), quantized_bits(6, 2, alpha=1)
    source = tf_keras.Input((5, 5, 2), name="x")
    values = QActivation(quantized_bits(5, 2, alpha=1), name="grid")(source)
    options = {"depthwise_quantizer": bits, "bias_quantizer": bias, "name": "apart"}
    values = QDepthwiseConv2DBatchnorm((2, 2), depth_multiplier=2, **options)(values)
    values = QActivation("quantized_relu(5,2)", name="act")(values)
    options = {"kernel_quantizer": "quantized_bits(5,1)", "bias_quantizer": bias, "name": "mix"}
    values = QConv2DBatchnorm(3, (3, 3), use_bias=False, **options)(values)
    values = QActivation("quantized_relu(5,2)", name="act2")(values)
    values = tf_keras.layers.Flatten(name="flat")(values)
    last = QDense(2, kernel_quantizer=bits, bias_quantizer=bits, name="fc")
    _saved(path, source, last(values))


def _training(path: Path) -> None:
    import tf_keras
    from qkeras import QActivation, QDense, quantized_bits

    tf_keras.utils.set_random_seed(1)
    bits = quantized_bits(5, 1, alpha=1)
    source = tf_keras.Input((4,), name="input")
    values = QActivation(quantized_bits(6, 2, alpha=1), name="grid")(source)
    values = tf_keras.layers.GaussianNoise(0.1, name="noise")(values)
    values = QDense(5, kernel_quantizer=bits, bias_quantizer=bits, name="fc1")(values)
    values = tf_keras.layers.Dropout(0.2, name="drop")(QActivation("quantized_relu(5,2)")(values))
    values = QDense(3, kernel_quantizer=bits, bias_quantizer=bits, name="fc2")(values)
    _saved(path, source, tf_keras.layers.Softmax(name="end")(values))


CASES = (
    Case("QConv2DBatchnorm, QDepthwiseConv2DBatchnorm", _folding, KIND),
    Case("Dropout, GaussianNoise; Softmax; an input of the name input", _training, KIND),
)
