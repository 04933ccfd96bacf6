"""Models of the family of ReLU as Keras layers."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from tests.layers.case import Case

__all__ = ["CASES"]

WEIGHTS: Final = {
    "kernel_quantizer": "quantized_bits(4,1,alpha=1)",
    "bias_quantizer": "quantized_bits(4,1,alpha=1)",
}


def _save(path: Path, kind: str, options: dict[str, Any], image: bool) -> None:
    """Two layers of that kind: one before a quantizer, one at the end."""
    import tf_keras
    from qkeras import QActivation, QDense, quantized_bits

    layer = getattr(tf_keras.layers, kind)
    inputs = tf_keras.layers.Input((2, 2, 2) if image else (4,), name="features")
    tensor = QActivation(quantized_bits(6, 3, alpha=1), name="grid")(inputs)
    if image:
        tensor = layer(name="first", **options)(tensor)
        tensor = tf_keras.layers.Flatten(name="flat")(tensor)
    else:
        tensor = QDense(5, name="fc_0", **WEIGHTS)(tensor)
        tensor = layer(name="first", **options)(tensor)
    tensor = QActivation(quantized_bits(6, 3, alpha=1), name="middle")(tensor)
    tensor = QDense(3, name="fc_1", **WEIGHTS)(tensor)
    options = {} if options.get("shared_axes") else options
    model = tf_keras.Model(inputs, layer(name="second", **options)(tensor))
    random = np.random.default_rng(5)
    for part in model.layers:
        shapes = [array.shape for array in part.get_weights()]
        if kind == "PReLU" and part.name in ("first", "second"):
            part.set_weights([random.integers(-16, 17, shape) / 16 for shape in shapes])
        else:
            part.set_weights([random.uniform(-2, 2, shape) for shape in shapes])
    model.save(path)


def _case(name: str, kind: str, image: bool = False, **options: Any) -> Case:
    build = partial(_save, kind=kind, options=options, image=image)
    return Case(name, build, "QKeras .h5")


CASES: Final[tuple[Case, ...]] = (
    _case("ReLU: a layer", "ReLU"),
    _case("ReLU: max_value 6", "ReLU", max_value=6.0),
    _case("ReLU: max_value 3, an image", "ReLU", image=True, max_value=3.0),
    _case("ReLU: negative_slope 0.125", "ReLU", negative_slope=0.125),
    _case("Activation: relu6", "Activation", activation="relu6"),
    _case("Activation: linear", "Activation", activation="linear"),
    _case("LeakyReLU: alpha 0.25", "LeakyReLU", alpha=0.25),
    _case("LeakyReLU: alpha 0.375, an image", "LeakyReLU", image=True, alpha=0.375),
    _case("LeakyReLU: alpha 1", "LeakyReLU", alpha=1.0),
    _case("ThresholdedReLU: theta 1.5", "ThresholdedReLU", theta=1.5),
    _case("ThresholdedReLU: theta 0", "ThresholdedReLU", theta=0.0),
    _case("PReLU: a slope for each element", "PReLU"),
    _case("PReLU: one slope for all pixels", "PReLU", image=True, shared_axes=[1, 2]),
)
