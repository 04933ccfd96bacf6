"""Layers of vectors in QKeras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.layers.case import Case

KIND = "QKeras .h5"


def _saved(path: Path, tensors: Any) -> None:
    import tf_keras

    source, result = tensors
    tf_keras.Model(source, result).save(path)


def _dense(path: Path) -> None:
    import tf_keras
    from qkeras import QActivation, QDense, quantized_bits

    tf_keras.utils.set_random_seed(1)
    source = tf_keras.Input((4,), name="x")
    on_grid = QActivation(quantized_bits(6, 2, alpha=1), name="grid")(source)
    grids = {
        "kernel_quantizer": quantized_bits(5, 1, alpha=1),
        "bias_quantizer": quantized_bits(5, 1, alpha=1),
    }
    hidden = QDense(5, name="fc1", bias_initializer="normal", **grids)(on_grid)
    hidden = QActivation("quantized_relu(5,2)", name="act")(hidden)
    _saved(path, (source, QDense(3, name="fc2", **grids)(hidden)))


CASES = (Case("QDense, QActivation: quantized_bits, quantized_relu", _dense, KIND),)
