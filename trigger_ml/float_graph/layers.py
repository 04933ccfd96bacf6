"""The layers that a float network may hold, each reduced to what decides its output.

They are those that have firmware once they are quantized, so the readers of quantized layers say
what is wrong with them; what is a matter of rounding alone, a slope for one, is taken as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.float_graph.scalings import SCALINGS, read_scaling
from trigger_ml.frontends.keras_convolutions import CONVOLUTIONS
from trigger_ml.frontends.keras_layers import read_layer
from trigger_ml.frontends.keras_merges import JOINS
from trigger_ml.frontends.keras_products import PRODUCTS
from trigger_ml.frontends.keras_windows import WINDOW_READERS

__all__ = ["EINSUM", "FLOAT", "KERNELS", "read_float_layer"]

KERNELS: Final[Mapping[str, tuple[str, ...]]] = {
    "Dense": ("kernel",),
    **{kind.removeprefix("Q"): known.kernels for kind, known in CONVOLUTIONS.items()},
}
"""Float layers with weights, and the names of their kernels."""
FLOAT: Final = tuple(KERNELS)
EINSUM: Final = "EinsumDense"
"""A layer with weights that is written as another one."""
KNOWN: Final = (
    *("InputLayer", "QActivation", "Activation", "Softmax", "BatchNormalization"),
    *("ReLU", "LeakyReLU", "PReLU", "ThresholdedReLU"),
    *("Flatten", "Reshape", "Permute"),
    *JOINS,
    *PRODUCTS,
    *WINDOW_READERS,
    *("QDense", "QBatchNormalization", *CONVOLUTIONS),
)
"""The other layers that types are chosen around."""
PLACEHOLDER: Final = "quantized_bits(8,0,alpha=1)"
"""A quantizer for the readers of quantized layers; it is taken off again."""
SLOPES: Final[Mapping[str, float]] = {"leaky_relu": 0.2}
"""Activations of Keras 3 that are a LeakyReLU, and its slope."""
RELU6: Final = 6.0


def read_float_layer(kind: str, name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The layer's parameters that matter, in Keras' own terms. Quantized layers keep theirs.

    Raises ModelError with everything that is wrong in this layer.
    """
    if kind in KERNELS or kind == EINSUM:
        return _weighted(kind, name, config)
    if kind in SCALINGS:
        return read_scaling(kind, name, config)
    if kind == "LeakyReLU":
        return _leaky(name, config.get("alpha", config.get("negative_slope", 0.3)))
    if kind == "ReLU" and config.get("negative_slope"):
        slope = _leaky(name, config["negative_slope"])["alpha"]
        read = read_layer(kind, name, {**config, "negative_slope": 0.0})
        return {**read, "negative_slope": slope}
    if kind == "Activation" and config.get("activation") in SLOPES:
        return {"name": name, "activation": config["activation"], "dtype": "float32"}
    if kind not in KNOWN:
        read_layer(kind, name, config)
        what = f"a {kind} gets no fixed-point types from events"
        fix = "train the model with quantizers: QKeras or HGQ2"
        raise ModelError(Blocker(f"layer {name}", what, fix))
    return read_layer(kind, name, config)


def _weighted(kind: str, name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    kernels = KERNELS.get(kind, ())
    quantizers = {f"{kernel}_quantizer": PLACEHOLDER for kernel in (*kernels, "bias")}
    activation = config.get("activation")
    known = activation in (*SLOPES, "relu6") or (kind == EINSUM and activation == "tanh")
    given = {**config, **quantizers, "activation": "linear" if known else activation}
    read = read_layer(kind if kind == EINSUM else f"Q{kind}", name, given)
    kept = {key: value for key, value in read.items() if key not in quantizers}
    return {**kept, "activation": activation} if known else kept


def _leaky(name: str, slope: Any) -> dict[str, Any]:
    if not isinstance(slope, int | float) or not 0 <= slope <= 1:
        what = f"a slope of {slope!r}"
        raise ModelError(Blocker(f"layer {name}", what, "use a number from 0 to 1"))
    return {"name": name, "alpha": float(slope), "dtype": "float32"}
