"""Writes tiny_hgq.keras, tiny_set_hgq.keras and tiny_norm_hgq.keras, which the tests compile.

    PYTHONPATH=$VENV/share/trigger_ml/hgq2 KERAS_BACKEND=jax JAX_PLATFORMS=cpu \\
        python tests/data/make_tiny_hgq.py

Made with HGQ2 0.2.0, Keras 3.15.1 and JAX 0.10.2. tiny_hgq: 4-6-5-3, dense, softmax last.
tiny_set_hgq: 8 particles of 3 features, the same two layers for each, their mean, two layers
more. tiny_norm_hgq: a quantizer by itself, batch normalizations, an activation layer, truncation,
saturation and a quantized output. All are trained for a few seconds on a toy task, with a price
on bits high enough that some weights and some inputs are left with none.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

os.environ.update(KERAS_BACKEND="jax", JAX_PLATFORMS="cpu")
import hgq  # noqa: F401
import keras
import numpy as np
from hgq.config import LayerConfigScope, QuantizerConfigScope
from hgq.layers import (
    QBatchNormDense,
    QDense,
    QEinsumDense,
    QEinsumDenseBatchnorm,
    QGlobalAveragePooling1D,
    Quantizer,
)
from hgq.quantizer import QuantizerConfig
from hgq.utils import trace_minmax
from hgq.utils.sugar import FreeEBOPs

EVENTS = 4096
HERE = Path(__file__).parent


def dense_network() -> keras.Model:
    """4-6-5-3, a Sequential model."""
    return keras.Sequential(
        [
            keras.Input((4,), name="features"),
            QDense(6, activation="relu", name="fc1"),
            QDense(5, activation="relu", name="fc2"),
            QDense(3, name="logits"),
            keras.layers.Activation("softmax", name="softmax"),
        ],
        name="tiny_hgq",
    )


def set_network() -> keras.Model:
    """8 x 3 particles, a Functional model."""
    inputs = keras.Input((8, 3), name="particles")
    tensor = inputs
    for number in (1, 2):
        layer = QEinsumDense(
            "bnc,cd->bnd", (8, 4), bias_axes="d", activation="relu", name=f"phi{number}"
        )
        tensor = layer(tensor)
    tensor = QGlobalAveragePooling1D(name="mean")(tensor)
    tensor = QDense(4, activation="relu", name="rho")(tensor)
    return keras.Model(inputs, QDense(3, name="logits")(tensor), name="tiny_set_hgq")


def normalized_network() -> keras.Model:
    """4-5-4-3 with what the other two do not have."""
    cut = QuantizerConfig("kif", "datalane", round_mode="TRN", overflow_mode="SAT")
    return keras.Sequential(
        [
            keras.Input((4,), name="features"),
            Quantizer(cut, name="grid"),
            QBatchNormDense(5, enable_iq=False, enable_ebops=False, name="fc1"),
            keras.layers.Activation("relu", name="fc1_relu"),
            QEinsumDenseBatchnorm("bc,cd->bd", 4, bias_axes="d", activation="relu", name="fc2"),
            QDense(3, enable_oq=True, name="logits"),
            keras.layers.Activation("sigmoid", name="sigmoid"),
        ],
        name="tiny_norm_hgq",
    )


def train(model: keras.Model, inputs: np.ndarray, labels: np.ndarray, loss: object) -> None:
    """Train, take the ranges of all tensors, and save beside this file."""
    model.compile(keras.optimizers.Adam(2e-2), loss, metrics=["accuracy"])
    model.fit(inputs, labels, batch_size=256, epochs=60, verbose=2, callbacks=[FreeEBOPs()])
    trace_minmax(model, inputs, batch_size=1024)
    model.save(HERE / f"{model.name}.keras")


def main() -> None:
    """Make both."""
    keras.utils.set_random_seed(7)
    random = np.random.default_rng(7)
    flat = random.normal(0, 1.5, (EVENTS, 4)).astype(np.float32)
    sets = random.normal(0, 1.5, (EVENTS, 8, 3)).astype(np.float32)
    with _bits_cost(5e-4):
        loss = keras.losses.SparseCategoricalCrossentropy()
        train(dense_network(), flat, flat[:, :3].argmax(axis=1), loss)
    with _bits_cost(3e-5):
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        train(set_network(), sets, np.abs(sets).mean(axis=1).argmax(axis=1), loss)
        loss = keras.losses.BinaryCrossentropy()
        train(normalized_network(), flat, flat[:, :3] > 0, loss)


@contextmanager
def _bits_cost(price: float) -> Iterator[None]:
    """HGQ2's usual quantizers, and what an effective bit operation adds to the loss."""
    with (
        QuantizerConfigScope(place="all", default_q_type="kbi", overflow_mode="SAT_SYM"),
        QuantizerConfigScope(place="datalane", default_q_type="kif", overflow_mode="WRAP"),
        LayerConfigScope(enable_ebops=True, beta0=price),
    ):
        yield


if __name__ == "__main__":
    main()
