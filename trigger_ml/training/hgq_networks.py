"""HGQ2 networks: built from a float network, with a width for every weight and activation.

For training processes only: Keras 3 and HGQ2 are imported when a function is called.
"""

from __future__ import annotations

import warnings
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.compress.networks.network import DenseLayer, FloatNetwork, GlobalAverage

__all__ = [
    "PACKAGES",
    "copy_weights",
    "hgq_network",
    "quiet",
    "set_price",
    "settle_ranges",
]

PACKAGES: Final = ("HGQ2", "jax", "keras", "hls4ml", "numpy")
RANGE_BATCH: Final = 16384
AXES: Final = "nmpq"
"""Letters for the axes of an event that a layer leaves alone."""


def quiet() -> None:
    """Keep Keras' and HGQ2's warnings off the output."""
    warnings.filterwarnings("ignore")


def hgq_network(network: FloatNetwork, price: float, *, shared_widths: bool = False) -> Any:
    """Keras model of HGQ2 layers with the network's shape and weights, ending in logits.

    Weights round to nearest and saturate symmetrically. What flows between layers is cut
    (``TRN``) and wraps: cutting costs no logic where rounding costs an adder, and the training
    sees it.

    price: first beta, loss per effective bit operation. shared_widths: particles share the
    widths of their activations, so that the network is invariant under their permutation.
    """
    import hgq  # noqa: F401 (registers its layers with Keras)
    import keras
    from hgq.config import LayerConfigScope, QuantizerConfigScope

    together = tuple(range(len(network.input_shape))) if shared_widths else (0,)
    with (
        QuantizerConfigScope(
            place="all", default_q_type="kbi", overflow_mode="SAT_SYM", round_mode="RND"
        ),
        QuantizerConfigScope(
            place="datalane",
            default_q_type="kif",
            overflow_mode="WRAP",
            round_mode="TRN",
        ),
        LayerConfigScope(enable_ebops=True, beta0=price),
    ):
        tensor = source = keras.Input(network.input_shape, name="features")
        for layer in network.layers:
            tensor = _layer(layer, tensor, together)(tensor)
    model = keras.Model(source, tensor, name=network.name)
    copy_weights(network, model)
    return model


def _layer(layer: DenseLayer | GlobalAverage, tensor: Any, together: tuple[int, ...]) -> Any:
    from hgq.config import QuantizerConfig
    from hgq.layers import QDense, QEinsumDense, QGlobalAveragePooling1D

    rank = len(tensor.shape)
    axes = together if rank > 2 else (0,)
    widths = QuantizerConfig(place="datalane", homogeneous_axis=axes)
    if isinstance(layer, GlobalAverage):
        return QGlobalAveragePooling1D(name=layer.name, iq_conf=widths)
    units = int(layer.kernel.shape[1])
    if rank == 2:
        return QDense(units, activation=layer.activation, name=layer.name, iq_conf=widths)
    free = AXES[: rank - 2]
    return QEinsumDense(
        f"b{free}c,cd->b{free}d",
        (*tensor.shape[1:-1], units),
        bias_axes="d",
        activation=layer.activation,
        name=layer.name,
        iq_conf=widths,
    )


def copy_weights(network: FloatNetwork, model: Any) -> None:
    """Start from the float network's weights."""
    for layer in network.dense:
        copy = model.get_layer(layer.name)
        copy.kernel.assign(layer.kernel.astype(np.float32))
        copy.bias.assign(layer.bias.astype(np.float32))


def set_price(model: Any, price: float) -> None:
    """Set beta, the loss per effective bit operation, of every layer."""
    for layer in model.layers:
        if getattr(layer, "_beta", None) is not None:
            layer._beta.assign(price)


def settle_ranges(model: Any, events: NDArray[np.float32]) -> int:
    """Give every activation the integer bits that these events need; returns the EBOPs.

    What lies beyond the range of all these events wraps in the firmware.
    """
    from hgq.utils import trace_minmax

    return int(trace_minmax(model, events, batch_size=RANGE_BATCH, verbose=False))
